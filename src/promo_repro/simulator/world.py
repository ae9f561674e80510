"""One specification of a shop: who comes, what may be offered, what it does and what it earns.

A customer is of one of T types, which never change, and carries three small memories, which do:
fatigue (0 … F), a full pantry (0 … K) and a lowered reference price (0 … R). Together they are one
of L levels. Each week the shop makes every customer one offer. Both back ends of the batched core,
the scalar environment and the exact optimum read this one description.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from promo_repro.claims import formula
from promo_repro.simulator import dynamic_programming as dp

DEEPEST_CUT = 0.99  # a price of zero has no logarithm: a deeper cut counts as this one


@dataclass(frozen=True)
class Promotion:
    """What an offer does to those who notice it.

    `depth` is a price cut and `gift` a present, both as a part of the regular price; `reach`
    multiplies attention (a threshold that only some baskets reach, a shelf sign that more people
    see); `display` and `mailer` switch on the fitted coefficients; `contact` dollars are paid for
    every offer, noticed or not; `wear` is how many levels of fatigue it adds.
    """

    name: str
    depth: float = 0.0
    gift: float = 0.0
    reach: float = 1.0
    display: float = 0.0
    mailer: float = 0.0
    contact: float = 0.0
    wear: int = 1

    def __post_init__(self):
        for name in ("depth", "gift"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{self.name}: {name} is {getattr(self, name)}, outside [0, 1]")
        if not (self.reach >= 0 and self.contact >= 0 and self.wear >= 0):
            raise ValueError(f"{self.name}: reach, contact and wear must not be negative")
        if not np.isfinite([self.reach, self.display, self.mailer, self.contact]).all():
            raise ValueError(f"{self.name}: an effect or a cost is NaN or infinite")


NOTHING = Promotion("none", wear=0)
# The six kinds of promotion that the articles name, as scenarios: depths are those of the data,
# contact costs, reach and the worth of the gift are assumptions.
MENU = (
    NOTHING,
    Promotion("coupon", depth=0.20, contact=0.01),
    Promotion("limited-time discount", depth=0.15, reach=1.5, wear=2, contact=0.01),
    Promotion("recommendation slot", display=1.0, contact=0.005),
    Promotion("spend threshold", depth=0.25, reach=0.4, contact=0.01),
    Promotion("gift", gift=0.15, contact=0.02),
)
OFFER = Promotion("personal discount", contact=0.01)


@formula("eq-06-attention")
def attention(base, reach, fade, fatigue):
    """Probability that an offer is noticed, min(1, κ · reach · φ^f); shapes broadcast.

    `base` κ in [0, 1], `fade` φ in (0, 1] per level of fatigue f.
    """
    return np.minimum(1.0, base * reach * fade**fatigue)


@formula("eq-06-odds")
def purchase_odds(base, slope, cut, bonus, dip, reference, memory):
    """Odds of buying on a visit, o = o₀ · ((1 − c) / ρ^θ)^β · exp(bonus − dip).

    `base` o₀ = Σ_j exp(V_j) at regular prices, `slope` β of the log price, `cut` c as a part of
    the price, `bonus` of display and mailer and `dip` of a full pantry in units of utility,
    `reference` ρ the price that the customer expects as a part of the regular one, `memory` θ ≥ 0.
    """
    paid = 1 - np.minimum(cut, DEEPEST_CUT)
    return base * (paid / reference**memory) ** slope * np.exp(bonus - dip)


@formula("eq-06-purchase")
def purchase_probability(visit, odds):
    """Probability of a purchase in a week, visit · o / (1 + o)."""
    return visit * odds / (1 + odds)


@formula("eq-06-margin")
def unit_margin(margin, depth, funding, gift):
    """Margin of a promoted sale as a part of the regular price, m − d (1 − s) − g (1 − m).

    A manufacturer pays the part s of the cut d; a gift worth g costs the shop its purchase price.
    """
    return margin - depth * (1 - funding) - gift * (1 - margin)


@formula("eq-06-break-even")
def break_even_slope(margin, depth, funding=0.0):
    """Slope of the log price at which a cut pays at once, log(m / (m − d (1 − s))) / log(1 − d).

    For rare purchases, whose probability is proportional to the odds; a cut pays where the slope is
    more negative. −∞ where the cut uses up the margin. `margin` m, `depth` d and `funding` s in
    [0, 1]; they broadcast.
    """
    left = np.maximum(unit_margin(margin, depth, funding, 0.0), 0)
    with np.errstate(divide="ignore"):
        return np.log(margin / left) / np.log1p(-depth)


@formula("eq-06-target")
def reference_target(depth, deepest, levels):
    """The reference level that a cut teaches, ⌈R · min(d / δ, 1)⌉; `deepest` is the cut δ."""
    # −⌊−x⌋ is ⌈x⌉ in NumPy and in torch; 1e-6 keeps a cut of exactly k/R of δ on level k.
    return -((1e-6 - levels * (depth / deepest).clip(max=1)) // 1)


@formula("eq-06-levels")
def next_memories(memories, tops, wear, target, stocked):
    """Fatigue, pantry and reference level after a week; arguments broadcast.

    Fatigue rises by `wear` up to F, or falls by one if nothing was offered; the pantry is full (K)
    after a purchase with a cut (`stocked`) and empties by one; the reference level moves one step
    towards `target`, the level that the noticed cut teaches (0 without one). `tops` are (F, K, R).
    """
    fatigue, pantry, reference = memories
    fatigue = np.where(wear > 0, np.minimum(fatigue + wear, tops[0]), np.maximum(fatigue - 1, 0))
    pantry = np.where(stocked, tops[1], np.maximum(pantry - 1, 0))
    return np.broadcast_arrays(fatigue, pantry, reference + np.sign(target - reference))


@dataclass(frozen=True, eq=False)
class World:
    """The whole specification; T types of customers, J products, A promotions.

    `weight` (T,) shares of the types; `odds` (T,) of a purchase on a visit at regular prices;
    `visit` (T,) probability of a visit in a week; `slope` (T,) of the log price; `attention` (T,);
    `choice` (T, J) which product is bought, given a purchase; `prices` (J,) dollars.
    `margin` is a part of the regular price, `funding` the part of a cut that a manufacturer pays.
    `fade` is what one level of fatigue leaves of attention; `dips` (K + 1,) what each level of the
    pantry takes from utility; `memory` θ how much the reference price matters, `deepest` the cut
    that level R of it stands for. `discount` is per week; an episode has `weeks`; it is truncated
    there if `horizon` is false, and if true it ends and the weeks left belong to the observation.
    """

    name: str
    weight: np.ndarray
    odds: np.ndarray
    visit: np.ndarray
    slope: np.ndarray
    attention: np.ndarray
    choice: np.ndarray
    prices: np.ndarray
    promotions: tuple[Promotion, ...] = MENU
    offer: Promotion = OFFER
    display: float = 0.0
    mailer: float = 0.0
    margin: float = 0.3
    funding: float = 0.0
    fade: float = 1.0
    fatigue_levels: int = 0
    dips: tuple[float, ...] = (0.0,)
    memory: float = 0.0
    reference_levels: int = 0
    deepest: float = 0.3
    discount: float = 0.95
    weeks: int = 26
    horizon: bool = False
    types: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("weight", "odds", "visit", "slope", "attention", "choice", "prices"):
            array = np.asarray(getattr(self, name), dtype=float)
            if not np.isfinite(array).all():
                raise ValueError(f"{self.name}: {name} contains NaN or infinity")
            object.__setattr__(self, name, array)
        count = len(self.weight)
        for name in ("odds", "visit", "slope", "attention"):
            if getattr(self, name).shape != (count,):
                raise ValueError(f"{self.name}: {name} needs one entry for each of {count} types")
        if self.choice.shape != (count, len(self.prices)):
            raise ValueError(f"{self.name}: choice needs one column for each product of prices")
        if (self.prices <= 0).any():
            raise ValueError(f"{self.name}: prices must be positive dollars")
        if (self.odds < 0).any():
            raise ValueError(f"{self.name}: odds must not be negative")
        for name in ("visit", "attention", "choice", "weight"):
            values = getattr(self, name)
            if ((values < 0) | (values > 1)).any():
                raise ValueError(f"{self.name}: {name} has entries outside [0, 1]")
        for name in ("weight", "choice"):
            if not np.allclose(getattr(self, name).sum(axis=-1), 1):
                raise ValueError(f"{self.name}: {name} does not sum to one")
        for name in ("margin", "funding", "fade", "deepest"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{self.name}: {name} is {getattr(self, name)}, outside [0, 1]")
        if self.deepest == 0:
            raise ValueError(f"{self.name}: deepest is 0; it is a cut that can be divided by")
        if self.weeks < 1 or not 0 <= self.discount <= 1:
            raise ValueError(f"{self.name}: weeks must be positive and discount within [0, 1]")
        if not self.promotions or self.promotions[0].wear or self.promotions[0].depth:
            raise ValueError(f"{self.name}: the first promotion must offer nothing")

    # Levels ------------------------------------------------------------------------------------

    @property
    def shape(self):
        """Sizes of the three memories: (F + 1, K + 1, R + 1)."""
        return self.fatigue_levels + 1, len(self.dips), self.reference_levels + 1

    @cached_property
    def memories(self):
        """Fatigue, pantry and reference level of each of the L levels, (3, L) integers."""
        return np.stack([part.ravel() for part in np.indices(self.shape)])

    @property
    def levels(self):
        """Number of levels L."""
        return self.memories.shape[1]

    @property
    def states(self):
        """Number of states S = T · L; state s is type s // L on level s % L."""
        return len(self.weight) * self.levels

    @property
    def actions(self):
        """Number of promotions A."""
        return len(self.promotions)

    def action(self, name):
        """Index of a promotion by name. Raises `ValueError` with the menu for an unknown one."""
        names = [promotion.name for promotion in self.promotions]
        if name not in names:
            raise ValueError(f"unknown promotion {name!r}; the menu is {', '.join(names)}")
        return names.index(name)

    # Probabilities and money -------------------------------------------------------------------

    def _effects(self, name):
        return np.array([getattr(promotion, name) for promotion in self.promotions], dtype=float)

    @cached_property
    def noticing(self):
        """Probability that the offer is noticed, (T, L, A)."""
        base, fatigue = self.attention[:, None, None], self.memories[0][:, None]
        return attention(base, self._effects("reach"), self.fade, fatigue)

    @cached_property
    def level_odds(self):
        """Odds of a purchase on a visit without an offer, (T, L)."""
        _, pantry, reference = self.memories
        expected = 1 - self.deepest * reference / max(self.reference_levels, 1)
        return purchase_odds(
            self.odds[:, None],
            self.slope[:, None],
            0.0,
            0.0,
            np.asarray(self.dips)[pantry],
            expected,
            self.memory,
        )

    @cached_property
    def buying(self):
        """Probability of a purchase, offer not noticed and noticed, (T, L, A, 2)."""
        cut = self._effects("depth") + self._effects("gift")
        bonus = self.display * self._effects("display") + self.mailer * self._effects("mailer")
        plain = np.broadcast_to(self.level_odds[..., None], (*self.level_odds.shape, self.actions))
        noticed = purchase_odds(plain, self.slope[:, None, None], cut, bonus, 0.0, 1.0, 0.0)
        return purchase_probability(
            self.visit[:, None, None, None], np.stack([plain, noticed], axis=-1)
        )

    @cached_property
    def margins(self):
        """Margin of a sale as a part of the price, offer not noticed and noticed, (A, 2)."""
        noticed = unit_margin(
            self.margin, self._effects("depth"), self.funding, self._effects("gift")
        )
        return np.stack([np.full_like(noticed, self.margin), noticed], axis=-1)

    @cached_property
    def contacts(self):
        """Dollars paid for each offer, (A,)."""
        return self._effects("contact")

    def next_level(self, wear, target, stocked):
        """Level after a week from every level now: (L, ...) for arguments (...)."""
        now = self.memories.reshape(3, -1, *[1] * np.ndim(wear))
        tops = np.array(self.shape) - 1
        return np.ravel_multi_index(next_memories(now, tops, wear, target, stocked), self.shape)

    @cached_property
    def successors(self):
        """Next level, (L, A, 2, 2): offer not noticed or noticed, nothing bought or bought."""
        depth = self._effects("depth")[:, None, None]
        cut = depth + self._effects("gift")[:, None, None]
        target = reference_target(depth, self.deepest, self.reference_levels).astype(int)
        wear = self._effects("wear").astype(int)[:, None, None]
        noticed, bought = np.indices((2, 2))
        return self.next_level(
            *np.broadcast_arrays(wear, target * noticed, (cut > 0) & (noticed * bought > 0))
        )

    # The finite decision problem ---------------------------------------------------------------

    @cached_property
    def outcome(self):
        """Probability of each outcome (noticed, bought) of a week, (T, L, A, 2, 2)."""
        notice = np.stack([1 - self.noticing, self.noticing], axis=-1)
        return notice[..., None] * np.stack([1 - self.buying, self.buying], axis=-1)

    @cached_property
    def type_rewards(self):
        """Expected profit of a week in dollars, (T, L, A)."""
        price = (self.choice @ self.prices)[:, None, None]
        return price * (self.outcome[..., 1] * self.margins).sum(axis=-1) - self.contacts

    @cached_property
    def type_transitions(self):
        """Probabilities of the next level, (T, L, A, L)."""
        reached = np.zeros((len(self.weight), self.levels, self.actions, self.levels))
        level, promotion = np.indices((self.levels, self.actions))
        for noticed in (0, 1):
            for bought in (0, 1):
                place = self.successors[..., noticed, bought]
                reached[:, level, promotion, place] += self.outcome[..., noticed, bought]
        return reached

    @cached_property
    def rewards(self):
        """Expected profit of a week, (S, A)."""
        return self.type_rewards.reshape(self.states, self.actions)

    @cached_property
    def transitions(self):
        """Probabilities of the next state, (S, A, S); customers never change their type."""
        dense = np.zeros((len(self.weight), self.levels, self.actions, *self.noticing.shape[:2]))
        types = np.arange(len(self.weight))
        dense[types, :, :, types] = self.type_transitions
        return dense.reshape(self.states, self.actions, self.states)

    @cached_property
    def start(self):
        """Probability of each state at the start, (S,): no fatigue, empty pantry, full price."""
        first = np.zeros((len(self.weight), self.levels))
        first[:, 0] = self.weight
        return first.ravel()

    def _by_type(self, policy):
        """A policy over the S states (or over the S states and A actions), by type and level."""
        given = np.asarray(policy)
        if given.ndim not in (1, 2) or given.shape[0] != self.states:
            raise ValueError(
                f"policy has shape {given.shape}; give ({self.states},) actions "
                f"or ({self.states}, {self.actions}) probabilities"
            )
        return given.reshape(len(self.weight), self.levels, *given.shape[1:])

    def _earned(self, policy, weeks=None):
        """Value of a policy by type and level from the start of a customer of each type, (T,)."""
        problem = self.type_rewards, self.type_transitions, policy
        if weeks is None and self.horizon:
            weeks = self.weeks
        if weeks is None:
            return dp.policy_value(*problem, self.discount)[:, 0]
        return dp.finite_policy_value(*problem, weeks, self.discount)[:, 0]

    def policy_value(self, policy, weeks=None):
        """Expected discounted profit per customer from the start, in closed form.

        `policy` is (S,) actions or (S, A) probabilities; `weeks` counts only the first weeks.
        """
        return float(self.weight @ self._earned(self._by_type(policy), weeks))

    @cached_property
    def optimum(self):
        """The stationary optimum: policy (T, L), value (T, L) and Q (T, L, A)."""
        if self.horizon:
            raise ValueError(
                f"{self.name}: the weeks left decide as well; use weekly_optimum, or a world "
                "with horizon=False"
            )
        return dp.optimum(self.type_rewards, self.type_transitions, self.discount)

    @cached_property
    def weekly_optimum(self):
        """The optimum for an episode of `weeks`: policy (weeks, T, L), value and Q by week."""
        problem = self.type_rewards, self.type_transitions
        return dp.finite_optimum(*problem, self.weeks, self.discount)

    @property
    def optimal_policy(self):
        """The best action in each state, (S,)."""
        return self.optimum.policy.ravel()

    def optimal_value(self):
        """Expected discounted profit per customer of the best policy, from the start."""
        value = self.weekly_optimum.value[0] if self.horizon else self.optimum.value
        return float(self.weight @ value[:, 0])

    def standard_policies(self):
        """The policies that every learner is compared with, name → (S,) or (S, A).

        `none` offers nothing, `uniform` the same promotion to everybody, the best such one;
        `segment-best` the best constant promotion of each type; `myopic` maximises this week's
        profit in each state; `random` draws from the menu.
        """
        everywhere = np.ones((len(self.weight), self.levels), int)
        earned = np.stack([self._earned(a * everywhere) for a in range(self.actions)])  # (A, T)
        best = (earned @ self.weight).argmax()
        return {
            "none": np.zeros(self.states, int),
            "uniform": np.full(self.states, best),
            "segment-best": earned.argmax(axis=0).repeat(self.levels),
            "myopic": dp.myopic_policy(self.rewards),
            "random": np.full((self.states, self.actions), 1 / self.actions),
        }

    # What an agent sees ------------------------------------------------------------------------

    @cached_property
    def features(self):
        """Observation of each state, (S, 7): four standardised traits and three memories.

        Log odds, visit probability, price slope and attention are zero where all types agree; the
        memories are parts of their highest level.
        """
        traits = np.stack(
            [np.log(self.odds + 1e-12), self.visit, self.slope, self.attention], axis=1
        )
        centre = self.weight @ traits
        spread = np.sqrt(self.weight @ (traits - centre) ** 2)
        # Traits on which all types agree keep a tiny spread from rounding; they become zeros.
        standard = np.where(spread > 1e-9, (traits - centre) / np.maximum(spread, 1e-9), 0.0)
        tops = np.maximum(np.array(self.shape) - 1, 1)
        return np.hstack(
            [
                standard.repeat(self.levels, axis=0),
                np.tile(self.memories.T / tops, (len(self.weight), 1)),
            ]
        )

    @property
    def observation_size(self):
        """Length of an observation: 7, and one more for the weeks left if they are few."""
        return self.features.shape[1] + self.horizon

    def observe(self, state):
        """Observation of one state or of an array of states at the start of an episode."""
        seen = self.features[np.asarray(state)]
        if not self.horizon:
            return seen
        return np.concatenate([seen, np.ones((*seen.shape[:-1], 1))], axis=-1)

    def with_discounts(self, depths):
        """The same world in which the promotions are the continuous offer at these depths."""
        menu = [replace(self.offer, name=f"{d:.1%} off", depth=float(d)) for d in depths if d > 0]
        return replace(self, promotions=(NOTHING, *menu))
