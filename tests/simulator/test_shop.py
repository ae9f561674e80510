"""The batched shop: equal keys give equal trajectories, values are exact, limits hold."""

import numpy as np
import pytest
import torch

from promo_repro.simulator import ArrayShop, Shop, worlds
from promo_repro.simulator.shop import Tables, outcome


def run(shop, weeks, key=11, seed=0, offset=0, total=None):
    """Rewards and states (weeks, n) under random promotions; users are `total` in all."""
    rng = np.random.default_rng(seed)
    total = total or shop.n_users
    shop.reset_to(key)
    rewards, states = [], []
    for _ in range(weeks):
        action = rng.integers(shop.world.actions, size=total)[offset : offset + shop.n_users]
        _, reward, _, _, info = shop.step(action)
        rewards.append(np.asarray(reward))
        states.append(np.asarray(info["next_state"]))
    return np.array(rewards), np.array(states)


def test_a_key_gives_the_same_trajectories_in_numpy_and_torch(lively):
    first, second = run(ArrayShop(lively, 500), 25), run(Shop(lively, 500), 25)
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_allclose(first[0], second[0], rtol=1e-6)


def test_the_batch_split_does_not_matter(lively):
    whole = run(ArrayShop(lively, 501), 25)
    parts = [
        run(ArrayShop(lively, n, first_user=at), 25, offset=at, total=501)
        for at, n in ((0, 1), (1, 250), (251, 250))
    ]
    for k in (0, 1):
        joined = np.concatenate([part[k] for part in parts], axis=1)
        np.testing.assert_array_equal(joined, whole[k])


def test_a_week_stays_on_the_device_of_its_tables(lively):
    """On the meta device nothing is computed; a tensor from elsewhere would raise."""
    shop = Shop(lively, 40)
    shop.reset_to(1)
    tables = Tables(
        *(
            part.to("meta") if isinstance(part, torch.Tensor) else part
            for part in (getattr(shop._tables, name) for name in Tables.__dataclass_fields__)
        )
    )
    position, uniforms = (torch.zeros(size, device="meta") for size in (40, (2, 40)))
    for part in outcome(tables, position.long(), uniforms):
        assert part.device.type == "meta"
        assert part.shape == (40,)


def test_generators_give_keys(lively):
    for make in (np.random.default_rng, lambda seed: torch.Generator().manual_seed(seed)):
        one, two, other = (ArrayShop(lively, 100) for _ in range(3))
        first = one.reset(make(4))
        np.testing.assert_array_equal(first, two.reset(make(4)))
        assert (other.reset(make(5)) != first).any()
    with pytest.raises(TypeError, match="no generator"):
        ArrayShop(lively, 3).reset(4)


@pytest.mark.parametrize("name", ["dormant", "memoryless", "season", "personal_discounts"])
@pytest.mark.parametrize("which", ["none", "myopic", "random", "optimal"])
def test_simulated_value_is_the_exact_value(name, which):
    world = worlds.PUBLISHED[name]()
    if which == "optimal" and world.horizon:
        policy = world.weekly_optimum.policy.reshape(world.weeks, -1)
        exact = world.optimal_value()
    elif which == "optimal":
        policy = world.optimal_policy
        exact = world.policy_value(policy, weeks=world.weeks)
    else:
        policy = np.asarray(world.standard_policies()[which])
        exact = world.policy_value(policy, weeks=world.weeks)
    rng = np.random.default_rng(9)
    shop = ArrayShop(world, 20_000)
    shop.reset_to(8)
    total = np.zeros(shop.n_users)
    for week in range(world.weeks):
        if which == "random":
            action = rng.integers(world.actions, size=shop.n_users)
        else:
            action = (policy if policy.ndim == 1 else policy[week])[shop.state]
        total += world.discount**week * shop.step(action)[1]
    error = total.std(ddof=1) / np.sqrt(len(total))
    assert abs(total.mean() - exact) < 4 * error


def test_a_continuous_shop_is_the_grid_on_the_grid():
    world = worlds.personal_discounts()
    depths = np.array([p.depth for p in world.promotions])
    grid = ArrayShop(world, 3_000, np.float64)
    free = Shop(world, 3_000, dtype=torch.float64, continuous=True)
    grid.reset_to(1), free.reset_to(1)
    rng = np.random.default_rng(0)
    for _ in range(10):
        action = rng.integers(len(depths), size=3_000)
        ours = grid.step(action)
        theirs = free.step(torch.as_tensor(depths[action])[:, None])
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12)
        np.testing.assert_array_equal(grid.state, free.state)


def test_products_follow_the_choice_shares(lively):
    shop = ArrayShop(lively, 50_000)
    shop.reset_to(2)
    info = shop.step(np.zeros(50_000, int))[4]
    kinds = info["state"][info["buyers"]] // lively.levels
    for kind in range(4):
        taken = np.bincount(info["product"][kinds == kind], minlength=3)
        error = np.sqrt(0.25 / taken.sum())
        np.testing.assert_allclose(taken / taken.sum(), lively.choice[kind], atol=4 * error)


