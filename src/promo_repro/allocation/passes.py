"""One pass over the users at given prices: the dual, its derivatives, and who is near a tie.

A user at prices p gains r_k = v_k − Σ_r p_r a_kr from promotion k, and takes the best one or
none. Every function here reads a `Block` once, `CHUNK` users at a time, in float64 on the data's
own device, and returns sums: passes over several blocks add up.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import threshold

from promo_repro.allocation.problem import MEASURES, Block, Coupling, choice_type
from promo_repro.claims import formula

LEAST = -100.0  # the least exponent: e^-100 is lost in any sum, and its square is no denormal


@dataclass
class Soft:
    """Sums over users of the smoothed dual: value, usage (m,), usage² (m, m), curvature (m, m)."""

    users: int
    value: float
    usage: np.ndarray
    squares: np.ndarray
    first: np.ndarray

    def __add__(self, other: "Soft") -> "Soft":
        return Soft(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def hessian(self, temperature: float) -> np.ndarray:
        return (self.first - self.squares) / temperature


@dataclass
class Hard:
    """Sums over users at their best choice: dual part Σ max(0, r), value, usage (m,)."""

    users: int
    surplus: float
    value: float
    usage: np.ndarray
    choice: np.ndarray

    def __add__(self, other: "Hard") -> "Hard":
        return Hard(
            self.users + other.users,
            self.surplus + other.surplus,
            self.value + other.value,
            self.usage + other.usage,
            np.concatenate([self.choice, other.choice]),
        )


@formula("eq-11-reduced-value")
def reduced_values(value, cost, tables, group=None):
    """What promotion k leaves user i after its prices, r_ik = v_ik − Σ_r p_r a_ikr, (K, n).

    `value` and `cost` are (K, n) tensors, `tables` (3, K, G) the prices by measure as
    `Coupling.tables` gives them, `group` (n,) the users' groups where there are several.
    """
    count, price, share = (_per_user(t, group, value) for t in tables)
    reduced = torch.addcmul(value, cost, price, value=-1).sub_(count)
    return reduced.addcmul_(value, share, value=-1) if np.any(tables[2]) else reduced


def soft(block: Block, coupling: Coupling, prices, temperature: float) -> Soft:
    """The smoothed dual Σ_i τ log(1 + Σ_k exp(r_ik/τ)) of a block, and its derivatives.

    The derivative in price r is −usage_r; the Hessian is (first − squares)/τ, with first
    Σ_i Σ_k p_ik a_ik a_ikᵀ and squares Σ_i u_i u_iᵀ, u_i = Σ_k p_ik a_ik the user's usage.
    Where rows only take, promotions without value are left away: crowds of them would blur it.
    """
    tables, rows = coupling.tables(prices), _by_measure(coupling)
    order = np.argsort([r for index in rows.values() for r in index])
    value, total, squares = 0.0, 0.0, 0.0
    moments = 0.0
    for _, v, c, g in block.chunks():
        r = reduced_values(_worth(v, coupling), c, tables, g)
        top = r.amax(dim=0).clamp_(min=0)
        weights = r.sub_(top).div_(temperature).clamp_(min=LEAST).exp_()
        none = top.div(-temperature).clamp_(min=LEAST).exp_()
        z = weights.sum(dim=0).add_(none)
        value += float((top + temperature * z.log()).sum())
        p = weights.div_(z)
        parts = {"count": p, "cost": p * c}
        if "value" in rows:
            parts["value"] = p * v
        usage = []
        for measure, index in rows.items():
            w = torch.as_tensor(coupling.promotions[index], dtype=v.dtype, device=v.device)
            usage.append((w @ parts[measure]).mul_(_group_weights(coupling, index, g, v)))
        usage = torch.cat(usage)
        total += usage.sum(dim=1)
        squares += usage @ usage.T
        moments += _moments(parts, v, c, g, coupling.groups.shape[1])
    return Soft(
        len(block),
        value,
        total.numpy(force=True)[order],
        squares.numpy(force=True)[np.ix_(order, order)],
        _contract(moments.numpy(force=True), coupling),
    )


def hard(block: Block, coupling: Coupling, prices) -> Hard:
    """Every user's best choice at the prices (-1 for none), and the sums that certify it."""
    tables = coupling.tables(prices)
    out = _Choices(block, tables)
    for users, v, c, g in block.chunks():
        out.add(users, *reduced_values(v, c, tables, g).max(dim=0), v, c, g)
    return out.result(coupling)


