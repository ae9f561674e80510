"""The case of two products: its closed forms against dynamic programming and simulation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_repro.agents import continuous_case
from promo_repro.agents.continuous_case import CaseMarket, TwoProducts

CASE = TwoProducts()
ONE = {"response": 1.0, "memory": 0.3, "margin": 0.7, "paid": 1.0, "discount": 0.9}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Equations ----------------------------------------------------------------------------------------


def test_demand_and_profit_by_hand():
    base, given_, previous = np.array([0.3, 0.2]), np.array([0.1, 0.2]), np.array([0.0, 0.4])
    found = continuous_case.demand(base, given_, previous, 1.0, 0.25, 0.5)
    assert found.tolist() == pytest.approx([0.3 + 0.1 - 0.1, 0.2 + 0.2 - 0.1 - 0.05])
    alone = continuous_case.demand(base, given_, previous, 1.0, 0.25)
    assert alone.tolist() == pytest.approx([0.4, 0.3])
    assert continuous_case.profit(0.5, 0.2, 0.7, 0.5) == pytest.approx(0.5 * 0.6)


@settings(max_examples=30)
@given(st.floats(0.4, 2), st.floats(0, 0.35), st.floats(0.2, 1), st.floats(0, 0.95))
def test_curvature_solves_its_equation(response, memory, paid, discount):
    w = continuous_case.curvature(response, memory, paid, discount)
    rest = w**2 - paid * response * w + discount * (paid * memory) ** 2 / 4
    assert rest == pytest.approx(0, abs=1e-12)
    assert w >= paid * response / 2


def test_memory_that_outweighs_the_response_is_refused():
    with pytest.raises(ValueError, match="b² must exceed γ c²"):
        continuous_case.curvature(0.3, 0.4, 1.0, 0.9)
    with pytest.raises(ValueError, match="no discount inside"):
        continuous_case.curvature(-1.0, 0.0, 1.0, 0.9)


def test_best_value_and_discount_against_dynamic_programming():
    base, grid = 0.3, np.linspace(0, 0.4, 401)
    reward = (base + grid - 0.3 * grid[:, None]) * (0.7 - grid)  # (last discount, discount)
    value = np.zeros(401)
    for _ in range(250):
        value = (reward + 0.9 * value).max(axis=1)
    q = reward + 0.9 * value
    level, slope, bend = continuous_case.value_coefficients(base, **ONE)
    assert np.abs(level + slope * grid + bend * grid**2 - value).max() < 1e-5
    closed = continuous_case.best_discount(base, grid, **ONE)
    assert np.abs(closed - grid[q.argmax(axis=1)]).max() < 1e-3


def test_nobody_alone_gains_by_leaving_the_separate_discounts():
    base = np.array([[0.2, 0.4], [0.3, 0.3]])
    at = continuous_case.separate_discounts(base, 1.0, 0.4, 0.7, 1.0)
    for pair, p in zip(at, base, strict=True):
        grid = np.linspace(0, 0.5, 5_001)
        for i in (0, 1):
            own = (p[i] + grid - 0.4 * pair[1 - i]) * (0.7 - grid)
            assert grid[own.argmax()] == pytest.approx(pair[i], abs=2e-4)


def test_printed_weights():
    read = continuous_case.printed_weights
    assert read(0.5, 3, "constant").tolist() == [1, 1, 1]
    assert read(0.5, 3, "own").tolist() == [0.5, 0.75, 0.875]
    assert read(0.5, 3, "standard").tolist() == [1, 0.5, 0.25]
    with pytest.raises(ValueError, match="no reading 'other'; choose from constant"):
        read(0.5, 3, "other")


# The case -----------------------------------------------------------------------------------------


def test_value_of_the_best_policy_is_the_closed_form():
    assert CASE.value(CASE.best) == pytest.approx(CASE.optimal_value(), rel=1e-8)
    short = TwoProducts(memory=0.0, discount=0.5)
    assert short.value(short.best) == pytest.approx(short.optimal_value(), rel=1e-8)


@settings(max_examples=10)
@given(st.floats(-0.05, 0.05), st.floats(-0.2, 0.2), st.floats(-0.3, 0.3))
def test_no_linear_change_of_the_best_policy_is_better(shift, tilt, follow):
    def other(base, previous):
        return CASE.best(base, previous) + shift + tilt * (base - 0.3) + follow * previous

    assert CASE.value(other) <= CASE.value(CASE.best) + 1e-12


@pytest.mark.parametrize("rivalry", [0.0, 0.2])
def test_with_rivalry_the_joint_optimum_is_stationary(rivalry):
    case = TwoProducts(base=(0.2, 0.45), memory=0.2, rivalry=rivalry)
    value = case.value(case.best)

    def moved(amount, sign):
        towards = amount * np.array([1, sign])
        return case.value(lambda p, y: case.best(p, y) + towards)

    for sign in (1, -1):
        assert moved(0.02, sign) < value
        assert moved(-0.02, sign) < value
    with pytest.raises(ValueError, match="do not compete"):
        TwoProducts(base=(0.2, 0.45), memory=0.2, rivalry=0.2).optimal_value()


def test_the_myopic_policy_is_best_without_memory_and_only_then():
    assert CASE.share(CASE.myopic) < 0.98
    forgetful = replace(CASE, memory=0.0)
    assert forgetful.share(forgetful.myopic) == pytest.approx(1)


def test_purchases_are_most_at_the_deepest_discount():
    levels = [CASE.value(CASE.constant(d), "purchase") for d in (0.0, 0.2, 0.4)]
    assert levels == sorted(levels)
    # Without discounts a customer buys p of each product a week, 0.285 on average.
    assert levels[0] == pytest.approx(2 * 0.285 / 0.1, rel=1e-6)
    several = CASE.value(
        lambda p, y: np.broadcast_to([[[0.0]], [[0.4]]], (2, *p.shape)), "purchase"
    )
    assert several.tolist() == pytest.approx([levels[0], levels[2]])


def test_wrong_cases_are_refused():
    with pytest.raises(ValueError, match="range of probabilities"):
        TwoProducts(base=(0.5, 0.2))
    with pytest.raises(ValueError, match=r"reach from -0\.1"):
        TwoProducts(base=(0.0, 0.3))
    with pytest.raises(ValueError, match=r"to 1\.2"):
        TwoProducts(base=(0.2, 0.8))


def test_observations_lie_within_their_range():
    base = torch.tensor([[0.12, 0.45], [0.285, 0.285]])
    seen = CASE.observe(base, torch.tensor([[0.0, 0.4], [0.2, 0.2]]))
    expected = [[-1, 1, -1, 1], [0, 0, 0, 0]]
    assert torch.allclose(seen, torch.tensor(expected).float(), atol=1e-6)
    policy = CASE.discounts_of(lambda seen: seen[..., :2], 3)
    assert policy(base.numpy(), np.zeros((2, 2))).shape == (3, 2, 2)
    assert np.allclose(policy(base.numpy(), np.zeros((2, 2)))[1, 0], [0, 0.4], atol=1e-6)


# The market ---------------------------------------------------------------------------------------


def test_a_week_of_the_market():
    market = CaseMarket(CASE, 2, 50_000)
    market.reset(generator())
    base = market.base.double().numpy()
    _, reward, reached, ended = market.step(torch.full((2, 50_000, 2), -0.5))
    expected = continuous_case.profit(base + 0.1, 0.1, 0.7, 1.0).sum(axis=-1)
    error = reward.double().numpy().mean() - expected.mean()
    assert abs(error) < 4 * float(reward.std()) / 100_000**0.5
    assert torch.allclose(reached[..., 2:], torch.tensor(-0.5))
    assert ended.abs().max() == 0
    # Profits are those of zero, one or two purchases at the margin of 0.6.
    assert {round(x, 4) for x in reward.unique().tolist()} == {0, 0.6, 1.2}


def test_purchases_and_separate_agents():
    bought = CaseMarket(CASE, 1, 1_000, reward="purchase")
    bought.reset(generator())
    _, reward, _, _ = bought.step(torch.zeros(1, 1_000, 2))
    assert set(reward.unique().tolist()) <= {0, 1, 2}
    apart = CaseMarket(CASE, 1, 1_000, reward="purchase", separate=True)
    seen = apart.reset(generator())
    assert apart.agents == 2
    assert seen.shape == (2, 1_000, 4)
    action = torch.stack([torch.full((1_000, 1), -1.0), torch.full((1_000, 1), 1.0)])
    _, each, reached, _ = apart.step(action)
    assert each.shape == (2, 1_000)
    assert set(each.unique().tolist()) == {0, 1}
    # The first agent set the discount of product A, the second that of B.
    assert torch.allclose(reached[0, :, 2], torch.tensor(-1.0))
    assert torch.allclose(reached[0, :, 3], torch.tensor(1.0))


def test_a_new_customer_comes_after_the_last_week():
    case = replace(CASE, weeks=3)
    market = CaseMarket(case, 1, 5)
    first = market.reset(generator())
    for week in range(3):
        seen, _, reached, ended = market.step(torch.ones(1, 5, 2))
        assert torch.equal(reached[..., :2], first[..., :2])
        assert ended.sum() == 0  # cut off, not ended
        assert torch.equal(seen, reached) == (week < 2)
    assert not torch.equal(seen[..., :2], first[..., :2])
    assert torch.allclose(seen[..., 2:], torch.tensor(-1.0))
    with pytest.raises(ValueError, match="no reward 'clicks'; choose profit or purchase"):
        CaseMarket(CASE, 1, 1, reward="clicks")
