"""Rewards, click shares and click probabilities of the first article, each formula once.

Shapes: `...` stands for any leading batch (users, replications), T for time steps, N for
promotions (the arms). Bad input raises `ValueError` with the argument's name.
"""

from itertools import product

import numpy as np

from promo_repro.bandits.checks import as_counts, as_probabilities, as_reals
from promo_repro.claims import formula


@formula("D1-F03", "D1-F04", "eq-07-step-reward")
def step_reward(probabilities, rewards):
    """Expected reward of one time step, R_u(t) = Σ_a p_ua(t) r_a.

    `probabilities` (..., N) are click probabilities or shares, `rewards` (N,) the expected
    reward of a click on each promotion, in any unit; the result (...) has the same unit.
    Raises `ValueError` for entries outside [0, 1], NaN, or when the last axes differ.
    """
    p = as_probabilities("probabilities", probabilities)
    r = as_reals("rewards", rewards)
    if p.ndim == 0 or r.shape != p.shape[-1:]:
        raise ValueError(
            f"rewards has shape {r.shape}; probabilities {p.shape} needs one per promotion"
        )
    return p @ r


@formula("D1-F01", "D1-F02", "D1-F06", "D1-F07", "eq-07-total-reward")
def total_reward(probabilities, rewards):
    """Total reward of a user, R_u = Σ_t Σ_a p_ua(t) r_a.

    `probabilities` (..., T, N), `rewards` (N,); the result has shape (...).
    """
    per_step = step_reward(probabilities, rewards)
    if per_step.ndim == 0:
        raise ValueError("probabilities needs a time axis before the promotions: (..., T, N)")
    return per_step.sum(axis=-1)


@formula("eq-07-enumerated")
def enumerated_reward(probabilities, rewards):
    """Total expected reward without the printed sum: every click sequence, times its probability.

    `probabilities` (T, N) with rows that sum to at most 1, the rest being no click; (N + 1)^T
    sequences are listed, so this is for small cases. Steps are taken as independent.
    """
    p, r = as_probabilities("probabilities", probabilities), as_reals("rewards", rewards)
    if p.ndim != 2 or r.shape != p.shape[1:]:
        raise ValueError(f"probabilities {p.shape} and rewards {r.shape}: (T, N), (N,) wanted")
    if (p.sum(axis=1) > 1 + 1e-12).any():
        raise ValueError("probabilities has a step whose clicks sum to more than 1")
    with_none = np.column_stack([p, 1 - p.sum(axis=1)])
    worth = np.append(r, 0)
    steps = range(len(p))
    return float(
        sum(
            np.prod([with_none[t, sequence[t]] for t in steps]) * worth[list(sequence)].sum()
            for sequence in product(range(len(worth)), repeat=len(p))
        )
    )


@formula("D1-F08", "D1-F09", "eq-07-share-own")
def click_share(clicks):
    """Share of each promotion in the clicks that one user made, C_ua / Σ_b C_ub.

    `clicks` (..., N) are counts; the result has the same shape and sums to one over the last
    axis. It is a distribution over promotions *given a click*, not a probability of clicking.
    Raises `ValueError` for a user without clicks, where the ratio is 0/0.
    """
    c = as_counts("clicks", clicks)
    total = c.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise ValueError("clicks has a row without any click: its shares are 0/0")
    return c / total


@formula("eq-07-share-all")
def click_share_of_all_users(clicks):
    """The printed ratio with C_a read as a total over users: C_ua / Σ_b Σ_v C_vb.

    `clicks` (U, N) for U users at one time; the result (U, N) sums to one over users *and*
    promotions, so a single user's row sums to that user's part of all clicks.
    """
    c = as_counts("clicks", clicks)
    if c.ndim != 2:
        raise ValueError(f"clicks has shape {c.shape}; expected users by promotions (U, N)")
    return click_share(c.ravel()).reshape(c.shape)


@formula("eq-07-sum-of-shares")
def sum_of_shares(clicks, user, own=True):
    """Sum over promotions of one user's shares: of the user's own clicks, or of all users' clicks.

    `clicks` (U, N). Only the first is 1 for every user, as a distribution over promotions must be.
    """
    shares = click_share(clicks) if own else click_share_of_all_users(clicks)
    return float(shares[user].sum())


@formula("eq-07-click-probability")
def click_probability(clicks, impressions):
    """Probability of a click when the promotion is shown, clicks / impressions.

    Both arguments (...) are counts of the same shape. Raises `ValueError` where a promotion was
    never shown or has more clicks than impressions.
    """
    c = as_counts("clicks", clicks)
    n = as_counts("impressions", impressions)
    if c.shape != n.shape:
        raise ValueError(f"clicks {c.shape} and impressions {n.shape} differ in shape")
    if not (n > 0).all():
        raise ValueError("impressions contains a zero: a promotion never shown has no click rate")
    if (c > n).any():
        raise ValueError("clicks exceeds impressions; one impression gives at most one click")
    return c / n


