"""Does the simulated shop behave like the data? `python -m promo_repro.simulator.validation`.

The response was fitted on weeks 2 to 39; everything here is compared with weeks 40 to 52, or with a
parameter that was planted. The bands below were set before the held-out weeks were looked at, and
every cell is written down, inside its band or not: data/results/06_simulator/validation.json.
"""

import json
from dataclasses import replace

import numpy as np

from promo_repro.claims import formula
from promo_repro.datasets import complete_journey
from promo_repro.project import commit, root
from promo_repro.response import logit, panels, parameters
from promo_repro.response.fit import CATEGORIES
from promo_repro.simulator.market import Market, simulate_market

FOLDER = "data/results/06_simulator"
COMMAND = "python -m promo_repro.simulator.validation"
SEED = 0
FITTED = panels.INITIAL + 1, panels.TRAINED  # weeks, first and last
HELD_OUT = panels.TRAINED + 1, panels.LAST
EDGES = (0.05, 0.15, 0.25, 0.35, 0.45)  # of the depth of a deal
BANDS = {
    "units by depth": (0.85, 1.15),
    "incidence": (0.85, 1.15),
    "repeat share": (0.85, 1.15),
    "trips quantile": (0.85, 1.15),
    "basket": (0.85, 1.15),
    "purchases": (0.85, 1.15),
    "naive error": (0.80, 1.20),
    "planted slope": (-2.0, 2.0),
    "coverage": (0.90, 1.0),
}
QUANTILES = (0.25, 0.5, 0.75, 0.95)
MARKETS = 10  # simulated, each of the size of the data


@formula("eq-06-observed-predicted")
def observed_over_predicted(observed, predicted):
    """Ratio of what was counted to what was expected, with a 95 % interval for Poisson counts.

    `observed` and `predicted` are sums over the same trips. Returns (ratio, low, high). Raises
    `ValueError` if nothing was expected.
    """
    if not predicted > 0:
        raise ValueError("predicted is zero: there is nothing to compare with")
    half = 1.96 * np.sqrt(max(observed, 1.0)) / predicted
    ratio = observed / predicted
    return ratio, ratio - half, ratio + half


def row(method, metric, value, low, high, n, kind):
    """One row of the result, with its band and whether the value lies inside."""
    band = BANDS[kind]
    return {
        "method": method,
        "metric": metric,
        "value": float(value),
        "lo": float(low),
        "hi": float(high),
        "n": int(n),
        "kind": kind,
        "band": list(band),
        "inside": bool(band[0] <= value <= band[1]),
    }


def _ratio(method, metric, observed, predicted, n, kind):
    return row(method, metric, *observed_over_predicted(observed, predicted), n, kind)


# Weeks 40 to 52, trip by trip -------------------------------------------------------------------


def held_out(journey, fitted):
    """Units by depth, incidence and repeat share of each category and of all together."""
    segments = panels.deal_segments(journey)
    cells = {label: category_cells(journey, fitted, label, segments) for label in CATEGORIES}
    for label, found in (*cells.items(), ("all categories", pooled(cells.values()))):
        for metric, cell in found.items():
            yield cell_row(label, metric, cell)


def pooled(cells):
    """The sum of the cells of several categories, by metric."""
    total = {}
    for found in cells:
        for metric, cell in found.items():
            total[metric] = total.get(metric, np.zeros(3)) + cell
    return total


def category_cells(journey, fitted, label, segments, weeks=HELD_OUT):
    """The cells of one category in some weeks, first and last; see `trip_cells`."""
    found = panels.category(journey, CATEGORIES[label], segments)
    trips = panels.category_trips(journey, found, weeks, 10**9, np.random.default_rng(SEED))
    known = found.households.index.get_indexer(trips.data.cluster)
    return trip_cells(fitted.category(label), trips, found.counts[known] > 0)