def taken(block: Block, coupling: Coupling, choice) -> tuple[float, np.ndarray]:
    """Value and usage (m,) of the choices (n,) of a few users, -1 for none.

    Where promotions tie exactly, another pass may choose another one: what some users take out of
    the sums of a pass is what that pass chose for them.
    """
    given = np.nonzero(np.asarray(choice) >= 0)[0]
    k = np.asarray(choice)[given].astype(int)
    v, c = (t.numpy(force=True)[given, k].astype(float) for t in (block.value, block.cost))
    of_user = 0 if block.group is None else block.group.numpy(force=True)[given]
    measure = {"count": np.ones_like(v), "cost": c, "value": v}
    usage = [
        (
            coupling.groups[r][of_user] * coupling.promotions[r][k] * measure[coupling.measures[r]]
        ).sum()
        for r in range(len(coupling))
    ]
    return float(v.sum()), np.array(usage)


def ties(block: Block, coupling: Coupling, prices, radius) -> tuple[torch.Tensor, Hard]:
    """How far prices must move, in multiples of `radius`, before a user changes choice, (n,).

    Prices inside prices ± t·radius cannot make promotion k overtake the best choice b of a user
    unless r_b − r_k ≤ t Σ_r radius_r |a_br − a_kr|; the least such t over k (and over none) is
    the user's distance. Users with a distance above t keep their choice in the whole box.
    Where rows only take, a promotion without value is never better than none, and does not count.
    The second result is `hard` at the same prices.
    """
    tables, radius = coupling.tables(prices), np.asarray(radius, dtype=float)
    rows = _by_measure(coupling)
    counts = _count_slacks(coupling, radius)
    out, sums = _Choices(block, tables), []
    for users, v, c, g in block.chunks():
        zero = v.new_zeros(1, v.shape[1])
        r = torch.cat([reduced_values(v, c, tables, g), zero])
        if coupling.only_takes:
            r[:-1].masked_fill_(v <= 0, -torch.inf)
        top, best = r.max(dim=0)
        out.add(users, top, best.clamp(max=len(r) - 2), v, c, g)
        slack = _count_slack(counts, best, g, v)
        for measure, of in (("cost", c), ("value", v)):
            for i in rows.get(measure, ()):
                w = torch.as_tensor(coupling.promotions[i], dtype=v.dtype, device=v.device)
                a = torch.cat([of if (w == 1).all() else of * w[:, None], zero])
                reach = _group_weights(coupling, [i], g, v).abs() * float(radius[i])
                slack += a.sub_(a.gather(0, best[None])).abs_().mul_(reach)
        distance = torch.sub(top, r, out=r).div_(slack.clamp_(min=1e-300))
        sums.append(distance.scatter_(0, best[None], torch.inf).amin(dim=0))
    return torch.cat(sums), out.result(coupling)


def candidates(block: Block, coupling: Coupling, prices, radius) -> np.ndarray:
    """Which of the K promotions can be best somewhere in the box, (n, K) booleans.

    For the few users near a tie; infinite radii leave all of them.
    """
    v, c = (t.numpy(force=True).astype(float) for t in (block.value, block.cost))
    radius = np.asarray(radius, dtype=float)
    if np.isinf(radius).any():
        return np.ones(v.shape, dtype=bool)
    group = None if block.group is None else block.group.numpy(force=True)
    a = coupling.coefficients(v, c, group)
    a = np.concatenate([a, np.zeros((*a.shape[:2], 1))], axis=2)
    r = np.column_stack([v, np.zeros(len(v))]) - np.tensordot(prices, a, 1)
    best = r.argmax(axis=1)
    rows = np.arange(len(v))
    slack = np.tensordot(radius, np.abs(a - a[:, rows, best][:, :, None]), 1)
    near = (r[rows, best][:, None] - r <= slack * (1 + 1e-9))[:, :-1]
    return near & (v > 0) if coupling.only_takes else near


def _worth(v, coupling):
    """The values, with those of no use left away: −∞ for value ≤ 0 where rows only take."""
    return threshold(v, 0, -torch.inf) if coupling.only_takes else v


