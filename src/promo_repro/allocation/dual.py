"""The dual solver: few prices, many users.

The programme has one price per coupling row, whatever the number of users. Three steps find the
exact optimum: Newton's method on a smoothed dual, first of a sample of the users, brings the
prices near; one pass over all users sets those aside whose choice no price nearby can change; an
exact linear programme over the rest gives prices and a vertex. A last pass certifies the result.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from promo_repro.allocation import newton, passes, restricted
from promo_repro.allocation.problem import Block, Coupling, Fractional, Infeasible, Problem, Result
from promo_repro.claims import formula

SMALL = 600  # users whom the exact programme takes at once
SAMPLE = 20_000  # users, at least, of the sample that places the first box
SIGMAS = 3.5  # half-width of the first box, in standard errors of the sample's prices
WIDER, MORE = 2.0, 1.5  # growth of an inner box whose edge binds, and of its least users
FURTHEST = 1e4  # typical values; boxes wider than this are left away
EDGE = 1 + 1e-9  # a user who ties on the very edge of a box is open in it, whatever the rounding
TRADED = 1e-9  # part of a bound whose purchase at the box's edge counts as none
SPLIT = 1e-9  # a share further than this from 0 and 1 is fractional
GAP, VIOLATION = 1e-8, 1e-9  # what the certificate of an optimum may show


@dataclass(frozen=True)
class Box:
    """Prices from `low` to `high` around `centre`."""

    centre: np.ndarray
    radius: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def infinite(self) -> bool:
        return bool(np.isinf(self.radius).any())

    @classmethod
    def around(cls, centre, radius, low, high) -> "Box":
        return cls(
            centre, radius, np.maximum(low, centre - radius), np.minimum(high, centre + radius)
        )


@dataclass
class Open:
    """Users whose choice is open in a box: their data, their numbers, and what all others use."""

    block: Block
    users: np.ndarray
    fixed: np.ndarray


@formula("eq-11-dual")
def dual_bound(surplus: float, bounds, prices) -> float:
    """D(p) = p·b + Σ_i max(0, max_k r_ik), which no feasible allocation exceeds (weak duality).

    `surplus` is the sum over users, as `passes.hard` returns it; `prices` (m,) must have the
    signs that their rows ask for.
    """
    return float(np.dot(prices, bounds) + surplus)


def solve(problem: Problem, start=None, time_limit: float = np.inf, over: Callable = map) -> Result:
    """Solve a problem with per-user limit one to a vertex, with a float64 certificate.

    `start` (m,) are prices to begin from, such as those of a neighbouring budget. Raises
    `Infeasible` naming the rows; after `time_limit` seconds the status says so, and only the
    proven bound is returned.
    """
    if problem.limit != 1:
        raise ValueError(f"the dual solver gives each user one promotion, not {problem.limit}")
    return solve_blocks(problem.blocks, problem.coupling, start, time_limit, over)


def solve_blocks(
    blocks: Sequence[Block],
    coupling: Coupling,
    start=None,
    time_limit: float = np.inf,
    over: Callable = map,
) -> Result:
    """Solve for the users of all `blocks`; `over(function, blocks)` makes a pass, as `map` does."""
    began = time.perf_counter()
    users = sum(len(block) for block in blocks)
    sample = _sample(blocks, users, over)
    if len(coupling) == 0:
        return _unconstrained(blocks, sample, coupling, over, began)
    unit, factors = scales(sample, coupling)
    scaled = coupling.scaled(factors)
    _refuse_infeasible(blocks, sample, users, coupling, factors, unit, over)
    start = None if start is None else np.asarray(start) / factors
    prices = np.zeros(len(coupling)) if start is None else start
    remaining = partial(_remaining, began, time_limit)
    try:
        box = _first_box(sample, users, scaled, unit, start)
        while True:
            remaining()
            prices = box.centre
            if box.infinite:
                rest = _everyone(sample if len(sample) == users else _loaded(blocks, over), scaled)
            else:
                rest = _open(blocks, scaled, box, over)
            near = start if box.infinite else box.centre
            vertex, last = _solve_rest(rest, scaled, box, unit, near, remaining)
            if not vertex.traded.any():
                break
            box = _moved(box, vertex, scaled)
    except restricted.NoAllocation:
        misses, _ = infeasibility(_loaded(blocks, over), coupling, factors / unit)
        raise Infeasible(named(coupling, misses)) from None
    except restricted.TimeLimit:
        bound = _bound(blocks, coupling, prices * factors, over)
        seconds = time.perf_counter() - began
        return Result(None, None, {}, np.nan, bound, np.nan, "time limit", seconds, "dual")
    return _certified(blocks, coupling, vertex, last, factors, over, began)


def _unconstrained(blocks, sample, coupling, over, began) -> Result:
    """Without rows there are no prices, and everybody gets what is best for him."""
    nobody = sample.take(torch.zeros(0, dtype=torch.int64, device=sample.value.device))
    vertex = restricted.Vertex(np.zeros(tuple(nobody.value.shape)), np.zeros(0), np.zeros(0))
    last = Open(nobody, np.zeros(0, dtype=int), np.zeros(0))
    return _certified(blocks, coupling, vertex, last, np.ones(0), over, began)


def _remaining(began, limit) -> float:
    left = limit - (time.perf_counter() - began)
    if left <= 0:
        raise restricted.TimeLimit
    return left


def _sample(blocks, users, over) -> Block:
    """All users if there are few, otherwise a sample of them, in memory."""
    size = max(SAMPLE, users // 50)
    if users <= size:
        return _loaded(blocks, over)
    chosen = newton.spread_out(users, size)
    return _joined(list(over(partial(_part_of_sample, chosen), blocks)))


def _loaded(blocks, over) -> Block:
    parts = list(over(_load, blocks))
    return parts[0] if len(parts) == 1 else _joined(parts)


def _load(block) -> Block:
    return block.load()


def _part_of_sample(chosen, block) -> Block:
    mine = chosen[(chosen >= block.start) & (chosen < block.start + len(block))] - block.start
    return block.load().take(torch.from_numpy(mine).to(block_device(block)))


def block_device(block):
    return getattr(getattr(block, "value", None), "device", "cpu")


def _joined(parts: Sequence[Block]) -> Block:
    group = None if parts[0].group is None else torch.cat([p.group for p in parts])
    value, cost = (
        torch.cat([getattr(p, name).T.to(torch.float64) for p in parts], dim=1).T
        for name in ("value", "cost")
    )
    return Block(value, cost, group)


def scales(sample: Block, coupling: Coupling):
    """A typical value, and for each row the typical value over the typical coefficient."""
    few = sample.take(torch.arange(min(len(sample), newton.FIRST), device=sample.value.device))
    v, c = few.value.numpy(force=True), few.cost.numpy(force=True)
    unit = np.maximum(v.max(axis=1), 0).mean() or np.abs(v).mean() or 1.0
    group = None if few.group is None else few.group.numpy(force=True)
    a = np.abs(coupling.coefficients(v, c, group)).reshape(len(coupling), -1)
    typical = a.sum(axis=1) / np.maximum((a > 0).sum(axis=1), 1)
    return float(unit), unit / np.where(typical > 0, typical, 1.0)


def _refuse_infeasible(blocks, sample, users, coupling, factors, unit, over):
    """Raise `Infeasible` when rows ask for more than the users can take.

    The rows are tried on a few users; a miss found there is proven on all of them: at the prices
    of the misses, taken large, the dual falls below the value of any allocation whatsoever.
    """
    if not coupling.excess(np.zeros(len(coupling))).any():
        return
    index = newton.spread_out(len(sample), newton.FIRST)
    few = sample.take(torch.from_numpy(index).to(sample.value.device))
    part = coupling.scaled_bounds(len(few) / users)
    misses, prices = infeasibility(few, part, factors / unit)
    if not misses.any():
        return
    if len(few) < users:
        largest = max(float(v.abs().max()) for v in (few.value, sample.value))
        far = prices * 1e6 * users * largest
        if _bound(blocks, coupling, far, over) >= -users * largest:
            return
    raise Infeasible(named(coupling, misses * users / len(few)))


def named(coupling: Coupling, misses) -> dict[str, float]:
    """The rows that are missed, and by how much."""
    return {n: float(by) for n, by in zip(coupling.names, misses, strict=True) if by > 0}


def infeasibility(
    block: Block, coupling: Coupling, factors, limit: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """By how much each row is missed (m,) where the scaled misses are least, and their prices.

    `factors` (m,) put the rows on one scale.
    """
    scaled = coupling.scaled(factors)
    low, high = (np.clip(edge, -1, 1) for edge in scaled.sign_bounds())
    allowed = np.ones(tuple(block.value.shape), dtype=bool)
    vertex = restricted.solve(block, scaled, allowed, low, high, worth=0.0, limit=limit)
    missed = np.abs(vertex.traded) / factors
    small = VIOLATION * np.maximum(np.abs(coupling.bounds), 1.0)
    return np.where(missed > small, missed, 0.0), vertex.prices * factors


def _first_box(sample, users, coupling, unit, start) -> Box:
    """A box of prices that should hold the optimum: around the optimum of the sample."""
    low, high = coupling.sign_bounds()
    if len(sample) == users:
        return Box(np.zeros(len(coupling)), np.full(len(coupling), np.inf), low, high)
    part = coupling.scaled_bounds(len(sample) / users)
    near = newton.near_optimum(sample, part, unit, newton.noise(len(sample)), start)
    return Box.around(near.prices, SIGMAS * near.error + 1e-9, low, high)


def _everyone(block: Block, coupling: Coupling) -> Open:
    return Open(block, np.arange(len(block)), np.zeros(len(coupling)))


def _open(blocks, coupling: Coupling, box: Box, over) -> Open:
    """One pass: the users whose choice a price in the box could change, apart from the others."""
    parts = list(over(partial(_open_part, coupling, box), blocks))
    users = np.concatenate([part.users for part in parts])
    return Open(_joined([part.block for part in parts]), users, sum(part.fixed for part in parts))


def _open_part(coupling, box, block) -> Open:
    """`_open` for one block; what travels back is the sums and the few open users."""
    data = block.load()
    distance, chosen = passes.ties(data, coupling, box.centre, box.radius)
    near = torch.nonzero(distance <= EDGE)[:, 0]
    part, index = data.take(near), near.numpy(force=True)
    _, open_usage = passes.taken(part, coupling, chosen.choice[index])
    return Open(part, index + block.start, chosen.usage - open_usage)


def _solve_rest(rest: Open, coupling: Coupling, box: Box, unit: float, start, remaining):
    """Exact optimum over prices in the box, given that all but the open users are decided.

    Newton's method comes near; then the users nearest to a tie go into an exact programme, more
    of them each time that its prices leave the part of the box in which the others are decided.
    Returns the vertex, with `traded` nonzero only if the outer box binds, and its users.
    """
    left = coupling.less(rest.fixed)
    if len(rest.block) <= SMALL:
        vertex = _vertex(rest.block, left, box.centre, box.radius, box, unit, remaining())
        return vertex, rest
    near = newton.near_optimum(rest.block, left, unit, newton.sharp(len(rest.block)), start)
    centre = np.clip(near.prices, box.low, box.high)
    # Many users may tie exactly; the first box must have some width all the same.
    reach = 0.02 * float(np.median(near.error / near.spread))
    least = SMALL
    while True:
        distance, chosen = passes.ties(rest.block, left, centre, near.spread)
        if least < len(distance):
            reach = max(reach, float(torch.kthvalue(distance, least).values))
        if least >= len(distance) or reach * near.spread.max() > FURTHEST:
            reach = np.inf
        index = torch.nonzero(distance <= EDGE * reach)[:, 0]
        part = rest.block.take(index)
        _, open_usage = passes.taken(part, left, chosen.choice[index.numpy(force=True)])
        fixed = chosen.usage - open_usage
        radius = np.full(len(centre), reach) if np.isinf(reach) else reach * near.spread
        inner = Box.around(centre, radius, box.low, box.high)
        vertex = _vertex(part, left.less(fixed), centre, radius, inner, unit, remaining())
        bound = np.where(vertex.traded > 0, inner.high < box.high, inner.low > box.low)
        if not (vertex.traded.astype(bool) & bound).any():
            users = rest.users[index.numpy(force=True)]
            return vertex, Open(part, users, rest.fixed + fixed)
        centre, reach, least = vertex.prices, WIDER * reach, int(MORE * least) + 1


def _vertex(block, coupling, centre, radius, box, unit, seconds):
    """Solve the restricted programme; bounds bought within tolerance count as kept."""
    allowed = passes.candidates(block, coupling, centre, radius)
    vertex = restricted.solve(block, coupling, allowed, box.low, box.high, unit, seconds)
    small = TRADED * np.maximum(1.0, np.abs(coupling.bounds) / unit)
    vertex.traded[np.abs(vertex.traded) <= small] = 0.0
    low, high = coupling.sign_bounds()
    vertex.prices = np.clip(vertex.prices, low, high)
    return vertex


def _moved(box: Box, vertex, coupling) -> Box:
    """A larger box around the prices that the last one led to."""
    radius = 4 * box.radius
    if radius.max() > FURTHEST:
        radius = np.full(len(radius), np.inf)
    return Box.around(vertex.prices, radius, *coupling.sign_bounds())


def _bound(blocks, coupling, prices, over) -> float:
    parts = over(partial(_surplus, coupling, prices), blocks)
    return dual_bound(sum(parts), coupling.bounds, prices)


def _surplus(coupling, prices, block) -> float:
    return passes.hard(block.load(), coupling, prices).surplus


def _hard(coupling, prices, block):
    return passes.hard(block.load(), coupling, prices)


def _certified(blocks, coupling, vertex, last: Open, factors, over, began) -> Result:
    """The result, its value, usage and bound recomputed in float64 from all the data."""
    prices = vertex.prices * factors
    everyone = sum_of(over(partial(_hard, coupling, prices), blocks))
    value, open_usage = passes.taken(last.block, coupling, everyone.choice[last.users])
    v, c = (t.numpy(force=True) for t in (last.block.value, last.block.cost))
    group = None if last.block.group is None else last.block.group.numpy(force=True)
    a = coupling.coefficients(v, c, group)
    objective = everyone.value - value + float((v * vertex.shares).sum())
    kept = everyone.usage - open_usage
    usage = kept + (a * vertex.shares).sum(axis=(1, 2))
    bound = dual_bound(everyone.surplus, coupling.bounds, prices)
    whole, split = rounded(vertex.shares, v, a, coupling, kept)
    choice = everyone.choice
    choice[last.users] = whole
    fractional = Fractional(last.users[split], vertex.shares[split])
    result = Result(
        choice,
        fractional,
        dict(zip(coupling.names, prices.tolist(), strict=True)),
        objective,
        bound,
        coupling.violation(usage),
        "optimal",
        time.perf_counter() - began,
        "dual",
        prices,
    )
    require_certificate(result)
    return result


def require_certificate(result: Result, exact: bool = True) -> None:
    """Raise `RuntimeError` unless the result proves itself: no row broken, no gap (if `exact`)."""
    if result.violation > VIOLATION or (exact and abs(result.gap) > GAP):
        raise RuntimeError(
            f"{result.method}: the certificate fails with gap {result.gap:.1e} and violation "
            f"{result.violation:.1e}; bring values and costs to one scale"
        )


def sum_of(parts):
    """The sum of the results of a pass over the blocks."""
    parts = list(parts)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def rounded(shares, value, coefficients, coupling: Coupling, used):
    """Whole promotions instead of shares (n, K): the choice (n,), and who was split.

    `used` (m,) is what all other users take. Whoever has a whole share keeps it; then the split
    users, the most valuable first, take the largest of their promotions that every "<=" row still
    has room for, or none.
    """
    n = len(shares)
    split = ((shares > SPLIT) & (shares < 1 - SPLIT)).any(axis=1)
    choice = np.where(shares.max(axis=1, initial=0) > 0.5, shares.argmax(axis=1), -1)
    choice[split] = -1
    taken = np.nonzero(choice >= 0)[0]
    used = used + coefficients[:, taken, choice[taken]].sum(axis=1)
    capped = np.array(coupling.senses, dtype=object) == "<="
    room = coupling.bounds + 1e-9 * np.maximum(1.0, np.abs(coupling.bounds))
    order = np.argsort(-(shares * value).sum(axis=1), kind="stable")
    for i in order[split[order]]:
        for k in np.argsort(-shares[i], kind="stable")[: (shares[i] > SPLIT).sum()]:
            after = used + coefficients[:, i, k]
            if value[i, k] > 0 and (after <= room)[capped].all():
                choice[i], used = k, after
                break
    return choice[:n], split
