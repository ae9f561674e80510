"""Every cleaning step on planted rows, and the laws of the whole recipe."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_repro.datasets import cleaning, synthetic


@pytest.fixture(scope="module")
def lines(journey):
    return cleaning.convert(journey.tables["transactions"])


def test_each_step_removes_exactly_what_was_planted(journey, lines):
    kept, report = cleaning.clean(lines, journey.tables["products"])
    assert dict(zip(report["step"], report["removed"], strict=True)) == journey.planted
    assert len(kept) == len(lines) - sum(journey.planted.values())
    assert (report["rows_before"] - report["removed"] == report["rows_after"]).all()
    np.testing.assert_allclose(
        report["sales_removed"].sum(), lines["sales_value"].sum() - kept["sales_value"].sum()
    )


def line(**changes):
    """One good line of product 1, changed."""
    good = {"product_id": 1, "quantity": 1, "sales_value": 1.0, "basket_id": 5}
    return pd.DataFrame([{**good, **changes}])


PRODUCTS = pd.DataFrame(
    {
        "product_id": [1, 2, 3, 4],
        "department": ["GROCERY", "FUEL", "GROCERY", "GROCERY"],
        "product_category": ["MILK", None, "COUPON/MISC ITEMS", None],
    }
)


@pytest.mark.parametrize(
    ("changes", "removed_by"),
    [
        ({}, None),
        ({"product_id": 4}, None),
        ({"product_id": 7}, "known product"),
        ({"product_id": 2}, "merchandise"),
        ({"product_id": 3}, "merchandise"),
        ({"quantity": 0}, "countable quantity"),
        ({"quantity": 1}, None),
        ({"quantity": 40}, None),
        ({"quantity": 41}, "countable quantity"),
        ({"sales_value": 0.0}, "paid"),
        ({"sales_value": 0.01}, None),
    ],
)
def test_boundaries(changes, removed_by):
    _, report = cleaning.clean(line(**changes), PRODUCTS)
    removed = report.loc[report["removed"] > 0, "step"].tolist()
    assert removed == ([removed_by] if removed_by else [])


@pytest.mark.parametrize("department", sorted(cleaning.NOT_MERCHANDISE))
def test_departments_without_merchandise(department):
    products = PRODUCTS.assign(department=department)
    assert cleaning.clean(line(), products)[1].set_index("step")["removed"]["merchandise"] == 1


def test_exact_copies_only():
    twice = pd.concat([line(), line(), line(basket_id=6)])
    kept, _ = cleaning.clean(twice, PRODUCTS)
    assert kept["basket_id"].tolist() == [5, 6]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_idempotent_never_adds_and_order_free(seed):
    rng = np.random.default_rng(seed)
    shop = synthetic.complete_journey(rng, households=8, products=6, lines=120)
    lines, products = cleaning.convert(shop.tables["transactions"]), shop.tables["products"]
    once, report = cleaning.clean(lines, products)
    assert (report["removed"] >= 0).all()
    twice, again = cleaning.clean(once, products)
    pd.testing.assert_frame_equal(once, twice)
    assert again["removed"].sum() == 0
    shuffled, report_shuffled = cleaning.clean(lines.sample(frac=1, random_state=rng), products)
    assert report_shuffled["removed"].tolist() == report["removed"].tolist()
    order = list(once.columns)
    pd.testing.assert_frame_equal(
        once.sort_values(order, ignore_index=True), shuffled.sort_values(order, ignore_index=True)
    )


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2017-01-01 11:53:26", "2017-01-01 06:53:26"),  # winter: five hours
        ("2018-01-01 04:01:00", "2017-12-31 23:01:00"),
        ("2017-07-04 02:30:00", "2017-07-03 22:30:00"),  # summer: four
        ("2017-03-12 06:59:59", "2017-03-12 01:59:59"),
        ("2017-03-12 07:00:00", "2017-03-12 03:00:00"),  # the hour that is skipped
    ],
)
def test_local_time(utc, local):
    assert cleaning.local_time(pd.Series(pd.to_datetime([utc])))[0] == pd.Timestamp(local)


def test_convert_dates_by_local_time(lines):
    assert (lines["date"] == lines["timestamp"].dt.normalize()).all()
    assert lines["timestamp"].min() >= pd.Timestamp("2017-01-01")
    assert "transaction_timestamp" not in lines


def test_prices_on_a_worked_line():
    # Two units on the shelf at 2.00; 1.00 off with the card, a 0.50 coupon, matched by 0.50.
    sales, loyal, coupon, match, quantity = 2.5, 1.0, 0.5, 0.5, 2
    assert cleaning.regular_price(sales, loyal, match, quantity) == 2.0
    assert cleaning.card_price(sales, match, quantity) == 1.5
    assert cleaning.paid_price(sales, coupon, quantity) == 1.0
    assert cleaning.paid_price(sales, 0.0, quantity) == 1.25
    assert cleaning.discount_depth(3.0, 1.0) == 0.25
    assert cleaning.discount_depth(1.0, 3.0) == 0.75  # deeper than the sales value: still below 1


money = st.floats(0.01, 100)


@given(money, money, money, st.integers(1, 40))
def test_price_laws(sales, loyal, match, quantity):
    regular = cleaning.regular_price(sales, loyal, match, quantity)
    card = cleaning.card_price(sales, match, quantity)
    assert cleaning.paid_price(sales, match, quantity) < card < regular
    np.testing.assert_allclose(regular - card, loyal / quantity, rtol=1e-9, atol=1e-12)
    assert 0 < cleaning.discount_depth(sales, loyal) < 1
    np.testing.assert_allclose(
        sales, (sales + loyal) * (1 - cleaning.discount_depth(sales, loyal)), rtol=1e-9
    )


@pytest.mark.parametrize("quantity", [0, -1, np.array([1, 0])])
def test_prices_refuse_quantities_that_are_not_positive(quantity):
    for call in (
        lambda: cleaning.regular_price(1.0, 0.0, 0.0, quantity),
        lambda: cleaning.card_price(1.0, 0.0, quantity),
        lambda: cleaning.paid_price(1.0, 0.0, quantity),
    ):
        with pytest.raises(ValueError, match="quantity must be positive"):
            call()


def test_depth_refuses_nothing_of_nothing():
    with pytest.raises(ValueError, match="sales"):
        cleaning.discount_depth(0.0, 0.0)
