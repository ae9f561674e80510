"""Exact draws for many replications at once, in single precision.

Arrays are laid out (arms, replications), so that each NumPy call sweeps contiguous memory.
"""

import numpy as np

TINY = np.float32(1e-30)
EDGE, INSIDE = np.float32(2**-24), np.float32(1 - 2**-22)
FEW = 512  # so few draws cost less one by one than as calls on whole arrays
LOG_4 = np.float32(np.log(4))


def first_argmax(values):
    """Index of the first largest entry along axis 0 of (K, R), as shape (R,).

    Three sweeps instead of one strided search: maximum, comparison, smallest index among the equal.
    """
    arms = len(values)
    from_the_end = np.arange(-arms, 0, dtype=np.min_scalar_type(-arms))[:, None]
    is_best = (values == values.max(axis=0)).view(np.int8)
    return (is_best * from_the_end).min(axis=0) + np.intp(arms)


def categorical(weights, rng):
    """One index per column of `weights` (K, R), drawn in proportion to the column's weights.

    Inverse distribution function: the number of partial sums that lie below a uniform part of
    the total. Weights are non-negative with a positive sum in each column.
    """
    arms, replications = weights.shape
    partial = weights.copy()
    for k in range(1, arms):
        partial[k] += partial[k - 1]
    # 1 - u lies in (0, 1], so an arm of weight zero is never drawn, not even the first.
    threshold = (1 - rng.random(replications, dtype=np.float32)) * partial[-1]
    below = (partial[:-1] < threshold).view(np.int8)
    return below.sum(axis=0, dtype=np.min_scalar_type(-arms)).astype(np.intp)


def beta(successes, failures, rng):
    """Draws from Beta(1 + successes, 1 + failures), float32 arrays of one shape, none negative.

    Cheng's (1978) rejection algorithm BB on whole arrays: the few refused proposals are drawn
    again by the same function, the last of them by NumPy. Several times as fast as a quotient of
    gamma draws. Draws carry about six correct digits, and events rarer than 2⁻²⁴ do not occur.
    """
    if successes.size <= FEW:
        return rng.beta(1 + successes, 1 + failures).astype(np.float32)
    s, f = successes.reshape(-1), failures.reshape(-1)
    a, b, pulls = 1 + s, 1 + f, s + f
    # The scale is 1 where s or f is 0; TINY keeps 0/0 out where both are.
    scale = np.sqrt((pulls + TINY) / (pulls + TINY + 2 * s * f))
    u, v = INSIDE * rng.random((2, s.size), dtype=np.float32) + EDGE  # neither 0 nor 1
    logit = scale * np.log(u / (1 - u))
    odds = a * np.exp(logit)  # times b; a log-logistic proposal with median a : b
    total = a + b
    log_ratio = (a + 1 / scale) * logit + total * np.log(total / (b + odds)) - LOG_4
    draws = odds / (b + odds)
    refused = np.flatnonzero(log_ratio < np.log(u * u * v))
    if refused.size:
        draws[refused] = beta(s[refused], f[refused], rng)
    return draws.reshape(successes.shape)
