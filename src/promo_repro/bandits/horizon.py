"""When is a promotion problem only a bandit? Exact values of small decision processes.

S states (what the customer remembers), A promotions. A bandit is the case in which the next state
does not depend on the promotion.
"""

from itertools import product

import numpy as np

from promo_repro.bandits.checks import as_probabilities, as_reals
from promo_repro.claims import formula


@formula("eq-07-policy-value")
def policy_value(rewards, transitions, policy, discount):
    """Discounted value of a stationary policy, v = (I − γ P_π)⁻¹ r_π.

    `rewards` (S, A), `transitions` (S, A, S) with rows summing to one, `policy` (S,) promotion of
    each state, `discount` γ in [0, 1). Result (S,) in the unit of `rewards`.
    """
    r, p = as_reals("rewards", rewards), as_probabilities("transitions", transitions)
    if r.ndim != 2 or p.shape != (*r.shape, len(r)):
        raise ValueError(f"transitions {p.shape} does not fit rewards {r.shape}: (S, A, S) wanted")
    if not np.allclose(p.sum(axis=-1), 1):
        raise ValueError("transitions has rows that do not sum to 1")
    if not 0 <= discount < 1:
        raise ValueError(f"discount is {discount}; it must lie in [0, 1)")
    states = np.arange(len(r))
    chosen = np.asarray(policy, dtype=int)
    return np.linalg.solve(np.eye(len(r)) - discount * p[states, chosen], r[states, chosen])


@formula("eq-07-myopic")
def myopic_policy(rewards):
    """The promotion of largest immediate reward in each state, (S, A) → (S,)."""
    return as_reals("rewards", rewards).argmax(axis=1)


def optimal_policy(rewards, transitions, discount):
    """The best stationary policy and its value, by trying all A^S of them (small S only)."""
    states, actions = np.shape(rewards)
    values = {
        policy: policy_value(rewards, transitions, policy, discount)
        for policy in product(range(actions), repeat=states)
    }
    # One policy is best in every state at once, so it also has the largest sum.
    best = max(values, key=lambda policy: values[policy].sum())
    return np.array(best), values[best]


@formula("D1-A14", "eq-07-foresight")
def value_of_foresight(rewards, transitions, discount):
    """Largest gain, over starting states, of the optimal policy over the myopic one."""
    _, best = optimal_policy(rewards, transitions, discount)
    myopic = policy_value(rewards, transitions, myopic_policy(rewards), discount)
    return float((best - myopic).max())