@formula("D1-F28", "D1-F30", "D1-N06", "D1-N08", "eq-07-recorded")
def recorded_reward(clicks, rate):
    """Expected number of conversions among `clicks` clicks at conversion rate `rate`.

    The article calls this product the reward that is recorded (10 × 0.5 and 5 × 0.6). Its unit
    is conversions, so it grows with traffic; the expected reward of *one* click is `rate`.
    """
    return as_counts("clicks", clicks) * as_probabilities("rate", rate)


@formula("D1-F23", "eq-07-mean-reward")
def mean_click_reward(clicks, rates):
    """Expected reward of a click, r_a = conversions / clicks, pooled over the rows of a history.

    `clicks` (..., M) and `rates` (..., M) describe M rows of history of one promotion; the
    result (...) weights each row's rate by its clicks.
    """
    c = as_counts("clicks", clicks)
    return (click_share(c) * as_probabilities("rates", rates)).sum(axis=-1)


@formula("D1-F29", "D1-F31", "D1-N07", "D1-N09", "eq-07-share-missing")
def share_with_missing_rows(clicks, promotion, missing=0):
    """Share of one promotion, C_a / (Σ_b C_b + M), when rows not shown hold M more clicks.

    `clicks` (N,) are the counts that are shown, `promotion` is an index into them.
    """
    c = as_counts("clicks", clicks)
    return click_share(np.append(c, as_counts("missing", missing)))[promotion]


@formula("eq-07-missing-clicks")
def missing_clicks(clicks, total):
    """Clicks that rows outside a printed table must hold for its clicks to sum to `total`.

    `clicks` (..., M) are the printed counts, `total` (...) the denominator that is claimed.
    A negative result means that no additional row can lead to this denominator.
    """
    return as_counts("total", total) - as_counts("clicks", clicks).sum(axis=-1)


@formula("D1-N01", "eq-07-attainable-rates")
def attainable_rates(clicks, rates):
    """Nearest conversion rates that a whole number of conversions out of `clicks` can have.

    Both arguments have one shape. A printed rate is possible if it is the attainable one, rounded.
    """
    c = as_counts("clicks", clicks)
    if not (c > 0).all():
        raise ValueError("clicks contains a zero: without a click there is no conversion rate")
    return np.rint(recorded_reward(c, rates)) / c


@formula("D1-A15", "eq-07-best-promotion")
def best_promotion(probabilities, rewards):
    """Index of the promotion with the largest p_a r_a; `probabilities` and `rewards` are (N,).

    With p_a the probability of a click if promotion a is shown, this is the best one to show.
    """
    p = as_probabilities("probabilities", probabilities)
    r = as_reals("rewards", rewards)
    if p.ndim != 1 or p.shape != r.shape:
        raise ValueError(f"probabilities {p.shape} and rewards {r.shape} must be two equal lists")
    return int(np.argmax(p * r))


@formula("D1-A35", "eq-07-identification-gap")
def identification_gap(clicks, impressions, other_impressions):
    """Largest difference of click probabilities between two shops with the same clicks.

    Zero for every pair of impression counts would mean that clicks alone determine p.
    """
    difference = click_probability(clicks, impressions) - click_probability(
        clicks, other_impressions
    )
    return float(np.abs(difference).max())


@formula("D1-A29", "D1-F05", "eq-07-weighted-history")
def weighted_history(rewards, weights):
    """Weighted sum of past rewards, Σ_s w_s X_s.

    `rewards` (..., T) in time order, `weights` (T,) or (..., T). With weights 1/T it is the
    sample mean, with `recency_weights` the exponentially weighted mean of non-stationary bandits.
    """
    x = as_reals("rewards", rewards)
    w = as_reals("weights", weights)
    if x.ndim == 0 or w.ndim == 0 or w.shape[-1] != x.shape[-1]:
        raise ValueError(f"weights {w.shape} and rewards {x.shape} differ in their last axis")
    return (w * x).sum(axis=-1)


@formula("eq-07-recency-weights")
def recency_weights(steps, discount):
    """Weights w_s ∝ discount^(steps − 1 − s), s = 0 … steps − 1, that sum to one; shape (steps,).

    `discount` in (0, 1]; at 1 every past reward has the same weight.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; at least one past reward is needed")
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}; it must lie in (0, 1]")
    weights = float(discount) ** np.arange(steps - 1, -1, -1)
    return weights / weights.sum()


@formula("eq-07-scalarised")
def scalarised_reward(objectives, weights):
    """One reward out of several objectives, Σ_m w_m X_m with weights on the simplex.

    `objectives` (..., M), `weights` (M,), non-negative with sum one. A maximiser of this sum is
    Pareto-optimal when every weight is positive; which one depends on the weights.
    """
    w = as_probabilities("weights", weights)
    if abs(w.sum() - 1) > 1e-9:
        raise ValueError(f"weights sum to {w.sum():g}, not to 1")
    return weighted_history(objectives, w)
