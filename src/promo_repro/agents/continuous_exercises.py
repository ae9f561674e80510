"""The exercises of the chapter on continuous discounts; the answers are computed."""

import torch

from promo_repro.agents import continuous_case, continuous_studies, ddpg, sac
from promo_repro.exercises import exercise


@exercise(
    "10-1",
    minutes=8,
    hint="Differentiate (p + b d)(m − k d) with respect to d.",
    wrong={
        "This maximises purchases times price; the shop earns the margin, not the price.": (
            lambda: (1.5 * 1.0 - 0.3) / 3.0
        ),
        "The base probability lowers the best discount: those who buy anyway need none.": (
            lambda: 0.6 / 2
        ),
    },
)
def best_rate_of_one_week():
    """The discount that earns most this week for p = 0.3, b = 1.5, m = 0.6 and k = 1."""
    return float(continuous_case.best_discount(0.3, 0.0, 1.5, 0.0, 0.6, 1.0, 0.0))


@exercise(
    "10-2",
    minutes=5,
    hint="Only a real end of the episode removes the future.",
    wrong={
        "The customer was cut off, not lost: his future still counts.": lambda: 1.5,
        "Discount the next value.": lambda: 3.5,
    },
)
def target_of_a_cut_off_customer():
    """Critic target for reward 1.5, next value 2, γ = 0.9 in the last week of a cut-off episode."""
    parts = (torch.tensor([[each]], dtype=torch.float64) for each in (1.5, 0.0, 2.0))
    return ddpg.critic_target(*parts, 0.9).item()


@exercise(
    "10-3",
    minutes=12,
    hint="The density of a function of u is that of u divided by the slope of the function.",
    rtol=1e-3,
    wrong={
        "That is the density of u, before the tanh squeezes it.": lambda: -0.9189385,
        "The correction is subtracted: squeezing makes the density larger.": (
            lambda: -0.9189385 + 2 * (0.6931472 - 1 - 0.126928)
        ),
    },
)
def density_of_a_squashed_draw():
    """log π(a) for a = tanh(1), u normal with mean 1 and deviation 1."""
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    return sac.squashed_log_density(zero, zero, one).item()


@exercise(
    "10-4",
    minutes=15,
    hint="`continuous_studies.maximiser_share` and `share_of` compare the two with one yardstick.",
    rtol=0.01,
    wrong={
        "That is its part of the optimum; compare with a shop that gives no discounts.": (
            lambda: continuous_studies.maximiser_share("purchase")
        ),
        "That is the growth in purchases, which is what it was told to earn.": (
            lambda: continuous_studies.purchases_gain("purchase")
        ),
    },
)
def profit_of_the_purchase_maximiser():
    """Profit of the policy that maximises purchases, relative to giving no discount at all."""
    return continuous_studies.profit_gain("purchase")
