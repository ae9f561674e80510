"""What the chapter measures about prices: stock, forecasts, reviews, learning, and VCG."""

import json

import numpy as np

from promo_repro.claims import formula
from promo_repro.pricing import auctions, learning, markdown
from promo_repro.pricing.optimal import lerner_price, relative_profit
from promo_repro.project import root
from promo_repro.response.studies import depth_curve, effects_elasticity

RATIOS = np.linspace(0.4, 1.2, 17)  # price over regular price
CLEARANCE = np.linspace(0.4, 2.0, 33)  # the same where stock is short: prices may rise


def stored(name: str) -> list[dict]:
    """Rows of a stored result of this chapter."""
    path = root() / "data" / "results" / "05_pricing" / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing; see CONTRIBUTING.md on long runs")
    return json.loads(path.read_text())["rows"]


# Response to price on the data -------------------------------------------------------------------


def shuffled(panel, seed: int):
    """The panel with the weeks of each product's units in random order: no response is left."""
    rng = np.random.default_rng(seed)
    return type(panel)(
        panel.category, rng.permuted(panel.units, axis=1), panel.prices, panel.display, panel.mailer
    )


def least_lift(panel) -> float:
    """Smallest lower 95 % limit of the log-lift of a deal, over all depths from 15 % on."""
    return float(depth_curve(panel)["low"].iloc[1:].min())


def gain_at(panel, depth: float, margin: float) -> float:
    """Profit of a cut of this depth at the pooled elasticity, as a part of the profit without."""
    elasticity, _ = effects_elasticity(panel)
    return float(relative_profit(depth, elasticity, margin) / margin - 1)


# Stock and time ----------------------------------------------------------------------------------


def menu_demand(customers: float, elasticity: float, periods: int):
    """Probability of a sale in one of `periods` at each price of `CLEARANCE`, (A,).

    Exponential demand with this elasticity at the regular price; `customers` would buy at it.
    """
    scale = customers * np.exp(-elasticity)
    return markdown.exponential_demand(CLEARANCE, scale, -elasticity) / periods


