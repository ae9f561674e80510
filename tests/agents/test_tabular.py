"""Bellman operators and tabular learning: by hand, by law, and against independent solutions."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.agents import examples, tabular
from promo_repro.bandits import horizon, policies
from promo_repro.simulator import dynamic_programming as dp

# State 0 fresh, 1 tired. Action 0 waits, action 1 sends a coupon.
REWARDS = np.array([[0.0, 1.0], [0.0, 0.2]])
TIRING = np.array([[[1.0, 0], [0, 1]], [[0.5, 0.5], [0, 1]]])
TABLE = np.array([[1.0, 2.0], [3.0, 5.0]])

worlds = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32), st.floats(0, 0.9))


def draw(states, actions, seed):
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(states), (states, actions))
    return rng, rng.normal(size=(states, actions)), moves


def test_backups_by_hand():
    q = tabular.bellman_optimality(TABLE, REWARDS, TIRING, 0.5)
    assert q.tolist() == [[1.0, 3.5], [1.75, 2.7]]
    always_wait = np.array([[1.0, 0], [1, 0]])
    q = tabular.bellman_expectation(TABLE, REWARDS, TIRING, always_wait, 0.5)
    assert q.tolist() == [[0.5, 2.5], [1.0, 1.7]]
    # ε = 0.4: a fresh customer is worth 0.6 · 2 + 0.4 · 1.5, a tired one 0.6 · 5 + 0.4 · 4.
    q = tabular.bellman_exploring(TABLE, REWARDS, TIRING, 0.5, 0.4)
    assert q == pytest.approx(np.array([[0.9, 3.3], [0.5 * 3.2, 2.5]]))


def test_backups_work_on_many_tables_at_once():
    many = np.stack([TABLE, 2 * TABLE, -TABLE])[:, None]
    for backup in (
        partial(tabular.bellman_optimality, rewards=REWARDS, transitions=TIRING, discount=0.7),
        partial(
            tabular.bellman_expectation,
            rewards=REWARDS,
            transitions=TIRING,
            policy=np.full((2, 2), 0.5),
            discount=0.7,
        ),
        partial(
            tabular.bellman_exploring,
            rewards=REWARDS,
            transitions=TIRING,
            discount=0.7,
            epsilon=0.3,
        ),
    ):
        assert backup(many).shape == (3, 1, 2, 2)
        assert backup(many)[2, 0] == pytest.approx(backup(-TABLE))


@given(worlds, st.floats(0, 1))
def test_all_three_backups_contract(world, epsilon):
    states, actions, seed, gamma = world
    rng, r, p = draw(states, actions, seed)
    first, second = rng.normal(size=(2, states, actions))
    policy = rng.dirichlet(np.ones(actions), states)
    for backup in (
        lambda q: tabular.bellman_optimality(q, r, p, gamma),
        lambda q: tabular.bellman_exploring(q, r, p, gamma, epsilon),
        lambda q: tabular.bellman_expectation(q, r, p, policy, gamma),
    ):
        assert tabular.contraction_ratio(backup, first, second) <= gamma + 1e-12
        # Tables that differ by a constant show that the factor γ is attained.
        assert tabular.contraction_ratio(backup, first, first + 1) == pytest.approx(gamma)


def test_contraction_ratio_by_hand_and_its_error():
    assert tabular.contraction_ratio(lambda q: 0.25 * q, TABLE, 3 * TABLE) == 0.25
    assert tabular.contraction_ratio(lambda q: -q, TABLE, 0 * TABLE) == 1
    with pytest.raises(ValueError, match="two tables are equal"):
        tabular.contraction_ratio(lambda q: q, TABLE, TABLE)


@given(worlds)
def test_fixed_point_policy_iteration_and_brute_force_agree(world):
    states, actions, seed, gamma = world
    _, r, p = draw(states, actions, seed)
    q, sweeps = tabular.fixed_point(
        lambda q: tabular.bellman_optimality(q, r, p, gamma), np.zeros((states, actions))
    )
    assert sweeps >= 1
    best = tabular.policy_iteration(r, p, gamma)[-1]
    solved = tabular.action_values(r, p, best, gamma)
    assert q == pytest.approx(solved, abs=1e-9)
    candidates = [
        tabular.action_values(r, p, np.array(policy), gamma)
        for policy in product(range(actions), repeat=states)
    ]
    assert solved == pytest.approx(np.max(candidates, axis=0), abs=1e-9)
    _, values = horizon.optimal_policy(r, p, gamma)
    assert np.take_along_axis(solved, best[:, None], 1)[:, 0] == pytest.approx(values, abs=1e-9)


@given(worlds, st.floats(0, 1))
def test_exploring_fixed_point_is_the_best_of_the_exploring_policies(world, epsilon):
    states, actions, seed, gamma = world
    _, r, p = draw(states, actions, seed)
    q, _ = tabular.fixed_point(
        lambda q: tabular.bellman_exploring(q, r, p, gamma, epsilon), np.zeros((states, actions))
    )
    own = tabular.action_values(r, p, tabular.exploring_policy(q, epsilon), gamma)
    assert q == pytest.approx(own, abs=1e-8)
    for greedy in product(range(actions), repeat=states):
        soft = epsilon / actions + (1 - epsilon) * np.eye(actions)[list(greedy)]
        assert (tabular.action_values(r, p, soft, gamma) <= q + 1e-8).all()


def test_a_fixed_point_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no fixed point within 50 sweeps"):
        tabular.fixed_point(lambda q: q + 1, np.zeros(2), most=50)


def test_value_iteration_ends_at_the_optimum_at_the_rate_of_the_discount():
    tables = tabular.value_iteration(REWARDS, TIRING, 0.8, 60)
    assert tables.shape == (61, 2, 2)
    assert tables[0].tolist() == np.zeros((2, 2)).tolist()
    assert tables[1].tolist() == REWARDS.tolist()
    best = tabular.action_values(
        REWARDS, TIRING, tabular.policy_iteration(REWARDS, TIRING, 0.8)[-1], 0.8
    )
    errors = np.abs(tables - best).max(axis=(1, 2))
    assert (errors[1:] <= 0.8 * errors[:-1] + 1e-12).all()
    assert errors[-1] < 0.8**60 * errors[0] + 1e-12


def test_action_values_by_hand_and_for_mixed_policies():
    # Coupons for ever: 1 once, then 0.2 for ever.
    q = tabular.action_values(REWARDS, TIRING, np.array([1, 1]), 0.5)
    assert q == pytest.approx(np.array([[0.6, 1.2], [0.4, 0.4]]))
    mixed = np.array([[0.3, 0.7], [0.9, 0.1]])
    q = tabular.action_values(REWARDS, TIRING, mixed, 0.9)
    assert q == pytest.approx(tabular.bellman_expectation(q, REWARDS, TIRING, mixed, 0.9))


@given(worlds)
def test_policy_iteration_never_gets_worse_and_starts_myopic(world):
    states, actions, seed, gamma = world
    _, r, p = draw(states, actions, seed)
    path = tabular.policy_iteration(r, p, gamma)
    assert path[0].tolist() == r.argmax(axis=1).tolist()
    values = [dp.policy_value(r, p, policy, gamma) for policy in path]
    assert (np.diff(values, axis=0) >= -1e-9).all()


def test_policy_iteration_stops_at_ties():
    moves = np.full((2, 2, 2), 0.5)
    assert tabular.policy_iteration(np.ones((2, 2)), moves, 0.9).tolist() == [[0, 0]]


def test_exploring_policy_counts_the_random_best_action_too():
    pi = tabular.exploring_policy([[1.0, 3.0, 2.0], [5.0, 5.0, 0.0]], 0.3)
    assert pi == pytest.approx(np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]))
    assert tabular.exploring_policy(np.zeros((4, 2, 3)), 0.3).shape == (4, 2, 3)
    values = np.array([[0.2, 0.9, 0.4, 0.1]])
    assert tabular.exploring_policy(values, 0.2) == pytest.approx(
        policies.epsilon_greedy_probabilities(values, 0.2)
    )


@given(worlds)
def test_a_bandit_needs_no_foresight(world):
    states, actions, seed, gamma = world
    _, r, p = draw(states, actions, seed)
    p = np.repeat(p[:, :1], actions, axis=1)  # the promotion does not move the customer
    assert tabular.influence(p) == 0
    assert tabular.foresight_bound(r, p, gamma) == 0
    assert tabular.myopic_loss(r, p, gamma) == pytest.approx(0, abs=1e-8)


@given(worlds)
def test_loss_of_the_myopic_policy_is_within_its_bound(world):
    states, actions, seed, gamma = world
    _, r, p = draw(states, actions, seed)
    loss = tabular.myopic_loss(r, p, gamma)
    assert -1e-9 <= loss <= tabular.foresight_bound(r, p, gamma) + 1e-9
    assert loss == pytest.approx(horizon.value_of_foresight(r, p, gamma), abs=1e-8)


def test_loss_bound_and_influence_by_hand():
    # Waiting leaves a tired customer tired with probability 0.5, a coupon with probability 1.
    assert tabular.influence(TIRING) == 1
    assert tabular.influence(TIRING[1:]) == 0.5
    assert tabular.influence(np.array([[[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]])) == pytest.approx(0.2)
    # γ = 0.5: coupon when fresh, else wait: V = 1 + V'/2, V' = (V + V')/4, so V = 6/5, V' = 2/5.
    assert dp.optimum(REWARDS, TIRING, 0.5).value == pytest.approx([1.2, 0.4])
    assert tabular.foresight_bound(REWARDS, TIRING, 0.5) == pytest.approx(0.5 * 0.8 / 0.5)
    world = examples.tiring(promotions=[1.0], tired=0.2)
    # Resting alternates 1 and 0; the myopic shop earns 1, then 0.2 for ever.
    value_fresh = 1 / (1 - 0.9**2)
    lost = 0.9 * value_fresh - 0.2 / (1 - 0.9)
    assert tabular.myopic_loss(world.rewards, world.transitions, 0.9) == pytest.approx(lost)


def test_truncation_and_return_by_hand():
    assert tabular.truncation_error(0.5, 3, -4.0) == 1.0
    assert tabular.truncation_error(0.9, 0, 1.0) == pytest.approx(10)
    assert tabular.discounted_return([1.0, 2.0, 4.0], 0.5) == 3.0
    assert tabular.discounted_return(np.ones((2, 3)), 1.0).tolist() == [3, 3]
    with pytest.raises(ValueError, match="horizon is -1"):
        tabular.truncation_error(0.9, -1, 1.0)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0, 0.99))
def test_discounting_is_the_chance_to_stay(rewards, stay):
    assert tabular.lifetime_value(rewards, stay) == pytest.approx(
        tabular.discounted_return(rewards, stay), abs=1e-9
    )


def test_lifetime_value_by_hand_and_in_batches():
    assert tabular.lifetime_value([1.0, 1.0], 0.25) == 1.25
    assert tabular.lifetime_value([1.0, 2.0, 4.0], 0.5) == 3.0
    assert tabular.lifetime_value(np.ones((5, 3)), 1.0).tolist() == [3] * 5


def test_learning_rate_by_hand():
    assert tabular.learning_rate([1, 4], 1.0).tolist() == [1, 0.25]
    assert tabular.learning_rate(16, 0.75) == 0.125
    for power in (0.5, 1.01):
        with pytest.raises(ValueError, match="convergence needs it"):
            tabular.learning_rate(1, power)


def test_targets_by_hand():
    following = np.array([[1.0, 4.0, 2.0], [5.0, 0.0, 0.0]])
    for rule, expected in (("q-learning", [2.5, 3.0]), ("sarsa", [1.5, 0.5])):
        target = tabular.learning_target(
            np.array([0.5, 0.5]), following, np.array([2, 1]), 0.5, rule
        )
        assert target.tolist() == expected
    with pytest.raises(ValueError, match="rule is 'td'"):
        tabular.learning_target(np.ones(1), following[:1], np.zeros(1, int), 0.5, "td")


@pytest.mark.parametrize("rule", tabular.RULES)
def test_each_rule_goes_to_its_own_fixed_point(rule):
    world = examples.edge()
    learned = tabular.learn(
        world.rewards, world.transitions, 0.9, rule, steps=12_000, replications=60,
        rng=np.random.default_rng(0), epsilon=0.3, power=0.7, noise=0.2,
    )  # fmt: skip
    targets = {
        "q-learning": lambda q: tabular.bellman_optimality(
            q, world.rewards, world.transitions, 0.9
        ),
        "sarsa": lambda q: tabular.bellman_exploring(q, world.rewards, world.transitions, 0.9, 0.3),
    }
    points = {k: tabular.fixed_point(v, np.zeros((3, 3)))[0] for k, v in targets.items()}
    error = {k: np.abs(learned.q.mean(axis=0) - q)[1:].mean() for k, q in points.items()}
    own = error.pop(rule)
    assert own < 0.5
    assert own < 0.3 * min(error.values())


def test_learning_is_reproducible_and_keeps_checkpoints():
    world = examples.tiring()

    def runs(seed):
        return tabular.learn(
            world.rewards, world.transitions, 0.8, "q-learning", steps=40, replications=3,
            rng=np.random.default_rng(seed), checkpoints=(10, 20),
        )  # fmt: skip

    first, again = runs(1), runs(1)
    assert first.steps.tolist() == [10, 20, 40]
    assert first.history.shape == (3, 3, 2, 4)
    assert (first.history == again.history).all()
    assert (first.history[-1] == first.q).all()
    assert (runs(2).q != first.q).any()
    assert first.visits.sum(axis=(1, 2)).tolist() == [40] * 3


def test_learning_starts_where_it_is_told_and_explores_as_it_is_told():
    world = examples.edge()
    options = {"steps": 1, "replications": 50, "rng": np.random.default_rng(0), "start": [0, 1, 0]}
    learned = tabular.learn(world.rewards, world.transitions, 0.9, "sarsa", **options)
    assert learned.visits[:, [0, 2]].sum() == 0
    # Greedy from the zero table: the first action is kept for ever in a world without rewards.
    seen = []
    tabular.learn(
        0 * world.rewards, world.transitions, 0.9, "sarsa", steps=30, replications=4,
        rng=np.random.default_rng(0), epsilon=lambda visits: seen.append(visits) or 0.0,
    )  # fmt: skip
    assert len(seen) == 30
    assert seen[0].tolist() == [0] * 4 or max(seen[0]) <= 1


def test_a_rate_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"epsilon is 1\.5"):
        tabular.exploring_policy(TABLE, 1.5)
