"""The listings' defects: each shows as printed, and is gone once mended."""

import numpy as np
import pytest

from promo_repro.agents import dqn_listings as listings

TABLE = np.arange(1.0, 31).reshape(10, 3)


def test_names_that_are_missing_or_idle():
    assert listings.undefined_names(listings.NETWORK) == 1
    assert listings.undefined_names(listings.NETWORK_MENDED) == 0
    assert listings.unread_names(listings.NETWORK) == 1
    assert listings.undefined_names(listings.LAUNCH) == 0
    assert listings.undefined_names(listings.SHUFFLED) > 3
    assert listings.undefined_names(listings.SUPERVISED) == 1
    assert listings.undefined_names(listings.SUPERVISED_MENDED) == 0
    assert listings.unread_names(listings.SUPERVISED) == 4
    assert listings.unread_names(listings.SUPERVISED_MENDED) == 0
    assert listings.undefined_names("def f(a):\n    b = a\n    return b + c\n") == 1
    assert listings.undefined_names("a = b\nb = 1\n") == 1


def test_calls_in_loops():
    assert listings.calls_in_loops(listings.LAUNCH, "train") == 0
    assert listings.calls_in_loops(listings.LOOPED, "train") == 1
    assert listings.calls_in_loops("while x:\n    y.train()\n    train()\n", "train") == 1


def test_data_class():
    shop = listings.PrintedTable(TABLE)
    assert shop.state is None
    assert len(shop) == listings.length_of(10, 3) == 10
    assert shop.reset(np.random.default_rng(0)).shape == (10,)
    state, reward = shop.step(1)
    assert np.array_equal(state[1], TABLE[1] / 2)
    assert reward == TABLE.sum() - TABLE[1].sum() / 2
    assert np.array_equal(shop.numbers, TABLE)
    assert [listings.refuses(a) for a in (0, 1, 2, 3, -1)] == [False] * 3 + [True] * 2
    assert listings.numbers_held(10, 3, reset=False) == 0
    assert listings.numbers_held(10, 3, reset=True) == 30
    mended = listings.MendedTable(TABLE)
    mended.reset(np.random.default_rng(0))
    with pytest.raises(ValueError, match="no promotion 5"):
        mended.step(5)


def test_what_a_promotion_does():
    assert listings.reward_of_promoting(np.ones((4, 3)), 0, 0.5) == -1.5
    assert listings.reward_of_promoting(-np.ones((4, 3)), 0, 0.5) == 1.5
    assert listings.reward_after_change(np.ones((4, 3)), 0.9) == pytest.approx(11.7)
    assert listings.customers_reached(10, 3, 2) == 1
    assert listings.customers_reached(10, 3, 2, mended=True) == 10
    assert listings.trace_of_first(TABLE, 0, 1, 0.5) == 0
    assert listings.trace_of_first(TABLE, 0, 1, 0.5, mended=True) > 1


def test_reset_and_shapes():
    assert not listings.starts_where_it_says(TABLE)
    assert listings.starts_where_it_says(TABLE, mended=True)
    assert listings.shapes_in_an_episode(10, 3) == 2
    assert listings.shapes_in_an_episode(10, 3, mended=True) == 1
    assert listings.accepts(3, 3)
    assert not listings.accepts(3, 10)


def test_batches():
    assert not listings.yields_batches(10)
    assert listings.yields_batches(10, mended=True)


def test_choice_and_loss():
    assert not listings.chosen_by_numpy(3, detached=False)
    assert listings.chosen_by_numpy(3, detached=True)
    assert listings.possible_choices(10, 3) == 30
    assert listings.possible_choices(1, 3) == 3
    assert not listings.loss_takes(target_is_tensor=False)
    assert listings.loss_takes(target_is_tensor=True)
    assert listings.promotions_moved(3, 1, whole=True) == 3
    assert listings.promotions_moved(3, 1, whole=False) == 1
    assert listings.next_value([[1, 2], [5, 3]], 0, everybody=True) == 5
    assert listings.next_value([[1, 2], [5, 3]], 0, everybody=False) == 2
    assert listings.gradient_of(3, cleared=True) == 1
    assert listings.gradient_of(3, cleared=False) == 3


def test_loop():
    assert listings.never_ends(np.ones((3, 2)), 0.5)
    assert not listings.never_ends(-np.ones((3, 2)), 0.5)
    # The table sums to 1, but halving its first row leaves less than nothing.
    assert not listings.never_ends([[4.0], [-1.0], [-2.0]], 0.5)
    assert listings.endless_share(10, 3, 1.0, 4_000, 0) == pytest.approx(0.5, abs=0.03)
    assert 0.3 < listings.endless_share(10, 3, 0.5, 2_000, 0) < 0.5
    assert listings.learns_from(1_000, 10) == 0.1
    assert listings.learns_from(1_000, 1) == 1
    assert listings.unreported([1.0, 2.5]) == 3.5


def test_optimisers_and_layers():
    assert listings.first_step(0.01, "Adam") == pytest.approx(0.01, rel=1e-5)
    assert listings.first_step(0.01) == pytest.approx(0.01, rel=1e-5)
    assert listings.weights_of((3, 256, 256, 3)) == 3 * 256 + 256 + 256 * 256 + 256 + 256 * 3 + 3


def test_every_obstacle_stops():
    assert [listings.obstacles(mended) for mended in range(7)] == [6, 5, 4, 3, 2, 1, 0]
    assert len(listings.OBSTACLES) == 6


def test_training_as_classification():
    labels = np.eye(3)
    guessed = 0.8 * labels + 0.2 / 3
    assert listings.exactly_equal(guessed, labels) == 0
    assert listings.exactly_equal(labels, labels) == 1
    assert listings.agreeing(guessed, labels) == 1
    losses = [3, 2, 1, 1.5, 1.4, 1.6, 0.1]
    assert listings.stopped_at(losses, 3) == 5
    assert listings.stopped_at([3, 2, 1], 3) == 2
    assert listings.kept_excess(losses, 3) == pytest.approx(0.6)
    assert listings.kept_excess(losses, 3, restore=True) == 0
