"""Who gets which promotion: the problem, its coupling rows, and the result of solving it.

Shapes: N users, K promotions, G user groups, m coupling rows. "No promotion" is always allowed.
Values are in money, costs in money, stocks and counts in promotions given out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch

Measure = Literal["count", "cost", "value"]
Sense = Literal["<=", ">=", "=="]
MEASURES = ("count", "cost", "value")
SENSES = ("<=", ">=", "==")
CHUNK = 32_768  # users that a pass holds at a time: K of their rows fit in the processor's cache


class Infeasible(ValueError):
    """No allocation satisfies all rows. `misses` says by how much each row is missed."""

    def __init__(self, misses: dict[str, float]):
        self.misses = misses
        what = ", ".join(f"{name} is missed by {by:.6g}" for name, by in misses.items())
        super().__init__(f"no allocation satisfies all rows: {what}; relax these bounds")


@dataclass(frozen=True)
class Row:
    """One coupling row: Σ_i Σ_k g(i) w_k a_ik x_ik  (<=, >= or ==)  bound.

    `measure` a is 1 ("count"), the cost or the value; `promotions` (K,) are the weights w, and
    `groups` (G,) the weights g of the user's group. Both default to ones.
    """

    name: str
    measure: Measure
    sense: Sense
    bound: float
    promotions: Sequence[float] | None = None
    groups: Sequence[float] | None = None


@dataclass(frozen=True)
class Problem:
    """Maximise Σ v_ik x_ik over 0 ≤ x_ik ≤ 1, Σ_k x_ik ≤ limit, and the coupling rows.

    `value` (N, K) is what promotion k adds with user i, and may be negative; `cost` (N, K) ≥ 0 is
    what it is expected to cost. `budget` bounds the total cost and `stock` (K,) the number of each
    promotion. `rows` are further coupling rows, `group` (N,) the group of each user for them.
    NumPy arrays and tensors of any device are taken as they are, without a copy.
    Raises `ValueError` naming the argument for NaN, infinity, negative costs, budget or stock, and
    shapes that do not fit.
    """

    value: torch.Tensor
    cost: torch.Tensor
    budget: float = np.inf
    stock: Sequence[float] | None = None
    rows: tuple[Row, ...] = ()
    group: torch.Tensor | None = None
    limit: int = 1

    def __post_init__(self):
        for name in ("value", "cost"):
            object.__setattr__(self, name, _matrix(name, getattr(self, name)))
        if self.value.shape != self.cost.shape:
            raise ValueError(
                f"value {tuple(self.value.shape)} and cost {tuple(self.cost.shape)} differ in "
                "shape; both need one entry per user and promotion (N, K)"
            )
        if min(self.value.shape) == 0:
            raise ValueError(f"value has shape {tuple(self.value.shape)}: nothing to allocate")
        low, _ = extremes("cost", self.cost)
        extremes("value", self.value)
        if low < 0:
            raise ValueError(f"cost has an entry {low:g}; book what a promotion earns as value")
        if not self.budget >= 0:
            raise ValueError(f"budget is {self.budget}; it must be zero or more")
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 1:
            raise ValueError(f"limit is {self.limit!r}; it must be a whole number of at least 1")
        if self.group is not None:
            object.__setattr__(self, "group", _groups(self.group, self.users))
        object.__setattr__(self, "rows", tuple(self.rows))
        self.coupling  # noqa: B018 - bad rows are refused at the door

    @property
    def users(self) -> int:
        return self.value.shape[0]

    @property
    def promotions(self) -> int:
        return self.value.shape[1]

    @cached_property
    def coupling(self) -> "Coupling":
        groups = 1 if self.group is None else int(self.group.max()) + 1
        return Coupling.of(self.budget, self.stock, self.rows, self.promotions, groups)

    @cached_property
    def blocks(self) -> "list[Block]":
        return [Block(self.value, self.cost, self.group)]

    def with_budget(self, budget: float) -> "Problem":
        return replace(self, budget=budget)


@dataclass(frozen=True)
class Block:
    """Some of the users: what one pass over the data reads. `start` is the first user's number."""

    value: torch.Tensor
    cost: torch.Tensor
    group: torch.Tensor | None = None
    start: int = 0

    def __len__(self) -> int:
        return self.value.shape[0]

    def load(self) -> "Block":
        """The block with its data in memory; a block kept on disk reads them here."""
        return self

    def chunks(self):
        """Yield (users, value (K, n), cost (K, n), group (n,)) in float64, `CHUNK` at a time."""
        for a in range(0, len(self), CHUNK):
            users = slice(a, min(a + CHUNK, len(self)))
            v, c = (t[users].T.to(torch.float64).contiguous() for t in (self.value, self.cost))
            yield users, v, c, None if self.group is None else self.group[users]

    def take(self, index: torch.Tensor) -> "Block":
        """The users with these numbers, in float64 and promotion-major order."""
        v, c = (t.T[:, index].to(torch.float64).contiguous().T for t in (self.value, self.cost))
        return Block(v, c, None if self.group is None else self.group[index])


