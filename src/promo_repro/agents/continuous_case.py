"""D3's case of two products, made precise: two discounts a week, and an optimum in closed form.

A customer would buy product i with probability p_i at the full price. A discount d adds b d, the
discount y of the week before takes c y away (the customer has learnt to wait), and a discount x on
the other product takes x d_other away. With price 1, margin m and the part k of a discount that the
shop pays, a week earns (p_i + b d_i − c y_i − x d_j)(m − k d_i) for each product: quadratic, so
that the best policy is linear in y. Last axis: the products A and B. Everything is simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from promo_repro.agents.ddpg import to_discount
from promo_repro.claims import formula

HORIZON = 200  # weeks after which 0.9ᵗ is below 1e-9
NODES = 6  # of the quadrature over p: exact up to degree 11


@formula("eq-10-demand")
def demand(base, given, previous, response, memory, rivalry=0.0):
    """Probability of buying each product, p + b d − c y − x d_other, (..., 2); not clipped."""
    other = given[..., [1, 0]]
    return base + response * given - memory * previous - rivalry * other


@formula("eq-10-profit")
def profit(bought, given, margin, paid):
    """Profit for each product at price 1, q (m − k d); `bought` q is a purchase or its probability.

    `paid` k is the part of the discount that the shop bears; a manufacturer funds the rest.
    """
    return bought * (margin - paid * given)


@formula("eq-10-curvature")
def curvature(response, memory, paid, discount):
    """W = (k/2)(b + √(b² − γ c²)), how much a deviation from the best discount costs.

    The larger root of W² − k b W + γ k² c² / 4 = 0. Raises `ValueError` if memory outweighs the
    response: the quadratic then has no maximum inside.
    """
    inside = response**2 - discount * memory**2
    if not (inside > 0 and response > 0):
        raise ValueError(
            f"response {response} and memory {memory}: b² must exceed γ c², or no discount inside "
            "the range is best"
        )
    return paid / 2 * (response + np.sqrt(inside))


@formula("eq-10-best-value")
def value_coefficients(base, response, memory, margin, paid, discount):
    """(v₀, v₁, v₂) of the best value v₀ + v₁ y + v₂ y² of a customer whose last discount was y."""
    w = curvature(response, memory, paid, discount)
    push = response * margin - paid * base
    slope = memory * (paid * push - 2 * w * margin) / (2 * w - discount * paid * memory)
    start = push + discount * slope
    level = (base * margin + start**2 / (4 * w)) / (1 - discount)
    return level, slope, (paid * memory) ** 2 / (4 * w)


@formula("eq-10-best-discount")
def best_discount(base, previous, response, memory, margin, paid, discount):
    """The best discount of one product, [b m − k p + k c y + γ v₁] / 2W; arguments broadcast.

    `base` p and `previous` y; not clipped to the range that is allowed.
    """
    w = curvature(response, memory, paid, discount)
    _, slope, _ = value_coefficients(base, response, memory, margin, paid, discount)
    push = response * margin - paid * (base - memory * previous)
    return (push + discount * slope) / (2 * w)


@formula("eq-10-nash")
def separate_discounts(base, response, rivalry, margin, paid):
    """Discounts (..., 2) at which each product, alone, has nothing to gain; without memory.

    Solves 2 k b d_i − k x d_j = b m − k p_i for both products at once.
    """
    system = np.array(
        [[2 * response, -rivalry], [-rivalry, 2 * response]],
    )
    return np.linalg.solve(paid * system, (response * margin - paid * base).T).T


@formula("eq-10-printed-objective")
def printed_weights(discount: float, steps: int, reading: str) -> np.ndarray:
    """Weight of each reward r_0 … r_T in −J(φ) of D3, under one reading; (steps,).

    "constant": the maximum over policies is a number that φ cannot change, and every reward weighs
    1. "own": the second sum belongs to the same trajectory, and r_t weighs 1 − γ^(t+1). "standard":
    the discounted return, γ^t.
    """
    power = np.arange(steps)
    readings = {
        "constant": np.ones(steps),
        "own": 1 - discount ** (power + 1),
        "standard": discount**power,
    }
    if reading not in readings:
        raise ValueError(f"no reading {reading!r}; choose from {', '.join(readings)}")
    return readings[reading]


@dataclass(frozen=True)
class TwoProducts:
    """The case with its parameters; `base` holds the ends of the range of p, uniform inside."""

    base: tuple[float, float] = (0.12, 0.45)
    response: float = 1.0
    memory: float = 0.3
    rivalry: float = 0.0
    margin: float = 0.7
    paid: float = 1.0
    deepest: float = 0.4
    discount: float = 0.9
    weeks: int = 20

    def __post_init__(self):
        low, high = self.base
        if not 0 <= low <= high <= 1:
            raise ValueError(f"base is {self.base}; give the ends of a range of probabilities")
        least = low - (self.memory + self.rivalry) * self.deepest
        most = high + self.response * self.deepest
        if least < -1e-9 or most > 1 + 1e-9:
            raise ValueError(
                f"demand would reach from {least:.2f} to {most:.2f}; it has to stay a probability "
                "for every discount in the range"
            )

    @cached_property
    def customers(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (p_A, p_B) and weights that integrate over them: (N, 2) and (N,)."""
        node, weight = np.polynomial.legendre.leggauss(NODES)
        low, high = self.base
        p = low + (high - low) * (node + 1) / 2
        first, second = np.meshgrid(p, p, indexing="ij")
        return np.stack([first.ravel(), second.ravel()], axis=1), np.outer(
            weight, weight
        ).ravel() / 4

    def best(self, base, previous):
        """The best discounts (..., 2), clipped to the range.

        With rivalry, sum and difference of the products are two problems of one product each, with
        responses b − x and b + x, and the margin belongs to the sum.
        """
        rest = self.memory, self.paid, self.discount

        def one(p, y, response, margin):
            memory, paid, discount = rest
            return best_discount(p, y, response, memory, margin, paid, discount)

        (p_sum, p_gap), (y_sum, y_gap) = (_modes(base), _modes(previous))
        total = one(p_sum, y_sum, self.response - self.rivalry, self.margin * 2**0.5)
        gap = one(p_gap, y_gap, self.response + self.rivalry, 0.0)
        best = np.stack([total + gap, total - gap], axis=-1) / 2**0.5
        return best.clip(0, self.deepest)

    def myopic(self, base, previous):
        """What maximises this week's profit alone."""
        return replace(self, discount=0.0).best(base, previous)

    def constant(self, level):
        """The policy that always gives the same discount, a number or one for each product."""
        return lambda base, previous: np.broadcast_to(np.asarray(level, float), np.shape(base))

    def value(self, policy, reward: str = "profit"):
        """Expected discounted reward per customer of `policy(p, y) -> d`, exactly.

        Without randomness: expected demand, quadrature over the N customers, `HORIZON` weeks.
        Discounts have the shape (N, 2), or (K, N, 2) for K policies at once, whose values are (K,).
        `reward` is "profit" or "purchase".
        """
        base, weight = self.customers
        previous, earned = np.zeros_like(base), 0.0
        for week in range(HORIZON):
            given = policy(base, previous)
            bought = demand(base, given, previous, self.response, self.memory, self.rivalry)
            gain = bought if reward == "purchase" else profit(bought, given, self.margin, self.paid)
            earned = earned + self.discount**week * (gain.sum(axis=-1) @ weight)
            previous = given
        return earned

    def optimal_value(self) -> float:
        """Value of the best policy, in closed form; for products that do not compete."""
        if self.rivalry:
            raise ValueError("the closed form of the value is for products that do not compete")
        base, weight = self.customers
        level, _, _ = value_coefficients(
            base, self.response, self.memory, self.margin, self.paid, self.discount
        )
        return float(weight @ level.sum(axis=-1))

    def share(self, policy):
        """Value of a policy as a part of the best policy's."""
        return self.value(policy) / self.value(self.best)

    # What an agent sees ------------------------------------------------------------------------

    def observe(self, base: Tensor, previous: Tensor) -> Tensor:
        """Observation (..., 4) in about [−1, 1]: both p, and both discounts of the week before."""
        low, high = self.base
        p = (2 * base - low - high) / max(high - low, 1e-9)
        return torch.cat([p.expand_as(previous), 2 * previous / self.deepest - 1], dim=-1)

    def discounts_of(self, policy: Callable[[Tensor], Tensor], agents: int) -> Callable:
        """The discounts `(p, y) -> d` of K agents, from a policy that maps observations to actions.

        Takes p (N, 2) and y (N, 2) or (K, N, 2); returns (K, N, 2).
        """

        @torch.no_grad()
        def discounts(base, previous):
            pair = (torch.as_tensor(each, dtype=torch.float32) for each in (base, previous))
            seen = self.observe(*pair)
            action = policy(seen.expand(agents, *seen.shape[-2:]))
            return to_discount(action, 0.0, self.deepest).double().numpy()

        return discounts