def trip_cells(category, trips, owned):
    """What was observed, predicted, and how many trips or units it rests on, by metric.

    A depth at which no product was offered has no cell. `owned` (N, J) says which products the
    household had bought in weeks 2 to 20.
    """
    j = len(category.products)
    vector = category.vector
    chance = logit.choice_probabilities(vector[:j] + trips.data.features @ vector[j:])
    taken = trips.data.choice[:, None] == np.arange(1, j + 1)
    depth_bin = np.searchsorted(EDGES, trips.depth)
    cells = {}
    for k in range(len(EDGES) + 1):
        inside = depth_bin == k
        if not inside.any():
            continue
        cells[f"units, depth {_named(k)}"] = np.array(
            [taken[inside].sum(), chance[inside].sum(), taken[inside].sum()]
        )
    cells["incidence"] = np.array([taken.sum(), chance.sum(), len(taken)])
    cells["repeat share"] = np.array(
        [taken[owned].sum(), taken.sum() * chance[owned].sum() / chance.sum(), taken.sum()]
    )
    return cells


def _named(k):
    edges = ("0", *(f"{edge:.0%}" for edge in EDGES), "100%")
    return f"{edges[k]} to {edges[k + 1]}"


def cell_row(label, metric, cell):
    kind = "units by depth" if metric.startswith("units") else metric
    return _ratio(label, metric, cell[0], cell[1], cell[2], kind)


# The market drawn from the parameters ------------------------------------------------------------


def slope_errors(market: Market, fitted):
    """Errors of the price slopes estimated from a simulated market, in standard errors, (C, 3)."""
    errors = []
    for category, choices in zip(fitted.categories, market.choices, strict=True):
        found = logit.fit(choices)
        j = len(category.products)
        errors.append(((found.vector - category.vector) / found.standard_errors)[j + 2 : j + 5])
    return np.array(errors)


def slope_rows(errors, trips, fitted):
    """The errors of every slope in the first market, and how many are below two in all.

    `errors` (markets, C, 3) are those of `slope_errors`, `trips` (C,) the trips of a market that
    were fitted on.
    """
    errors = np.asarray(errors)
    for category, of_segments, n in zip(fitted.categories, errors[0], trips, strict=True):
        for segment, z in zip(fitted.segments, of_segments, strict=True):
            metric = f"price slope, {segment} deal share"
            yield row(category.name, metric, z, z - 1.96, z + 1.96, n, "planted slope")
    covered, n = (np.abs(errors) < 2).mean(), errors.size
    half = 1.96 * np.sqrt(covered * (1 - covered) / n)
    metric = f"slopes within two standard errors, {len(errors)} markets"
    yield row(
        "all categories", metric, covered, covered - half, min(covered + half, 1), n, "coverage"
    )


def observed_market(journey, segments):
    """Trips (N, T) of the households with a segment in weeks 21 to 52, and what a trip holds."""
    first = panels.INITIAL + 1
    households = segments.index
    trips = journey.query(
        f"""SELECT household_id, basket_id, any_value(week) AS week FROM transactions
            WHERE week BETWEEN {first} AND {panels.LAST} GROUP BY ALL ORDER BY basket_id"""
    )
    trips = trips[trips["household_id"].isin(households)].reset_index(drop=True)
    bought = np.zeros((len(trips), len(CATEGORIES)), bool)
    for c, name in enumerate(CATEGORIES.values()):
        found = panels.category(journey, name, segments)
        listed = ", ".join(str(int(p)) for p in found.prices.products)
        baskets = journey.query(
            f"SELECT DISTINCT basket_id FROM transactions WHERE product_id IN ({listed})"
        )["basket_id"]
        knows = trips["household_id"].isin(found.households.index)
        bought[:, c] = knows & trips["basket_id"].isin(baskets)
    week = trips["week"].to_numpy(int) - first
    counts = np.zeros((len(households), panels.LAST - first + 1), int)
    np.add.at(counts, (households.get_indexer(trips["household_id"]), week), 1)
    return Market(counts, bought, week, (), ())


@formula("eq-06-naive-error")
def naive_error(series):
    """Mean absolute change from week to week as a part of the mean; `series` (..., T) → (...)."""
    y = np.asarray(series, dtype=float)
    if (y.mean(axis=-1) == 0).any():
        raise ValueError("a series is zero throughout: its error has no scale")
    return np.abs(np.diff(y, axis=-1)).mean(axis=-1) / y.mean(axis=-1)


