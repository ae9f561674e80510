"""What the chapter measures on the shop's data: elasticities, depth, segments, held-out weeks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_repro.claims import formula
from promo_repro.datasets import ecdat
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.response import logit, poisson
from promo_repro.response.checks import as_counts, as_prices, as_reals
from promo_repro.response.inference import cluster_sums, interval
from promo_repro.response.panels import FIRST, INITIAL, TRAINED, WEEKS, ProductWeeks
from promo_repro.response.parameters import SEGMENTS

# Depth of discount: the first bin is no deal.
EDGES = np.array([0.05, 0.15, 0.25, 0.35, 0.45])
BINS = ("0–5 %", "5–15 %", "15–25 %", "25–35 %", "35–45 %", "45 % +")
PAST = WEEKS <= TRAINED


@formula("eq-05-calibration")
def calibration_ratio(observed, predicted, clusters):
    """Ratio Σ observed / Σ predicted and its 95 % limits, clustered: (ratio, low, high).

    All (N,). The variance of the ratio R is Σ_g (O_g − R P_g)² / (Σ P)², times G / (G − 1) for G
    clusters.
    """
    o, p = as_counts("observed", observed, ndim=1), as_counts("predicted", predicted, ndim=1)
    sums = cluster_sums(np.column_stack([o, p]), clusters)
    if not sums[:, 1].sum() > 0 or len(sums) < 2:
        raise ValueError("predicted needs a positive sum over at least two clusters")
    ratio = o.sum() / p.sum()
    spread = np.square(sums[:, 0] - ratio * sums[:, 1]).sum() * len(sums) / (len(sums) - 1)
    low, high = interval(ratio, np.sqrt(spread) / p.sum())
    return float(ratio), float(low), float(high)


@formula("eq-05-deviance-explained")
def deviance_explained(units, predicted, reference):
    """Part of the Poisson deviance against `reference` that `predicted` removes, 1 − D(p)/D(r).

    D(μ) = 2 Σ (y log(y/μ) − y + μ), with y log y = 0 at y = 0. Equal shapes; means are positive.
    """
    y = as_counts("units", units)

    def deviance(mean):
        m = as_reals("mean", mean)
        if (m <= 0).any():
            raise ValueError("predicted and reference need positive entries")
        return 2 * (y * np.log(np.where(y > 0, y, 1) / m) - y + m).sum()

    return float(1 - deviance(predicted) / deviance(reference))


def elasticity_table(panel: ProductWeeks, least: int = 5) -> pd.DataFrame:
    """Own-price elasticity three ways for each category with at least `least` products, weeks 2–39.

    Columns: products, the naive slope, that with product and week effects, and that with display
    and mailer besides, each of the last with its standard error.
    """
    rows = []
    for name in sorted(set(panel.category)):
        keep = panel.category == name
        if keep.sum() < least:
            continue
        units, x = panel.units[keep][:, PAST], panel.regressors("log price", "display", "mailer")
        x = x[keep][:, PAST]
        naive, naive_error = poisson.cross_section_slope(units, panel.prices.card[keep][:, PAST])
        effects = poisson.fit(units, x[:, :, :1])
        shown = (x != 0).any(axis=(0, 1))
        full = poisson.fit(units, x[:, :, shown])
        rows.append(
            {
                "category": name,
                "products": int(keep.sum()),
                "naive": naive,
                "naive se": naive_error,
                "effects": effects.slopes[0],
                "effects se": effects.standard_errors[0],
                "with promotion": full.slopes[0],
                "with promotion se": full.standard_errors[0],
            }
        )
    return pd.DataFrame(rows).set_index("category")


def effects_elasticity(panel: ProductWeeks, weeks=PAST) -> tuple[float, float]:
    """Pooled elasticity with effects, display and mailer, and its standard error."""
    x = panel.regressors("log price", "display", "mailer")[:, weeks]
    fitted = poisson.fit(panel.units[:, weeks], x)
    return float(fitted.slopes[0]), float(fitted.standard_errors[0])


def depth_curve(panel: ProductWeeks) -> pd.DataFrame:
    """Log-lift of each depth of discount over no deal, effects and promotion held fixed."""
    x = depth_regressors(panel)[:, PAST]
    fitted = poisson.fit(panel.units[:, PAST], x)
    k = len(EDGES)
    low, high = interval(fitted.slopes[:k], fitted.standard_errors[:k])
    return pd.DataFrame({"log-lift": fitted.slopes[:k], "low": low, "high": high}, index=BINS[1:])


def depth_regressors(panel: ProductWeeks) -> np.ndarray:
    """One flag per bin of depth above the first, display, mailer: (n, 51, 7)."""
    bins = np.digitize(panel.prices.depth, EDGES)[:, :, None] == np.arange(1, len(EDGES) + 1)
    return np.concatenate([bins, panel.regressors("display", "mailer")], axis=2)


@dataclass(frozen=True)
class HeldOut:
    """Held-out weeks of n products, (n, 13): units, what was predicted, the mean before, depth."""

    units: np.ndarray
    predicted: np.ndarray
    mean: np.ndarray
    depth: np.ndarray

    def by_depth(self) -> pd.DataFrame:
        """Observed over predicted units by bin of depth, with limits clustered by product."""
        bins = np.digitize(self.depth, EDGES)
        product = np.broadcast_to(np.arange(len(bins))[:, None], bins.shape)
        return pd.DataFrame(
            [
                (
                    *calibration_ratio(
                        self.units[bins == b], self.predicted[bins == b], product[bins == b]
                    ),
                    self.units[bins == b].sum(),
                )
                for b in range(len(BINS))
            ],
            columns=["observed / predicted", "low", "high", "units"],
            index=BINS,
        )

    def explained(self) -> float:
        """Part of the Poisson deviance over the product means that the model explains."""
        return deviance_explained(self.units, self.predicted, self.mean)

    def error(self, predicted) -> float:
        """Weighted absolute percentage error, Σ|y − ŷ| / Σ y."""
        return float(np.abs(self.units - predicted).sum() / self.units.sum())


def held_out(panel: ProductWeeks) -> HeldOut:
    """Fit weeks 2 to 39 (depth bins, display, mailer), then predict weeks 40 to 52.

    Prices and promotions of the later weeks are known, their week effects are taken as average.
    """
    x, units = depth_regressors(panel), panel.units
    fitted = poisson.fit(units[:, PAST], x[:, PAST])
    linear = x @ fitted.slopes
    level = units[:, PAST].sum(axis=1) / np.exp(linear[:, PAST] + fitted.weeks).sum(axis=1)
    predicted = level[:, None] * np.exp(linear[:, ~PAST])
    mean = np.broadcast_to(units[:, PAST].mean(axis=1, keepdims=True), predicted.shape)
    return HeldOut(units[:, ~PAST], predicted, mean, panel.prices.depth[:, ~PAST])


def segment_units(journey: CompleteJourney, panel: ProductWeeks, segments: pd.Series):
    """Weekly units of the panel's products by deal-share segment: (3, n, 51)."""
    listed = ", ".join(map(str, panel.prices.products))
    lines = journey.query(
        f"""SELECT household_id, product_id, week, sum(quantity) AS units FROM transactions
            WHERE product_id IN ({listed}) AND week BETWEEN {FIRST} AND {WEEKS[-1]}
            GROUP BY ALL"""
    )
    lines = lines[lines["household_id"].isin(segments.index)]
    units = np.zeros((3, *panel.units.shape))
    position = pd.Index(panel.prices.products).get_indexer(lines["product_id"])
    where = (segments.loc[lines["household_id"]], position, lines["week"].to_numpy(int) - FIRST)
    np.add.at(units, where, lines["units"].to_numpy(float))
    return units


