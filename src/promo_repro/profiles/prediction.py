"""What a profile of one period says about another: cross-validated, paired, with intervals."""

from functools import partial

import numpy as np
from scipy.stats import rankdata, spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from promo_repro.claims import formula
from promo_repro.datasets.features import bootstrap, r_squared
from promo_repro.profiles.checks import as_table

FOLDS = 5


def ridge():
    """Linear regression with a little shrinkage, on standardised features."""
    return make_pipeline(StandardScaler(), Ridge(1.0))


def boosting():
    """Gradient-boosted trees of four leaves, the flexible rival.

    Larger trees and random forests predict the households of this shop less well.
    """
    return HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.05, max_leaf_nodes=4, random_state=0
    )


def logistic():
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=500))


MODELS = {"ridge": ridge, "boosting": boosting}


def cross_predicted(features, target, model: str = "ridge", seed: int = 0) -> np.ndarray:
    """Each row's target as predicted from its features by a model that did not see the row."""
    x = as_table("features", features)
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    return cross_val_predict(MODELS[model](), x, np.asarray(target, float), cv=folds)


def cross_scored(features, flag, seed: int = 0) -> np.ndarray:
    """Probability of the flag for each row, from a model that did not see the row, (n,)."""
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    x = as_table("features", features)
    return cross_val_predict(logistic(), x, np.asarray(flag), cv=folds, method="predict_proba")[
        :, 1
    ]


def predictive_value(target, predicted, seed: int = 0) -> tuple[float, float, float]:
    """R² of predictions with its 95 % interval over rows."""
    return bootstrap(r_squared, np.asarray(target, float), predicted, seed=seed)


@formula("eq-02-gain")
def gain(target, more, less, seed: int = 0) -> tuple[float, float, float]:
    """R² of the predictions `more` minus that of `less`, with its 95 % interval over rows.

    Paired: the same rows are drawn for both. All three are (n,).
    """

    def difference(actual, a, b):
        return r_squared(actual, a) - r_squared(actual, b)

    return bootstrap(difference, np.asarray(target, float), more, less, seed=seed)


def gain_low(target, more, less, seed: int = 0) -> float:
    """Lower end of the interval of `gain`: above zero, `more` predicts better."""
    return gain(target, more, less, seed)[1]


def gain_high(target, more, less, seed: int = 0) -> float:
    """Upper end of the interval of `gain`: below zero, `more` predicts worse."""
    return gain(target, more, less, seed)[2]


def highest_gain(targets, more, less, seed: int = 0) -> float:
    """Largest upper end of `gain` over several targets: below zero, `more` is worse for all."""
    return max(map(partial(gain_high, seed=seed), targets, more, less))


def surest_gain(targets, more, less, seed: int = 0) -> float:
    """Largest lower end of `gain` over several targets: above zero, `more` is better for one."""
    return max(map(partial(gain_low, seed=seed), targets, more, less))


def value_low(target, predicted, seed: int = 0) -> float:
    """Lower end of the interval of R²: above zero, the predictions beat the mean."""
    return predictive_value(target, predicted, seed)[1]


@formula("eq-02-retained")
def retained(target, part, whole, seed: int = 0) -> tuple[float, float, float]:
    """R² of the predictions `part` over that of `whole`, with its 95 % interval over rows."""

    def ratio(actual, a, b):
        return r_squared(actual, a) / r_squared(actual, b)

    return bootstrap(ratio, np.asarray(target, float), part, whole, seed=seed)


def retained_low(target, part, whole, seed: int = 0) -> float:
    """Lower end of the interval of `retained`."""
    return retained(target, part, whole, seed)[1]


@formula("eq-02-auc")
def area_under_curve(flag, score) -> float:
    r"""Chance that a flagged row scores higher than another, ties half.

    .. math:: (\sum_{i: y_i = 1} \rho_i - n_+ (n_+ + 1) / 2) / (n_+ n_-)

    with mid-ranks :math:`\rho`. Raises `ValueError` if all flags are equal.
    """
    y = np.asarray(flag, dtype=bool)
    ones = int(y.sum())
    if not 0 < ones < len(y):
        raise ValueError("all flags are equal, so there is nothing to rank")
    ranks = rankdata(score)[y].sum()
    return float((ranks - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))


def auc_gain(flag, more, less, seed: int = 0, draws: int = 300) -> tuple[float, float, float]:
    """Area under the ROC curve of `more` minus that of `less`, with its 95 % interval."""

    def difference(y, a, b):
        return area_under_curve(y, a) - area_under_curve(y, b)

    return bootstrap(difference, np.asarray(flag), more, less, seed=seed, draws=draws)


def auc(flag, score, seed: int = 0, draws: int = 300) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval over rows."""
    return bootstrap(area_under_curve, np.asarray(flag), score, seed=seed, draws=draws)


def auc_low(flag, score, seed: int = 0) -> float:
    """Lower end of the interval of `auc`: above a half, the score ranks better than chance."""
    return auc(flag, score, seed)[1]


def auc_gain_low(flag, more, less, seed: int = 0) -> float:
    """Lower end of the interval of `auc_gain`."""
    return auc_gain(flag, more, less, seed)[1]


def persistence(first, second, seed: int = 0, draws: int = 100) -> tuple[float, float, float]:
    """Rank correlation of a feature over households between two periods, with interval."""

    def rho(a, b):
        return spearmanr(a, b).statistic

    return bootstrap(
        rho, np.asarray(first, float), np.asarray(second, float), seed=seed, draws=draws
    )


def persistence_low(first, second, seed: int = 0) -> float:
    """Lower end of the interval of `persistence`."""
    return persistence(first, second, seed)[1]


@formula("eq-02-rank")
def identification_rank(first, second) -> float:
    """Median rank of the true match when each row of `second` is looked up in `first`.

    As a share of the n rows: 0 if every household is its own nearest neighbour, about one half
    if profiles say nothing about who it is. Both tables are (n, p), on one scale.
    """
    a, b = as_table("first", first), as_table("second", second)
    if a.shape != b.shape:
        raise ValueError(f"tables are {a.shape} and {b.shape}; they must hold the same rows")
    # Squared distances less the length of the row of b, which does not change the order.
    distance = (a**2).sum(axis=1) - 2 * b @ a.T
    nearer = (distance < np.diag(distance)[:, None]).sum(axis=1)
    return float(np.median(nearer) / len(a))