def stock_rules(customers: float, elasticity: float, stock: int, periods: int = 400) -> dict:
    """Revenue and chance of selling out under the optimum and three rules.

    The rules charge the best fixed price, cut it by 20 % when at most a third of the stock is left
    ("low stock"), or cut it by 20 % while more than two thirds are left ("high stock").
    """
    q = menu_demand(customers, elasticity, periods)
    _, choice = markdown.markdown(CLEARANCE, q, stock, periods)
    fixed, _ = markdown.best_fixed(CLEARANCE, q, stock, periods)
    cut = int(np.abs(CLEARANCE - 0.8 * CLEARANCE[fixed]).argmin())
    rules = {
        "optimum": choice,
        "best fixed price": np.full((periods, stock), fixed),
        "deeper cut at low stock": markdown.stock_rule(cut, fixed, stock // 3, periods, stock),
        "deeper cut at high stock": markdown.stock_rule(fixed, cut, 2 * stock // 3, periods, stock),
    }
    return {
        name: (
            float(markdown.rule_value(CLEARANCE, q, rule)[-1, -1]),
            markdown.sold_out(q, rule, stock),
        )
        for name, rule in rules.items()
    }


@formula("eq-05-repricing-gain")
def repricing_gain(customers, elasticity, stock, periods=400, review=1) -> float:
    """Gain of reviewing the price every `review` periods over one fixed price, as a part of it."""
    q = menu_demand(customers, elasticity, periods)
    dynamic = markdown.markdown(CLEARANCE, q, stock, periods, review)[0][-1, -1]
    return float(dynamic / markdown.best_fixed(CLEARANCE, q, stock, periods)[1] - 1)


@formula("eq-05-forecast-gain")
def forecast_gain(customers: float, swing: float, elasticity: float, stock: int) -> float:
    """Gain of knowing the level of demand when the price is set, as a part of the revenue.

    Demand is `customers` (1 ± `swing`), each level as likely. With the forecast the best fixed
    price of each level is charged, without it the best single price for both.
    """
    if not 0 <= swing < 1:
        raise ValueError(f"swing is {swing}; it must lie in [0, 1)")
    prices = np.linspace(0.3, 2.5, 221)
    scales = customers * np.exp(-elasticity) * np.array([1 - swing, 1 + swing])
    revenue = np.array(
        [
            [markdown.fixed_price_value(p, stock, 1.0, scale, -elasticity) for p in prices]
            for scale in scales
        ]
    )
    return float(revenue.max(axis=1).mean() / revenue.mean(axis=0).max() - 1)


@formula("eq-05-ambiguity")
def price_ambiguity(seen, elasticity: float, cost: float = 0.7, tolerance: float = 0.01) -> float:
    """Largest over smallest best price among demand curves that fit a forecast equally well.

    The forecast gives the units at the price ratios `seen` under a constant `elasticity`. All
    levels and elasticities from −6 to −1.5 that reproduce them within `tolerance` stay possible;
    each has its own best price at this `cost`.
    """
    r = np.log(np.asarray(seen, dtype=float))
    candidates = np.linspace(-6, -1.5, 181)
    # The best level makes the largest relative error of a candidate as small as possible.
    error = (candidates[:, None] - elasticity) * r
    fits = np.ptp(error, axis=1) / 2 <= tolerance
    if not fits.any():
        raise ValueError("no candidate curve fits the forecast; elasticity must lie in [-6, -1.5]")
    best = lerner_price(cost, candidates[fits])
    return float(best.max() / best.min())


# Learning ----------------------------------------------------------------------------------------


def curve_grid(ratio=RATIOS):
    """Candidate demand curves: log odds from −4 to 1 at the regular price, slopes from −8 to 0."""
    return learning.curves(ratio, np.linspace(-4, 1, 21), np.linspace(-8, 0, 17))


def curve_rules(ratio=RATIOS) -> dict:
    grid = curve_grid(ratio)
    return {
        "Thompson, demand curve": learning.CurveThompson(grid),
        "Thompson, price by price": learning.PriceThompson(),
        "greedy, demand curve": learning.CurveGreedy(grid),
    }


def kinked(level: float, slope: float):
    """A demand that no logit curve has: nobody minds the price up to 90 % of the regular one."""
    return learning.purchase_probability(np.maximum(RATIOS, 0.9), level, slope)


@formula("eq-05-earned-share")
def earned_share(
    rule: str, level: float, slope: float, cost: float, customers: int, runs: int, seed: int,
    kink: bool = False,
) -> float:  # fmt: skip
    """Part of the best price's profit that a learning rule earns over its first customers."""
    truth = kinked(level, slope) if kink else learning.purchase_probability(RATIOS, level, slope)
    margins = RATIOS - cost
    result = learning.simulate(
        curve_rules()[rule], margins, truth, customers, runs, np.random.default_rng(seed)
    )
    best = result.checkpoints[-1] * (margins * truth).max()
    return float(1 - result.regret[:, -1].mean() / best)


# VCG ---------------------------------------------------------------------------------------------


def valuations(customers: int, runs: int, seed: int) -> np.ndarray:
    """What customers would pay, in regular prices: lognormal around 1, (runs, customers)."""
    return np.random.default_rng(seed).lognormal(0.0, 0.4, (runs, customers))


def vcg_share(customers: int, units: int, runs: int, seed: int, reserve: float = 0.0) -> float:
    """Revenue of VCG relative to the best posted price, for the same customers."""
    values = valuations(customers, runs, seed)
    posted = max(
        auctions.posted_revenue(values, units, price).mean() for price in np.linspace(0.2, 3, 141)
    )
    return float(auctions.uniform_revenue(values, units, reserve).mean() / posted)


def largest_gain_from_lying(mechanism: str, markets: int, seed: int) -> float:
    """Largest gain of any bidder from scaling his bids, over random markets of 4 bidders, 2 kinds.

    `mechanism` is "vcg" or "first price".
    """
    run = {"vcg": auctions.vcg, "first price": auctions.first_price}[mechanism]
    rng = np.random.default_rng(seed)
    largest = 0.0
    for _ in range(markets):
        values = rng.uniform(0, 10, (4, 2)).round(2)
        honest = auctions.bidder_utility(values, *run(values, [1, 1]))
        for i in range(4):
            for factor in (0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.0):
                bids = values.copy()
                bids[i] *= factor
                lied = auctions.bidder_utility(values, *run(bids, [1, 1]))
                largest = max(largest, float(lied[i] - honest[i]))
    return round(largest, 9)


# Discounts learned from features ------------------------------------------------------------------


@formula("eq-05-softmax-discount")
def softmax_discount(logits, depths, reading: str) -> float:
    """The discount that a softmax output stands for, under one reading of it.

    `logits` (C,), `depths` (C,) of the classes. Readings: "most probable class", "mean over the
    classes", or "largest probability", the output itself.
    """
    z = np.asarray(logits, dtype=float)
    p = np.exp(z - z.max())
    p /= p.sum()
    d = np.asarray(depths, dtype=float)
    if d.shape != p.shape or ((d < 0) | (d > 1)).any():
        raise ValueError("depths needs one entry in [0, 1] for each class")
    readings = {
        "most probable class": d[p.argmax()],
        "mean over the classes": p @ d,
        "largest probability": p.max(),
    }
    if reading not in readings:
        raise ValueError(f"unknown reading {reading!r}; choose from {', '.join(readings)}")
    return float(readings[reading])


def stored_gain(rows, method: str, metric: str, margin: float, funding: float) -> np.ndarray:
    """Value and limits (3,) of a rule's gain over no discount from the stored table.

    Raises `ValueError` if the table has no such row.
    """
    for row in rows:
        key = row["method"], row["metric"], row["margin"], row["funding"]
        if key == (method, metric, margin, funding):
            return np.array([row["value"], row["lo"], row["hi"]])
    raise ValueError(f"no row for {method!r}, {metric!r}, margin {margin}, funding {funding}")


def limits(rows, method: str, metric: str, margin: float, funding: float) -> np.ndarray:
    """The 95 % limits of a rule's gain, (2,)."""
    return stored_gain(rows, method, metric, margin, funding)[1:]


def lead_over(rows, method, rival, metric: str, margin: float, funding: float) -> float:
    """Gain of one rule less that of another, dollars per 1,000 trips."""
    values = [stored_gain(rows, name, metric, margin, funding)[0] for name in (method, rival)]
    return float(values[0] - values[1])


def changed_discounts(before, after) -> float:
    """Part of the customers whose depth differs between two sets of features, (N,) and (N,)."""
    b, a = np.asarray(before), np.asarray(after)
    if b.shape != a.shape or b.size == 0:
        raise ValueError("before and after need one depth for each of the same customers")
    return float((a != b).mean())
