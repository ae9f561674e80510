"""The parameters survive a round trip, refuse nonsense, and are redrawn as they should be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from promo_repro.response import example, load, redraw
from promo_repro.response.parameters import Dip, from_record, to_record


@pytest.fixture
def shop():
    return example()


def test_round_trip_through_json(shop):
    again = from_record(json.loads(json.dumps(to_record(shop))))
    assert to_record(again) == to_record(shop)
    assert isinstance(again.categories[0].products, tuple)


def test_the_vector_stacks_the_coefficients_in_the_documented_order(shop):
    bread = shop.category("bread")
    assert bread.vector.tolist() == pytest.approx(
        [-1.0, -1.1, -1.2, -1.3, 0.5, 0.9, -1.0, -1.8, -2.4, 0.4, 0.2]
    )
    changed = bread.with_vector(np.arange(11.0))
    assert changed.vector.tolist() == list(range(11))
    assert changed.price.tolist() == [6, 7, 8]


def test_redrawn_coefficients_have_the_stated_mean_and_covariance(shop):
    generator = np.random.default_rng(1)
    drawn = np.array([redraw(shop, generator).categories[0].vector for _ in range(4_000)])
    bread = shop.categories[0]
    error = bread.standard_errors / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - bread.vector) < 5 * error).all()
    correlation = np.corrcoef(drawn.T)
    assert np.allclose(correlation, 0.8 * np.eye(11) + 0.2, atol=0.08)
    assert np.allclose(drawn.std(axis=0) / bread.standard_errors, 1, atol=0.06)


def test_redraw_also_draws_the_dip_and_leaves_the_rest(shop):
    drawn = redraw(shop, np.random.default_rng(2))
    assert drawn.dip.discount != shop.dip.discount
    assert (drawn.dip.lags != shop.dip.lags).all()
    assert drawn.users is shop.users
    assert drawn.deals is shop.deals


def test_the_same_generator_gives_the_same_draw(shop):
    first, second = (redraw(shop, np.random.default_rng(3)) for _ in range(2))
    assert to_record(first) == to_record(second)


def test_an_unknown_category_is_named_with_the_known_ones(shop):
    with pytest.raises(ValueError, match="unknown category 'milk'; choose from bread, cola"):
        shop.category("milk")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"median_price": [1.0, 2.0, -3.0, 4.0]}, "not positive dollars"),
        ({"median_price": [1.0, 2.0]}, "median_price has shape"),
        ({"price": [np.nan, -1.0, -1.0]}, "price contains NaN"),
        ({"loyalty": np.inf}, "NaN or infinite"),
        ({"covariance": np.triu(np.ones((11, 11)))}, "not symmetric"),
        ({"trips": 0}, "trips is 0"),
    ],
)
def test_bad_categories_are_refused(shop, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(shop.categories[0], **changes)


def test_a_category_without_products_is_refused(shop):
    empty = {"products": (), "median_price": [], "intercept": [], "covariance": np.eye(7)}
    with pytest.raises(ValueError, match="no products"):
        replace(shop.categories[0], **empty)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("users", {"trip_mean": [1.0, 0.0, 1.0]}, "trip_mean has entries that are not positive"),
        ("users", {"active": [[0.5, 1.5, 0.5]] * 2}, "outside \\[0, 1\\]"),
        ("users", {"share_mean": ([[0.5, 0.6]] * 3, [[1.0]] * 3)}, "outside|sum to one"),
        ("deals", {"depth": [[0.2, 0.1, 0.4]] * 2}, "must not fall"),
        ("deals", {"share": [0.3, 42.0]}, "fractions, not percent"),
        ("deals", {"display": [0.1, 0.2]}, "display has shape"),
        ("dip", {"discount_se": -1.0}, "not negative"),
        ("dip", {"lags": [np.nan] * 3}, "NaN"),
    ],
)
def test_bad_parts_are_refused(shop, part, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(getattr(shop, part), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment_share": [0.5, 0.5, 0.5]}, "does not sum to one"),
        ({"segments": ("a", "b", "c")}, "segments are"),
        ({"categories": ()}, "0 categories"),
    ],
)
def test_bad_parameters_are_refused(shop, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(shop, **changes)


def test_categories_and_users_have_to_fit(shop):
    swapped = replace(shop.users, share_mean=shop.users.share_mean[::-1])
    with pytest.raises(ValueError, match="does not fit bread"):
        replace(shop, users=swapped)


def test_a_broken_record_names_the_remedy(shop):
    record = to_record(shop)
    del record["dip"]
    with pytest.raises(ValueError, match=r"'dip'.*run `python -m promo_repro.response.fit`"):
        from_record(record)


def test_a_missing_file_names_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make it with `python -m"):
        load(tmp_path / "none.json")


def test_dip_without_lags_is_allowed():
    assert len(Dip(1.0, 0.1, np.array([]), np.array([])).lags) == 0
