"""The customer in plain Python and the batched core are two writings of one world."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from promo_repro.simulator import ArrayShop, Shop
from promo_repro.simulator.scalar import Customer

USERS = 200


def play(world, shop, customers, actions):
    """Profits, states and ends of both, on the same uniforms: (weeks, n) each."""
    rng = np.random.default_rng(5)
    shop.reset_to(3)
    start = shop._customers.uniforms(0, 1, USERS)[0]
    for customer, uniform in zip(customers, start.tolist(), strict=True):
        customer.begin(uniform)
    for week, action in enumerate(actions):
        uniforms = rng.random((3, USERS))
        states = np.asarray(shop.state)
        np.testing.assert_array_equal(states, [customer.state for customer in customers])
        _, reward, terminated, truncated, info = shop.step_with(action, shop._real(uniforms))
        profits, over = zip(
            *(
                c.step(a, u)
                for c, a, u in zip(customers, action.tolist(), uniforms.T.tolist(), strict=True)
            ),
            strict=True,
        )
        np.testing.assert_allclose(np.asarray(reward), profits, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(np.asarray(terminated | truncated), over)
        np.testing.assert_array_equal(
            np.asarray(info["next_state"]), [customer.state for customer in customers]
        )
        assert info["week"] == week


@pytest.mark.parametrize("kind", [ArrayShop, Shop])
@pytest.mark.parametrize("horizon", [False, True])
def test_promotions(lively, kind, horizon):
    world = replace(lively, horizon=horizon)
    dtype = np.float64 if kind is ArrayShop else torch.float64
    actions = np.random.default_rng(1).integers(world.actions, size=(world.weeks, USERS))
    customers = [Customer(world) for _ in range(USERS)]
    play(world, kind(world, USERS, dtype=dtype), customers, actions)


@pytest.mark.parametrize("kind", [ArrayShop, Shop])
def test_discounts(lively, kind):
    dtype = np.float64 if kind is ArrayShop else torch.float64
    rng = np.random.default_rng(2)
    actions = rng.random((lively.weeks, USERS)) * (rng.random((lively.weeks, USERS)) < 0.7)
    actions[3] = 1.0  # given away for nothing
    actions[4] = 0.1  # exactly a third of the deepest cut
    customers = [Customer(lively, continuous=True) for _ in range(USERS)]
    play(lively, kind(lively, USERS, dtype=dtype, continuous=True), customers, actions)


@pytest.mark.parametrize("action", [-1, 6, 1.5, float("nan")])
def test_an_unknown_promotion_is_named(lively, action):
    customer = Customer(lively)
    customer.begin(0.5)
    with pytest.raises(ValueError, match=r"unknown promotion .*recommendation slot"):
        customer.step(action, (0.5, 0.5, 0.5))


@pytest.mark.parametrize("action", [-0.1, 1.1, float("nan")])
def test_a_wrong_discount_is_named(lively, action):
    customer = Customer(lively, continuous=True)
    customer.begin(0.5)
    with pytest.raises(ValueError, match=r"discount is .*\[0, 1\]"):
        customer.step(action, (0.5, 0.5, 0.5))