def _per_user(table, group, like):
    """A (K, G) table of prices, broadcastable to (K, n)."""
    t = torch.as_tensor(table, dtype=like.dtype, device=like.device)
    return t[:, group] if group is not None and table.shape[1] > 1 else t[:, :1]


def _by_measure(coupling) -> dict[str, list[int]]:
    found = {name: [r for r, m in enumerate(coupling.measures) if m == name] for name in MEASURES}
    return {name: index for name, index in found.items() if index}


def _group_weights(coupling, index, group, like):
    w = torch.as_tensor(coupling.groups[index], dtype=like.dtype, device=like.device)
    return w[:, group] if group is not None and w.shape[1] > 1 else w[:, :1]


def _moments(parts, v, c, group, groups):
    """Σ_i p_ik a b over the users of each group, for all pairs of measures, (G, K, 3, 3)."""
    of = {"count": None, "cost": c, "value": v}
    out = v.new_zeros(groups, v.shape[0], 3, 3)
    for i, first in enumerate(MEASURES):
        for j, second in enumerate(MEASURES[: i + 1]):
            if first not in parts or second not in parts:
                continue
            product = parts[first] if of[second] is None else parts[first] * of[second]
            out[:, :, i, j] = out[:, :, j, i] = _sum_by_group(product, group, groups)
    return out


def _sum_by_group(x, group, groups):
    """Sums over users of (K, n), by group: (G, K)."""
    if group is None or groups == 1:
        return x.sum(dim=1)[None]
    return x.new_zeros(groups, x.shape[0]).index_add_(0, group, x.T)


def _contract(moments, coupling):
    """The (m, m) matrix Σ_gk g_r g_s w_rk w_sk M_gk[measure r, measure s]."""
    m = len(coupling)
    weights = (coupling.groups[:, :, None] * coupling.promotions[:, None, :]).reshape(m, -1)
    out = np.zeros((m, m))
    for first, rows in _by_measure(coupling).items():
        for second, columns in _by_measure(coupling).items():
            moment = moments[..., MEASURES.index(first), MEASURES.index(second)].ravel()
            out[np.ix_(rows, columns)] = (weights[rows] * moment) @ weights[columns].T
    return out


class _Choices:
    """Collects the best choices of one chunk after the other."""

    def __init__(self, block, tables):
        self.sums, self.surplus = np.zeros_like(tables), 0.0
        self.choice = np.empty(len(block), dtype=choice_type(tables.shape[1]))

    def add(self, users, top, best, v, c, group):
        """Note the best promotion of each user, where it gains anything."""
        _, promotions, groups = self.sums.shape
        taken = (top > 0).to(v.dtype)
        cell = best if group is None or groups == 1 else best * groups + group
        picked = best[None]
        for code, x in enumerate((taken, c.gather(0, picked)[0], v.gather(0, picked)[0])):
            total = torch.bincount(cell, weights=taken * x, minlength=promotions * groups)
            self.sums[code] += total.reshape(promotions, groups).numpy(force=True)
        self.surplus += float(top.clamp(min=0).sum())
        self.choice[users] = torch.where(top > 0, best, -1).numpy(force=True)

    def result(self, coupling) -> Hard:
        code = [MEASURES.index(name) for name in coupling.measures]
        usage = np.einsum("rk,rg,rkg->r", coupling.promotions, coupling.groups, self.sums[code])
        return Hard(len(self.choice), self.surplus, float(self.sums[2].sum()), usage, self.choice)


def _count_slacks(coupling, radius):
    """Σ_r radius_r |g_r| |w_rk − w_rb| over count rows, (G, K + 1, K + 1), none being last."""
    index = _by_measure(coupling).get("count", [])
    w = np.column_stack([coupling.promotions[index], np.zeros(len(index))])
    difference = np.abs(w[:, :, None] - w[:, None, :])
    return np.einsum("r,rg,rkb->gkb", radius[index], np.abs(coupling.groups[index]), difference)


def _count_slack(table, best, group, like):
    t = torch.as_tensor(table, dtype=like.dtype, device=like.device)
    if group is None or len(t) == 1:
        return t[0].index_select(1, best)
    return t[group, :, best].T.contiguous()
