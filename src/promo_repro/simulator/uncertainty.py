"""What estimation errors cost: `python -m promo_repro.simulator.uncertainty`.

A policy is made for the estimates. What does it lose, and does the order of the policies hold, if
the truth is another draw from the covariance of the estimates?
"""

from functools import partial

import numpy as np

from promo_repro.claims import formula
from promo_repro.response import parameters, redraw
from promo_repro.response.population import draw_population
from promo_repro.simulator.calibration import Scenario, calibrated
from promo_repro.simulator.validation import SEED, write
from promo_repro.simulator.world import World

COMMAND = "python -m promo_repro.simulator.uncertainty"
REDRAWS = 50
SIZE, TYPES = 20_000, 4
NOTICED = (1.0, 1.0, 1.0)
SCENARIOS = {
    "coupon": Scenario(),
    "shelf price": Scenario(attention=NOTICED),
    "funded shelf price": Scenario(attention=NOTICED, funding=1.0),
    "funded, with memory": Scenario(
        attention=NOTICED,
        funding=1.0,
        fade=0.6,
        fatigue_levels=3,
        memory=0.3,
        reference_levels=2,
    ),
}


def ranking(world: World) -> tuple[str, ...]:
    """The standard policies from the most to the least profitable, ties in alphabetical order."""
    policies = world.standard_policies()
    return tuple(sorted(policies, key=lambda n: (-round(world.policy_value(policies[n]), 9), n)))


@formula("eq-06-regret")
def regret_under(world: World, policy) -> float:
    """What a policy made for other parameters loses here, 1 − V(π) / V*, a part of the optimum."""
    return 1 - world.policy_value(policy) / world.optimal_value()


def redrawn(fitted, category: str, scenario: Scenario, population, draws: int, seed: int = SEED):
    """Share of `draws` redrawn worlds in which the ranking holds, and the losses (draws,).

    The losses are those of the policy that is optimal for the estimates, in each redrawn world.
    The customers of the `population` are the same in all of them.
    """
    make = partial(
        calibrated, category=category, scenario=scenario, types=TYPES, population=population
    )
    centre = make(fitted)
    generator = np.random.default_rng(seed)
    worlds = [make(redraw(fitted, generator)) for _ in range(draws)]
    same = sum(ranking(world) == ranking(centre) for world in worlds)
    return same / draws, np.array([regret_under(w, centre.optimal_policy) for w in worlds])


def redraw_rows(fitted, draws=REDRAWS):
    """In how many redraws the ranking of the policies holds, for each category and scenario."""
    population = draw_population(fitted, SIZE, np.random.default_rng(SEED))
    for category in fitted.categories:
        for name, scenario in SCENARIOS.items():
            share, losses = redrawn(fitted, category.name, scenario, population, draws)
            # Wilson's interval: it makes sense at shares of zero and one as well.
            z = 1.96**2 / draws
            centre = (share + z / 2) / (1 + z)
            half = np.sqrt(z * (share * (1 - share) + z / 4)) / (1 + z)
            method = f"{category.name}, {name}"
            yield _row(method, "ranking holds", share, centre - half, centre + half, draws)
            low, high = np.quantile(losses, [0.025, 0.975])
            metric = "loss of the policy for the estimates"
            yield _row(method, metric, losses.mean(), low, high, draws)


def _row(method, metric, value, low, high, n):
    interval = {"value": float(value), "lo": float(low), "hi": float(high)}
    return {"method": method, "metric": metric, **interval, "n": n}


if __name__ == "__main__":
    write("redraws", COMMAND, list(redraw_rows(parameters.load())))
