"""The chapter's experiments on small cases: by hand, against brute force, and their limits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from promo_repro.allocation import Problem, instance, offers, solve, studies, uplift
from promo_repro.response import load
from promo_repro.response.population import draw_population

LINE = Problem(np.array([[9.0], [7.0], [4.0], [2.0]]), np.ones((4, 1)), budget=2.5)


@pytest.fixture(scope="module")
def shop():
    return load()


@pytest.fixture(scope="module")
def people(shop):
    return draw_population(shop, 150, np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(shop, people):
    return offers.expected(shop, people, offers.menu(shop))


def test_bound_and_gap_by_hand():
    assert studies.bound_at(LINE, [4.0]) == pytest.approx(4 * 2.5 + 5 + 3)
    assert studies.bound_at(LINE, [0.0]) == 22
    assert studies.gap_at_prices(LINE, 1.0) == pytest.approx(0, abs=1e-12)
    # At price 8 the bound is 20 + 1 instead of 18.
    assert studies.gap_at_prices(LINE, 2.0) == pytest.approx(21 / 18 - 1)


def test_slopes_and_price_by_hand():
    assert studies.one_sided_slopes(LINE, "budget", 0.25) == pytest.approx((4, 4))
    assert studies.one_sided_slopes(LINE.with_budget(2.0), "budget", 0.5) == pytest.approx((7, 4))
    assert studies.price_of(LINE, "budget") == pytest.approx(4)
    stocked = replace(LINE, stock=[2.5], budget=9.0)
    assert studies.one_sided_slopes(stocked, "stock 1", 0.25) == pytest.approx((4, 4))


def test_the_price_lies_between_the_slopes():
    for seed in range(5):
        problem = instance(60, 3, seed)
        for row in problem.coupling.names:
            assert studies.price_outside_slopes(problem, row, 1e-3) < 1e-6


def test_usage_ratio_counts_whole_promotions():
    assert studies.usage_ratio(LINE, "budget") == pytest.approx(2 / 2.5)


def test_relative_values():
    values = {
        rule: studies.relative_value(LINE.with_budget(2.0), rule)
        for rule in ("optimum", "greedy", "threshold", "uniform", "random")
    }
    assert values["optimum"] == values["greedy"] == values["threshold"] == 1
    assert values["uniform"] == 1  # users come in the order of their value here
    assert values["random"] <= 1


def test_frontier_and_its_band():
    values, prices = studies.frontier_values(LINE, [1.0, 2.5, 4.0])
    assert values == pytest.approx([9, 18, 22])
    assert prices[1] == pytest.approx(4)
    same = Problem(np.full((20, 1), 3.0), np.ones((20, 1)), budget=5.0)
    assert studies.frontier_band(same, [5.0, 7.0], 4, 0) == pytest.approx(np.tile([15, 21], (4, 1)))
    spread = studies.frontier_band(instance(200, 3), [20.0, 40.0], 6, 0)
    assert spread.shape == (6, 2)
    assert (spread.std(axis=0) > 0).all()


def test_shrinkage_by_hand():
    estimate = np.array([[1.0], [3.0]])
    assert studies.shrunk(estimate, 0.6).ravel().tolist() == pytest.approx([2 - 0.64, 2 + 0.64])
    assert studies.shrunk(estimate, 0.0) == pytest.approx(estimate)
    assert studies.shrunk(estimate, 9.0).ravel().tolist() == [2, 2]


def test_shrinkage_removes_the_curse_of_normal_values():
    rng = np.random.default_rng(7)  # not the generator of the noise
    truth = Problem(rng.normal(0, 1, (4_000, 1)), np.ones((4_000, 1)), budget=400.0)
    raw = studies.curse(truth, 1.0, 6, 0)
    mended = studies.curse(truth, 1.0, 6, 0, shrink=True)
    assert raw.shape == (6, 2)
    assert (raw[:, 0] - raw[:, 1]).mean() > 0.4
    assert abs((mended[:, 0] - mended[:, 1]).mean()) < 0.06
    assert studies.curse(truth, 0.0, 1, 0)[0] == pytest.approx([1, 1])


def test_promised_and_kept_by_hand():
    promised, kept = studies.promised_and_kept(LINE.with_budget(1.0), [[1.0], [2.0], [18.0], [0.0]])
    assert (promised, kept) == pytest.approx((2, 4 / 9))


def test_estimation_error_of_the_shop(shop, people, found):
    out = studies.estimation(shop, people, offers.menu(shop), "sales", 2, 0)
    assert out.shape == (2, 3)
    assert (out[:, 1] <= 1 + 1e-6).all()
    assert (abs(out - 1) > 1e-4).any()


def test_curvatures(shop, people):
    assert studies.curvature_in_shares(instance(50, 3), 0) < 1e-12
    assert studies.curvature_in_depth(shop, people, "soft drinks", 0.5) > 0.01


def randomised(seed, effect, n=6_000):
    """Two arms; `effect` times the sign of the first feature is what the second one adds."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    outcome = rng.normal(size=n) + effect * arm * np.sign(x[:, 0])
    return uplift.Trial(x, arm, outcome, np.full(2, 0.5))


