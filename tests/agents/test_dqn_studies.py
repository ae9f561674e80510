"""Studies of DQN: exact shares, tests of policies, what the printed losses do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from promo_repro.agents import dqn_studies as studies
from promo_repro.agents import examples, tabular_studies
from promo_repro.agents.dqn import Plan
from promo_repro.simulator import worlds

DORMANT, MEMORYLESS = worlds.dormant(), worlds.memoryless()
TINY = Plan(40, batch=32, updates=1, warmup=5, every=20)


def test_learning_returns_shares_of_the_optimum():
    learned = studies.learn(MEMORYLESS, TINY, agents=2, users=8)
    assert learned.transitions.tolist() == [160, 320]
    assert learned.shares.shape == (2, 2)
    assert ((learned.shares > 0.4) & (learned.shares <= 1 + 1e-9)).all()
    elsewhere = studies.shares_elsewhere(learned.agent, MEMORYLESS, MEMORYLESS)
    assert elsewhere == pytest.approx(learned.shares[-1])


def test_a_start_is_taken_over():
    first = studies.learn(MEMORYLESS, TINY, agents=2, users=8)
    idle = replace(TINY, steps=10, warmup=9)
    again = studies.learn(MEMORYLESS, idle, agents=2, users=8, start=first.agent, rate=1e-12)
    for new, old in zip(
        again.agent.online.parameters(), first.agent.online.parameters(), strict=True
    ):
        assert torch.allclose(new, old)


def test_one_coin_decides_for_all_users():
    agent = studies.OneCoin(300, 2, 5, torch.Generator().manual_seed(0), discount=0.5, hidden=(4,))
    seen = torch.ones(300, 12, 2)
    chosen = agent.act(seen, 0.5, torch.Generator().manual_seed(1))
    explored = chosen != agent.online(seen).argmax(dim=-1)
    by_agent = explored.float().mean(dim=1)
    assert (by_agent == 0).float().mean() == pytest.approx(0.5, abs=0.1)
    assert by_agent[by_agent > 0].mean() == pytest.approx(0.8, abs=0.05)


def test_arrival_is_held():
    values = [0.9, 0.96, 0.97, 0.9, 0.96, 0.95, 0.99, 0.5]
    assert studies.arrival(values, 0.95) == 4
    assert studies.arrival(values, 0.95, 2) == 1
    assert studies.arrival(values, 0.97) is None
    assert studies.arrival([], 0.9) is studies.arrival([1, 1], 0.9) is None
    assert studies.arrival([1, 1, 1], 0.9) == 0


def test_intervals():
    mean, low, high = studies.interval([1.0, 2.0, 3.0])
    assert (mean, high - mean) == pytest.approx((2.0, 4.302653 / 3**0.5), rel=1e-5)
    assert studies.surely_above([1.0, 2.0, 3.0]) == low
    assert studies.surely_below([1.0, 2.0, 3.0]) == high
    assert studies.gain([1.0, 2.0, 3.0], 0.5) == pytest.approx(low - 0.5)
    assert studies.least([3, 1, 2]) == 1


def test_shares_by_what_is_seen():
    assert studies.share_seeing(DORMANT, "state") == pytest.approx(1)
    assert studies.share_seeing(DORMANT, "nothing") < studies.share_seeing(DORMANT, "type") < 0.4
    assert studies.share_from_rewards(MEMORYLESS) == pytest.approx(1)
    assert studies.share_from_rewards(DORMANT) == pytest.approx(0.516, abs=0.001)
    assert studies.share_of_softmax(DORMANT, 1e-4) == pytest.approx(1, abs=0.002)
    assert studies.share_of_softmax(DORMANT, 1e6) == pytest.approx(
        studies.share(DORMANT, DORMANT.standard_policies()["random"]), abs=1e-4
    )
    assert 0.2 < studies.share_of_classifier(DORMANT) < 0.5


def test_large_tests_find_the_best_of_their_kind():
    policies = MEMORYLESS.standard_policies()
    for kind in ("uniform", "segment-best", "myopic"):
        found = studies.from_test(MEMORYLESS, 100_000, kind, 0)
        assert studies.share(MEMORYLESS, found) == pytest.approx(
            studies.share(MEMORYLESS, policies[kind])
        )
    with pytest.raises(ValueError, match="no test 'best'"):
        studies.from_test(MEMORYLESS, 1_000, "best", 0)
    assert studies.tested_shares(MEMORYLESS, 2_000, "uniform", range(3)).shape == (3,)


def test_printed_losses():
    values = torch.tensor([0.5, 0.6, 0.7], dtype=torch.float64)
    by_hand = -np.log(np.exp([0.5, 0.6, 0.7]).sum())
    assert studies.printed_policy_loss(values).item() == pytest.approx(by_hand)
    rewards = torch.tensor([1.0, 3.0])
    assert studies.printed_value_loss(torch.zeros(2), rewards, 5).item() == pytest.approx(2.0)
    assert studies.policy_loss(values, 1, 2.0).item() == pytest.approx(-2 * (0.6 + by_hand))
    assert studies.total_drift([0.5, 0.6, 0.7], 0.1, 50) == pytest.approx(5.0)
    assert studies.total_drift([0.5, 0.6, 0.7], 0.1, 50, printed=False) == pytest.approx(0)
    assert studies.drift([0.5, 0.6, 0.7], 0.1, 50, printed=False)[2] > 0
    assert studies.best_value([0.5, 0.7], 3) == pytest.approx(0.6)
    tiring = examples.tiring()
    assert studies.fitted_value(tiring, 0.9, 0) == pytest.approx(
        tabular_studies.optimum_by_policies(tiring, 0.9, 0)
    )
    assert studies.fitted_value(tiring, 0.9, 0, bootstrap=False) == 0.7


def test_huber_pulls_towards_the_median():
    assert studies.best_constant([0.0, 0.0, 9.0], 100.0) == pytest.approx(3)
    assert studies.best_constant([0.0, 0.0, 9.0], 0.01) == pytest.approx(0.005, abs=1e-6)
    assert studies.huber_bias(0.05, 2.5, 0.01, 1.0) == pytest.approx(-0.0724, abs=1e-3)
    assert studies.huber_bias(0.05, 0.9, 0.01, 1.0) == pytest.approx(0, abs=1e-9)


def test_objective_of_users_and_purchases():
    returns = np.array([[[1.0, 4.0], [1.0, 0.0]], [[5.0, 0.0], [0.0, 1.0]]])
    assert studies.printed_objective(returns) == -12
    assert studies.least_loss(returns, own=True) == -9
    assert studies.least_loss(returns, own=False) == -7
    assert studies.chosen_offers([1, 2, 4], [1, 1, 3], 9) == 7
    assert studies.chosen_offers([1, 2, 4], [1, 1, 3], 2) == 3


def test_networks_and_operations():
    assert studies.trained_networks("dqn") == 1
    assert studies.trained_networks("ddpg") == 2
    plan = Plan(10, batch=4, updates=2, warmup=5)
    assert studies.multiply_adds((2, 3, 1), plan, 8) == 9 * 10 * (5 * 2 * 4 + 8)


def test_worlds_after_a_change():
    assert studies.stale_share(DORMANT, "same") == pytest.approx(1)
    assert studies.stale_share(DORMANT, "dearer") < 0.9
    assert studies.stale_share(DORMANT, "reversed") < 0.6
    with pytest.raises(ValueError, match="no change 'x'"):
        studies.changed(DORMANT, "x")


def test_newcomers_keep_the_scale_of_the_known_types():
    assert studies.seen_by(DORMANT, DORMANT) == pytest.approx(DORMANT.features)
    between = studies.seen_by(studies.newcomers(DORMANT, True), DORMANT)
    beyond = studies.seen_by(studies.newcomers(DORMANT, False), DORMANT)
    assert np.abs(between[:, 0]).max() < np.abs(DORMANT.features[:, 0]).max()
    assert np.abs(beyond[:, 0]).max() > np.abs(DORMANT.features[:, 0]).max()


def test_stored_rows_are_found_once():
    found = {"method": "a", "metric": "b", "value": 1.0, "lo": 0.5, "hi": 1.5, "n": 3}
    rows = studies.rows_of({"rows": [found, found | {"metric": "c", "n": 1}]})
    assert studies.reported(rows, "a", "b", "lo") == 0.5
    assert studies.shown(rows, "a", "b") == "1.000 (0.500 to 1.500)"
    assert studies.shown(rows, "a", "c") == "1.000"
    with pytest.raises(LookupError, match="0 rows"):
        studies.reported(rows, "a", "d")
