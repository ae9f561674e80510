"""The first article's Q recursion, and what its worked example can mean.

Q_u(t) = max_a (R_a + γ max_a Q_u(t+1)) has neither a state nor an action on the left, and its inner
maximum runs over a letter that Q_u(t+1) does not contain.
"""

import numpy as np

from promo_repro.claims import formula
from promo_repro.simulator import dynamic_programming as dp


@formula("D1-F25", "D1-F26", "D1-N03", "D1-N04", "eq-08-printed-recursion")
def printed_recursion(rewards, discount, terminal=0.0):
    """The recursion read literally, Q(t) = max_a R_ta + γ Q(t+1) back from Q(T+1) = `terminal`.

    `rewards` (T, N) are those on offer at each step; the result (T,) has their unit. The inner
    maximum over a leaves Q(t+1) as it is, since Q(t+1) does not depend on a.
    """
    r = np.asarray(rewards, dtype=float)
    if r.ndim != 2 or r.size == 0:
        raise ValueError(f"rewards has shape {r.shape}; steps by promotions (T, N) wanted")
    if not 0 <= discount <= 1:
        raise ValueError(f"discount is {discount}; it must lie in [0, 1]")
    values = np.empty(len(r) + 1)
    values[-1] = terminal
    for t in range(len(r) - 1, -1, -1):
        values[t] = r[t].max() + discount * values[t + 1]
    return values[:-1]


def value_now(rewards, discount, terminal=0.0):
    """The first entry of `printed_recursion`, Q(1)."""
    return float(printed_recursion(rewards, discount, terminal)[0])


@formula("D1-F21", "eq-08-endless")
def endless_value(rewards, discount):
    """The recursion without an end and with the same `rewards` (N,) always, max_a R_a / (1 − γ)."""
    return float(np.max(rewards)) / (1 - dp.as_discount(discount))


@formula("eq-08-implied-next")
def implied_next(result, reward, discount):
    """The Q(2) that makes reward + γ Q(2) the printed `result`."""
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}; at 0 nothing about Q(2) follows from Q(1)")
    return (result - reward) / discount


@formula("D1-N02", "eq-08-implied-discount")
def implied_discount(result, rewards):
    """The discount for which the endless recursion gives `result`, 1 − max_a R_a / result."""
    if not result > 0:
        raise ValueError(f"result is {result}; it must be positive")
    return 1 - float(np.max(rewards)) / result


@formula("D1-F12", "D1-F24", "eq-08-later-weight")
def later_weight(rewards, discount, delay):
    """How much Q(1) grows per unit of reward that is added to every promotion `delay` steps later.

    `rewards` (T, N). This is what a discount factor is: γ^delay.
    """
    r = np.array(rewards, dtype=float)
    if not 0 <= delay < len(r):
        raise ValueError(f"delay is {delay}; the rewards have {len(r)} steps")
    raised = r.copy()
    raised[delay] += 1
    return value_now(raised, discount) - value_now(r, discount)


@formula("D1-A36", "eq-08-favourite")
def favourite(weights):
    """Index of the promotion with the largest weight; equal weights have no favourite, −1.

    A softmax or a greedy choice favours the same promotion for any increasing function of weights.
    """
    w = np.asarray(weights, dtype=float)
    best = np.flatnonzero(w == w.max())
    return int(best[0]) if len(best) == 1 else -1