def test_uplift_that_exists_is_found_and_uplift_that_does_not_is_only_promised():
    learn, test, none = randomised(0, 1.0), randomised(1, 1.0), randomised(2, 0.0)
    low, high = studies.advantage_limits(learn, test, 1.0, 0.5)
    assert studies.advantage(learn, test, 1.0, 0.5) == low > 0
    # Half get it, and it brings one each; at random it brings nothing.
    assert low < 0.5 < high
    # Where nothing is to be gained, cell means promise a gain all the same.
    dud = studies.allocated_by_uplift(none, "cells", 0.0, 0.5, 0)
    assert dud.promised > 0.02
    assert dud.measured[1] < 0 < dud.measured[2]
    means = studies.mean_over_splits(none, "cells", 0.0, 0.5, [0, 1])
    other = studies.allocated_by_uplift(none, "cells", 0.0, 0.5, 1)
    assert means[0] == pytest.approx((dud.promised + other.promised) / 2)
    assert means[4] == pytest.approx((dud.random + other.random) / 2)


def test_overspending_by_hand():
    assert studies.overspend_probability(10.0, 4.0, 10.0) == 0.5
    assert studies.overspend_probability(10.0, 4.0, 12.0) == pytest.approx(norm.sf(1))
    variance = np.ones((4, 1))
    whole = LINE.with_budget(2.0)
    assert studies.spend(whole, variance, solve(whole).choice) == (2, 2)
    assert studies.overspend(whole, variance, 0.0) == pytest.approx(0.5)
    # One deviation of 1.41 held back leaves 0.59, for which nobody is whole.
    assert studies.overspend(whole.with_budget(4.0), variance, 1.0) == pytest.approx(
        norm.sf(4, 2, np.sqrt(2))
    )


def test_fairness_has_a_price():
    group = np.array([0, 0, 1, 1])
    even = LINE.with_budget(2.0)
    value, rates = studies.parity(even, group, 0.0)
    assert value == pytest.approx(13)
    assert rates.tolist() == [0.5, 0.5]
    assert studies.price_of_fairness(even, group, 0.0) == pytest.approx(1 - 13 / 16)
    assert studies.price_of_fairness(even, group, 0.5) == pytest.approx(0)


