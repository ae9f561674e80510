"""Uplift estimates against scikit-learn and by hand; gains without bias on drawn experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from promo_repro.allocation import uplift


def trial(seed, n=400, arms=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) * [1, 5, 0.2] + [0, 9, 1]
    arm = rng.integers(0, arms, n)
    y = x[:, 0] * arm + x[:, 1] + rng.normal(size=n)
    return uplift.Trial(x, arm, y, np.full(arms, 1 / arms))


def test_ridge_equals_scikit_learn():
    data, new = trial(1), trial(2, 50).features
    scale = data.features.mean(axis=0), data.features.std(axis=0)

    def products(x):
        z = (x - scale[0]) / scale[1]
        return np.column_stack([z, z[:, 0] * z[:, 1], z[:, 0] * z[:, 2], z[:, 1] * z[:, 2]])

    fits = []
    for k in range(3):
        mine = data.arm == k
        model = Ridge(alpha=20.0).fit(products(data.features[mine]), data.outcome[mine])
        fits.append(model.predict(products(new)))
    peer = np.column_stack(fits[1:]) - fits[0][:, None]
    assert uplift.ridge_uplift(data, new, 20.0) == pytest.approx(peer)


def test_a_constant_feature_does_no_harm():
    data = trial(3)
    data.features[:, 2] = 4.0
    assert np.isfinite(uplift.ridge_uplift(data, data.features, 1.0)).all()


def test_cells_by_hand():
    data = uplift.Trial(
        np.zeros((6, 1)), np.array([0, 0, 1, 2, 1, 0]), np.arange(6.0), np.full(3, 1 / 3)
    )
    # Cell 0: arms 0, 0, 1, 2 with 0, 1, 2, 3; cell 1: arms 1, 0 with 4, 5; cell 2 is empty.
    found = uplift.cell_uplift(data, [0, 0, 0, 0, 1, 1], [1, 0, 2], 3)
    assert found.tolist() == [[-1, 0], [1.5, 2.5], [0, 0]]


def test_cells_of_a_customer_table():
    x = np.column_stack([np.arange(8.0), np.r_[np.zeros(4), np.ones(4)]])
    code, cells = uplift.cells_of(x, bands=2)
    assert cells == 2
    assert code.tolist() == [0] * 4 + [1] * 4
    assert uplift.cells_of(x, bands=4)[1] == 4


def test_scores_by_hand():
    outcome, shares = np.array([3.0, 5.0, 7.0, 9.0]), np.array([0.5, 0.25, 0.25])
    data = uplift.Trial(np.zeros((4, 1)), np.array([0, 1, 2, 0]), outcome, shares)
    assert uplift.gain_scores(data, [0, 0, 0, -1]).tolist() == [-6, 20, 0, 0]
    assert uplift.gain_scores(data, [1, 1, 1, 1]).tolist() == [-6, 0, 28, -18]


@given(st.integers(0, 200))
def test_scores_are_unbiased_over_all_assignments(seed):
    # Every arm of every customer once, weighted by its share: the mean score is the true gain.
    rng = np.random.default_rng(seed)
    outcome, shares = rng.normal(size=(5, 3)), np.array([0.5, 0.3, 0.2])
    choice = rng.integers(-1, 2, 5)
    total = 0.0
    for arm in range(3):
        data = uplift.Trial(np.zeros((5, 1)), np.full(5, arm), outcome[:, arm], shares)
        total += shares[arm] * uplift.gain_scores(data, choice)
    true = np.where(choice >= 0, outcome[np.arange(5), choice + 1] - outcome[:, 0], 0.0)
    assert total == pytest.approx(true)


def test_interval_by_hand():
    mean, low, high = uplift.gain_interval([1.0, 3.0, 5.0, 7.0])
    half = 1.96 * (20 / 3) ** 0.5 / 2
    assert (mean, low, high) == pytest.approx((4, 4 - half, 4 + half))


def test_parts_keep_the_shares():
    data = trial(4)
    part = data.part(np.arange(10))
    assert len(part) == 10
    assert part.shares is data.shares
    assert (part.outcome == data.outcome[:10]).all()
