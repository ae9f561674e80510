"""Features of households, and how well they predict spend that comes later.

The task of the data chapter: at the end of a week, predict what each household spends in the next
four. Everything is measured out of time: models learn from earlier weeks than they are judged on,
and intervals resample households.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from promo_repro.claims import formula

WEEKS = 53
HORIZON = 4
TRAIN_WEEKS = tuple(range(14, 37, 2))
TEST_WEEKS = (44, 48)
# Monday of week 2; week 1 is one single day.
FIRST_MONDAY = pd.Timestamp("2017-01-02")


class Panel(NamedTuple):
    """Households (n,) and weekly sums (n, 53), dollars: column w - 1 holds week w."""

    households: np.ndarray
    spend: np.ndarray
    discount: np.ndarray
    coupon: np.ndarray
    units: np.ndarray
    lines: np.ndarray
    trips: np.ndarray

    def take(self, rows: np.ndarray) -> "Panel":
        """Return the panel of the households at these positions."""
        return Panel(*(values[rows] for values in self))


def weekly_panel(lines: pd.DataFrame) -> Panel:
    """Add up converted transactions by household and week; weeks without a trip are zero."""
    households, rows = np.unique(lines["household_id"], return_inverse=True)
    cell = rows * WEEKS + lines["week"].to_numpy("int64") - 1
    size = len(households) * WEEKS

    def total(values):
        return np.bincount(cell, values, size).reshape(-1, WEEKS)

    first_of_basket = ~lines.duplicated(["basket_id", "week"])
    return Panel(
        households,
        spend=total(lines["sales_value"]),
        discount=total(lines["retail_disc"]),
        coupon=total(lines["coupon_disc"]),
        units=total(lines["quantity"]),
        lines=total(None),
        trips=total(first_of_basket.to_numpy(float)),
    )


def behaviour_features(panel: Panel, week: int, history: int = 12) -> np.ndarray:
    """Return what households did up to and including `week`: (n, 8).

    Log spend of the last 1, 4 and `history` weeks, log trips and lines, share of the regular
    value that was discounted, log coupons, log weeks since the last purchase.
    Raises `ValueError` if fewer than `history` weeks are past.
    """
    if not 4 <= history <= week <= WEEKS:
        raise ValueError(f"week {week} does not have {history} weeks (at least 4) behind it")
    past = slice(week - history, week)
    regular = (panel.spend + panel.discount)[:, past].sum(1)
    discounted = panel.discount[:, past].sum(1)
    return np.column_stack(
        [
            *(np.log1p(panel.spend[:, week - span : week].sum(1)) for span in (1, 4, history)),
            np.log1p(panel.trips[:, past].sum(1)),
            np.log1p(panel.lines[:, past].sum(1)),
            np.divide(discounted, regular, out=np.zeros_like(regular), where=regular > 0),
            np.log1p(panel.coupon[:, past].sum(1)),
            np.log1p(weeks_since_last(panel.spend[:, past])),
        ]
    )


@formula("eq-01-recency")
def weeks_since_last(spend: np.ndarray) -> np.ndarray:
    """Return how many weeks ago each household last bought; 0 is the last column.

    `spend` is (n, weeks) and not negative. Households without a purchase get the number of weeks.
    """
    bought = spend[:, ::-1] > 0
    return np.where(bought.any(axis=1), bought.argmax(axis=1), spend.shape[1])


def attribute_features(households: np.ndarray, demographics: pd.DataFrame) -> np.ndarray:
    """Return demographics as indicators, (n, categories); unknown is a category of its own."""
    known = demographics.set_index("household_id").reindex(households)
    return pd.get_dummies(known.astype("object").fillna("unknown")).to_numpy(float)


def time_features(week: int) -> np.ndarray:
    """Return what the calendar says about the next four weeks: (3,).

    Days that are the 1st to 5th of a month (pay days), days in December, and the week's number.
    """
    start = FIRST_MONDAY + pd.Timedelta(weeks=week - 1)
    days = pd.date_range(start, periods=7 * HORIZON)
    return np.array([(days.day <= 5).sum(), (days.month == 12).sum(), week], dtype=float)


def next_spend(panel: Panel, week: int) -> np.ndarray:
    """Return log(1 + dollars spent in the four weeks after `week`), (n,)."""
    return np.log1p(panel.spend[:, week : week + HORIZON].sum(1))


def design(
    panel: Panel,
    weeks: Sequence[int],
    families: Sequence[str] = ("behaviour",),
    attributes: np.ndarray | None = None,
    history: int = 12,
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets, the weeks stacked: (weeks · n, k) and (weeks · n,).

    Raises `ValueError` for an unknown family, or if attributes are asked for but not given.
    """
    unknown = set(families) - {"behaviour", "attribute", "time"}
    if unknown or ("attribute" in families and attributes is None):
        raise ValueError(f"cannot make the families {tuple(families)}: see `design`")
    blocks = []
    for week in weeks:
        parts = {
            "behaviour": lambda week=week: behaviour_features(panel, week, history),
            "attribute": lambda: attributes,
            "time": lambda week=week: np.tile(time_features(week), (len(panel.households), 1)),
        }
        blocks.append(np.hstack([parts[family]() for family in families]))
    return np.vstack(blocks), np.concatenate([next_spend(panel, week) for week in weeks])