def segment_elasticities(units, panel: ProductWeeks) -> pd.DataFrame:
    """Elasticity by segment in weeks 21 to 39; the segments are defined on weeks 2 to 20."""
    later = (WEEKS > INITIAL) & PAST
    x = panel.regressors("log price", "display", "mailer")[:, later]
    fits = [poisson.fit(part[:, later], x) for part in units]
    slope = np.array([fitted.slopes[0] for fitted in fits])
    error = np.array([fitted.standard_errors[0] for fitted in fits])
    low, high = interval(slope, error)
    return pd.DataFrame(
        {"elasticity": slope, "se": error, "low": low, "high": high}, index=list(SEGMENTS)
    )


def choice_calibration(vector, trips) -> pd.DataFrame:
    """Observed over expected purchases by depth for trips the fit has not seen."""
    expected = logit.choice_probabilities(trips.data.features @ vector[-7:] + vector[:-7])
    chosen = trips.data.choice[:, None] == np.arange(1, expected.shape[1] + 1)
    bins = np.digitize(trips.depth, EDGES)
    household = np.broadcast_to(trips.data.cluster[:, None], bins.shape)
    rows = {}
    for b, name in enumerate(BINS):
        cell = bins == b
        if cell.any():
            ratio = calibration_ratio(chosen[cell] * 1.0, expected[cell], household[cell])
            rows[name] = (*ratio, int(chosen[cell].sum()))
    every = calibration_ratio(chosen.sum(axis=1) * 1.0, expected.sum(axis=1), trips.data.cluster)
    rows["all"] = (*every, int(chosen.sum()))
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["observed / expected", "low", "high", "purchases"]
    )


def ecdat_choices(panel: str, price=np.log) -> logit.Choices:
    """A published panel with `price` of each price, display and feature.

    Rows with a price of zero are dropped.
    """
    frame = ecdat.load(panel)
    _, _, brands, flags = ecdat.PANELS[panel]
    prices = frame[[f"price_{brand}" for brand in brands]].to_numpy(float)
    paid = (prices > 0).all(axis=1)
    choice = frame["choice"].astype(str).map(dict(zip(brands, range(len(brands)), strict=True)))
    shown = [frame[[f"{flag}_{brand}" for brand in brands]].to_numpy(float) for flag in flags]
    features = np.stack([price(np.where(prices > 0, prices, 1)), *shown], axis=2)[paid]
    return logit.relative_to_first(
        features, choice.to_numpy(int)[paid], frame["household"].to_numpy()[paid]
    )


def ecdat_log_likelihood(panel: str, price=np.log) -> float:
    """Maximal log-likelihood of a published panel."""
    return logit.fit(ecdat_choices(panel, price)).log_likelihood


@formula("eq-05-pooling")
def pooled(estimates, errors):
    """Partial pooling of G estimates towards their mean: (mean, spread, shrunken (G,)).

    Estimates e_g of variance s_g² scatter around a mean m with variance τ²; τ² is the moment
    estimate of DerSimonian and Laird (1986), not below zero, m the mean with weights
    1 / (τ² + s_g²), and the shrunken estimate (τ² e_g + s_g² m) / (τ² + s_g²).
    """
    e, s = as_reals("estimates", estimates, ndim=1), as_prices("errors", errors)
    if e.shape != s.shape or len(e) < 2:
        raise ValueError("estimates and errors need one entry each for at least two groups")
    w = s**-2
    q = (w * (e - w @ e / w.sum()) ** 2).sum()
    spread = max(0.0, (q - len(e) + 1) / (w.sum() - (w**2).sum() / w.sum()))
    weight = 1 / (spread + s**2)
    mean = weight @ e / weight.sum()
    return float(mean), float(np.sqrt(spread)), (spread * e + s**2 * mean) * weight
