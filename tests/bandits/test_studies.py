"""The studies: exact parts by hand, measured parts on cases whose answer is known."""

import math

import numpy as np
import pytest

from promo_repro.bandits import (
    EpsilonGreedy,
    LinUCB,
    SegmentShop,
    Thompson,
    intercept_only,
    studies,
)

RATES = [0.2, 0.5, 0.35]


def test_uniform_regret_by_hand():
    assert studies.uniform_regret([0.2, 0.5, 0.5], 10) == pytest.approx(1.0)
    assert studies.uniform_regret([0.3], 10) == 0
    with pytest.raises(ValueError, match="horizon is 0"):
        studies.uniform_regret([0.2, 0.5], 0)


def test_random_choice_has_relative_regret_one():
    random = EpsilonGreedy(1.0)
    assert studies.relative_regret(random, RATES, 500, 500, 0) == pytest.approx(1, abs=0.02)
    assert studies.late_relative_regret(random, RATES, 500, 500, 0) == pytest.approx(1, abs=0.03)
    regret = studies.final_regret(random, RATES, 500, 500, 0)
    assert regret == pytest.approx(studies.uniform_regret(RATES, 500), rel=0.02)


def test_a_constant_epsilon_goes_on_losing_epsilon():
    late = studies.late_relative_regret(EpsilonGreedy(0.2), [0.1, 0.9], 2000, 100, 0)
    assert late == pytest.approx(0.2, abs=0.02)


def test_gains_have_the_right_sign():
    assert studies.gain_over_extremes(0.1, RATES, 500, 300, 0) > 0
    assert studies.gain_over_extremes(1.0, RATES, 500, 300, 0) <= 0
    assert studies.gain_over(Thompson(), EpsilonGreedy(1.0), RATES, 300, 200, 0) > 0
    there = studies.gain_over(Thompson(), EpsilonGreedy(0.1), RATES, 300, 200, 0)
    back = studies.gain_over(EpsilonGreedy(0.1), Thompson(), RATES, 300, 200, 0)
    assert there == pytest.approx(-back)


def test_batches_of_one_cost_nothing_and_of_everything_cost_all_learning():
    assert studies.cost_of_batches(Thompson(), RATES, 200, 100, 1, 0) == 1
    blind = studies.cost_of_batches(Thompson(), RATES, 200, 300, 200, 0)
    regret = studies.final_regret(Thompson(), RATES, 200, 300, 0)
    assert blind * regret == pytest.approx(studies.uniform_regret(RATES, 200), rel=0.03)


def test_learning_on_pays_when_the_arms_trade_places():
    swap = np.repeat([[0.9, 0.1], [0.1, 0.9]], 200, axis=0)
    gain = studies.online_gain(Thompson(discount=0.95), swap, 200, 400, 100, 0)
    # The frozen shop loses 0.8 a decision.
    assert 0.5 < gain < 0.8
    assert studies.online_gain(Thompson(), [0.9, 0.1], 200, 400, 100, 0) <= 0
    for bad in (0, 400):
        with pytest.raises(ValueError, match=f"learn_until is {bad}"):
            studies.online_gain(Thompson(), swap, bad, 400, 10, 0)


def test_the_online_estimate_is_the_batch_estimate():
    assert studies.online_batch_gap(60, 3, 0) < 1e-12
    assert studies.online_batch_gap(60, 3, 0, left_out=1) > 1e-6


def test_block_order_gap(monkeypatch):
    from promo_repro.bandits import simulation

    monkeypatch.setattr(simulation, "CELLS_PER_BLOCK", 30)
    assert studies.block_order_gap(Thompson(), RATES, 50, 10, 0, extra=15) == 0
    # A block that is not full draws other random numbers once it is filled up.
    assert studies.block_order_gap(Thompson(), RATES, 50, 9, 0, extra=15) > 0


def test_objectives_at_optimum_by_hand():
    objectives = [[1.0, 0.0], [0.8, 0.5], [0.0, 1.0]]
    assert studies.objectives_at_optimum(objectives, 0) == (1, 0)
    assert studies.objectives_at_optimum(objectives, 0.5) == (0.8, 0.5)
    assert studies.objectives_at_optimum(objectives, 1) == (0, 1)
    assert studies.objective_change(objectives, 0.5) == pytest.approx(-0.2)
    assert studies.objective_change(objectives, 0.0) == 0
    with pytest.raises(ValueError, match="weight is 2"):
        studies.objectives_at_optimum(objectives, 2)


