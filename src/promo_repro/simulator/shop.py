"""The batched shop: one row per user, one call per week for all of them.

`Shop` computes in torch on any device, `ArrayShop` in NumPy; the week itself, `outcome`, is one
function for both. Uniforms come from addressed streams, so the same key gives the same trajectories
on both and whatever the batch split.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from promo_repro.simulator.streams import Stream, key_of
from promo_repro.simulator.world import (
    DEEPEST_CUT,
    World,
    purchase_probability,
    reference_target,
    unit_margin,
)


@dataclass(frozen=True)
class Tables:
    """The world as flat look-up tables of one back end.

    Positions are ((cell · A + action) · 2 + noticed) · 2 + bought, where a cell is a state; the
    shorter tables stop earlier in this order.
    """

    notice: Any
    buy: Any
    margin: Any
    contact: Any
    successor: Any
    features: Any
    choice: Any
    prices: Any
    reserve: Any


def rows(table, index):
    """Rows of a table; in both back ends a few times as fast as indexing."""
    if isinstance(table, torch.Tensor):
        return table.index_select(0, index)
    return table.take(index, axis=0)


def outcome(tables: Tables, position, uniforms):
    """What happens in a week: (noticed, bought, position of the outcome in the longest tables).

    `position` (n,) is state · A + action; `uniforms` (2, n) decide on attention and purchase.
    """
    noticed = uniforms[0] < rows(tables.notice, position)
    position = 2 * position + noticed
    bought = uniforms[1] < rows(tables.buy, position)
    return noticed, bought, 2 * position + bought


class _Core:
    """A shop with `n_users` customers; the back end is what a subclass adds.

    Every episode starts with new customers, drawn from the types of the world. All users finish
    together: after the last week, or when `stock` units are sold out. `step` then returns the first
    observation of the next episode, and the final one in `info["final_observation"]`.

    `budget` dollars and `stock` units limit the whole shop for one episode, and so couple the
    users: an offer is made, in the order of the users, as long as the most it can cost fits into
    what is left; a purchase takes place as long as there is stock. With `continuous` an action is
    a discount in [0, 1] instead of the index of a promotion. `first_user` is the number of the
    first user, for batches that are parts of one shop.
    """

    def __init__(self, params, n_users, *, continuous, budget, stock, first_user):
        if not isinstance(params, World):
            raise TypeError(
                f"params is a {type(params).__name__}; a Shop needs a World, from "
                "simulator.worlds or simulator.calibrated(...)"
            )
        if isinstance(n_users, bool) or int(n_users) != n_users or n_users < 1:
            raise ValueError(f"n_users is {n_users!r}; a shop needs at least one user")
        for name, limit in (("budget", budget), ("stock", stock)):
            if limit is not None and not limit >= 0:
                raise ValueError(f"{name} is {limit}; it must not be negative")
        self.world = params
        self.n_users = int(n_users)
        self.continuous = continuous
        self.budget, self.stock = budget, stock
        self.first_user = first_user
        self._tables = self._discount_tables() if continuous else self._promotion_tables()
        self._slope, self._visit = self._real(params.slope), self._real(params.visit)
        self._cumulative = np.cumsum(params.weight)[:-1].astype(np.float32)
        self._stream = None

    # Tables ------------------------------------------------------------------------------------

    def _promotion_tables(self):
        world = self.world
        levels = world.levels
        first = (np.arange(len(world.weight)) * levels)[:, None, None, None, None]
        outcomes = (*world.noticing.shape, 2, 2)
        sold = np.broadcast_to(world.margins[..., None] * [0, 1], outcomes)
        given_away = np.maximum(world.margin - world.margins[:, 1], 0) * world.prices.max()
        return Tables(
            notice=self._real(world.noticing.ravel()),
            buy=self._real(world.buying.ravel()),
            margin=self._real(sold.ravel()),
            contact=self._real(world.contacts),
            successor=self._index((first + world.successors).ravel()),
            features=self._real(world.features),
            choice=self._real(np.cumsum(world.choice, axis=1)[:, :-1]),
            prices=self._real(world.prices),
            reserve=self._real(world.contacts + given_away),
        )

    def _discount_tables(self):
        """Tables without the action: a discount has no index, its effect is computed."""
        world, offer = self.world, self.world.offer
        fatigue = world.memories[0]
        shown = np.minimum(1, world.attention[:, None] * offer.reach * world.fade**fatigue)
        # Classes of discounts: 0 for none, 1 + the reference level that it teaches.
        kinds = np.arange(world.reference_levels + 2)[:, None, None]
        noticed, bought = np.indices((2, 2))
        after = world.next_level(
            *np.broadcast_arrays(
                offer.wear * (kinds > 0),
                np.maximum(kinds - 1, 0) * noticed,
                (kinds > 0) & (noticed * bought > 0),
            )
        )
        first = (np.arange(len(world.weight)) * world.levels)[:, None, None, None, None]
        return Tables(
            notice=self._real(shown.ravel()),
            buy=self._real(world.level_odds.ravel()),
            margin=None,
            contact=offer.contact,
            successor=self._index((first + after).ravel()),
            features=self._real(world.features),
            choice=self._real(np.cumsum(world.choice, axis=1)[:, :-1]),
            prices=self._real(world.prices),
            reserve=None,
        )

    # One episode after the other ---------------------------------------------------------------

    def reset(self, generator):
        """Start anew with a key drawn from `generator`; return the observations, (n, features)."""
        return self.reset_to(key_of(generator))

    def reset_to(self, key: int):
        """Start anew with this key: equal keys give equal trajectories."""
        self._stream = Stream(key)
        self._customers = Stream(key, "customers")
        self.steps = self.episodes = 0
        return self._arrive()

    def _arrive(self):
        uniforms = self._customers.uniforms(self.episodes, 1, self.n_users, self.first_user)[0]
        self._type = self._index(np.searchsorted(self._cumulative, uniforms, side="right"))
        self._state = self._type * self.world.levels
        self.week = 0
        self._budget_left, self._stock_left = self.budget, self.stock
        self.episodes += 1
        return self._observe()

    def _observe(self):
        seen = rows(self._tables.features, self._state)
        if not self.world.horizon:
            return seen
        return self._with_column(seen, 1 - self.week / self.world.weeks)

    @property
    def state(self):
        """State of each user, (n,): the index into the tables of the world."""
        return self._state

    def step(self, action):
        """One week: `(observation, reward, terminated, truncated, info)`, each with n rows.

        `action` (n,) are promotions, or discounts if the shop is continuous. Raises `ValueError`
        for an unknown promotion, a discount outside [0, 1], NaN or a wrong shape, and
        `RuntimeError` before `reset`.
        """
        if self._stream is None:
            raise RuntimeError("call reset(generator) before step(action)")
        return self.step_with(action, self._draw())

    def _draw(self):
        rows = 2 + (len(self.world.prices) > 1)  # a single product needs no draw
        uniforms = self._stream.uniforms(self.steps, rows, self.n_users, self.first_user)
        return self._real(uniforms)

    def step_with(self, action, uniforms):
        """One week decided by given `uniforms`: (attention, purchase, product) × n."""
        action = self._checked(action)
        week = self._week_of_discounts if self.continuous else self._week_of_promotions
        action, noticed, bought, margin, contact, state = week(action, uniforms)
        buyers = self._where(bought)
        product, price = self._products(buyers, uniforms[-1])
        reward = -contact
        reward[buyers] += margin[buyers] * price
        if self._budget_left is not None:
            spent = contact.sum() + ((self.world.margin - margin[buyers]) * price).sum()
            self._budget_left -= float(spent)
        if self._stock_left is not None:
            self._stock_left -= len(buyers)

        info = {
            "action": action,
            "noticed": noticed,
            "bought": bought,
            "buyers": buyers,
            "product": product,
            "state": self._state,
            "next_state": state,
            "week": self.week,
        }
        self._state = state
        self.week += 1
        self.steps += 1
        return self._finish(reward, info)

    def _finish(self, reward, info):
        sold_out = self._stock_left is not None and self._stock_left <= 0
        over = self.week >= self.world.weeks
        terminated = self._all(sold_out or (over and self.world.horizon))
        truncated = self._all(over and not (sold_out or self.world.horizon))
        observation = self._observe()
        if sold_out or over:
            info["final_observation"] = observation
            observation = self._arrive()
        return observation, reward, terminated, truncated, info

    def _week_of_promotions(self, action, uniforms):
        tables, world = self._tables, self.world
        if self._budget_left is not None:
            reserved = rows(tables.reserve, action).cumsum(0)
            action = action * (reserved <= self._budget_left)
        noticed, bought, place = outcome(tables, self._state * world.actions + action, uniforms)
        if self._stock_left is not None:
            refused = bought & (bought.cumsum(0) > self._stock_left)
            bought, place = bought & ~refused, place - self._whole(refused)
        return (
            action,
            noticed,
            bought,
            rows(tables.margin, place),
            rows(tables.contact, action),
            rows(tables.successor, place),
        )

    def _week_of_discounts(self, discount, uniforms):
        tables, world, offer = self._tables, self.world, self.world.offer
        if self._budget_left is not None:
            worst = discount * (1 - world.funding) * float(world.prices.max())
            reserved = (worst + offer.contact * (discount > 0)).cumsum(0)
            discount = discount * (reserved <= self._budget_left)
        offered = discount > 0
        noticed = (uniforms[0] < rows(tables.notice, self._state)) & offered
        paid = 1 - (discount * noticed).clip(0, DEEPEST_CUT)
        odds = rows(tables.buy, self._state) * paid ** rows(self._slope, self._type)
        bought = uniforms[1] < purchase_probability(rows(self._visit, self._type), odds)
        if self._stock_left is not None:
            bought = bought & (bought.cumsum(0) <= self._stock_left)
        kind = self._whole(offered) * (1 + self._target(discount))
        place = self._state * (world.reference_levels + 2) + kind
        place = 2 * (2 * place + noticed) + bought
        margin = unit_margin(world.margin, discount * noticed, world.funding, 0.0)
        contact = offer.contact * self._real(offered)
        return discount, noticed, bought, margin, contact, rows(tables.successor, place)

    def _target(self, discount):
        world = self.world
        return self._whole(reference_target(discount, world.deepest, world.reference_levels))

    def _products(self, buyers, uniforms):
        """Which product each buyer takes, and its price."""
        steps = rows(self._tables.choice, rows(self._type, buyers))
        product = (uniforms[buyers][:, None] >= steps).sum(1)
        return product, rows(self._tables.prices, product)


class ArrayShop(_Core):
    """The batched shop in NumPy."""

    def __init__(
        self,
        params: World,
        n_users: int,
        dtype=np.float32,
        *,
        continuous: bool = False,
        budget: float | None = None,
        stock: int | None = None,
        first_user: int = 0,
    ):
        self.dtype = np.dtype(dtype)
        super().__init__(
            params,
            n_users,
            continuous=continuous,
            budget=budget,
            stock=stock,
            first_user=first_user,
        )

    def _real(self, values):
        return np.asarray(values, self.dtype)

    def _index(self, values):
        return np.asarray(values, np.intp)

    _whole = _index

    def _where(self, condition):
        return np.flatnonzero(condition)

    def _all(self, value):
        return np.full(self.n_users, value)

    def _with_column(self, seen, value):
        return np.hstack([seen, np.full((len(seen), 1), value, seen.dtype)])

    def _checked(self, action):
        return _check_action(self, np.asarray(action), np)


class Shop(_Core):
    """The batched shop in torch, on any device."""

    def __init__(
        self,
        params: World,
        n_users: int,
        device="cpu",
        dtype=torch.float32,
        *,
        continuous: bool = False,
        budget: float | None = None,
        stock: int | None = None,
        first_user: int = 0,
    ):
        self.device = torch.device(device)
        self.dtype = dtype
        super().__init__(
            params,
            n_users,
            continuous=continuous,
            budget=budget,
            stock=stock,
            first_user=first_user,
        )

    def _real(self, values):
        return torch.as_tensor(values).to(self.device, self.dtype)

    def _index(self, values):
        return torch.as_tensor(values).to(self.device, torch.int64)

    _whole = _index

    def _where(self, condition):
        return condition.nonzero().squeeze(1)

    def _all(self, value):
        return torch.full((self.n_users,), value, device=self.device)

    def _with_column(self, seen, value):
        return torch.cat([seen, torch.full_like(seen[:, :1], value)], dim=1)

    def _checked(self, action):
        return _check_action(self, torch.as_tensor(action).detach().to(self.device), torch)


def _check_action(shop, action, library):
    """`action` as (n,) promotions or discounts, or one clear `ValueError`."""
    if action.shape == (shop.n_users, 1):
        action = action[:, 0]
    if action.shape != (shop.n_users,):
        raise ValueError(f"action has shape {tuple(action.shape)}; expected ({shop.n_users},)")
    if shop.continuous:
        action = shop._real(action)
        # A comparison with NaN is false, so NaN is refused as well.
        if not bool(((action >= 0) & (action <= 1)).all()):
            raise ValueError("action has NaN or a discount outside [0, 1]; give parts of the price")
        return action
    if action.dtype != library.int64:
        if not library.isfinite(action).all() or bool((action != shop._whole(action)).any()):
            raise ValueError("action has NaN or fractions; give the index of a promotion")
        action = shop._whole(action)
    if action.min() < 0 or action.max() >= shop.world.actions:
        menu = ", ".join(f"{i} {p.name}" for i, p in enumerate(shop.world.promotions))
        raise ValueError(f"unknown promotion in action; the menu is {menu}")
    return action
