"""The exercises of the chapters on tabular learning and DQN; the answers are computed."""

import numpy as np

from promo_repro.agents import continuous_exercises as continuous_exercises  # chapter 10
from promo_repro.agents import dqn_exercises as dqn_exercises  # registers those of chapter 09
from promo_repro.agents import examples, tabular, tabular_studies
from promo_repro.exercises import exercise


def crossing(holds, low, high):
    """The argument at which `holds` turns from false to true, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def waits_when_tired(discount):
    world = examples.tiring()
    return tabular.policy_iteration(world.rewards, world.transitions, discount)[-1][1] == 0


def rests_when_calm(epsilon):
    return tabular_studies.exploring_values(examples.edge(), 0.9, epsilon)[2].argmax() == 0


@exercise(
    "08-1",
    minutes=10,
    hint="Compare, from the tired state, promoting for ever with waiting and promoting in turn.",
    rtol=1e-3,
    wrong={
        "Waiting costs one step and pays with a discount, and then the turn begins again: compare "
        "whole futures, not the next two steps.": lambda: 0.1,
        "That is the part that a promotion earns with a tired customer, relative to the gain of "
        "waiting; a discount below it makes waiting too slow.": lambda: 0.9,
    },
)
def least_patience():
    """The discount from which it pays to let a tired customer rest (promotion 0.7, a tenth)."""
    return crossing(waits_when_tired, 0.0, 0.99)


@exercise(
    "08-2",
    minutes=5,
    hint="With probability ε the next action is drawn from all three, the best one included.",
    wrong={
        "This is Q-learning's target: it pretends that the next action will not explore.": (
            lambda: 1 + 0.9 * 9
        ),
        "The random action can be the best one too.": lambda: 1 + 0.9 * (0.8 * 9 + 0.2 * 4.5),
    },
)
def mean_sarsa_target():
    """Mean of SARSA's target for reward 1, next values 6, 9 and 3, ε = 0.2 and γ = 0.9."""
    following = np.array([[6.0, 9.0, 3.0]] * 3)
    targets = tabular.learning_target(np.ones(3), following, np.arange(3), 0.9, "sarsa")
    return float(tabular.exploring_policy(following[0], 0.2) @ targets)


@exercise(
    "08-3",
    minutes=5,
    hint="Solve γ^H < 0.01; the largest reward cancels.",
    wrong={
        "This is the mean of the geometric lifetime; much of the value lies beyond it.": lambda: 10,
        "γ^H is just above one hundredth here: round up.": lambda: 43,
    },
)
def steps_that_matter():
    """Least number of steps after which less than 1 % of a constant income is left, γ = 0.9."""
    whole = tabular.truncation_error(0.9, 0, 1.0)
    horizons = range(200)
    return next(h for h in horizons if tabular.truncation_error(0.9, h, 1.0) < 0.01 * whole)


@exercise(
    "08-4",
    minutes=20,
    hint="`tabular_studies.exploring_values` gives SARSA's table; look at its row for calm.",
    rtol=0.02,
    wrong={
        "At this rate SARSA still lives on the edge. Look at the row of the calm state.": (
            lambda: 0.1
        ),
        "SARSA has left the edge long before.": lambda: 0.2,
    },
)
def leaves_the_edge():
    """The exploration rate from which SARSA keeps the customer of `edge()` calm, for γ = 0.9."""
    return crossing(rests_when_calm, 0.01, 0.5)
