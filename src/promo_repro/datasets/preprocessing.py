"""The preprocessing that the articles name, each step as one function.

Scaling, outlier rules, filling of missing values, copies, the user-item matrix, and the history
H_{u,i} of a user and an item.
"""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.ensemble import IsolationForest

from promo_repro.claims import formula


@formula("eq-01-z-score")
def z_score(values: np.ndarray) -> np.ndarray:
    r"""Return values in standard deviations from their mean.

    .. math:: z = (x - \bar x) / s, \qquad s^2 = \tfrac1n \sum_i (x_i - \bar x)^2

    Raises `ValueError` if all values are equal.
    """
    values = np.asarray(values, float)
    spread = values.std()
    if spread == 0:
        raise ValueError("all values are equal: a constant cannot be standardised")
    return (values - values.mean()) / spread


@formula("eq-01-min-max")
def min_max(values: np.ndarray) -> np.ndarray:
    r"""Return values mapped to the interval from 0 to 1.

    .. math:: m = (x - \min x) / (\max x - \min x)

    Raises `ValueError` if all values are equal.
    """
    values = np.asarray(values, float)
    low, high = values.min(), values.max()
    if low == high:
        raise ValueError("all values are equal: a constant has no range")
    return (values - low) / (high - low)


@formula("eq-01-three-sigma")
def three_sigma(values: np.ndarray) -> np.ndarray:
    r"""Flag values further than three standard deviations from the mean: :math:`|z| > 3`."""
    return np.abs(z_score(values)) > 3


@formula("eq-01-iqr")
def interquartile(values: np.ndarray) -> np.ndarray:
    r"""Flag values beyond Tukey's fences.

    .. math:: x < Q_1 - 1.5\,(Q_3 - Q_1) \quad\text{or}\quad x > Q_3 + 1.5\,(Q_3 - Q_1)
    """
    lower, upper = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (upper - lower)
    return (values < lower - reach) | (values > upper + reach)


def isolated(values: np.ndarray, share: float = 0.01, seed: int = 0) -> np.ndarray:
    """Flag the `share` of rows that an isolation forest separates most easily.

    `values` is (n,) or (n, k). The share is an input, not a finding.
    """
    table = np.reshape(values, (len(values), -1))
    # The scaling does not matter to a tree; the seed decides the random splits.
    forest = IsolationForest(n_estimators=50, contamination=share, random_state=seed)
    return forest.fit_predict(table) < 0


RULES = {"3-sigma": three_sigma, "IQR": interquartile, "isolation forest": isolated}
Method = Literal["mean", "median", "mode"]


@formula("D3-Q02", "D3-Q03", "D3-Q04")
def filled(values: pd.Series, method: Method) -> pd.Series:
    """Return `values` with each gap filled by the mean, the median or the most frequent value.

    Of several most frequent values the smallest is taken.
    Raises `ValueError` for another method, or if there is no value to learn from.
    """
    if values.isna().all():
        raise ValueError("every value is missing: there is nothing to fill with")
    if method == "mean":
        return values.fillna(values.mean())
    if method == "median":
        return values.fillna(values.median())
    if method == "mode":
        return values.fillna(values.mode().iloc[0])
    raise ValueError(f"no method {method!r}; choose mean, median or mode")


@formula("eq-01-filled-spread")
def filled_spread(missing: float) -> float:
    r"""Return the standard deviation after mean filling, relative to the true one.

    .. math:: s_{\text{filled}} / s = \sqrt{1 - m}

    Holds when a share `missing` :math:`= m` is missing completely at random.
    Raises `ValueError` unless 0 <= m < 1.
    """
    if not 0 <= missing < 1:
        raise ValueError(f"the missing share is {missing}, not in [0, 1)")
    return float(np.sqrt(1 - missing))


