"""Uplift from randomised tests, and what an allocation by estimated uplift is really worth.

n customers, d features, K treatments; arm 0 is "no promotion". Nothing here is simulated.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_repro.claims import formula
from promo_repro.datasets import hillstrom, starbucks


@dataclass(frozen=True)
class Trial:
    """A randomised test: features (n, d), arm (n,) in 0 … K, outcome (n,), arm shares (K + 1,)."""

    features: np.ndarray
    arm: np.ndarray
    outcome: np.ndarray
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.arm)

    def part(self, index) -> "Trial":
        return Trial(self.features[index], self.arm[index], self.outcome[index], self.shares)


def hillstrom_trial(outcome: str = "visit") -> Trial:
    """64,000 customers of an e-mail test with two e-mails; `outcome` "visit" or "spend"."""
    data = hillstrom.load()
    coded = pd.get_dummies(data[["zip_code", "channel"]], drop_first=True, dtype=float)
    plain = data[["recency", "mens", "womens", "newbie"]].astype(float)
    x = np.column_stack([plain, np.log(data["history"]), coded])
    arm = data["segment"].map({name: k for k, name in enumerate(hillstrom.ARMS)}).to_numpy(int)
    return Trial(x, arm, data[outcome].to_numpy(float), np.full(3, 1 / 3))


def starbucks_trial(split: str, sale: float = 10.0, mailing: float = 0.15) -> Trial:
    """A promotion sent to a random half; the outcome is dollars net of what the mailing costs."""
    data = starbucks.load(split)
    coded = pd.get_dummies(
        data[["V1", "V4", "V5", "V6", "V7"]].astype("category"), drop_first=True, dtype=float
    )
    x = np.column_stack([data[["V2", "V3"]], coded])
    arm = (data["Promotion"] == "Yes").to_numpy(int)
    outcome = sale * data["purchase"].to_numpy(float) - mailing * arm
    return Trial(x, arm, outcome, np.full(2, 1 / 2))


@formula("eq-11-two-models")
def ridge_uplift(trial: Trial, features, penalty: float):
    """Uplift x (β_k − β_0) of every treatment from one ridge regression per arm, (n', K).

    Features are centred and scaled on all arms together, pairs of them multiplied; `penalty`
    counts customers. The intercept is not penalised.
    """
    mean, scale = trial.features.mean(axis=0), trial.features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x, new = (_with_products((f - mean) / scale) for f in (trial.features, features))
    fits = []
    for k in range(len(trial.shares)):
        mine = trial.arm == k
        ridge = penalty * np.eye(x.shape[1])
        ridge[0, 0] = 0
        a = x[mine].T @ x[mine] + ridge
        fits.append(new @ np.linalg.solve(a, x[mine].T @ trial.outcome[mine]))
    return np.column_stack(fits[1:]) - fits[0][:, None]


def _with_products(z):
    """One, the features, and the products of all pairs of them, (n, 1 + d + d (d − 1) / 2)."""
    i, j = np.triu_indices(z.shape[1], 1)
    return np.column_stack([np.ones(len(z)), z, z[:, i] * z[:, j]])


@formula("eq-11-cell-uplift")
def cell_uplift(trial: Trial, cell, new_cell, cells: int):
    """Uplift of every treatment as a difference of means within cells, (n', K), 0 if unknown.

    `cell` (n,) and `new_cell` (n',) number the cells from 0.
    """
    arms = len(trial.shares)
    at = np.asarray(cell) * arms + trial.arm
    count = np.bincount(at, minlength=cells * arms).reshape(cells, arms)
    total = np.bincount(at, trial.outcome, minlength=cells * arms).reshape(cells, arms)
    mean = total / np.maximum(count, 1)
    uplift = np.where((count[:, 1:] > 0) & (count[:, :1] > 0), mean[:, 1:] - mean[:, :1], 0.0)
    return uplift[np.asarray(new_cell)]


@formula("eq-11-policy-gain")
def gain_scores(trial: Trial, choice):
    """Unbiased scores (n,) of the gain of a policy over no promotion at all.

    For a customer to whom the policy gives d ≥ 0 the score is y 1{arm = d + 1}/π_{d+1} −
    y 1{arm = 0}/π_0, otherwise 0: its mean is the gain per customer, whatever was estimated.
    """
    d, y, pi = np.asarray(choice).astype(int), trial.outcome, trial.shares
    treated = y * (trial.arm == d + 1) / pi[d + 1]
    return np.where(d >= 0, treated - y * (trial.arm == 0) / pi[0], 0.0)


@formula("eq-11-gain-interval")
def gain_interval(scores) -> tuple[float, float, float]:
    """Mean of the scores and its 95 % limits, mean ± 1.96 s / √n."""
    s = np.asarray(scores, dtype=float)
    half = 1.96 * s.std(ddof=1) / np.sqrt(len(s))
    return float(s.mean()), float(s.mean() - half), float(s.mean() + half)


def cells_of(features, bands: int = 4):
    """Cells of a customer table: every column cut into at most `bands` bands, (n,) and how many."""
    code = np.zeros(len(features), dtype=int)
    for column in np.asarray(features).T:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, bands + 1)[1:-1]))
        code = code * (len(edges) + 1) + np.searchsorted(edges, column, side="right")
    seen, code = np.unique(code, return_inverse=True)
    return code, len(seen)
