"""What DDPG, SAC and contextual bandits learn in the case of two products."""

from dataclasses import replace

import numpy as np

from promo_repro.agents import continuous_learning
from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.agents.continuous_learning import PLAN, learn

CASE = TwoProducts()
SHORT = replace(PLAN, steps=12, warmup=4, patience=0, batch=32, every=6)


def test_separate_agents_answer_for_both_products():
    learned = learn("DDPG", CASE, agents=2, plan=SHORT, users=8, separate=True)
    base = CASE.customers[0]
    assert learned.policy(base, np.zeros_like(base)).shape == (2, len(base), 2)
    assert learned.shares.shape == (2, 2)


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