@formula("eq-01-filled-mode")
def filled_mode_share(share: float, missing: float) -> float:
    r"""Return the expected share of the most frequent class after filling with it.

    .. math:: s' = s + m\,(1 - s)

    `share` :math:`= s` is its true share, `missing` :math:`= m` the share that is missing
    completely at random. Raises `ValueError` unless both are in [0, 1].
    """
    if not (0 <= share <= 1 and 0 <= missing <= 1):
        raise ValueError(f"share {share} and missing {missing} must be in [0, 1]")
    return share + missing * (1 - share)


@formula("eq-01-duplicates")
def exact_duplicates(frame: pd.DataFrame) -> int:
    """Return the number of rows that equal an earlier row in every column."""
    return int(frame.duplicated().sum())


def deduplication_shift(frame: pd.DataFrame, column: str) -> float:
    """Return by how much (relative to it) the mean of `column` moves when copies are removed."""
    kept = frame.drop_duplicates()
    return float(kept[column].mean() / frame[column].mean() - 1)


def interaction_matrix(lines: pd.DataFrame, item: str = "product_id") -> sparse.csr_array:
    """Return how often each household (row) bought each item (column): (users, items) counts.

    Rows and columns follow the sorted ids. One transaction line counts one. Lines whose item is
    missing are left out.
    """
    known = lines.dropna(subset=[item])
    rows, users = pd.factorize(known["household_id"], sort=True)
    columns, items = pd.factorize(known[item], sort=True)
    ones = np.ones(len(known), dtype=np.int64)
    matrix = sparse.coo_array((ones, (rows, columns)), shape=(len(users), len(items)))
    return matrix.tocsr()  # adds up repeated pairs


@formula("eq-01-density")
def density(matrix: sparse.csr_array) -> float:
    """Return the share of the cells of a matrix that are not zero."""
    return matrix.nnz / (matrix.shape[0] * matrix.shape[1])


def interactions_kept(lines: pd.DataFrame, item: str = "product_id") -> int:
    """Return the sum of the interaction matrix: it must be the number of lines with an item."""
    return int(interaction_matrix(lines, item).sum())


Indices = Literal["printed", "own"]


@formula("D3-F05", "D3-F06", "D3-F07")
def history(
    user: np.ndarray, item: np.ndarray, day: np.ndarray, u: int, i: int, days: int, reading: Indices
) -> list[tuple[int, int]]:
    r"""Return the pairs (behaviour, decision) of user `u` and item `i` on days 1 to `days`.

    .. math:: H_{u,i} = \{(x_{u,t}, y_{i,t})\}_{t=1}^{T}

    One line is bought by `user` of `item` on `day`, each (lines,). Under the reading "printed"
    the indices are taken at their word: :math:`x_{u,t}` counts everything that u bought on day t,
    and :math:`y_{i,t}` is 1 if anybody bought i. Under "own" both carry both indices:
    :math:`x_{u,i,t}` counts u's purchases of i, and :math:`y_{u,i,t}` is 1 if there is one.
    Raises `ValueError` for another reading.
    """
    if reading not in ("printed", "own"):
        raise ValueError(f"no reading {reading!r}; choose 'printed' or 'own'")
    inside = (day >= 1) & (day <= days)
    of_user, of_item = inside & (user == u), inside & (item == i)
    if reading == "own":
        of_user = of_item = of_user & of_item
    behaviour = np.bincount(day[of_user], minlength=days + 1)[1:]
    decision = np.bincount(day[of_item], minlength=days + 1)[1:] > 0
    return list(zip(behaviour.tolist(), decision.astype(int).tolist(), strict=True))


def purchase_days(user, item, day, u: int, i: int, days: int, reading: Indices) -> int:
    """Return on how many days H_{u,i} says that a purchase was decided."""
    return sum(decision for _, decision in history(user, item, day, u, i, days, reading))


def elements(user, item, day, u: int, i: int, days: int, form: Literal["set", "sequence"]) -> int:
    """Return how many elements H_{u,i} has as a set (equal pairs merge) or as a sequence."""
    pairs = history(user, item, day, u, i, days, "own")
    return len(set(pairs)) if form == "set" else len(pairs)
