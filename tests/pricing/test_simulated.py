"""Learning in the simulator: rules and their exact values."""

import numpy as np
import pytest

from promo_repro.pricing import simulated
from promo_repro.pricing.personal import MENU


@pytest.fixture(scope="module")
def shop():
    return simulated.world(margin=0.4, funding=0.5)


def test_the_menu_is_that_of_the_chapter(shop):
    assert shop.actions == len(MENU)
    assert [p.depth for p in shop.promotions] == pytest.approx(list(MENU))
    assert (shop.contacts == 0).all()
    assert shop.states == len(shop.weight)


def test_histories_are_probabilities(shop):
    for history in simulated.HISTORIES:
        assert simulated.behaviour(shop, history).sum(axis=1) == pytest.approx(1)
    targeted = simulated.behaviour(shop, "targeted")
    heavy = shop.odds > np.median(shop.odds)
    assert targeted[heavy, 3] == pytest.approx(0.96)
    assert targeted[~heavy, 0] == pytest.approx(0.96)
    with pytest.raises(ValueError, match="unknown history"):
        simulated.behaviour(shop, "guessed")


def test_segment_best_is_the_best_of_each_segment(shop):
    rule = simulated.segment_best(shop)
    value = shop.policy_value(rule, 1)
    third = shop.states // 3
    for s in range(3):
        assert len(set(rule[s * third : (s + 1) * third])) == 1
        for depth in range(shop.actions):
            other = rule.copy()
            other[s * third : (s + 1) * third] = depth
            assert shop.policy_value(other, 1) <= value + 1e-12


def test_predictions_of_a_perfect_model_are_the_rewards(shop):
    class Perfect:
        def probabilities(self, inputs):
            bought = shop.buying[:, 0, :, 1].ravel()
            return np.column_stack([1 - bought, bought])

    profits = simulated.predicted_profits(Perfect(), shop, [0, 1, 2, 3])
    assert profits == pytest.approx(shop.rewards)


def test_shares_lie_below_one_and_the_static_price_is_near_it():
    share = simulated.share_of_optimum("randomised", customers=1_000, seeds=(0,), margin=0.4)
    assert share.shape == (1,)
    assert share[0] <= 1
    assert 0.8 < simulated.rule_share("static segment price", 0.4) <= 1


def test_the_rule_engine_by_hand(shop):
    rule = simulated.rule_engine(shop)
    third = shop.states // 3
    rare = shop.odds < np.median(shop.odds)
    assert rare.sum() == shop.states // 2
    for s, depth in enumerate((0, 1, 2)):
        part = slice(s * third, (s + 1) * third)
        assert (rule[part] == np.where(rare[part], depth + 1, depth)).all()


def test_parts_of_the_optimum(shop):
    best = shop.rewards.argmax(axis=1)
    assert simulated.part_of_optimum(shop, best) == pytest.approx(1)
    assert simulated.part_of_optimum(shop, np.zeros(shop.states, int)) == pytest.approx(0)
    gain = shop.weight @ (shop.rewards[:, 4] - shop.rewards[:, 0])
    most = shop.weight @ (shop.rewards.max(axis=1) - shop.rewards[:, 0])
    assert simulated.part_of_optimum(shop, np.full(shop.states, 4)) == pytest.approx(gain / most)


def test_the_best_single_depth_is_the_best_of_all(shop):
    value = shop.policy_value(simulated.best_for_all(shop), 1)
    values = [shop.policy_value(np.full(shop.states, k), 1) for k in range(shop.actions)]
    assert value == pytest.approx(max(values))


def test_fitted_prices_are_worth_more_than_the_rule_engine():
    static, single, engine = (simulated.rule_share(rule, 0.4) for rule in simulated.RULES)
    assert engine < single <= static <= 1


def test_without_anything_to_gain_there_is_no_share():
    with pytest.raises(ValueError, match="nothing to gain"):
        simulated.share_of_optimum("randomised", customers=500, seeds=(0,), margin=0.2, funding=0.0)
