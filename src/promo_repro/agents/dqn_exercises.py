"""The exercises of the chapter on DQN; the answers are computed."""

import numpy as np
import torch

from promo_repro.agents import dqn_studies as studies
from promo_repro.agents.dqn import double_target, epsilon_greedy, td_target
from promo_repro.exercises import exercise
from promo_repro.simulator import worlds

REWARD, SLOW, ONLINE, DISCOUNT = 1.0, [4.0, 6.0, 5.0], [7.0, 5.0, 3.0], 0.9
TEMPERATURES = (1.0, 0.1, 0.01, 0.001)


def _tables():
    reward, ended = torch.tensor([[REWARD]]), torch.zeros(1, 1)
    return reward, ended, torch.tensor([[SLOW]]), torch.tensor([[ONLINE]])


def _plain():
    reward, ended, slow, _ = _tables()
    return float(td_target(reward, ended, slow, DISCOUNT))


@exercise(
    "09-1",
    minutes=5,
    hint="One network chooses the next promotion, the other scores it, in both targets.",
    wrong={
        "The online network chooses in double DQN; the slow one only scores.": lambda: (6.4, 6.4),
        "The online network's score is not used: it chooses, the slow one scores.": (
            lambda: (6.4, 7.3)
        ),
    },
)
def both_targets():
    """The target of DQN and that of double DQN for one transition."""
    return _plain(), float(double_target(*_tables(), DISCOUNT))


@exercise(
    "09-2",
    minutes=10,
    hint="Set the sum of the clipped errors to zero: 50 sales pull up by δ each.",
    rtol=2e-3,
    wrong={
        "This is the mean, which the squared loss would find.": (
            lambda: float(np.mean([2.5] * 50 + [0.0] * 950))
        ),
        "The median is the limit for a very small δ, not for δ = 1.": lambda: 0.0,
    },
)
def huber_value_of_a_coupon():
    """The number that the Huber loss (δ = 1) learns for 2.5 dollars with probability 0.05."""
    return studies.best_constant([2.5] * 50 + [0.0] * 950, 1.0)


@exercise(
    "09-3",
    minutes=10,
    hint="A user explores with probability ε; of these, some draw what is best anyway.",
    rtol=1e-3,
    wrong={
        "The random draw can be the best promotion: not every explorer leaves it.": (
            lambda: 1 - 0.7**10
        ),
        "That is the probability for one user; ask for at least one of ten.": lambda: 0.25,
    },
)
def some_user_leaves():
    """Probability that at least one of ten users gets another than the best of six (ε = 0.3)."""
    return 1 - (1 - 0.3 * 5 / 6) ** 10


def measured_leaving(weeks: int, seed: int) -> float:
    """The same by simulation: how often some user of ten leaves the best promotion."""
    value = torch.zeros(weeks, 10, 6)
    value[..., 0] = 1
    chosen = epsilon_greedy(value, 0.3, torch.Generator().manual_seed(seed))
    return float((chosen != 0).any(dim=1).double().mean())


@exercise(
    "09-4",
    minutes=15,
    hint="Compute `studies.share_of_softmax` for each temperature and compare with 0.95.",
    wrong={
        "At this temperature the shop draws almost at random; look at its share.": lambda: 1.0,
        "It reaches the share, but a higher temperature does too.": lambda: 0.001,
    },
)
def warmest_softmax():
    """The highest of four temperatures at which a softmax shop earns 95 % of the optimum."""
    world = worlds.dormant()
    return max(t for t in TEMPERATURES if studies.share_of_softmax(world, t) >= 0.95)
