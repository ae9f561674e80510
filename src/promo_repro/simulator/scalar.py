"""One customer in plain Python: the same world written a second time, week by week.

It shares no computation with the batched core but the specification, so that the two check each
other; and it is the ordinary way to write such an environment, so it is what the batched core is
compared with for speed.
"""

from bisect import bisect_right
from itertools import accumulate
from math import ceil, exp

from promo_repro.simulator.world import DEEPEST_CUT, World


class Customer:
    """A customer who is offered something each week; `begin` draws one, `step` is a week.

    With `continuous` an action is a discount in [0, 1] instead of the index of a promotion.
    """

    def __init__(self, world: World, continuous: bool = False):
        self.world = world
        self.continuous = continuous
        self._promotions = [
            (p.depth, p.gift, p.reach, p.display, p.mailer, p.contact, p.wear)
            for p in world.promotions
        ]
        columns = (world.odds, world.visit, world.slope, world.attention)
        self._types = list(zip(*(column.tolist() for column in columns), strict=True))
        # Single precision, as in the batched core: the two draw the same types.
        self._weights = world.weight.cumsum()[:-1].astype("float32").tolist()
        self._choice = [list(accumulate(row)) for row in world.choice.tolist()]
        self._prices = world.prices.tolist()

    def begin(self, uniform: float) -> None:
        """A new customer, fresh, of the type that `uniform` falls on."""
        self.type = bisect_right(self._weights, uniform)
        self.fatigue = self.pantry = self.reference = self.week = 0

    @property
    def state(self) -> int:
        """The index of the state into the tables of the world."""
        _, pantries, references = self.world.shape
        level = (self.fatigue * pantries + self.pantry) * references + self.reference
        return self.type * self.world.levels + level

    def step(self, action, uniforms) -> tuple[float, bool]:
        """The profit of a week and whether it was the last; three uniforms decide.

        Raises `ValueError` for an unknown promotion and for a discount that is NaN or outside
        [0, 1].
        """
        depth, gift, reach, display, mailer, contact, wear = self._effect(action)
        world = self.world
        odds, visit, slope, base = self._types[self.type]

        expected = 1.0
        if world.reference_levels:
            expected -= world.deepest * self.reference / world.reference_levels
        odds *= (1 / expected**world.memory) ** slope * exp(-world.dips[self.pantry])
        noticed = uniforms[0] < min(1.0, base * reach * world.fade**self.fatigue)
        if noticed:
            paid = 1 - min(depth + gift, DEEPEST_CUT)
            odds *= paid**slope * exp(world.display * display + world.mailer * mailer)
        bought = uniforms[1] < visit * odds / (1 + odds)

        profit = -contact
        if bought:
            product = bisect_right(self._choice[self.type], uniforms[2], 0, len(self._prices) - 1)
            margin = world.margin
            if noticed:
                margin -= depth * (1 - world.funding) + gift * (1 - world.margin)
            profit += margin * self._prices[product]

        self._remember(wear, depth if noticed else 0.0, noticed and bought and depth + gift > 0)
        self.week += 1
        return profit, self.week >= world.weeks

    def _effect(self, action):
        if not self.continuous:
            if action != action or action != int(action) or not 0 <= action < self.world.actions:
                menu = ", ".join(f"{i} {p.name}" for i, p in enumerate(self.world.promotions))
                raise ValueError(f"unknown promotion {action!r}; the menu is {menu}")
            return self._promotions[int(action)]
        if not 0 <= action <= 1:
            raise ValueError(f"discount is {action!r}; give a part of the price in [0, 1]")
        if action == 0:
            return self._promotions[0]
        offer = self.world.offer
        return float(action), 0.0, offer.reach, 0.0, 0.0, offer.contact, offer.wear

    def _remember(self, wear, depth, stocked) -> None:
        world = self.world
        if wear:
            self.fatigue = min(self.fatigue + wear, world.fatigue_levels)
        else:
            self.fatigue = max(self.fatigue - 1, 0)
        self.pantry = len(world.dips) - 1 if stocked else max(self.pantry - 1, 0)
        cut = world.reference_levels * min(depth / world.deepest, 1)
        taught = ceil(cut - 1e-6)
        self.reference += (taught > self.reference) - (taught < self.reference)