def ridge():
    """Return the chapter's model: ridge regression on standardised features."""
    return make_pipeline(StandardScaler(), Ridge(1.0))


def predict_ahead(
    panel: Panel,
    families: Sequence[str] = ("behaviour",),
    attributes: np.ndarray | None = None,
    *,
    train: Panel | None = None,
    history: int = 12,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn on `TRAIN_WEEKS` and predict `TEST_WEEKS`: (actual, predicted), each (2, n).

    `train` is another panel to learn from, such as a corrupted or a smaller one.
    """
    learn = panel if train is None else train
    model = ridge().fit(*design(learn, TRAIN_WEEKS, families, attributes, history))
    features, actual = design(panel, TEST_WEEKS, families, attributes, history)
    shape = (len(TEST_WEEKS), -1)
    return actual.reshape(shape), model.predict(features).reshape(shape)


@formula("eq-01-r-squared")
def r_squared(actual: np.ndarray, predicted: np.ndarray) -> float:
    r"""Return the share of the variance of `actual` that the prediction explains.

    .. math:: R^2 = 1 - \sum_i (y_i - \hat y_i)^2 / \sum_i (y_i - \bar y)^2

    One is perfect, zero is as good as the mean, negative is worse.
    Raises `ValueError` if the shapes differ or `actual` is constant.
    """
    actual, predicted = np.asarray(actual, float), np.asarray(predicted, float)
    if actual.shape != predicted.shape:
        raise ValueError(f"shapes differ: {actual.shape} and {predicted.shape}")
    total = np.sum((actual - actual.mean()) ** 2)
    if total == 0:
        raise ValueError("actual values are all equal, so there is nothing to explain")
    return float(1 - np.sum((actual - predicted) ** 2) / total)


@formula("eq-01-capture")
def captured_share(spend: np.ndarray, score: np.ndarray, share: float = 0.2) -> float:
    """Return the part of all spend that falls to the `share` of households scored highest.

    This is what a strategy with a limited budget gets from a ranking: `share` itself for a
    random one. `spend` (not negative) and `score` are (n,).
    Raises `ValueError` if `share` is not between 0 and 1, or nothing is spent.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, not between 0 and 1")
    if spend.sum() <= 0:
        raise ValueError("nothing is spent, so there is nothing to capture")
    chosen = np.argsort(-score, kind="stable")[: round(share * len(score))]
    return float(spend[chosen].sum() / spend.sum())


def bootstrap(statistic, *columns: np.ndarray, seed: int = 0, draws: int = 300):
    """Return `(value, low, high)`: a statistic and its 95 % percentile interval over households.

    The last axis of every column is the household; the same households are drawn for all.
    """
    rng = np.random.default_rng(seed)
    size = columns[0].shape[-1]
    values = []
    for _ in range(draws):
        rows = rng.integers(0, size, size)
        values.append(statistic(*(column[..., rows] for column in columns)))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(statistic(*columns)), float(low), float(high)


def interval(estimate: tuple[float, float, float], spec: str) -> str:
    """Return the interval of an estimate `(value, low, high)` as text, such as "-0.1 to 0.3"."""
    return f"{estimate[1]:{spec}} to {estimate[2]:{spec}}"


def predictive_r_squared(
    panel: Panel,
    families: tuple[str, ...],
    attributes: np.ndarray | None = None,
    *,
    train: Panel | None = None,
    history: int = 12,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return R² of next-four-weeks spend, out of time, with its interval over households."""
    actual, predicted = predict_ahead(panel, families, attributes, train=train, history=history)
    return bootstrap(r_squared, actual, predicted, seed=seed)


def family_gain(
    panel: Panel,
    added: tuple[str, ...],
    base: tuple[str, ...],
    attributes: np.ndarray,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return how much R² rises, out of time, when the families `added` join those of `base`."""
    actual, less = predict_ahead(panel, base, attributes)
    _, more = predict_ahead(panel, (*base, *added), attributes)

    def gain(actual, more, less):
        return r_squared(actual, more) - r_squared(actual, less)

    return bootstrap(gain, actual, more, less, seed=seed)


def targeting_capture(panel: Panel, train: Panel | None = None, *, seed: int = 0):
    """Return the spend captured by the fifth of households predicted highest, with interval.

    The model learns on `train` (default `panel`); predictions use `panel`'s past at week 48.
    """
    actual, predicted = predict_ahead(panel, train=train)
    return bootstrap(captured_share, np.expm1(actual[-1]), predicted[-1], seed=seed)


def learning_curve(
    panel: Panel, sizes: Sequence[int], *, repeats: int = 20, seed: int = 0
) -> pd.DataFrame:
    """Return R² against the number of households learnt from: `households`, `value`, `lo`, `hi`.

    Each size is drawn `repeats` times; the interval is the 2.5 to 97.5 % range over draws. All
    households are predicted.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for size in sizes:
        scores = []
        for _ in range(repeats):
            chosen = panel.take(rng.choice(len(panel.households), size, replace=False))
            scores.append(r_squared(*predict_ahead(panel, train=chosen)))
        low, high = np.quantile(scores, [0.025, 0.975])
        rows.append({"households": size, "value": np.mean(scores), "lo": low, "hi": high})
    return pd.DataFrame(rows)


def history_gain(panel: Panel, longer: int, shorter: int, seed: int = 0):
    """Return how much R² rises when features see `longer` weeks instead of `shorter`."""
    actual, more = predict_ahead(panel, history=longer)
    _, less = predict_ahead(panel, history=shorter)

    def gain(actual, more, less):
        return r_squared(actual, more) - r_squared(actual, less)

    return bootstrap(gain, actual, more, less, seed=seed)


def size_gain(panel: Panel, larger: int, smaller: int, *, repeats: int = 20, seed: int = 0):
    """Return how much R² rises when a model learns from `larger` instead of `smaller` samples.

    Means over `repeats` draws, with the 95 % interval of the mean difference.
    """
    curves = [
        learning_curve(panel, [size], repeats=1, seed=seed + draw)["value"][0]
        for size in (larger, smaller)
        for draw in range(repeats)
    ]
    differences = np.subtract(curves[:repeats], curves[repeats:])
    error = 1.96 * differences.std(ddof=1) / np.sqrt(repeats)
    mean = differences.mean()
    return float(mean), float(mean - error), float(mean + error)


def swap_households(panel: Panel, share: float, seed: int = 0) -> Panel:
    """Return a panel in which this share of household-weeks is booked on a wrong household.

    Within each week the chosen records are permuted among households: totals stay, identity is
    lost, as with a shared or mistyped loyalty card.
    Raises `ValueError` if `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, not between 0 and 1")
    rng = np.random.default_rng(seed)
    damaged = Panel(panel.households, *(values.copy() for values in panel[1:]))
    for week in range(WEEKS):
        rows = np.flatnonzero(rng.random(len(panel.households)) < share)
        moved = rng.permutation(rows)
        for values, original in zip(damaged[1:], panel[1:], strict=True):
            values[rows, week] = original[moved, week]
    return damaged


def corruption_loss(panel: Panel, share: float, seed: int = 0) -> tuple[float, float, float]:
    """Return the targeting capture lost when `share` of the records carry a wrong household.

    Both rankings are judged on what households truly spend after week 48.
    """
    actual, clean = predict_ahead(panel)
    damaged = swap_households(panel, share, seed)
    model = ridge().fit(*design(damaged, TRAIN_WEEKS))
    blurred = model.predict(design(damaged, TEST_WEEKS[-1:])[0])

    def loss(spend, clean, blurred):
        return captured_share(spend, clean) - captured_share(spend, blurred)

    return bootstrap(loss, np.expm1(actual[-1]), clean[-1], blurred, seed=seed)


@formula("eq-01-within-share")
def within_share(values: np.ndarray) -> float:
    r"""Return the share of the variance of (n, weeks) values that lies within households.

    .. math:: \sum_{i,w} (s_{iw} - \bar s_i)^2 / \sum_{i,w} (s_{iw} - \bar s)^2

    No profile that stays the same over the weeks can explain this part.
    Raises `ValueError` if all values are equal.
    """
    total = np.sum((values - values.mean()) ** 2)
    if total == 0:
        raise ValueError("all values are equal, so there is no variance to divide")
    return float(np.sum((values - values.mean(axis=1, keepdims=True)) ** 2) / total)
