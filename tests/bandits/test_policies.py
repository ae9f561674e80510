"""Policies: formulas by hand and against MABWiser, choices against their distributions."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mabwiser.mab import MAB, LearningPolicy
from scipy import stats

from promo_repro.bandits import draws, policies
from promo_repro.bandits.simulation import History
from promo_repro.bandits.studies import stream

values = arrays(float, st.integers(2, 6), elements=st.floats(-3, 3))


def history(pulls, successes, replications):
    """The same history in every replication."""
    seen = History(len(pulls), replications)
    seen.pulls[:] = np.array(pulls)[:, None]
    seen.successes[:] = np.array(successes)[:, None]
    seen.plays = float(sum(pulls))
    return seen


def frequencies(policy, seen, t=100, seed=5):
    arms = policy.choose(seen, t, stream(seed))
    return np.bincount(arms, minlength=seen.arms)


# --- formulas -------------------------------------------------------------------------------


def test_epsilon_greedy_probabilities_by_hand():
    p = policies.epsilon_greedy_probabilities([0.5, 0.6, 0.7], 0.1)
    assert p == pytest.approx([1 / 30, 1 / 30, 28 / 30])
    assert policies.epsilon_greedy_probabilities([[1, 1], [0, 2]], 0.5) == pytest.approx(
        np.array([[0.5, 0.5], [0.25, 0.75]])
    )
    assert policies.epsilon_greedy_probabilities([1, 2], 0).tolist() == [0, 1]
    assert policies.epsilon_greedy_probabilities([1, 2], 1).tolist() == [0.5, 0.5]


def test_both_stages_by_hand():
    assert policies.two_stage_probabilities([0.5, 0.7], 0.2) == pytest.approx([0.1, 0.9])
    assert policies.two_stage_probabilities([3, 2, 1, 0], 0) == pytest.approx([1, 0, 0, 0])
    q = [0.5, 0.6, 0.7]
    assert policies.greedy_arm_probability(q, 0.1) == pytest.approx(28 / 30)
    assert policies.greedy_arm_probability(q, 0.1, random_excludes_best=True) == 0.9
    for call in (policies.two_stage_probabilities, policies.greedy_arm_probability):
        with pytest.raises(ValueError, match="epsilon is 2"):
            call(q, 2)
    with pytest.raises(ValueError, match="epsilon is 2"):
        policies.greedy_arm_probability(q, 2, random_excludes_best=True)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, np.nan])
def test_epsilon_outside_the_unit_interval_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"epsilon is .*; it must lie in \[0, 1\]"):
        policies.epsilon_greedy_probabilities([1, 2], epsilon)
    with pytest.raises(ValueError, match="epsilon is"):
        policies.EpsilonGreedy(epsilon)


def test_decayed_epsilon_by_hand():
    assert policies.decayed_epsilon([1, 5, 10, 40], 10) == pytest.approx([1, 1, 1, 0.25])
    assert policies.DecayedEpsilonGreedy(scale=10).rate(40) == 0.25
    for scale in (0, -1, np.nan):
        with pytest.raises(ValueError, match="scale is"):
            policies.DecayedEpsilonGreedy(scale=scale)
        with pytest.raises(ValueError, match="scale is"):
            policies.decayed_epsilon(1, scale)


def test_softmax_by_hand():
    p = policies.softmax([0, math.log(2), math.log(5)], 1)
    assert p == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert policies.softmax([0, math.log(2)], 0.5) == pytest.approx([0.2, 0.8])
    columns = policies.softmax(np.array([[0.0, 0], [math.log(3), 0]]), 1, axis=0)
    assert columns == pytest.approx(np.array([[0.25, 0.5], [0.75, 0.5]]))
    assert policies.softmax([-np.inf, 1, 1], 1).tolist() == [0, 0.5, 0.5]
    assert policies.softmax([1e6, 0], 1).tolist() == [1, 0]


@given(values, st.floats(-100, 100), st.floats(0.05, 10))
def test_softmax_does_not_notice_a_shift(q, shift, temperature):
    p = policies.softmax(q, temperature)
    assert p.sum() == pytest.approx(1)
    assert policies.softmax(q + shift, temperature) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf])
def test_softmax_refuses_a_temperature_that_is_none(temperature):
    with pytest.raises(ValueError, match="temperature is"):
        policies.softmax([1, 2], temperature)
    with pytest.raises(ValueError, match="temperature is"):
        policies.Softmax(temperature)


@pytest.mark.parametrize("q", [[np.nan, 1], [np.inf, 1], [-np.inf, -np.inf]])
def test_softmax_refuses_values_that_are_none(q):
    with pytest.raises(ValueError, match="values contains NaN or infinity"):
        policies.softmax(q, 1)


def test_entropy_objective_by_hand():
    assert policies.entropy_objective([0.5, 0.5], [1, 3], 2) == pytest.approx(2 + 2 * math.log(2))
    assert policies.entropy_objective([1, 0], [1, 3], 2) == 1
    rows = policies.entropy_objective([[1, 0], [0, 1]], [1, 3], 0.1)
    assert rows == pytest.approx([1, 3])
    with pytest.raises(ValueError, match="temperature is"):
        policies.entropy_objective([0.5, 0.5], [1, 3], 0)


@given(values, st.floats(0.1, 5), st.integers(0, 2**32))
def test_softmax_maximises_the_entropy_objective(q, temperature, seed):
    best = policies.entropy_objective(policies.softmax(q, temperature), q, temperature)
    others = np.random.default_rng(seed).dirichlet(np.ones(len(q)), 50)
    assert (policies.entropy_objective(others, q, temperature) <= best + 1e-9).all()


def test_ucb1_index_by_hand():
    index = policies.ucb1_index(np.array([0.5, 0.25]), np.array([2, 8]), 10)
    assert index == pytest.approx(
        [0.5 + math.sqrt(2 * math.log(10) / 2), 0.25 + math.sqrt(2 * math.log(10) / 8)], abs=1e-12
    )
    assert policies.ucb1_index(np.array([0.5]), np.array([1]), 1) == pytest.approx(0.5, abs=1e-12)
    for plays in (0, 1, 2, 50):
        index = policies.ucb1_index(np.array([0.0, 0.3]), np.array([0, 1]), plays)
        assert index[0] == np.inf
        assert np.isfinite(index[1])
    per_run = policies.ucb1_index(np.zeros((2, 3)), np.ones((2, 3)), np.array([[4], [9]]))
    assert per_run[:, 0] == pytest.approx([math.sqrt(2 * math.log(4)), math.sqrt(2 * math.log(9))])


def test_ucb1_bound_by_hand():
    bound = policies.ucb1_regret_bound([0.5, 0.3, 0.4, 0.5], 100)
    assert bound == pytest.approx(8 * math.log(100) * (5 + 10) + (1 + math.pi**2 / 3) * 0.3)
    assert policies.ucb1_regret_bound([0.5, 0.5], 100) == 0
    with pytest.raises(ValueError, match="horizon is"):
        policies.ucb1_regret_bound([0.5, 0.5], 0)


def test_beta_posterior_by_hand():
    a, b = policies.beta_posterior([0, 3, 5], [0, 10, 5])
    assert a.tolist() == [1, 4, 6]
    assert b.tolist() == [1, 8, 1]
    with pytest.raises(ValueError, match="successes exceeds pulls"):
        policies.beta_posterior([2], [1])
    with pytest.raises(ValueError, match="differ in shape"):
        policies.beta_posterior([2], [1, 3])


def test_pseudo_regret_by_hand():
    assert policies.pseudo_regret([5, 3, 2], [0.5, 0.4, 0.1]) == pytest.approx(1.1)
    assert policies.pseudo_regret([[1, 0], [0, 1]], [0.2, 0.5]) == pytest.approx([0.3, 0])
    for pulls, means in [([1, 2], [0.5]), ([[1, 2]], [[0.5, 0.5]]), (3, 0.5)]:
        with pytest.raises(ValueError, match="one value per arm"):
            policies.pseudo_regret(pulls, means)


@given(arrays(np.int64, 4, elements=st.integers(0, 99)), arrays(float, 4, elements=st.floats(0, 1)))
def test_pseudo_regret_is_never_negative(pulls, means):
    assert policies.pseudo_regret(pulls, means) >= 0
    best = int(np.argmax(means))
    assert policies.pseudo_regret(np.eye(4)[best] * 7, means) == 0


# --- equal to MABWiser on the same history --------------------------------------------------


@pytest.fixture
def shared_history():
    rng = np.random.default_rng(11)
    arm = np.r_[0:4, rng.integers(0, 4, 200)]
    reward = (rng.random(arm.size) < np.array([0.1, 0.3, 0.5, 0.2])[arm]).astype(int)
    pulls = np.bincount(arm, minlength=4)
    return arm, reward, pulls, np.bincount(arm, reward, minlength=4)


def peer(policy, arm, reward):
    mab = MAB(list(range(4)), policy, seed=1)
    mab.fit(arm[:50], reward[:50])
    mab.partial_fit(arm[50:], reward[50:])
    return mab


def test_our_history_counts_as_mabwiser_does(shared_history):
    arm, reward, pulls, successes = shared_history
    seen = History(4, 1)
    for a, r in zip(arm, reward, strict=True):
        seen.record(np.array([a]), np.array([r], np.float32))
    assert seen.pulls[:, 0].tolist() == pulls.tolist()
    assert seen.successes[:, 0].tolist() == successes.tolist()
    assert seen.plays == len(arm)
    mab = peer(LearningPolicy.EpsilonGreedy(0.1), arm, reward)
    assert [mab._imp.arm_to_count[a] for a in range(4)] == pulls.tolist()
    assert [mab._imp.arm_to_sum[a] for a in range(4)] == successes.tolist()


def test_means_equal_mabwiser(shared_history):
    arm, reward, pulls, successes = shared_history
    mab = peer(LearningPolicy.EpsilonGreedy(0.1), arm, reward)
    theirs = list(mab._imp.arm_to_expectation.values())
    assert successes / pulls == pytest.approx(theirs, rel=0, abs=1e-12)


def test_ucb1_scores_equal_mabwiser(shared_history):
    arm, reward, pulls, successes = shared_history
    theirs = list(peer(LearningPolicy.UCB1(alpha=1.0), arm, reward).predict_expectations().values())
    ours = policies.ucb1_index(successes / pulls, pulls, pulls.sum())
    assert ours == pytest.approx(theirs, rel=0, abs=1e-12)


def test_softmax_shares_equal_mabwiser(shared_history):
    arm, reward, pulls, successes = shared_history
    mab = peer(LearningPolicy.Softmax(tau=0.1), arm, reward)
    theirs = list(mab._imp.arm_to_expectation.values())
    assert policies.softmax(successes / pulls, 0.1) == pytest.approx(theirs, rel=0, abs=1e-12)


def test_thompson_counts_equal_mabwiser(shared_history):
    arm, reward, pulls, successes = shared_history
    mab = peer(LearningPolicy.ThompsonSampling(), arm, reward)
    a, b = policies.beta_posterior(successes, pulls)
    assert a.tolist() == list(mab._imp.arm_to_success_count.values())
    assert b.tolist() == list(mab._imp.arm_to_fail_count.values())


# --- what the peer gets wrong ---------------------------------------------------------------


def test_our_ucb1_tries_the_arm_that_mabwiser_never_tries():
    mab = MAB([0, 1, 2], LearningPolicy.UCB1(alpha=1.0), seed=1)
    mab.fit([0, 1], [1, 0])
    for _ in range(100):
        arm = mab.predict()
        assert arm != 2
        mab.partial_fit([arm], [0])
    assert policies.UCB1().choose(history([1, 1, 0], [1, 0, 0], 1), 3, stream(0)).tolist() == [2]


def test_our_softmax_choices_follow_their_shares_and_mabwisers_do_not():
    means = [0.1, 0.3, 0.5]
    shares = policies.softmax(means, 0.2)
    draws_ = 20_000
    seen = history([10, 10, 10], [1, 3, 5], draws_)
    observed = frequencies(policies.Softmax(0.2), seen)
    assert stats.chisquare(observed, shares * draws_).pvalue > 1e-4
    mab = MAB([0, 1, 2], LearningPolicy.Softmax(tau=0.2), seed=1)
    arm = np.repeat([0, 1, 2], 10)
    mab.fit(arm, np.r_[[1], [0] * 9, [1] * 3, [0] * 7, [1] * 5, [0] * 5])
    theirs = np.bincount([mab.predict() for _ in range(10_000)], minlength=3)
    assert stats.chisquare(theirs, shares * 10_000).pvalue < 1e-4


# --- the draws ------------------------------------------------------------------------------


def test_first_argmax_is_the_first_largest():
    v = np.array([[1, 5, 2], [3, 5, 2], [3, 0, 2]], np.float32)
    assert draws.first_argmax(v).tolist() == [1, 0, 0]
    assert draws.first_argmax(np.array([[np.inf], [np.inf]], np.float32)).tolist() == [0]


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_first_argmax_equals_numpys(arms, seed):
    v = np.random.default_rng(seed).integers(0, 5, (arms, 4)).astype(np.float32)
    assert draws.first_argmax(v).tolist() == v.argmax(axis=0).tolist()


def test_categorical_draws_in_proportion_and_never_a_weight_of_zero():
    weights = np.tile(np.array([0, 2, 0, 5, 3], np.float32)[:, None], (1, 50_000))
    observed = np.bincount(draws.categorical(weights, stream(2)), minlength=5)
    assert observed[[0, 2]].tolist() == [0, 0]
    assert stats.chisquare(observed[[1, 3, 4]], np.array([2, 5, 3]) * 5_000).pvalue > 1e-4


def test_categorical_with_more_arms_than_fit_one_byte():
    weights = np.zeros((300, 100), np.float32)
    weights[299] = 1
    assert (draws.categorical(weights, stream(2)) == 299).all()


@pytest.mark.parametrize(
    ("s", "f"), [(0, 0), (0, 1), (3, 0), (0, 60), (2, 3), (9, 300), (200, 700), (0.2, 0.1)]
)
def test_beta_draws_are_beta(s, f):
    shape = (2, 40_000)
    sample = draws.beta(np.full(shape, s, np.float32), np.full(shape, f, np.float32), stream(3))
    assert sample.shape == shape
    assert stats.kstest(sample.ravel(), stats.beta(1 + s, 1 + f).cdf).pvalue > 1e-4


# --- the choices ----------------------------------------------------------------------------


def test_epsilon_greedy_choices_follow_their_probabilities():
    runs = 60_000
    seen = history([10, 10, 10, 10], [1, 4, 2, 3], runs)
    expected = policies.epsilon_greedy_probabilities([0.1, 0.4, 0.2, 0.3], 0.2) * runs
    assert stats.chisquare(frequencies(policies.EpsilonGreedy(0.2), seen), expected).pvalue > 1e-4
    assert frequencies(policies.EpsilonGreedy(0.0), seen).tolist() == [0, runs, 0, 0]
    uniform = frequencies(policies.EpsilonGreedy(1.0), seen)
    assert stats.chisquare(uniform).pvalue > 1e-4


def test_decayed_epsilon_greedy_explores_less_with_time():
    seen = history([10, 10], [1, 4], 50_000)
    policy = policies.DecayedEpsilonGreedy(scale=100)
    early, late = frequencies(policy, seen, t=100)[0], frequencies(policy, seen, t=10_000)[0]
    assert early == pytest.approx(25_000, abs=500)
    assert late == pytest.approx(250, abs=80)


def test_thompson_choices_follow_the_posterior_probability_of_being_best():
    runs = 60_000
    seen = history([4, 10, 7], [1, 3, 3], runs)
    a, b = policies.beta_posterior([1, 3, 3], [4, 10, 7])
    grid = (np.arange(4000) + 0.5) / 4000
    pdf, cdf = (
        stats.beta(a[:, None], b[:, None]).pdf(grid),
        stats.beta(a[:, None], b[:, None]).cdf(grid),
    )
    best = np.array([(pdf[k] * np.delete(cdf, k, axis=0).prod(axis=0)).mean() for k in range(3)])
    observed = frequencies(policies.Thompson(), seen)
    assert stats.chisquare(observed, best / best.sum() * runs).pvalue > 1e-4


@given(st.permutations(range(4)))
def test_greedy_choices_follow_a_relabelling_of_the_arms(order):
    pulls, successes = np.array([5, 6, 7, 8]), np.array([1, 3, 2, 3])
    for policy in (policies.EpsilonGreedy(0.0), policies.UCB1()):
        plain = policy.choose(history(pulls, successes, 1), 26, stream(0))[0]
        moved = policy.choose(history(pulls[order], successes[order], 1), 26, stream(0))[0]
        assert order[moved] == plain


@pytest.mark.parametrize("policy", [policies.UCB1, policies.Thompson])
@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ({"discount": 0}, re.escape("discount is 0; it must lie in (0, 1]")),
        ({"discount": 1.2}, "discount is 1.2"),
        ({"window": 0}, "window is 0; it must be at least 1"),
        ({"discount": 0.9, "window": 5}, "not both"),
    ],
)
def test_memory_settings_that_make_no_sense_are_refused(policy, memory, message):
    with pytest.raises(ValueError, match=message):
        policy(**memory)


def test_choice_probabilities_of_a_batch_are_those_of_its_rows():
    values = np.array([[0.1, 0.5, 0.3], [0.9, 0.2, 0.4]])
    both = ((policies.softmax, 0.2), (policies.epsilon_greedy_probabilities, 0.1))
    for choose, setting in both:
        rows = [choose(row, setting) for row in values]
        np.testing.assert_allclose(choose(values, setting), rows)
