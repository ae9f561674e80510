"""The exercises of the chapter on bandits; the answers are computed."""

import numpy as np

from promo_repro.bandits.environments import BernoulliArms
from promo_repro.bandits.policies import (
    EpsilonGreedy,
    epsilon_greedy_probabilities,
    ucb1_index,
)
from promo_repro.bandits.rewards import click_probability, click_share, step_reward
from promo_repro.bandits.simulation import simulate
from promo_repro.bandits.studies import stream
from promo_repro.exercises import exercise

CLICKS, SHOWN, RATES = [10, 5, 7], [200, 50, 140], [0.5, 0.6, 0.7]
MEANS, PULLS = [0.30, 0.25, 0.20], [40, 15, 5]
EPSILONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@exercise(
    "07-1",
    minutes=8,
    hint="Per impression: click probability times reward of a click, for each promotion.",
    wrong={
        "These are shares of clicks. What happens to them if the coupon is shown twice as often?": (
            lambda: click_share(CLICKS) * RATES
        ),
        "This is the chance of a click. A click is worth its conversion rate.": (
            lambda: click_probability(CLICKS, SHOWN)
        ),
    },
)
def purchases_per_impression():
    """Expected purchases per impression of each promotion, from clicks, impressions and rates."""
    return click_probability(CLICKS, SHOWN) * RATES


@exercise(
    "07-2",
    minutes=5,
    hint="Weight the rewards by the five choice probabilities of ε-greedy.",
    wrong={
        "The random choice can fall on the best promotion too: it has 1 − ε + ε/K.": (
            lambda: 0.8 * 0.12 + 0.2 * np.mean([0.02, 0.04, 0.06, 0.08])
        ),
        "This is the reward of the best promotion alone, without the price of exploring.": (
            lambda: 0.12
        ),
    },
)
def reward_while_exploring():
    """Expected reward per decision of ε-greedy (ε = 0.2) once it knows all five rates."""
    rates = np.array([0.02, 0.04, 0.06, 0.08, 0.12])
    return float(step_reward(epsilon_greedy_probabilities(rates, 0.2), rates))


@exercise(
    "07-3",
    minutes=10,
    hint="The index of an arm is its mean plus √(2 log t / n), t being all pulls so far.",
    wrong={
        "This arm has the largest mean; UCB1 adds a bonus for what it has seen little of.": (
            lambda: (0, 0.30 + np.sqrt(2 * np.log(60) / 40))
        ),
        "The logarithm is of all pulls, not of the pulls of this arm.": (
            lambda: (2, 0.20 + np.sqrt(2 * np.log(5) / 5))
        ),
    },
)
def next_arm_of_ucb1():
    """The arm that UCB1 chooses next, counted from zero, and its index."""
    index = ucb1_index(np.array(MEANS), np.array(PULLS), sum(PULLS))
    return int(index.argmax()), float(index.max())


@exercise(
    "07-4",
    minutes=20,
    hint="Simulate each ε with the same horizon and compare the mean regret at the end.",
    wrong={
        "The least exploration: many runs settle on a worse arm early. Look at their regret.": (
            lambda: min(EPSILONS)
        ),
        "The most exploration: it finds the best arm and then goes on leaving it.": (
            lambda: max(EPSILONS)
        ),
    },
)
def best_epsilon():
    """The ε of least regret among six at horizon 2,000, for the arms 0.05, 0.10 and 0.20."""
    arms = BernoulliArms([0.05, 0.10, 0.20])
    regrets = [
        simulate(EpsilonGreedy(e), arms, 2_000, 2_000, stream(7)).mean_regret[-1] for e in EPSILONS
    ]
    return EPSILONS[int(np.argmin(regrets))]