def test_context_gain_vanishes_when_all_segments_are_alike():
    alike = SegmentShop(np.array([[0.1, 0.5], [0.1, 0.5]]))
    unlike = SegmentShop(np.array([[0.1, 0.5], [0.5, 0.1]]))
    policy = LinUCB()
    assert studies.context_gain(policy, unlike, 300, 50, 0, intercept_only) > 10
    assert studies.context_gain(policy, alike, 300, 50, 0, intercept_only) < 5


def test_belief_states_by_counting():
    assert studies.belief_states(1, 3) == 4  # 0, 1, 2 or 3 successes
    # Two arms, two pulls: solutions of s₁ + f₁ + s₂ + f₂ = 2.
    count = sum(1 for s in range(3) for f in range(3 - s) for g in range(3 - s - f))
    assert studies.belief_states(2, 2) == count == 10
    with pytest.raises(ValueError, match="arms is 0"):
        studies.belief_states(0, 2)
    with pytest.raises(ValueError, match="horizon is 0"):
        studies.belief_states(2, 0)


def test_index_evaluations_by_hand():
    assert studies.index_evaluations(10, 1000) == 10_000
    with pytest.raises(ValueError, match="arms is 0"):
        studies.index_evaluations(0, 2)
    with pytest.raises(ValueError, match="horizon is 0"):
        studies.index_evaluations(2, 0)


def test_purchase_probability_by_hand():
    p = studies.purchase_probability([8, 10, 10 + 2 * math.log(4)], 10, 2)
    assert p == pytest.approx([1 / (1 + math.exp(-1)), 0.5, 0.2])
    for slope in (0, -1, np.nan):
        with pytest.raises(ValueError, match="slope is"):
            studies.purchase_probability([8.0], 10, slope)


def test_pricing_share_approaches_one_in_a_stationary_market():
    prices = np.array([6.0, 8, 10])
    late = studies.pricing_share(prices, [10.0], 1.5, 2000, 100, 0)
    early = studies.pricing_share(prices, [10.0], 1.5, 50, 100, 0)
    assert early < late < 1
    assert late > 0.95
    one = studies.pricing_share(np.array([7.0]), [10.0], 1.5, 10, 5, 0)
    assert one == 1


def test_grid_share_by_hand():
    fine = np.linspace(5, 10, 501)
    assert studies.grid_share(fine, 10, 1.5) == pytest.approx(1, abs=1e-4)
    price = 3.0
    best = (fine / (1 + np.exp((fine - 10) / 1.5))).max()
    alone = price / (1 + math.exp((price - 10) / 1.5)) / best
    assert studies.grid_share(np.array([price]), 10, 1.5) == pytest.approx(alone, rel=1e-4)


def test_labels_go_further_when_they_are_chosen():
    rare = (3.0, 0.3, 0.1)

    def error(select, labels):
        errors = studies.labelling_errors(select, rare, labels, 200, 0)
        assert errors.shape == (200,)
        return errors.mean()

    assert error("uncertain", 60) < error("random", 60) < error("random", 15)
    saved = studies.labels_saved(rare, 60, 200, 0)
    assert saved == pytest.approx(1 - error("uncertain", 60) / error("random", 60))
    assert saved > 0.2
    with pytest.raises(ValueError, match="select is 'clever'"):
        studies.labelling_errors("clever", rare, 5, 5, 0)


def test_the_interval_of_relative_regret_belongs_to_its_mean():
    mean, half = studies.relative_regret_interval(Thompson(), RATES, 200, 400, 0)
    assert mean == studies.relative_regret(Thompson(), RATES, 200, 400, 0)
    assert 0 < half < 0.1 * mean
    _, wide = studies.relative_regret_interval(Thompson(), RATES, 200, 25, 0)
    assert wide == pytest.approx(4 * half, rel=0.5)


def test_half_buy_at_the_middle_price_however_flat_the_curve():
    assert studies.purchase_probability(np.array([10.0]), 10.0, 0.5) == pytest.approx(0.5)
