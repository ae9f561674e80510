"""The learning procedure in the calibrated simulator, where the value of every rule is exact.

A network learns from a log who buys at which discount, and each customer type is then offered the
depth of largest predicted profit. Everything here is simulated.
"""

from dataclasses import replace

import numpy as np

from promo_repro.pricing.personal import MENU, Learned, learn
from promo_repro.response import load
from promo_repro.simulator import Promotion, Scenario, World, calibrated, logged_data
from promo_repro.simulator.world import NOTHING

TRAITS = {"all traits": [0, 1, 2, 3], "segment alone": [2]}  # columns of World.features
HISTORIES = ("randomised", "targeted")


def world(category: str = "soft drinks", margin: float = 0.5, funding: float = 0.5) -> World:
    """The calibrated shop with a personal discount from the menu that every customer notices."""
    scenario = Scenario(
        margin=margin, funding=funding, attention=(1.0, 1.0, 1.0), dip=False, promotions=(NOTHING,)
    )
    shop = calibrated(load(), category, scenario, size=10_000)
    return replace(shop, offer=Promotion("personal discount")).with_discounts(MENU)


def behaviour(shop: World, history: str) -> np.ndarray:
    """Probability of each depth by state, (S, A): how the shop gave discounts in the past.

    `randomised` draws them; `targeted` gives 30 % to the types that buy most and nothing to the
    others, except for one customer in twenty.
    """
    if history not in HISTORIES:
        raise ValueError(f"unknown history {history!r}; choose from {', '.join(HISTORIES)}")
    even = np.full((shop.states, shop.actions), 1 / shop.actions)
    if history == "randomised":
        return even
    given = np.where(shop.odds > np.median(shop.odds), 3, 0)
    return 0.95 * np.eye(shop.actions)[given] + 0.05 * even


def predicted_profits(model: Learned, shop: World, seen) -> np.ndarray:
    """Predicted profit of each state and depth, (S, A)."""
    traits = np.repeat(shop.features[:, seen], len(MENU), axis=0)
    cut = np.tile(np.log(1 - MENU), shop.states)[:, None]
    bought = model.probabilities(np.hstack([traits, cut]))[:, 1].reshape(-1, len(MENU))
    return bought * (shop.choice @ shop.prices)[:, None] * shop.margins[:, 1]


def learned_rule(shop: World, history: str, seen, customers: int, seed: int) -> np.ndarray:
    """Depth index by state after learning from the log of one week of `customers`."""
    log = logged_data(shop, behaviour(shop, history), customers, 1, np.random.default_rng(seed))
    state, action = log.state[:, 0].astype(int), log.action[:, 0].astype(int)
    inputs = np.hstack([shop.features[state][:, seen], np.log(1 - MENU[action])[:, None]])
    model = learn(inputs, log.bought[:, 0] > 0, 2, seed)
    return predicted_profits(model, shop, seen).argmax(axis=1)


def segment_best(shop: World) -> np.ndarray:
    """The best depth of each segment of types, known exactly, by state."""
    total = (shop.weight[:, None] * shop.rewards).reshape(3, -1, shop.actions).sum(axis=1)
    return total.argmax(axis=1).repeat(len(shop.weight) // 3)


def rule_engine(shop: World) -> np.ndarray:
    """The hand-written rules of `personal.rule_engine` for types, by state.

    20 % for the deal-prone third of the types, 10 % for the middle, nothing for the others; one
    step more for the half that seldom buys.
    """
    segment = np.arange(3).repeat(len(shop.weight) // 3)
    return segment + (shop.odds < np.median(shop.odds))


def best_for_all(shop: World) -> np.ndarray:
    """The best single depth for everybody, known exactly, by state."""
    return np.full(shop.states, (shop.weight @ shop.rewards).argmax())


RULES = {
    "static segment price": segment_best,
    "one depth for everybody": best_for_all,
    "rule engine": rule_engine,
}


def part_of_optimum(shop: World, rule) -> float:
    """Gain of a rule (S,) over no discount as a part of the largest one, exact.

    Raises `ValueError` if no discount gains anything in this shop.
    """
    best, nothing, value = (
        shop.policy_value(policy, 1)
        for policy in (shop.rewards.argmax(axis=1), np.zeros(shop.states, int), rule)
    )
    if not best > nothing:
        raise ValueError("no discount is worth anything in this scenario: there is nothing to gain")
    return float((value - nothing) / (best - nothing))


def share_of_optimum(
    history: str,
    traits: str = "all traits",
    customers: int = 20_000,
    seeds=(0, 1, 2),
    margin: float = 0.5,
    funding: float = 0.5,
) -> np.ndarray:
    """`part_of_optimum` of the learned rule, by seed."""
    shop = world(margin=margin, funding=funding)
    return np.array(
        [
            part_of_optimum(shop, learned_rule(shop, history, TRAITS[traits], customers, seed))
            for seed in seeds
        ]
    )


def mean_share(history: str, traits: str, customers: int, seeds, margin=0.5, funding=0.5) -> float:
    """Mean over the seeds of `share_of_optimum`."""
    return float(share_of_optimum(history, traits, customers, seeds, margin, funding).mean())


def rule_share(rule: str, margin: float = 0.5, funding: float = 0.5) -> float:
    """`part_of_optimum` of one of the `RULES`."""
    shop = world(margin=margin, funding=funding)
    return part_of_optimum(shop, RULES[rule](shop))