def test_an_episode_ends_for_all_and_new_customers_come():
    for world, ends in ((worlds.dormant(), False), (worlds.season(), True)):
        shop = Shop(world, 400)
        first = shop.reset_to(1)
        for _ in range(world.weeks - 1):
            observation, _, terminated, truncated, info = shop.step(torch.ones(400))
            assert not (terminated | truncated).any()
            assert "final_observation" not in info
        observation, _, terminated, truncated, info = shop.step(torch.ones(400))
        assert terminated.all() == ends
        assert truncated.all() != ends
        final = info["final_observation"]
        np.testing.assert_allclose(final[:, :7], world.features[info["next_state"]], rtol=1e-6)
        assert (observation != first).any()  # other customers
        assert (observation[:, 4:7] == 0).all()  # who remember nothing yet
        if ends:
            assert (final[:, 7] == 0).all()
            assert (observation[:, 7] == 1).all()


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("kind", [ArrayShop, Shop])
def test_a_budget_is_never_overspent(lively, kind, continuous):
    shop = kind(lively, 300, continuous=continuous, budget=20.0)
    shop.reset_to(4)
    offered = []
    for _ in range(lively.weeks - 1):
        action = np.full(300, 0.2) if continuous else np.ones(300, int)
        info = shop.step(action)[4]
        offered.append(int((np.asarray(info["action"]) > 0).sum()))
        assert shop._budget_left >= -1e-4
    assert 0 < offered[0] < 300
    assert offered[-1] < offered[0]
    shop.step(action)
    assert shop._budget_left == 20.0  # a new episode


def test_no_budget_means_no_offer(lively):
    shop = ArrayShop(lively, 50, budget=0.0)
    shop.reset_to(4)
    assert (shop.step(np.ones(50, int))[4]["action"] == 0).all()


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("kind", [ArrayShop, Shop])
def test_stock_ends_the_episode(lively, kind, continuous):
    shop = kind(lively, 300, continuous=continuous, stock=150)
    shop.reset_to(4)
    sold, ended = 0, False
    while not ended:
        _, reward, terminated, truncated, info = shop.step(np.zeros(300))
        sold += len(info["buyers"])
        ended = bool(terminated.all())
        assert not truncated.any()
        assert ((np.asarray(reward) > 0) == np.asarray(info["bought"])).all()
    assert sold == 150
    assert "final_observation" in info
    assert shop._stock_left == 150


def test_a_sale_that_stock_refuses_fills_no_pantry(lively):
    shop = ArrayShop(lively, 300, stock=1)
    shop.reset_to(4)
    info = shop.step(np.ones(300, int))[4]
    assert info["bought"].sum() == 1
    pantry = lively.memories[1][info["next_state"] % lively.levels]
    assert (pantry > 0).sum() <= 1


@pytest.mark.parametrize("kind", [ArrayShop, Shop])
@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0, 6, 0], r"unknown promotion in action; the menu is 0 none, 1 coupon"),
        ([0, -1, 0], "unknown promotion"),
        ([0.0, np.nan, 0.0], "NaN"),
        ([0.0, 0.5, 0.0], "fractions"),
        ([0, 1], r"action has shape \(2,\); expected \(3,\)"),
    ],
)
def test_a_wrong_promotion_is_named(lively, kind, action, message):
    shop = kind(lively, 3)
    shop.reset_to(1)
    with pytest.raises(ValueError, match=message):
        shop.step(np.array(action))


@pytest.mark.parametrize("kind", [ArrayShop, Shop])
@pytest.mark.parametrize("action", [[0.0, 1.1], [0.0, -0.1], [np.nan, 0.0]])
def test_a_wrong_discount_is_named(lively, kind, action):
    shop = kind(lively, 2, continuous=True)
    shop.reset_to(1)
    with pytest.raises(ValueError, match=r"NaN or a discount outside \[0, 1\]"):
        shop.step(np.array(action))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_users": 0}, "at least one user"),
        ({"n_users": 2.5}, "at least one user"),
        ({"n_users": 5, "budget": -1.0}, "budget is -1.0; it must not be negative"),
        ({"n_users": 5, "stock": -1}, "stock is -1"),
        ({"n_users": 5, "budget": float("nan")}, "budget is nan"),
    ],
)
@pytest.mark.parametrize("kind", [ArrayShop, Shop])
def test_a_wrong_shop_is_refused(lively, kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(lively, **arguments)


def test_a_shop_needs_a_world_and_a_reset(lively):
    with pytest.raises(TypeError, match="needs a World"):
        Shop("dormant", 3)
    with pytest.raises(RuntimeError, match="call reset"):
        Shop(lively, 3).step(np.zeros(3, int))