@dataclass(frozen=True)
class Coupling:
    """The m coupling rows as arrays: names, measures, weights (m, K) and (m, G), senses, bounds."""

    names: tuple[str, ...]
    measures: tuple[str, ...]
    senses: tuple[str, ...]
    promotions: np.ndarray
    groups: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, budget, stock, extra, promotions, groups) -> "Coupling":
        """Budget, stocks (infinite ones left out) and further rows; refuses what does not fit."""
        rows = [] if np.isposinf(budget) else [Row("budget", "cost", "<=", budget)]
        if stock is not None:
            s = np.asarray(stock, dtype=float)
            if s.shape != (promotions,):
                raise ValueError(f"stock has shape {s.shape}; one per promotion ({promotions},)")
            if not (s >= 0).all():
                raise ValueError("stock has an entry that is negative or NaN; use inf for no limit")
            unit = np.eye(promotions)
            rows += [
                Row(f"stock {k + 1}", "count", "<=", s[k], promotions=unit[k])
                for k in range(promotions)
                if np.isfinite(s[k])
            ]
        rows += extra
        names = [row.name for row in rows]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rows are called {name!r}; give each its own name")
        for row in rows:
            if row.measure not in MEASURES or row.sense not in SENSES:
                raise ValueError(
                    f"row {row.name!r} has measure {row.measure!r} and sense {row.sense!r}; "
                    f"choose from {', '.join(MEASURES)} and {', '.join(SENSES)}"
                )
            if not np.isfinite(row.bound):
                raise ValueError(f"row {row.name!r} has the bound {row.bound}; it must be finite")
        return cls(
            tuple(names),
            tuple(row.measure for row in rows),
            tuple(row.sense for row in rows),
            _weights(rows, "promotions", promotions),
            _weights(rows, "groups", groups),
            np.array([row.bound for row in rows], dtype=float),
        )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def only_takes(self) -> bool:
        """Whether a promotion can do nothing for the rows: "<=" rows of counts and costs alone."""
        return (
            set(self.senses) <= {"<="}
            and "value" not in self.measures
            and bool((self.promotions >= 0).all() and (self.groups >= 0).all())
        )

    def scaled(self, factors) -> "Coupling":
        """Rows multiplied by `factors` (m,): the same allocations, other units of price."""
        return replace(
            self,
            promotions=self.promotions * np.asarray(factors)[:, None],
            bounds=self.bounds * factors,
        )

    def scaled_bounds(self, factor: float) -> "Coupling":
        """The same rows for a part of the users."""
        return replace(self, bounds=self.bounds * factor)

    def less(self, usage) -> "Coupling":
        """What is left of the bounds once `usage` (m,) is taken."""
        return replace(self, bounds=self.bounds - usage)

    def sign_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest price of each row: ≥ 0 for <=, ≤ 0 for >=, free for ==."""
        senses = np.array(self.senses, dtype=object)
        low = np.where(senses == "<=", 0.0, -np.inf)
        high = np.where(senses == ">=", 0.0, np.inf)
        return low, high

    def tables(self, prices) -> np.ndarray:
        """Σ_r price_r w_rk g_r by measure, (3, K, G): what user and promotion pay per unit."""
        p = np.asarray(prices, dtype=float)
        out = np.zeros((3, self.promotions.shape[1], self.groups.shape[1]))
        for code, measure in enumerate(MEASURES):
            chosen = [r for r in range(len(self)) if self.measures[r] == measure]
            out[code] = (self.promotions[chosen] * p[chosen, None]).T @ self.groups[chosen]
        return out

    def coefficients(self, value, cost, group=None) -> np.ndarray:
        """Coefficients a_ikr of all rows, (m, N, K), for a problem small enough to write out."""
        v, c = np.asarray(value, dtype=float), np.asarray(cost, dtype=float)
        measure = {"count": np.ones_like(v), "cost": c, "value": v}
        of_user = np.zeros(len(v), dtype=int) if group is None else np.asarray(group)
        return np.array(
            [
                self.groups[r][of_user][:, None] * self.promotions[r] * measure[self.measures[r]]
                for r in range(len(self))
            ]
        ).reshape(len(self), *v.shape)

    def violation(self, usage, scale=None) -> float:
        """Largest violation of a row, relative to its bound (or to `scale`), zero if none."""
        excess = self.excess(usage)
        base = np.maximum(np.abs(self.bounds), 1.0) if scale is None else scale
        return float((excess / base).max(initial=0.0))

    def excess(self, usage) -> np.ndarray:
        """By how much each row is violated, (m,), zero where it holds."""
        over = np.asarray(usage, dtype=float) - self.bounds
        senses = np.array(self.senses, dtype=object)
        signed = np.where(senses == "<=", over, np.where(senses == ">=", -over, np.abs(over)))
        return np.maximum(signed.astype(float), 0.0)


@dataclass(frozen=True)
class Fractional:
    """The few users whose promotion an optimal vertex splits: `users` (f,), `shares` (f, K)."""

    users: np.ndarray
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Result:
    """An allocation and its certificate.

    `choice` is the promotion of each user, -1 for none: (N,) with a per-user limit of one,
    otherwise (N, limit). Users in `fractional` are rounded in it without breaking a "<=" row.
    `objective` and `violation` belong to the optimum with the fractional users, `bound` is the
    dual bound that the `duals` prove: no allocation is worth more.
    """

    choice: np.ndarray | None
    fractional: Fractional | None
    duals: dict[str, float]
    objective: float
    bound: float
    violation: float
    status: Literal["optimal", "time limit"]
    seconds: float
    method: str
    prices: np.ndarray | None = field(default=None, repr=False)

    @property
    def gap(self) -> float:
        """Distance of the objective from the proven bound, relative; an optimum has zero."""
        return (self.bound - self.objective) / max(1.0, abs(self.objective), abs(self.bound))

    def certificate(self) -> dict[str, float | str]:
        """What a reader needs to trust the result, as one row of a table."""
        return {
            "method": self.method,
            "status": self.status,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "violation": self.violation,
            "fractional users": len(self.fractional) if self.fractional is not None else 0,
        }


def choice_type(promotions: int):
    """The smallest integer type that numbers the promotions and has room for -1."""
    return np.int8 if promotions < 128 else np.int32


def extremes(name: str, tensor: torch.Tensor) -> tuple[float, float]:
    """Smallest and largest entry; raises when one of them is NaN or infinite."""
    low, high = (float(x) for x in torch.aminmax(tensor))
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or fill such entries first")
    return low, high


def _matrix(name, values) -> torch.Tensor:
    """A floating-point (N, K) tensor that shares memory with `values` where it can."""
    if not isinstance(values, torch.Tensor):
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} holds {array.dtype}, not numbers")
        array = array if array.dtype in (np.float32, np.float64) else array.astype(float)
        if not array.flags.writeable or any(s < 0 for s in array.strides):
            array = array.copy()
        values = torch.from_numpy(array)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(values.shape)}; expected users by promotions")
    return values if values.dtype.is_floating_point else values.to(torch.float64)


def _groups(values, users) -> torch.Tensor:
    group = values if isinstance(values, torch.Tensor) else torch.as_tensor(np.array(values))
    if group.shape != (users,):
        raise ValueError(f"group has shape {tuple(group.shape)}; one group per user ({users},)")
    if group.dtype.is_floating_point or int(group.min()) < 0:
        raise ValueError("group must hold whole numbers counted from 0")
    return group.to(torch.int64)


def _weights(rows, what, size) -> np.ndarray:
    out = np.ones((len(rows), size))
    for r, row in enumerate(rows):
        given = getattr(row, what)
        if given is not None:
            w = np.asarray(given, dtype=float)
            if w.shape != (size,) or not np.isfinite(w).all():
                raise ValueError(f"row {row.name!r}: {what} needs {size} finite weights, not {w}")
            out[r] = w
    return out
