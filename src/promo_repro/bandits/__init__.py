"""Bandits room: reward sums and click shares, policies, and simulation of many runs at once."""

from promo_repro.bandits.contextual import (
    LinearThompson,
    LinUCB,
    SegmentShop,
    intercept_only,
    simulate_contextual,
)
from promo_repro.bandits.environments import BernoulliArms, switching_rates
from promo_repro.bandits.policies import (
    UCB1,
    DecayedEpsilonGreedy,
    EpsilonGreedy,
    Softmax,
    Thompson,
    beta_posterior,
    entropy_objective,
    epsilon_greedy_probabilities,
    pseudo_regret,
    softmax,
    ucb1_index,
    ucb1_regret_bound,
)
from promo_repro.bandits.rewards import (
    click_probability,
    click_share,
    missing_clicks,
    recorded_reward,
    step_reward,
    total_reward,
)
from promo_repro.bandits.simulation import Result, simulate

__all__ = [
    "UCB1",
    "BernoulliArms",
    "DecayedEpsilonGreedy",
    "EpsilonGreedy",
    "LinUCB",
    "LinearThompson",
    "Result",
    "SegmentShop",
    "Softmax",
    "Thompson",
    "beta_posterior",
    "click_probability",
    "click_share",
    "entropy_objective",
    "epsilon_greedy_probabilities",
    "intercept_only",
    "missing_clicks",
    "pseudo_regret",
    "recorded_reward",
    "simulate",
    "simulate_contextual",
    "softmax",
    "step_reward",
    "switching_rates",
    "total_reward",
    "ucb1_index",
    "ucb1_regret_bound",
]