def _modes(pair):
    """Sum and difference of the products, over √2."""
    pair = np.asarray(pair, dtype=float)
    return (pair[..., 0] + pair[..., 1]) / 2**0.5, (pair[..., 0] - pair[..., 1]) / 2**0.5


class CaseMarket:
    """The case for the training loop: K markets of n customers, purchases drawn at random.

    `reward` is "profit" or "purchase". `separate` gives each product an agent of its own that earns
    the reward of its product only, as D3 prints: there are then 2K agents with one action each, the
    first K for product A.
    """

    def __init__(
        self, case: TwoProducts, agents: int, users: int, *,
        reward: str = "profit", separate: bool = False, device="cpu", dtype=torch.float32,
    ):  # fmt: skip
        if reward not in ("profit", "purchase"):
            raise ValueError(f"no reward {reward!r}; choose profit or purchase")
        self.case, self.users, self.reward, self.separate = case, users, reward, separate
        self.markets = agents
        self.agents, self.action = (2 * agents, 1) if separate else (agents, 2)
        self.observation, self.device, self.dtype = 4, device, dtype

    def reset(self, generator: torch.Generator) -> Tensor:
        self.generator = generator
        return self._arrive()

    def _uniform(self) -> Tensor:
        shape = self.markets, self.users, 2
        drawn = torch.rand(*shape, generator=self.generator, device=self.device)
        return drawn.to(self.dtype)

    def _arrive(self) -> Tensor:
        low, high = self.case.base
        self.base = low + (high - low) * self._uniform()
        self.previous = torch.zeros_like(self.base)
        self.week = 0
        return self._observe()

    def _observe(self) -> Tensor:
        seen = self.case.observe(self.base, self.previous)
        return seen.repeat(2, 1, 1) if self.separate else seen

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One week; actions in [−1, 1], (agents, n, action)."""
        case = self.case
        if self.separate:
            action = torch.cat(action.chunk(2, dim=0), dim=-1)
        given = to_discount(action, 0.0, case.deepest)
        chance = demand(self.base, given, self.previous, case.response, case.memory, case.rivalry)
        bought = (self._uniform() < chance).to(self.dtype)
        gain = (
            bought if self.reward == "purchase" else profit(bought, given, case.margin, case.paid)
        )
        earned = torch.cat(gain.unbind(-1)) if self.separate else gain.sum(dim=-1)
        self.previous, self.week = given, self.week + 1
        reached = self._observe()
        following = self._arrive() if self.week == case.weeks else reached
        return following, earned, reached, torch.zeros_like(earned)
