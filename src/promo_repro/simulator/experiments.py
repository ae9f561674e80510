"""Data with a known truth: logs with known propensities, A/B tests with a known effect."""

from dataclasses import dataclass

import numpy as np

from promo_repro.simulator.dynamic_programming import as_probabilities
from promo_repro.simulator.shop import ArrayShop
from promo_repro.simulator.streams import Stream, key_of
from promo_repro.simulator.world import World


@dataclass(frozen=True)
class Log:
    """What a shop records, all (users, weeks) but `observation` (users, weeks, features).

    `propensity` is the probability with which the recorded action was taken; it is exact.
    """

    state: np.ndarray
    observation: np.ndarray
    action: np.ndarray
    propensity: np.ndarray
    reward: np.ndarray
    next_state: np.ndarray
    bought: np.ndarray


def _week_by_week(world: World, policy, n_users: int, weeks: int, generator) -> Log:
    """Play some weeks; `policy` gives each user's probabilities (users, A) from the states."""
    if not 1 <= weeks <= world.weeks:
        raise ValueError(f"weeks is {weeks}; an episode of this world has {world.weeks}")
    key = key_of(generator)
    shop, stream = ArrayShop(world, n_users, np.float64), Stream(key, "exploration")
    observation = shop.reset_to(key)
    columns = []
    for week in range(weeks):
        probabilities = policy(shop.state)
        uniform = stream.uniforms(week, 1, n_users)[0].astype(float)
        action = (uniform[:, None] >= probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
        taken = np.take_along_axis(probabilities, action[:, None], axis=1)[:, 0]
        before = observation
        observation, reward, _, _, info = shop.step(action)
        seen = info["state"], before, action, taken, reward, info["next_state"], info["bought"]
        columns.append(seen)
    return Log(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))


def logged_data(world: World, behaviour, n_users: int, weeks: int, generator) -> Log:
    """What `n_users` customers did in `weeks` weeks under a stochastic policy `behaviour` (S, A).

    The truth to compare with is `world.policy_value(policy, weeks)` of any other policy.
    """
    pi = as_probabilities(behaviour, (world.states, world.actions))
    return _week_by_week(world, lambda state: pi[state], n_users, weeks, generator)


@dataclass(frozen=True)
class Trial:
    """An A/B test: who was treated, what each customer earned, and what is true.

    `profit` (users,) is discounted. `effect` is what treating everybody instead of nobody is
    worth per customer; `difference` is what the two groups of this trial differ by on average.
    With interference the second is not the first.
    """

    treated: np.ndarray
    profit: np.ndarray
    effect: float
    difference: float


def ab_test(
    world: World,
    treatment,
    control,
    n_users: int,
    weeks: int,
    generator,
    interference: float = 0.0,
) -> Trial:
    """Half of the customers are treated by one policy, half by another, at random.

    Policies are (S,) actions or (S, A) probabilities. With `interference` ρ in [0, 1] offers are
    passed on: in each week a customer of the control group gets the offer of the treatment policy
    with probability ρ / 2, ρ times the part of all customers that is treated.
    """
    if not 0 <= interference <= 1:
        raise ValueError(f"interference is {interference}; it must lie in [0, 1]")
    shape = world.states, world.actions
    new, old = as_probabilities(treatment, shape), as_probabilities(control, shape)
    leaked = interference / 2
    mixed = leaked * new + (1 - leaked) * old
    # Alternate, in a random order: the groups are of equal size.
    treated = np.random.default_rng(key_of(generator)).permutation(n_users) % 2 == 0
    both = np.stack([mixed, new])

    def policy(state):
        return both[treated.astype(int), state]

    log = _week_by_week(world, policy, n_users, weeks, generator)
    value = world.policy_value(new, weeks)
    return Trial(
        treated=treated,
        profit=log.reward @ world.discount ** np.arange(weeks),
        effect=value - world.policy_value(old, weeks),
        difference=value - world.policy_value(mixed, weeks),
    )
