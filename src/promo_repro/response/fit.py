"""Fit the response model on weeks 2 to 39: `python -m promo_repro.response.fit`.

Writes data/results/05_pricing/response.json. Weeks 40 to 52 are not looked at.
"""

import json
import subprocess

import numpy as np
import pandas as pd

from promo_repro.claims import formula
from promo_repro.datasets import complete_journey
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.project import root
from promo_repro.response import logit, poisson
from promo_repro.response.checks import as_fractions, as_reals
from promo_repro.response.inference import interval
from promo_repro.response.panels import (
    FIRST,
    INITIAL,
    ON_DEAL,
    TRAINED,
    WEEKS,
    Category,
    CategoryTrips,
    ProductWeeks,
    category,
    category_trips,
    deal_segments,
    product_weeks,
)
from promo_repro.response.parameters import (
    COMMAND,
    PATH,
    SEGMENTS,
    CategoryResponse,
    Deals,
    Dip,
    ResponseParameters,
    UserDistributions,
    to_record,
)

# The book's names for the retailer's categories.
CATEGORIES = {
    "frozen pizza": "FROZEN PIZZA",
    "eggs": "EGGS",
    "bag snacks": "BAG SNACKS",
    "juices": "REFRGRATD JUICES/DRNKS",
    "cheese": "CHEESE",
    "soft drinks": "SOFT DRINKS",
}
TRIPS = 25_000
LAGS = 4
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@formula("eq-05-gamma-moments")
def gamma_moments(counts, periods):
    """Mean rate and gamma shape of Poisson counts over `periods`: m/periods, m² / (s² − m).

    `counts` (N,) of N customers, m their mean and s² their variance. Raises `ValueError` if the
    counts vary no more than Poisson counts of one rate would.
    """
    x = as_reals("counts", counts, ndim=1)
    excess = x.var() - x.mean()
    if not excess > 0:
        raise ValueError("counts do not vary more than Poisson counts: no gamma shape fits them")
    return x.mean() / periods, x.mean() ** 2 / excess


@formula("eq-05-beta-moments")
def beta_moments(rates):
    """Parameters (a, b) of the beta distribution with the mean m and variance v of `rates` (N,).

    a + b = m (1 − m) / v − 1 and a = m (a + b).
    """
    x = as_fractions("rates", as_reals("rates", rates, ndim=1))
    if np.ptp(x) == 0 or np.isin(x, (0, 1)).all():
        raise ValueError("rates must lie in [0, 1], vary, and not be all zero or one")
    m, v = x.mean(), x.var()
    total = m * (1 - m) / v - 1
    return np.array([m * total, (1 - m) * total])


@formula("eq-05-dirichlet-concentration")
def dirichlet_concentration(shares):
    """Concentration of the Dirichlet distribution that has the spread of `shares` (N, J).

    Σ_j m_j (1 − m_j) / Σ_j v_j − 1 with means m_j and variances v_j.
    """
    x = as_reals("shares", shares, ndim=2)
    if not np.ptp(x, axis=0).any():
        raise ValueError("shares do not vary between customers: no concentration fits them")
    m, v = x.mean(axis=0), x.var(axis=0)
    return float((m * (1 - m)).sum() / v.sum() - 1)


def category_response(label: str, found: Category, trips: CategoryTrips) -> CategoryResponse:
    """The fitted choice model of one category, without ids."""
    fitted = logit.fit(trips.data)
    j = trips.data.features.shape[1]
    blank = CategoryResponse(
        name=label,
        products=tuple(f"{label} {k}" for k in range(1, j + 1)),
        median_price=found.median_price,
        intercept=np.zeros(j),
        loyalty=0.0,
        rate=0.0,
        price=np.zeros(3),
        display=0.0,
        mailer=0.0,
        covariance=fitted.covariance,
        trips=len(trips.segment),
    )
    return blank.with_vector(fitted.vector)


def deals(found: list[Category], trips: list[CategoryTrips]) -> Deals:
    """How often and how deep the categories' products are on deal, and how they are shown."""
    share, persistence, depth, display, mailer = [], [], [], [], []
    for one, trip in zip(found, trips, strict=True):
        d = one.prices.depth[:, WEEKS <= TRAINED]
        on = d > ON_DEAL
        share.append(on.mean())
        persistence.append(on[:, 1:][on[:, :-1]].mean())
        depth.append(np.quantile(d[on], LEVELS))
        shown = trip.data.features[:, :, -2:]
        cells = trip.depth > ON_DEAL
        for target, column in ((display, 0), (mailer, 1)):
            target.append([shown[~cells][:, column].mean(), shown[cells][:, column].mean()])
    return Deals(share, persistence, LEVELS, depth, display, mailer)


