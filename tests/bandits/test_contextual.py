"""Linear contextual bandits against direct inversion, MABWiser and the context-free choice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mabwiser.mab import MAB, LearningPolicy

from promo_repro.bandits import contextual
from promo_repro.bandits.contextual import (
    LinearHistory,
    LinearThompson,
    LinUCB,
    SegmentShop,
    intercept_only,
    simulate_contextual,
)
from promo_repro.bandits.studies import stream

SHOP = SegmentShop(np.array([[0.30, 0.05], [0.05, 0.25]]))


@given(st.integers(1, 5), st.integers(0, 2**32))
def test_sherman_morrison_equals_direct_inversion(d, seed):
    rng = np.random.default_rng(seed)
    root, x = rng.normal(size=(3, d, d)), rng.normal(size=(3, d))
    a = root @ root.swapaxes(1, 2) + np.eye(d)
    updated = contextual.sherman_morrison(np.linalg.inv(a), x)
    direct = np.linalg.inv(a + x[:, :, None] * x[:, None, :])
    assert updated == pytest.approx(direct, abs=1e-10)


def test_sherman_morrison_by_hand():
    assert contextual.sherman_morrison(np.eye(2), np.array([1.0, 0])).tolist() == [[0.5, 0], [0, 1]]


def test_linear_uncertainty_by_hand():
    assert contextual.linear_uncertainty(np.diag([4.0, 9.0]), np.array([1.0, 0])) == 2
    both = contextual.linear_uncertainty(np.diag([4.0, 9.0]), np.array([[0, 1.0], [2.0, 1.0]]))
    assert both == pytest.approx([3, 5])


def test_linucb_index_by_hand():
    theta = np.array([[1.0, 0], [0, 2.0]])
    inverse = np.stack([np.diag([4.0, 1]), np.diag([1.0, 9])])
    x = np.array([1.0, 1])
    assert contextual.linucb_index(theta, inverse, x, 0.0).tolist() == [1, 2]
    assert contextual.linucb_index(theta, inverse, x, 2.0) == pytest.approx(
        [1 + 2 * 5**0.5, 2 + 2 * 10**0.5]
    )
    batch = contextual.linucb_index(theta[None], inverse[None], x[None], 2.0)
    assert batch.shape == (1, 2)
    for alpha in (-0.1, np.nan):
        with pytest.raises(ValueError, match="alpha is"):
            contextual.linucb_index(theta, inverse, x, alpha)
        with pytest.raises(ValueError, match="alpha is"):
            LinUCB(alpha=alpha)


def test_ridge_estimate_by_hand():
    estimate = contextual.ridge_estimate([[1, 0], [1, 0], [0, 2]], [1, 3, 5], 2.0)
    assert estimate == pytest.approx([4 / 4, 10 / 6])
    with pytest.raises(ValueError, match="ridge is 0"):
        contextual.ridge_estimate([[1.0]], [1.0], 0)


def linear_history(n, seed=3):
    rng = np.random.default_rng(seed)
    contexts, arm = rng.normal(size=(n, 3)), rng.integers(0, 2, n)
    reward = contexts @ [1.0, -1, 0.5] + arm
    seen = LinearHistory(1, 2, 3, 1.0)
    for x, a, r in zip(contexts, arm, reward, strict=True):
        seen.record(np.array([a]), x[None], np.array([r]))
    return seen, contexts, arm, reward


def test_online_statistics_equal_ridge_regression_on_the_whole_history():
    seen, contexts, arm, reward = linear_history(200)
    for k in range(2):
        mine = arm == k
        expected = contextual.ridge_estimate(contexts[mine], reward[mine], 1.0)
        assert seen.theta[0, k] == pytest.approx(expected, abs=1e-10)


def test_linucb_scores_equal_mabwiser():
    seen, contexts, arm, reward = linear_history(100)
    mab = MAB([0, 1], LearningPolicy.LinUCB(alpha=0.7, l2_lambda=1.0), seed=1)
    mab.fit(arm, reward, contexts)
    x = np.array([[0.3, -1.0, 2.0]])
    theirs = list(mab.predict_expectations(x).values())
    ours = LinUCB(alpha=0.7).scores(seen, x, stream(0))[0]
    assert ours == pytest.approx(theirs, rel=0, abs=1e-12)


def test_linear_thompson_draws_have_the_posteriors_mean_and_deviation():
    seen, *_ = linear_history(30)
    x = np.array([[0.3, -1.0, 2.0]])
    rng = stream(1)
    scores = np.array([LinearThompson(scale=0.5).scores(seen, x, rng)[0] for _ in range(8000)])
    means = contextual.linucb_index(seen.theta, seen.inverse, x, 0.0)[0]
    spread = 0.5 * contextual.linear_uncertainty(seen.inverse, x[:, None, :])[0]
    assert scores.mean(axis=0) == pytest.approx(means, abs=4 * spread.max() / 8000**0.5)
    assert scores.std(axis=0) == pytest.approx(spread, rel=0.04)


@pytest.mark.parametrize("policy", [LinUCB(), LinearThompson()])
def test_seeing_the_customer_is_worth_it(policy):
    seeing = simulate_contextual(policy, SHOP, 600, 50, stream(0))
    blind = simulate_contextual(policy, SHOP, 600, 50, stream(0), features=intercept_only)
    assert seeing.mean_regret[-1] < 0.6 * blind.mean_regret[-1]
    assert (seeing.regret >= 0).all()
    assert (seeing.pulls.sum(axis=1) == 600).all()
    assert (seeing.successes <= seeing.pulls).all()
    assert (np.diff(seeing.regret, axis=1) >= 0).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"expected \(segments, promotions\)"):
        SegmentShop(np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="rates has entries outside"):
        SegmentShop(np.array([[0.1, 2.0]]))
    with pytest.raises(ValueError, match="scale is 0"):
        LinearThompson(scale=0)
    with pytest.raises(ValueError, match="ridge is -1"):
        LinUCB(ridge=-1)
    with pytest.raises(ValueError, match="ridge is -1"):
        LinearThompson(ridge=-1)
    with pytest.raises(ValueError, match="horizon is 0"):
        simulate_contextual(LinUCB(), SHOP, 0, 5, stream(0))
    with pytest.raises(ValueError, match="replications is 0"):
        simulate_contextual(LinUCB(), SHOP, 5, 0, stream(0))
