"""The loop that trains DDPG and SAC, and what it learns where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from promo_repro.agents import continuous_learning, continuous_studies
from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.agents.continuous_learning import PLAN, learn
from promo_repro.agents.continuous_training import Plan, ShopMarket, policy_values, train
from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.replay import Replay
from promo_repro.agents.sac import SAC
from promo_repro.recommender import losses
from promo_repro.simulator import worlds

CASE = TwoProducts()
SHORT = replace(PLAN, steps=12, warmup=4, patience=0, batch=32, every=6)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Scripted:
    """One agent and one user; rewards are the time. Ends after three weeks, or is cut off."""

    agents = users = action = 1
    observation, device, dtype = 2, "cpu", torch.float32

    def __init__(self, ends):
        self.ends, self.time = ends, 0

    def reset(self, generator):
        self.week = 0
        return torch.tensor([[[0.0, 0.0]]])

    def step(self, action):
        self.time += 1
        self.week += 1
        reached = torch.tensor([[[float(self.week), float(self.time)]]])
        over = self.week == 3
        ended = torch.tensor([[float(over and self.ends[(self.time - 1) // 3])]])
        following = self.reset(None) if over else reached
        return following, torch.tensor([[float(self.time)]]), reached, ended


def test_memory_holds_one_termination_and_one_truncation_exactly():
    kept = []
    original = Replay.add

    def spy(self, *parts):
        kept.append([part.clone() for part in parts])
        original(self, *parts)

    agent = DDPG(1, 2, 1, generator(), discount=0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replay, "add", spy)
        plan = Plan(steps=6, batch=2, warmup=5, every=6)
        train(agent, Scripted([True, False]), plan, 0, lambda policy: torch.zeros(1))
    rows = [[part.ravel().tolist() for part in parts] for parts in kept]
    seen, reached = [row[0] for row in rows], [row[3] for row in rows]
    assert [row[2][0] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row[4][0] for row in rows] == [0, 0, 1, 0, 0, 0]  # the second episode was cut off
    assert seen == [[0, 0], [1, 1], [2, 2], [0, 0], [1, 4], [2, 5]]
    # What a transition reached is the last observation, also where a new customer comes next.
    assert reached == [[1, 1], [2, 2], [3, 3], [1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize("kind", ["DDPG", "SAC"])
def test_same_seed_same_curve(kind):
    first, second = (learn(kind, CASE, agents=2, plan=SHORT, users=8) for _ in range(2))
    assert np.array_equal(first.shares, second.shares)
    assert first.interactions.tolist() == [48, 96]
    other = learn(kind, CASE, agents=2, plan=SHORT, users=8, seed=1)
    assert not np.array_equal(first.shares, other.shares)


def test_a_loss_that_is_not_finite_ends_the_training():
    class Broken(SAC):
        def update(self, *arguments, **options):
            return super().update(*arguments, **options) * float("nan")

    agent = Broken(1, 2, 1, generator(), discount=0.9)
    plan = Plan(steps=6, batch=2, warmup=2, every=3)
    with pytest.raises(FloatingPointError, match="a loss is not finite at step 3; lower the rates"):
        train(agent, Scripted([False, False]), plan, 0, lambda policy: torch.zeros(1))


def test_actor_waits_and_rates_fall():
    agent = DDPG(1, 2, 1, generator(), discount=0.9)
    start = agent.actor.weights[0].detach().clone()
    plan = Plan(steps=5, batch=2, warmup=1, patience=5, every=5)
    train(agent, Scripted([False, False]), plan, 0, lambda policy: torch.zeros(1))
    assert torch.equal(start, agent.actor.weights[0])
    assert agent.critic_step.param_groups[0]["lr"] == 0


def test_wrong_plans_are_refused():
    with pytest.raises(ValueError, match="must be at least 1"):
        Plan(steps=10, batch=0)
    with pytest.raises(ValueError, match=r"warmup is 10; it must lie in 1 … 9"):
        Plan(steps=10, warmup=10)
    with pytest.raises(ValueError, match="no agent 'TD3'; choose from DDPG, SAC"):
        learn("TD3", CASE, agents=1)


def test_separate_agents_answer_for_both_products():
    learned = learn("DDPG", CASE, agents=2, plan=SHORT, users=8, separate=True)
    base = CASE.customers[0]
    assert learned.policy(base, np.zeros_like(base)).shape == (2, len(base), 2)
    assert learned.shares.shape == (2, 2)


def test_shop_market_and_exact_values():
    world = worlds.personal_discounts(points=41)
    market = ShopMarket(world, 2, 4)
    seen = market.reset(generator())
    assert seen.shape == (2, 4, world.observation_size)
    action = torch.tensor([-1.0, 1.0, 0.0, 0.5]).reshape(1, 4, 1).repeat(2, 1, 1)
    assert market.discount(action)[0, :, 0].tolist() == pytest.approx([0, 0.4, 0.2, 0.32])
    following, reward, reached, ended = market.step(action)
    assert following.shape == reached.shape == (2, 4, world.observation_size)
    assert reward.shape == ended.shape == (2, 4)
    value = policy_values(world, market)
    nothing = value(lambda seen: torch.full((*seen.shape[:-1], 1), -1.0))
    expected = world.policy_value(world.standard_policies()["none"])
    assert nothing.tolist() == pytest.approx([expected, expected])


# Bandits and studies ------------------------------------------------------------------------------


class Greedy:
    """A bandit without exploration beyond noise: enough to test the bookkeeping."""

    ridge = 1.0

    def scores(self, seen, x, rng):
        return np.einsum("ri,rai->ra", x, seen.theta) + 0.2 * rng.standard_normal(
            seen.theta.shape[:2]
        )


def test_bandit_statistics_by_loops():
    rng = np.random.default_rng(0)
    x, arm, reward = rng.normal(size=(2, 5, 3)), rng.integers(4, size=(2, 5)), rng.random((2, 5))
    squares, response = continuous_learning.bandit_statistics(x, arm, reward, 4)
    by_hand = np.zeros((2, 4, 3, 3)), np.zeros((2, 4, 3))
    for r in range(2):
        for n in range(5):
            by_hand[0][r, arm[r, n]] += np.outer(x[r, n], x[r, n])
            by_hand[1][r, arm[r, n]] += reward[r, n] * x[r, n]
    assert np.allclose(squares, by_hand[0])
    assert np.allclose(response, by_hand[1])


def test_a_bandit_learns_discounts():
    options = {"runs": 2, "users": 500, "seed": 0}
    short = continuous_learning.bandit_shares(CASE, Greedy(), weeks=1, **options)
    long = continuous_learning.bandit_shares(CASE, Greedy(), weeks=60, **options)
    assert short.shape == (2,)
    assert long.min() > 0.95
    assert long.mean() > short.mean()


def test_constant_values_against_the_case():
    p, w = CASE.customers
    rest = CASE.response, CASE.memory, CASE.margin, CASE.paid, CASE.discount
    for level in (0.0, 0.15, 0.4):
        by_hand = w @ continuous_studies.constant_value(p, level, *rest).sum(axis=1)
        assert by_hand == pytest.approx(CASE.value(CASE.constant(level)))


def test_static_policies_have_their_order():
    shares = [
        continuous_studies.share_of(name) for name in ("none", "uniform", "segment-best", "oracle")
    ]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert continuous_studies.gain("oracle", "myopic", memory=0.0) == pytest.approx(0)
    assert continuous_studies.gain("segment-best", "uniform", base=(0.3, 0.3)) == pytest.approx(0)
    with pytest.raises(ValueError, match="no policy 'best'; choose from none"):
        continuous_studies.share_of("best")


def test_what_is_seen_and_what_is_rewarded():
    study = continuous_studies
    assert study.share_seeing("p and y") == pytest.approx(1)
    assert study.share_seeing("y") < study.share_seeing("p") < 1
    assert study.share_seeing("p and y", 0.2) < study.share_seeing("p and y", 0.02) < 1
    assert study.share_on_grid(2) < study.share_on_grid(9) < 1
    assert study.maximiser_share("profit") == pytest.approx(1)
    assert study.maximiser_share("purchase") < 0.8
    assert study.profit_gain("purchase") < 1 < study.purchases_gain("purchase")
    assert study.separate_share(0.0) == pytest.approx(1)
    assert study.separate_share(0.25) < 0.99
    assert study.discount_change(0.1, 0.0) < 0 < study.discount_change(0.0, 0.3)
    assert study.ensemble_gain(1, 0.05, 0) == pytest.approx(0)
    assert study.ensemble_gain(5, 0.05, 0) > 0


def test_purchases_and_rates():
    assert continuous_studies.purchase_ratio(1) == pytest.approx(
        continuous_studies.purchases_gain("profit")
    )
    assert continuous_studies.purchase_ratio(41) < 1.05
    assert continuous_studies.pair_rates(5, 3) == (5, 3, 1.0)


def test_printed_losses():
    study = continuous_studies
    assert study.minimising_rate(losses.discount_loss, [1, 0, 1]) == 1
    assert study.minimising_rate(lambda y, g: ((y - g) ** 2).sum(), [1, 0, 1, 0]) == 0.5
    assert study.earning_rate(0.2, 1.0) == pytest.approx(0.25)
    assert study.earning_rate_by_search(0.2, 1.0) == pytest.approx(0.25)
    assert study.coupling(losses.total_loss, False) == 0
    assert study.coupling(losses.total_loss, True) > 1e-4
    assert study.first_over_second("own", 0.9) == pytest.approx(1 / 1.9)
    assert study.first_over_second("standard", 0.9) == pytest.approx(1 / 0.9)


def test_what_ddpg_needs():
    study = continuous_studies
    assert study.identified_effects(0.0) == 3
    assert study.identified_effects(0.1) == 4
    assert study.draw_distance(100, 20_000, 100) < 0.05 < 0.8 < study.draw_distance(100, 9_999, 10)
    assert study.target_lag(0.5, 3) == pytest.approx(0.125)
    assert study.target_lag(1.0, 1) == 0


def test_the_bottleneck_matters_where_it_hides_something():
    study = continuous_studies
    assert study.bottleneck_share("apart", 0.0, steps=150) > 0.999
    assert study.bottleneck_share("apart", 0.5, steps=150) < 0.995
    assert study.bottleneck_share("end to end", 0.5, steps=150) > 0.998
    with pytest.raises(ValueError, match="no way 'both'; choose apart or end to end"):
        study.bottleneck_share("both", 0.5)


def test_an_interval_holds_its_mean():
    value, low, high = continuous_learning.interval([0.9, 1.0, 1.1, 1.0])
    assert value == pytest.approx(1)
    assert high - value == pytest.approx(value - low)
    assert high - value == pytest.approx(3.182 * 0.0816497 / 2, rel=1e-3)


def test_results_are_read_back():
    study = continuous_studies
    low, value, high, worst = (
        study.committed("learning", "SAC", "memory", what)
        for what in ("lo", "value", "hi", "worst")
    )
    assert worst < value
    assert low < value < high <= 1
    with pytest.raises(ValueError, match="no SAC: nowhere; it has"):
        study.committed("learning", "SAC", "nowhere")
    crossing = study.interactions_to_beat("SAC", 0.99)
    assert study.interactions_to_beat("SAC", 0.5) < crossing < 1_024_000
    assert study.interactions_to_beat("SAC", 1.5) == float("inf")