def market_rows(observed: Market, simulated: list[Market], names, held: int):
    """Trips, baskets, purchases and naive errors: the data's over the simulated markets'.

    `names` are those of the C categories. The last `held` weeks are compared; naive errors use all
    weeks of both.
    """
    everyone = "all customers"
    o = observed.trips[:, -held:].sum(axis=1)
    s = np.concatenate([market.trips[:, -held:].sum(axis=1) for market in simulated])
    for q in QUANTILES:
        metric = f"trips of a household, quantile {q:.0%}"
        yield row(everyone, metric, *_quantile_ratio(o, s, q), len(o), "trips quantile")
    baskets, simulated_baskets = _baskets(observed, held), sum(_baskets(m, held) for m in simulated)
    share = simulated_baskets / simulated_baskets.sum()
    for count in range(min(4, len(share))):
        n = baskets.sum()
        metric = f"trips with {count} of the categories"
        yield _ratio(everyone, metric, baskets[count], share[count] * n, n, "basket")
    weekly = observed.weekly_purchases()
    drawn = np.array([market.weekly_purchases() for market in simulated])
    sums, drawn_sums = weekly[:, -held:].sum(axis=1), drawn[..., -held:].sum(axis=2)
    for c, name in enumerate(names):
        ratio = _over_draws(sums[c], drawn_sums[:, c])
        yield row(name, "purchases", *ratio, sums[c], "purchases")
    errors, drawn_errors = naive_error(weekly), naive_error(drawn)
    for c, name in enumerate(names):
        ratio = _over_draws(errors[c], drawn_errors[:, c])
        metric = "naive error of weekly purchases"
        yield row(name, metric, *ratio, weekly.shape[1], "naive error")


def _baskets(market: Market, held: int):
    """Number of trips in the last `held` weeks with 0, 1, … C of the categories."""
    late = market.bought[market.trip_week >= market.trips.shape[1] - held]
    return np.bincount(late.sum(axis=1), minlength=market.bought.shape[1] + 1)


def _over_draws(observed, drawn):
    """Observed over the mean of simulated values, with a 95 % interval from their spread."""
    half = 1.96 * drawn.std(ddof=1) * np.sqrt(1 + 1 / len(drawn)) / drawn.mean()
    ratio = observed / drawn.mean()
    return ratio, ratio - half, ratio + half


def _quantile_ratio(observed, simulated, q, draws=200):
    rng = np.random.default_rng(SEED)
    drawn = [
        np.quantile(rng.choice(observed, len(observed)), q)
        / max(np.quantile(rng.choice(simulated, len(simulated)), q), 0.5)
        for _ in range(draws)
    ]
    value = np.quantile(observed, q) / max(np.quantile(simulated, q), 0.5)
    return value, *np.quantile(drawn, [0.025, 0.975])


def load(name: str) -> list[dict]:
    """The committed rows of one result. Raises `FileNotFoundError` with what is missing."""
    path = root() / FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing; `{COMMAND}` makes the validation")
    return json.loads(path.read_text())["rows"]


def write(name: str, command: str, rows: list[dict]) -> None:
    """Write data/results/06_simulator/<name>.json with where it comes from."""
    record = {
        "command": command,
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": [SEED],
        "simulated": True,
        "rows": rows,
    }
    path = root() / FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    fitted, journey = parameters.load(), complete_journey.load()
    segments = panels.deal_segments(journey)
    generator = np.random.default_rng(SEED)
    weeks = panels.LAST - panels.INITIAL
    markets, errors, trips = [], [], []
    for _ in range(MARKETS):
        market = simulate_market(fitted, len(segments), weeks, generator)
        errors.append(slope_errors(market, fitted))
        trips.append([len(choices.choice) for choices in market.choices])
        markets.append(replace(market, choices=()))  # the features of all trips fill gigabytes
    held = panels.LAST - panels.TRAINED
    rows = [
        *held_out(journey, fitted),
        *market_rows(observed_market(journey, segments), markets, CATEGORIES, held),
        *slope_rows(errors, trips[0], fitted),
    ]
    write("validation", COMMAND, rows)


if __name__ == "__main__":
    main()
