"""Exact values of small decision problems: closed forms, backward induction, policy iteration.

`rewards` is (..., S, A) and `transitions` (..., S, A, S): any leading dimensions are separate
problems solved at once, such as the customer types of a world. A policy is (..., S) action indices
or (..., S, A) probabilities. Results are in the unit of `rewards`.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula

MAX_ITERATIONS = 1_000


@dataclass(frozen=True)
class Optimum:
    """The optimal policy (..., S) of a stationary problem, its value (..., S) and Q (..., S, A)."""

    policy: np.ndarray
    value: np.ndarray
    q: np.ndarray


@dataclass(frozen=True)
class FiniteOptimum:
    """The optimum over T steps: policy (T, ..., S), value (T + 1, ..., S), Q (T, ..., S, A)."""

    policy: np.ndarray
    value: np.ndarray
    q: np.ndarray


def as_problem(rewards, transitions):
    """Both arrays as float64, or one clear `ValueError`."""
    r, p = np.asarray(rewards, dtype=float), np.asarray(transitions, dtype=float)
    if r.ndim < 2 or p.shape != (*r.shape, r.shape[-2]):
        raise ValueError(f"transitions {p.shape} does not fit rewards {r.shape}: (S, A, S) wanted")
    if not (np.isfinite(r).all() and np.isfinite(p).all()):
        raise ValueError("rewards or transitions contain NaN or infinity")
    if (p < 0).any() or not np.allclose(p.sum(axis=-1), 1):
        raise ValueError("transitions has rows that are not probabilities: they must sum to 1")
    return r, p


def as_discount(discount, highest=1.0):
    """`discount` in [0, highest); 1 itself is allowed for finite horizons."""
    if not 0 <= discount < highest:
        raise ValueError(f"discount is {discount}; it must lie in [0, 1) without a horizon")
    return float(discount)


def as_probabilities(policy, shape):
    """A policy as probabilities of `shape` (..., S, A)."""
    given = np.asarray(policy)
    if given.shape == shape[:-1] and given.dtype.kind in "iu":
        if (given < 0).any() or (given >= shape[-1]).any():
            raise ValueError(f"policy names an action outside 0 … {shape[-1] - 1}")
        return (given[..., None] == np.arange(shape[-1])).astype(float)
    try:
        given = np.broadcast_to(given, shape).astype(float)
    except ValueError:
        raise ValueError(
            f"policy has shape {given.shape}; give action indices {shape[:-1]} "
            f"or probabilities {shape}"
        ) from None
    if (given < 0).any() or not np.allclose(given.sum(axis=-1), 1):
        raise ValueError("policy has rows that are not probabilities: they must sum to 1")
    return given


@formula("eq-06-action-value")
def action_value(rewards, transitions, value, discount):
    """Q(s, a) = r(s, a) + γ Σ_s' P(s' | s, a) v(s'), (..., S, A); `value` is (..., S)."""
    return rewards + discount * np.einsum("...sat,...t->...sa", transitions, value)


def under(policy, rewards, transitions):
    """Rewards (..., S) and transitions (..., S, S) of the chain that a policy makes."""
    r, p = as_problem(rewards, transitions)
    pi = as_probabilities(policy, r.shape)
    return (pi * r).sum(axis=-1), np.einsum("...sa,...sat->...st", pi, p)


@formula("eq-06-policy-value")
def policy_value(rewards, transitions, policy, discount):
    """Discounted value of a stationary policy in closed form, v = (I − γ P_π)⁻¹ r_π, (..., S).

    Raises `ValueError` for a discount outside [0, 1), and for shapes that do not fit.
    """
    gamma = as_discount(discount)
    r, p = under(policy, rewards, transitions)
    return np.linalg.solve(np.eye(r.shape[-1]) - gamma * p, r[..., None])[..., 0]


@formula("eq-06-finite-value")
def finite_policy_value(rewards, transitions, policy, horizon, discount=1.0):
    """Value of a stationary policy over `horizon` steps, v_t = r_π + γ P_π v_{t+1}, (..., S).

    `discount` in [0, 1]; v is zero after the last step.
    """
    gamma = as_discount(discount, np.nextafter(1, 2))
    r, p = under(policy, rewards, transitions)
    value = np.zeros_like(r)
    for _ in range(horizon):
        value = r + gamma * np.einsum("...st,...t->...s", p, value)
    return value


def occupancy(policy, rewards, transitions, start, horizon):
    """Expected share of steps spent in each state over `horizon` steps from `start`, (..., S)."""
    _, p = under(policy, rewards, transitions)
    here = np.broadcast_to(np.asarray(start, dtype=float), p.shape[:-1])
    total = np.zeros_like(here)
    for _ in range(horizon):
        total = total + here
        here = np.einsum("...s,...st->...t", here, p)
    return total / horizon


def myopic_policy(rewards):
    """The action of largest immediate reward in each state, (..., S, A) → (..., S)."""
    return np.asarray(rewards).argmax(axis=-1)


def optimum(rewards, transitions, discount):
    """The exact optimum by policy iteration: it ends when no state wants to change its action."""
    r, p = as_problem(rewards, transitions)
    policy = myopic_policy(r)
    for _ in range(MAX_ITERATIONS):
        value = policy_value(r, p, policy, discount)
        q = action_value(r, p, value, discount)
        kept = np.take_along_axis(q, policy[..., None], axis=-1)[..., 0]
        # Actions as good as the present one, up to rounding, are no reason to change.
        better = q.max(axis=-1) > kept + 1e-12 * (1 + np.abs(kept))
        if not better.any():
            return Optimum(policy, value, q)
        policy = np.where(better, q.argmax(axis=-1), policy)
    raise ArithmeticError("policy iteration did not end; is a reward NaN or the discount near 1?")


@formula("eq-06-backward-induction")
def finite_optimum(rewards, transitions, horizon, discount=1.0):
    """The optimum over `horizon` steps: v_t(s) = max_a { r + γ Σ P v_{t+1} }, v_T = 0.

    Returns one policy per step: with fewer steps left another action may be best.
    """
    gamma = as_discount(discount, np.nextafter(1, 2))
    r, p = as_problem(rewards, transitions)
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; it must be at least one step")
    values, qs = [np.zeros(r.shape[:-1])], []
    for _ in range(horizon):
        qs.append(action_value(r, p, values[-1], gamma))
        values.append(qs[-1].max(axis=-1))
    q = np.stack(qs[::-1])
    return FiniteOptimum(q.argmax(axis=-1), np.stack(values[::-1]), q)
