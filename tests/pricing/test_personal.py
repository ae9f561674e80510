"""Learned discounts: profits by hand, learning on planted customers, and the value of rules."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from promo_repro.pricing import personal
from promo_repro.pricing.personal import (
    MENU,
    Offers,
    outcome_profit,
    policy_gain,
    replay_gain,
    shelf_propensity,
)
from promo_repro.response.logit import Choices, choice_probabilities
from promo_repro.response.panels import CategoryTrips


@pytest.fixture
def offers(rng):
    """Trips of one category: customers with a high first feature respond, the others do not."""
    n = 6_000
    x = rng.normal(size=(n, 8))
    depth = rng.choice([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], n)
    slope = np.where(x[:, 0] > 0, -6.0, 0.0)
    own = np.full(n, 0.4) * (1 - depth) ** slope
    q = own / (1 + own)
    segment = (x[:, 0] > 0) * 2
    return Offers(
        category=np.zeros(n, int),
        product=rng.integers(0, 3, n),
        household=np.arange(n) // 3,
        week=rng.integers(40, 53, n),
        segment=segment,
        price=np.full(n, 2.0),
        other_price=np.full(n, 3.0),
        features=x,
        shelf=np.column_stack([np.log(1 - depth), np.zeros((n, 2))]),
        outcome=(rng.random(n) < q) * 1,
        own=np.full(n, 0.4),
        others=np.full(n, 0.0),
        slope=slope,
    )


def test_profit_by_hand():
    # 0.2 · 2 · (0.3 - 0.5 · 0.1) + 0.5 · 3 · 0.3.
    assert outcome_profit([0.3, 0.2, 0.5], 2.0, 3.0, 0.1, 0.3, 0.5) == pytest.approx(0.1 + 0.45)


def test_profits_of_the_logit_are_those_of_its_probabilities(offers):
    few = replace(offers.take(np.arange(5)), others=np.full(5, 0.7))
    profits = personal.logit_profits(few, 0.4, 0.5)
    assert profits.shape == (5, len(MENU))
    odds = few.own * (1 - MENU[3]) ** few.slope
    q = choice_probabilities(np.log(np.column_stack([odds, few.others])))
    q = np.column_stack([1 - q.sum(axis=1), q])
    assert profits[:, 3] == pytest.approx(outcome_profit(q, 2.0, 3.0, MENU[3], 0.4, 0.5))


def test_arms_are_the_bins_of_the_menu(offers):
    depth = 1 - np.exp(offers.shelf[:, 0])
    assert np.array_equal(offers.arm, np.round(10 * depth).astype(int))


def test_static_price_is_the_best_of_each_segment(offers):
    rule = personal.segment_rule(offers, personal.logit_profits(offers, 0.5))
    assert set(rule) == {(0, 0), (0, 2)}
    assert rule[0, 0] == 0
    # Odds 0.4 (1 - d)^-6 times 0.5 - d over one plus the odds: 0.143, 0.172, 0.181, 0.155, 0.09.
    assert MENU[rule[0, 2]] == 0.2
    chosen = personal.by_segment(offers, rule)
    assert np.array_equal(np.unique(chosen[offers.segment == 0]), [0])


def test_rule_engine_by_hand(offers):
    few = offers.take(np.arange(4))
    few = replace(few, segment=np.array([0, 1, 2, 2]))
    few.features[:, 6] = [1.0, 2.0, 3.0, 0.0]
    assert personal.rule_engine(few).tolist() == [1, 1, 2, 3]


def test_the_network_learns_who_responds(offers):
    model = personal.learn_response(offers, 0, epochs=30)
    choice = personal.network_profits(model, offers, 0.5).argmax(axis=1)
    responsive = offers.features[:, 0] > 0
    assert MENU[choice[responsive]].mean() > MENU[choice[~responsive]].mean() + 0.1
    truth = personal.logit_profits(offers, 0.5)
    assert policy_gain(truth, choice) > 0.5 * policy_gain(truth, truth.argmax(axis=1))


def test_the_same_seed_gives_the_same_network(offers):
    few = offers.take(np.arange(500))
    a, b = (personal.learn_response(few, 3, epochs=2) for _ in range(2))
    inputs = np.concatenate([few.features, few.shelf], axis=1)
    assert np.array_equal(a.probabilities(inputs), b.probabilities(inputs))
    assert a.probabilities(inputs).sum(axis=1) == pytest.approx(1)


def test_history_repeats_what_was_bought(offers):
    model = personal.learn_history(offers, 0, epochs=5)
    q = model.probabilities(offers.features)
    assert q.shape == (len(offers.price), len(MENU))


def test_training_keeps_dtype_and_device():
    x = torch.randn(64, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network = personal.train(x, torch.zeros(64, dtype=torch.int64), 2, torch.Generator(), 1)
    assert network(x).dtype == torch.float64


def test_a_network_can_live_on_the_meta_device():
    network = personal.Network(3, 2, torch.Generator()).to("meta")
    assert network(torch.empty(5, 3, device="meta")).shape == (5, 2)


def test_gain_by_hand():
    profits = [[1.0, 2.0], [3.0, 1.0]]
    assert policy_gain(profits, np.array([1, 0])) == pytest.approx(0.5)
    assert policy_gain(profits, np.array([1, 0]), baseline=1) == pytest.approx(1.0)
    # One trip, the deepest of three depths.
    assert policy_gain([[1.0, 2.0, 5.0]], np.array([2])) == pytest.approx(4.0)


def test_replay_by_hand():
    # Offered to both: shown trips 1 and 3 (arm 1), unshown 0 and 2; all propensities one half.
    reward, arm = np.array([1.0, 5.0, 3.0, 4.0]), np.array([0, 1, 0, 1])
    gain, low, high = replay_gain(reward, arm, np.full((4, 2), 0.5), np.ones(4, int), np.arange(4))
    assert gain == pytest.approx(4.5 - 2.0)
    # Influences -1/2 (-1), 1/2 · 0.5, -1/2 · 1, 1/2 · -0.5.
    half = 1.96 * np.sqrt((0.25 + 0.0625 + 0.25 + 0.0625) * 4 / 3)
    assert (low, high) == pytest.approx((gain - half, gain + half))


def test_replay_weights_by_the_inverse_propensity():
    reward, arm = np.array([2.0, 6.0, 0.0, 0.0]), np.array([1, 1, 0, 0])
    propensity = np.array([[0.5, 0.5], [0.8, 0.2], [0.5, 0.5], [0.8, 0.2]])
    gain, _, _ = replay_gain(reward, arm, propensity, np.ones(4, int), np.arange(4))
    assert gain == pytest.approx((2 * 2.0 + 5 * 6.0) / 7)


def test_trips_that_could_not_have_been_shown_the_rule_do_not_count():
    reward, arm = np.array([2.0, 9.0, 1.0]), np.array([1, 0, 0])
    propensity = np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]])
    gain, _, _ = replay_gain(reward, arm, propensity, np.ones(3, int), np.arange(3))
    assert gain == pytest.approx(2.0 - 1.0)


def test_trips_that_could_not_have_been_shown_no_discount_do_not_count():
    reward, arm = np.array([5.0, 2.0, 9.0, 4.0, 100.0]), np.array([1, 0, 2, 0, 1])
    propensity = 0.5 * np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 1, 1]])
    gain, _, _ = replay_gain(reward, arm, propensity, np.array([1, 1, 2, 2, 1]), np.arange(5))
    assert gain == pytest.approx((5 + 9) / 2 - (2 + 4) / 2)


def test_replay_limits_of_clusters_that_were_shown_both():
    # Values 4.5 with and 2 without the offer. Influences by trip: 0.5 and 0.25, -0.5 and -0.25,
    # since a trip without the offer counts against the gain.
    reward, arm = np.array([1.0, 5.0, 3.0, 4.0]), np.array([0, 1, 0, 1])
    clusters = np.array([0, 0, 1, 1])
    gain, low, high = replay_gain(reward, arm, np.full((4, 2), 0.5), np.ones(4, int), clusters)
    half = 1.96 * np.sqrt((0.75**2 + 0.75**2) * 2 / 1)
    assert (low, high) == pytest.approx((gain - half, gain + half))


def test_replay_finds_the_planted_gain(rng):
    n = 40_000
    cluster = np.arange(n) // 4
    e = np.array([0.7, 0.3])
    arm = (rng.random(n // 4) < e[1]).repeat(4) * 1
    reward = rng.normal(1.0 + 0.5 * arm)
    gain, low, high = replay_gain(reward, arm, np.tile(e, (n, 1)), np.ones(n, int), cluster)
    assert low < 0.5 < high
    assert gain == pytest.approx(0.5, abs=0.1)


def test_propensity_by_hand():
    product, week = np.array([1, 1, 1, 2]), np.array([1, 1, 2, 1])
    e = shelf_propensity(product, week, np.array([0, 0, 2, 1]), 3)
    assert e.tolist() == [[0.5, 0, 0.5]] * 3 + [[0, 1, 0]]
    # The deepest of four depths was never on the shelf.
    e = shelf_propensity(product, week, np.array([0, 0, 2, 1]), 4)
    assert e.tolist() == [[0.5, 0, 0.5, 0]] * 3 + [[0, 1, 0, 0]]


def test_realised_profit_by_hand(offers):
    few = replace(
        offers.take(np.arange(3)),
        outcome=np.array([0, 1, 2]),
        shelf=np.column_stack([np.log([0.9, 0.8, 0.7]), np.zeros((3, 2))]),
    )
    assert personal.realised_profit(few, 0.3, 0.5).tolist() == pytest.approx([0, 0.4, 0.9])


@pytest.fixture
def trips(rng):
    share = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    features = np.zeros((2, 3, 7))
    features[:, :, 5] = [[1, 0, 0], [0, 0, 0]]
    return CategoryTrips(
        Choices(features, np.array([1, 2]), np.array([11, 12])),
        np.array([0, 2]), np.array([40, 41]), np.array([[0.2, 0, 0], [0, 0, 0.1]]),
        np.ones((2, 3)), share, np.array([0.1, 0.4]),
    )  # fmt: skip


def test_favourites_and_their_odds_by_hand(trips):
    vector = np.array([0.5, 0.0, -0.5, 1.0, 2.0, -1.0, -2.0, -3.0, 0.3, 0.2])
    own, others, slope = personal.favourite_odds(vector, trips, np.array([0, 2]))
    assert own[0] == pytest.approx(np.exp(0.5) * 0.7 * 0.01)
    assert others[1] == pytest.approx((np.exp(0.5) * 0.1 + 0.3) * 0.16)
    assert slope.tolist() == [-1, -3]


def test_offers_of_a_category_by_hand(trips):
    history = pd.DataFrame(np.arange(12.0).reshape(2, 6), index=[11, 12])
    vector = np.zeros(10)
    found = personal.category_offers(1, trips, [2.0, 3.0, 4.0], vector, history, 2)
    assert found.outcome.tolist() == [personal.FAVOURITE, personal.OTHER]
    assert found.price.tolist() == [2, 4]
    assert found.other_price.tolist() == pytest.approx([10 / 3, 2.75])
    assert found.shelf[0].tolist() == pytest.approx([np.log(0.8), 1, 0])
    assert found.product.tolist() == [100, 102]
    assert found.features.shape == (2, 6 + 4 + 3 + 2)
    assert found.features[:, 6].tolist() == pytest.approx(list(np.log([0.1, 0.4])))
    both = personal.joined([found, found])
    assert len(both.price) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: outcome_profit([0.5, 0.6, 1.2], 1.0, 1.0, 0.1, 0.3), "probability"),
        (lambda: outcome_profit([0.5, 0.3, 0.2], -1.0, 1.0, 0.1, 0.3), "price"),
        (lambda: outcome_profit([0.5, 0.3, 0.2], 1.0, 0.0, 0.1, 0.3), "other_price"),
        (lambda: outcome_profit([0.5, 0.3, 0.2], 1.0, 1.0, 10, 0.3), "depth"),
        (lambda: outcome_profit([0.5, 0.3, 0.2], 1.0, 1.0, 0.1, np.nan), "NaN"),
        (lambda: policy_gain([[1.0, 2.0]], np.array([2])), "2 depths"),
        (lambda: policy_gain([[1.0, 2.0]], np.array([-1])), "2 depths"),
        (lambda: policy_gain(np.ones((3, 2)), np.array([0, 0, 2])), "2 depths"),
        (lambda: policy_gain([[1.0, 2.0]], np.array([0.5])), "2 depths"),
        (lambda: policy_gain([[1.0, 2.0]], np.array([0, 0])), "2 depths"),
        (
            lambda: replay_gain(np.ones(2), [0, 0], np.full((2, 2), 0.5), np.ones(2, int), [0, 1]),
            "no trip",
        ),
        (lambda: personal.learn([[np.nan]], [0], 2, 0), "NaN"),
        (lambda: personal.learn([[1.0], [2.0]], [0, 2], 2, 0), "from 0 to 1"),
        (lambda: personal.learn([[1.0], [2.0]], [0], 2, 0), "from 0 to 1"),
        (
            lambda: personal.train(
                torch.tensor([[float("inf")]]), torch.zeros(1).long(), 2, torch.Generator()
            ),
            "infinity",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
