"""Newton's method on the smoothed dual: prices near the optimum in a few passes over the users."""

from dataclasses import dataclass

import numpy as np
import torch

from promo_repro.allocation import passes
from promo_repro.allocation.problem import Block, Coupling
from promo_repro.claims import formula

FIRST = 2_000  # users of the smallest sample
START = 0.3  # first temperature, in typical values
COOLING = 0.2
WARM = 0.005  # first temperature from given prices
CLOSE = 0.1  # a last step is taken without a look, when it gains less than this times temperature²
STEPS = 6  # at most, for each temperature
SHRINKS = (1.0, 0.5, 0.25, 0.0625)
RIDGE = 1e-6
FAR = 10.0  # typical values that one step may change a price by


@dataclass(frozen=True)
class Near:
    """Prices near the optimum of some users, with the shape of their uncertainty.

    `spread` (m,) is proportional to how far each price moves when the data change a little, and
    `error` (m,) is its standard error as an estimate for the population of these users.
    """

    prices: np.ndarray
    spread: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Minimum:
    """Where `minimise` stopped: prices, sums of the last pass, Hessian (m, m), temperature."""

    prices: np.ndarray
    sums: passes.Soft
    hessian: np.ndarray
    temperature: float
    converged: bool


@formula("eq-11-smoothed-dual")
def smoothed_dual(block: Block, coupling: Coupling, prices, temperature: float) -> float:
    """D_τ(p) = p·b + Σ_i τ log(1 + Σ_k exp(r_ik/τ)); it exceeds D(p) by at most Nτ log(K + 1)."""
    return float(prices @ coupling.bounds) + passes.soft(block, coupling, prices, temperature).value


def near_optimum(block: Block, coupling: Coupling, unit: float, last: float, start=None) -> Near:
    """Prices that minimise the smoothed dual of `block`, cold or from the prices `start`.

    A cold start goes through a small sample and falling temperatures down to `last`, in typical
    values; `unit` is a typical value.
    """
    if start is not None:
        found = minimise(block, coupling, start, max(WARM, last), unit)
    elif len(block) > 2 * FIRST:
        few = block.take(torch.from_numpy(spread_out(len(block), FIRST)).to(block.value.device))
        warm = noise(len(few))
        first = near_optimum(few, coupling.scaled_bounds(len(few) / len(block)), unit, warm)
        found = minimise(block, coupling, first.prices, warm, unit)
    else:
        found = minimise(block, coupling, np.zeros(len(coupling)), START, unit)
    while found.temperature > 1.01 * last:
        cooler = found.temperature * COOLING
        cooler = cooler if cooler > 2 * last else last
        then = minimise(block, coupling, found.prices, cooler, unit)
        if found.converged and not then.converged:
            break  # users tie in crowds, and this is too sharp for the crowds to be seen
        found = then
    inverse = np.linalg.inv(_regular(found.hessian))
    mean = found.sums.usage / len(block)
    covariance = (found.sums.squares / len(block) - np.outer(mean, mean)) / unit**2
    error = np.sqrt(np.diag(inverse @ covariance @ inverse).clip(min=0) / len(block))
    spread = np.sqrt(np.diag(inverse))
    # Prices that no user is near to feel no data; what they are is left to the exact programme.
    return Near(found.prices, np.minimum(spread, 100 * np.median(spread)), error)


def minimise(block: Block, coupling: Coupling, prices, temperature: float, unit: float) -> Minimum:
    """Projected Newton with shortened steps on the smoothed dual, in typical values per user.

    `temperature` is in typical values too. Not converged means that no step went down any more,
    or that `STEPS` of them were not enough.
    """
    low, high = coupling.sign_bounds()
    size = unit * len(block)

    def look(p):
        sums = passes.soft(block, coupling, p, temperature * unit)
        return sums, (p @ coupling.bounds + sums.value) / size

    at, value = look(prices)
    converged = False
    for _ in range(STEPS):
        gradient = (coupling.bounds - at.usage) / size
        free = ~(((prices <= low) & (gradient > 0)) | ((prices >= high) & (gradient < 0)))
        hessian = _regular(at.hessian(temperature * unit) / size)[np.ix_(free, free)]
        step = np.zeros(len(prices))
        step[free] = np.clip(-np.linalg.solve(hessian, gradient[free]), -FAR, FAR)
        converged = bool(-gradient @ step < CLOSE * temperature**2)
        if converged:
            prices = np.clip(prices + step, low, high)
            break
        for shrink in SHRINKS:
            tried = np.clip(prices + shrink * step, low, high)
            then, reached = look(tried)
            if reached <= value + 1e-4 * gradient @ (tried - prices):
                break
        else:
            break
        prices, at, value = tried, then, reached
    hessian = at.hessian(temperature * unit) / size
    return Minimum(prices, at, hessian, temperature, converged)


def spread_out(users: int, size: int) -> np.ndarray:
    """Numbers of about `size` users, spread over all as a hash of the number decides."""
    number = np.arange(users, dtype=np.uint64)
    hashed = (number * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    return np.nonzero(hashed < np.uint64(2**32 * min(1.0, size / users)))[0]


def noise(users: int) -> float:
    """Temperature for a sample: what is finer than its prices' errors, ~1/√n, is not of them."""
    return 0.5 / np.sqrt(users)


def sharp(users: int) -> float:
    """Temperature for all users: sharp choices, with dozens of users left between two."""
    return float(np.clip(20 / users, 1e-4, 1e-2))


def _regular(hessian):
    """The Hessian with a ridge: prices that no user is near to feel no curvature."""
    m = max(len(hessian), 1)
    return hessian + RIDGE * max(np.trace(hessian) / m, 1e-3) * np.eye(len(hessian))
