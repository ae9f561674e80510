"""The studies of the chapter, on cases whose outcome is known."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.simulator import ab_test, logged_data, studies, worlds
from promo_repro.simulator.experiments import Trial


def test_plain_customers_torch_and_parts_agree_with_the_core(lively):
    for gap, states in (
        studies.plain_gap(lively, 60, 3),
        studies.torch_gap(lively, 60, 3, "cpu"),
        studies.split_gap(lively, [1, 20, 39], 3),
    ):
        assert gap < 1e-12
        assert states == 0


def test_a_gap_is_seen(lively):
    first = np.zeros((2, 3)), np.zeros((2, 3), int)
    second = np.array([[0, 0, 0], [0, -2.5, 1]]), np.array([[0, 0, 1], [0, 1, 0]])
    assert studies._gap(first, second) == (2.5, 2)


def test_random_actions_cover_the_menu(lively):
    actions = studies.random_actions(lively, 500, 4)
    assert actions.shape == (lively.weeks, 500)
    shares = np.bincount(actions.ravel(), minlength=lively.actions) / actions.size
    np.testing.assert_allclose(shares, 1 / lively.actions, atol=0.03)


def test_a_simulated_value_is_the_exact_one(lively):
    policy = lively.standard_policies()["random"]
    mean, error = studies.simulated_value(lively, policy, 10_000, np.random.default_rng(1))
    assert abs(mean - lively.policy_value(policy, lively.weeks)) < 4 * error
    assert 0 < error < 0.05 * mean


def test_shares_of_the_optimum():
    world = worlds.dormant()
    shares = studies.shares_of_optimum(world)
    assert shares["none"] == pytest.approx(
        world.policy_value(np.zeros(world.states, int)) / world.optimal_value()
    )
    assert set(shares) == {"none", "uniform", "segment-best", "myopic", "random"}


def test_foresight_is_worth_less_to_the_impatient():
    shares = studies.myopic_shares(worlds.dormant(), "discount", [0.0, 0.5, 0.95])
    assert shares[0] == pytest.approx(1)
    assert shares[0] > shares[1] > shares[2]


def test_propensities_that_are_not_true_are_noticed():
    world = worlds.memoryless()
    pi = np.random.default_rng(0).dirichlet(np.full(6, 3.0), size=3)
    log = logged_data(world, pi, 4_000, 3, np.random.default_rng(1))
    scores = studies.propensity_scores(log, pi)
    assert scores.shape == (18,)
    assert np.abs(scores).max() < 4
    assert np.abs(studies.propensity_scores(log, pi[::-1])).max() > 8


def test_the_difference_of_means_by_hand():
    trial = Trial(np.array([True, True, False, False]), np.array([3.0, 5, 1, 1]), 0.0, 0.0)
    assert studies.difference_in_means(trial) == pytest.approx((3.0, 1.0))


def test_the_difference_of_a_trial_is_its_effect():
    world = replace(worlds.memoryless(), weeks=4)
    best, none = world.optimal_policy, np.zeros(3, int)
    trial = ab_test(world, best, none, 40_000, 4, np.random.default_rng(2))
    found, error = studies.difference_in_means(trial)
    assert abs(found - trial.effect) < 4 * error


def test_trials_are_held_against_the_truth():
    world = replace(worlds.memoryless(), weeks=3)
    none = np.zeros(3, int)
    plain, leaky = studies.trials(world, world.optimal_policy, none, (0.0, 0.8), 20_000, 3, 1)
    assert plain["expected difference"] == pytest.approx(plain["true effect"])
    # The control group gets 40 % of the treatment, and nobody remembers anything.
    assert leaky["expected difference"] == pytest.approx(0.6 * leaky["true effect"])
    for row in (plain, leaky):
        half = (row["high"] - row["low"]) / 2
        assert half > 0
        assert abs(row["difference"] - row["expected difference"]) < 2.1 * half