def test_integrality_by_brute_force():
    gap, loss, split = studies.integrality(8, 2, 0)
    problem = instance(8, 2, 0)
    v, c = problem.value.numpy(), problem.cost.numpy()
    stock = problem.coupling.bounds[1:]
    best = 0.0
    for code in range(3**8):
        pick = np.array([code // 3**i % 3 for i in range(8)])
        taken = np.nonzero(pick)[0]
        given = np.bincount(pick[taken] - 1, minlength=2)
        if (given <= stock).all() and c[taken, pick[taken] - 1].sum() <= problem.budget:
            best = max(best, v[taken, pick[taken] - 1].sum())
    linear = solve(problem).objective
    assert gap == pytest.approx((linear - best) / linear, abs=1e-6)
    assert 0 <= gap <= loss + 1e-9
    assert split <= 3


def test_greedy_is_enough_only_for_one_promotion_and_one_bound():
    assert studies.greedy_gap(1_000, 1, False, 0) < 0.002
    assert studies.greedy_gap(1_000, 5, True, 0) > 0.03


def test_two_goals_pull_apart(found):
    only = studies.trade_off(found, "sales", "pleasure", 0.0)
    # Whole promotions lose the shares of the few who would be split.
    assert 0.95 < only[0] <= 1 + 1e-9
    assert 0.95 < studies.trade_off(found, "sales", "pleasure", 1.0)[1] <= 1 + 1e-9
    assert studies.worst_objective(found, "sales", "pleasure", 0.0) == only.min() == only[1]
    mixed = studies.trade_off(found, "sales", "pleasure", 0.5)
    assert studies.change_by_second_objective(found, 0, 0.5) == pytest.approx(
        mixed[0] / only[0] - 1
    )
    assert studies.change_by_second_objective(found, 1, 0.5) > 0


def test_the_dip_takes_back(shop, found):
    dip = shop.dip
    assert studies.borrowed(dip) == pytest.approx(-sum(dip.lags) / dip.discount)
    assert studies.overstatement(found, replace(dip, lags=0 * np.asarray(dip.lags))) == 0
    assert studies.overstatement(found, dip) > 0


def test_values_without_knowledge():
    problem = instance(400, 4, 1)
    names = ("nothing", "users", "limits", "costs")
    values = studies.values_without(problem, names)
    assert values[0] > 0.99
    assert (values[1:] < values[0]).all()
    assert (values[1:] > 0).all()
    assert values[2] == studies.value_without(problem, "limits")
    with pytest.raises(ValueError, match="choose users"):
        studies.value_without(problem, "luck")


def test_menus():
    problem = instance(300, 4, 2)
    assert studies.menu_share(problem, [0, 1, 2, 3]) == pytest.approx(1)
    alone = [studies.menu_share(problem, [k]) for k in range(4)]
    assert max(alone) < studies.menu_share(problem, [0, 1]) + 1e-9 or max(alone) < 1
    assert studies.random_menus(problem, 4, 2, 0) == pytest.approx(1)
    assert min(alone) - 1e-9 <= studies.random_menus(problem, 1, 5, 0) <= max(alone) + 1e-9
    assert studies.personal_gain(problem, [0, 1]) > 0
    equal = replace(problem, value=np.ones((300, 4)), cost=np.ones((300, 4)), budget=20.0)
    assert studies.personal_gain(equal, [0, 1]) == pytest.approx(0, abs=0.1)


def test_budgets_lead_to_strategies():
    assert studies.distinct_strategies(LINE, [1.0, 2.0, 3.0]) == 3
    assert studies.distinct_strategies(LINE, [2.0, 2.0]) == 1


def test_sales_and_profit_of_plans(shop, people, found):
    menu = offers.menu(shop)
    low, middle, high = studies.sales_interval(shop, people, menu, 0.3, 4, 0)
    assert low < middle < high
    assert studies.sales_lower_limit(shop, people, menu, 0.3, 4, 0) == low
    profit, of_sales = (studies.profit_by_objective(found, name) for name in ("profit", "sales"))
    assert profit >= max(0, of_sales)
    assert studies.profit_of_sales_plan(found) * solve(
        offers.campaign(found.sales, found.cost)
    ).objective == pytest.approx(of_sales, rel=0.05)


def test_slots_and_shifts():
    worth = studies.slot_worth(40, 6, 0)
    assert worth.shape == (40, 6)
    assert (worth.max(axis=1) == 10).all()
    assert studies.scheduling_gain(40, 6, 40, 0) == 0
    assert studies.scheduling_gain(40, 6, 4, 0) > 0
    # Three workers of pace 10: by forecast 10 + 10 + 10, evenly 5 + 15.
    assert studies.staffing_gain([5.0, 40.0], 3, 10.0) == pytest.approx(30 / 20 - 1)
    assert studies.staffing_gain([20.0, 20.0], 4, 10.0) == pytest.approx(0)