def users(
    journey: CompleteJourney, segments: pd.Series, found: list[Category]
) -> UserDistributions:
    """How customers of each segment differ, by moments."""
    trips = journey.query(
        f"""SELECT household_id, count(DISTINCT basket_id) AS trips FROM transactions
            WHERE week BETWEEN {FIRST} AND {TRAINED} GROUP BY ALL ORDER BY household_id"""
    ).set_index("household_id")["trips"]
    trips = trips.reindex(segments.index).fillna(0).to_numpy(float)
    periods = TRAINED - FIRST + 1
    mean, shape = np.transpose([gamma_moments(trips[segments == s], periods) for s in range(3)])
    rate, means, concentration, smoothing = [], [], [], []
    for one in found:
        rows = [one.households["segment"].to_numpy() == s for s in range(3)]
        total = one.counts.sum(axis=1)
        bought = total > 0
        own = one.counts[bought] / total[bought, None]
        rate.append([beta_moments(one.households["rate"].to_numpy()[row]) for row in rows])
        means.append(np.array([one.shares[row].mean(axis=0) for row in rows]))
        concentration.append([dirichlet_concentration(own[row[bought]]) for row in rows])
        smoothing.append([(1 / (total[row] + 1)).mean() for row in rows])
    return UserDistributions(
        trip_mean=mean,
        trip_shape=shape,
        active=[one.active for one in found],
        rate_beta=rate,
        share_mean=tuple(means),
        share_concentration=concentration,
        share_smoothing=smoothing,
    )


def dip(panel: ProductWeeks, lags: int = LAGS) -> Dip:
    """Poisson PML of units on this week's depth, the `lags` before, display and mailer."""
    now = panel.regressors("depth", "display", "mailer")
    past = np.stack(
        [panel.prices.depth[:, lags - k : -k or None] for k in range(1, lags + 1)], axis=2
    )
    weeks = WEEKS[lags:] <= TRAINED
    x = np.concatenate([now[:, lags:], past], axis=2)[:, weeks]
    fitted = poisson.fit(panel.units[:, lags:][:, weeks], x)
    errors = fitted.standard_errors
    return Dip(float(fitted.slopes[0]), float(errors[0]), fitted.slopes[3:], errors[3:])


def response(journey: CompleteJourney, most: int = TRIPS, seed: int = 0) -> ResponseParameters:
    """Fit everything on weeks 2 to 39; choices on at most `most` trips of weeks 21 to 39 each."""
    segments = deal_segments(journey)
    found = [category(journey, name, segments) for name in CATEGORIES.values()]
    generators = np.random.default_rng(seed).spawn(len(found))
    trips = [
        category_trips(journey, one, (INITIAL + 1, TRAINED), most, generator)
        for one, generator in zip(found, generators, strict=True)
    ]
    return ResponseParameters(
        segment_share=segments.value_counts(normalize=True).sort_index().to_numpy(),
        categories=tuple(
            category_response(label, one, trip)
            for label, one, trip in zip(CATEGORIES, found, trips, strict=True)
        ),
        users=users(journey, segments, found),
        deals=deals(found, trips),
        dip=dip(product_weeks(journey)),
    )


def rows(parameters: ResponseParameters) -> list[dict]:
    """The slopes with their 95 % intervals, one row each."""
    names = ["loyalty", "rate", *(f"price, {s} deal share" for s in SEGMENTS), "display", "mailer"]
    result = []
    for one in parameters.categories:
        slopes, errors = one.vector[-7:], one.standard_errors[-7:]
        for name, value, low, high in zip(names, slopes, *interval(slopes, errors), strict=True):
            result.append(_row(one.name, name, value, low, high, one.trips))
    return result


def _row(method, metric, value, low, high, n) -> dict:
    return {
        "method": method,
        "metric": metric,
        "value": float(value),
        "lo": float(low),
        "hi": float(high),
        "n": int(n),
    }


def write(name: str, command: str, table: list[dict], simulated: bool, **more) -> None:
    """Write a result with its provenance to data/results/05_pricing/`name`.json."""
    commit = subprocess.run(
        ["git", "-C", str(root()), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    record = {
        "command": command,
        "commit": commit or "unknown",
        "device": "CPU, one thread",
        "seeds": [0],
        "simulated": simulated,
        "rows": table,
        **more,
    }
    path = (root() / PATH).with_name(f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parameters = response(complete_journey.load())
    write("response", COMMAND, rows(parameters), False, parameters=to_record(parameters))


if __name__ == "__main__":
    main()
