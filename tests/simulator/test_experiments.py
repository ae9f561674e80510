"""Logs have the propensities they state; A/B tests the effect they state."""

import numpy as np
import pytest

from promo_repro.simulator import ab_test, logged_data, worlds


@pytest.fixture(scope="module")
def world():
    return worlds.dormant()


def behaviour(world):
    """Different probabilities in every state."""
    return np.random.default_rng(3).dirichlet(np.full(world.actions, 2.0), size=world.states)


def test_a_log_has_the_declared_propensities(world):
    pi = behaviour(world)
    log = logged_data(world, pi, 20_000, 4, np.random.default_rng(1))
    assert log.action.shape == log.reward.shape == (20_000, 4)
    assert log.observation.shape == (20_000, 4, world.observation_size)
    np.testing.assert_allclose(log.propensity, pi[log.state, log.action])
    # In every state that was visited often, actions are as frequent as stated.
    visits = np.bincount(log.state.ravel(), minlength=world.states)
    taken = np.zeros((world.states, world.actions))
    np.add.at(taken, (log.state.ravel(), log.action.ravel()), 1)
    often = visits > 300
    assert often.sum() > 10
    share, chance = taken[often] / visits[often, None], pi[often]
    z = (share - chance) / np.sqrt(chance * (1 - chance) / visits[often, None])
    assert (np.abs(z) < 4.5).all()
    assert np.abs(z).mean() == pytest.approx(np.sqrt(2 / np.pi), rel=0.2)


def test_a_log_is_one_trajectory_per_user(world):
    log = logged_data(world, behaviour(world), 500, 6, np.random.default_rng(1))
    np.testing.assert_array_equal(log.state[:, 1:], log.next_state[:, :-1])
    assert (log.state[:, 0] % world.levels == 0).all()
    assert log.bought.dtype == bool
    np.testing.assert_allclose(log.observation, world.features[log.state])
    reachable = world.transitions[log.state, log.action, log.next_state]
    assert (reachable > 0).all()


def test_importance_weights_of_a_log_give_the_value_of_another_policy(world):
    pi = behaviour(world)
    target = world.standard_policies()["random"]
    log = logged_data(world, pi, 40_000, 3, np.random.default_rng(2))
    weights = (target[log.state, log.action] / log.propensity).cumprod(axis=1)
    each = (weights * log.reward) @ world.discount ** np.arange(3)
    error = each.std(ddof=1) / np.sqrt(len(each))
    assert abs(each.mean() - world.policy_value(target, 3)) < 4 * error


def test_generators_repeat_a_log(world):
    first, again, other = (
        logged_data(world, behaviour(world), 200, 5, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.action, again.action)
    np.testing.assert_array_equal(first.reward, again.reward)
    assert (first.action != other.action).any()


def difference(trial):
    """Difference in means and its standard error."""
    groups = trial.profit[trial.treated], trial.profit[~trial.treated]
    error = np.sqrt(sum(g.var(ddof=1) / len(g) for g in groups))
    return groups[0].mean() - groups[1].mean(), error


def test_a_trial_has_the_stated_effect(world):
    new, old = world.optimal_policy, world.standard_policies()["none"]
    trial = ab_test(world, new, old, 60_000, 10, np.random.default_rng(4))
    found, error = difference(trial)
    assert trial.effect == pytest.approx(world.policy_value(new, 10) - world.policy_value(old, 10))
    assert trial.difference == pytest.approx(trial.effect)
    assert abs(found - trial.effect) < 4 * error
    assert trial.effect > 4 * error  # the test could have failed
    assert trial.treated.sum() == 30_000


def test_interference_hides_a_part_of_the_effect(world):
    new, old = world.optimal_policy, world.standard_policies()["none"]
    trial = ab_test(world, new, old, 60_000, 10, np.random.default_rng(5), interference=1.0)
    found, error = difference(trial)
    assert abs(found - trial.difference) < 4 * error
    assert trial.effect - trial.difference > 8 * error


def test_no_difference_where_there_is_none(world):
    old = world.standard_policies()["uniform"]
    trial = ab_test(world, old, old, 2_000, 5, np.random.default_rng(6), interference=0.5)
    assert trial.effect == trial.difference == 0


def test_wrong_input_is_named(world):
    rng, none = np.random.default_rng(1), np.zeros(world.states, int)
    with pytest.raises(ValueError, match=r"weeks is 27; an episode of this world has 26"):
        logged_data(world, behaviour(world), 10, 27, rng)
    with pytest.raises(ValueError, match="weeks is 0"):
        logged_data(world, behaviour(world), 10, 0, rng)
    with pytest.raises(ValueError, match="must sum to 1"):
        logged_data(world, 2 * behaviour(world), 10, 5, rng)
    with pytest.raises(ValueError, match=r"interference is 1.5"):
        ab_test(world, none, none, 10, 5, rng, interference=1.5)
    with pytest.raises(TypeError, match="no generator"):
        logged_data(world, behaviour(world), 10, 5, 7)
