"""Protocol: the split by hand, nothing of the future in it, and bad input."""

import numpy as np
import pandas as pd
import pytest

from promo_repro.recommender import baselines, protocol


def tiny():
    lines = pd.DataFrame(
        [
            (1, 11, 0, 1, True), (1, 11, 1, 1, False), (1, 12, 1, 2, False), (1, 13, 0, 4, True),
            (1, 13, 2, 4, False), (1, 14, 0, 5, False), (2, 21, 1, 1, False), (2, 22, 2, 3, True),
            (2, 23, 0, 4, False), (3, 31, 0, 4, False),
        ],
        columns=["household_id", "basket_id", "item", "week", "on_deal"],
    )  # fmt: skip
    items = pd.DataFrame({"product_type": ["a", "b", "c"]})
    return protocol.Purchases(lines, items)


def test_split_by_hand():
    part = protocol.split(tiny(), 3, 5, min_baskets=2, min_items=2, min_households=1)
    assert part.households.tolist() == [1, 2]
    assert part.start.tolist() == [0, 2, 4]
    assert part.week.tolist() == [1, 2, 1, 3]
    assert part.baskets.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert part.deals.toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert part.history.toarray().tolist() == [[1, 2, 0], [0, 1, 1]]
    assert part.tested.tolist() == [True, False]
    assert part.target.toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert part.target_deal.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert protocol.popularity(part).tolist() == [1, 3, 1]
    assert protocol.popularity(part, 1).tolist() == [0, 0, 1]
    assert part.weighted([1, 2, 4, 8]).toarray().tolist() == [[1, 3, 0], [0, 4, 8]]


def test_rare_items_and_new_households_are_left_out():
    part = protocol.split(tiny(), 3, 5, min_baskets=2, min_items=1, min_households=2)
    assert part.items["product_type"].tolist() == ["b"]
    assert not part.tested.any()


def test_last_visits():
    part = protocol.split(tiny(), 3, 5, min_baskets=2, min_items=2, min_households=1)
    assert part.last(1).history.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]
    assert part.last(9).history.toarray().tolist() == part.history.toarray().tolist()
    nothing = part.last(0)
    assert nothing.history.nnz == 0
    assert nothing.target.toarray().tolist() == part.target.toarray().tolist()
    with pytest.raises(ValueError, match="visits is -1"):
        part.last(-1)


def test_only_some_households():
    part = protocol.split(tiny(), 3, 5, min_baskets=2, min_items=2, min_households=1)
    one = part.only([1])
    assert one.households.tolist() == [2]
    assert one.history.toarray().tolist() == [[0, 1, 1]]
    both = part.only(np.array([True, True]))
    assert both.history.toarray().tolist() == part.history.toarray().tolist()


def test_the_future_changes_no_recommendation(small_shop):
    shop = small_shop
    other = protocol.shuffled_future(shop, 20, np.random.default_rng(0))
    first, second = protocol.split(shop, 20, 26), protocol.split(other, 20, 26)
    assert (first.target != second.target).nnz > 0
    assert (first.history != second.history).nnz == 0
    assert (baselines.ease(first.history) == baselines.ease(second.history)).all()
    past = shop.lines["week"] <= 20
    assert (other.lines["item"][past] == shop.lines["item"][past]).all()


def test_bad_input():
    for cut, end in ((0, 5), (5, 5), (6, 5)):
        with pytest.raises(ValueError, match="0 < cut < end"):
            protocol.split(tiny(), cut, end)
    with pytest.raises(ValueError, match="no household with 10 baskets"):
        protocol.split(tiny(), 3, 5)
    lines = tiny().lines.astype({"item": float})
    lines.loc[0, "item"] = np.nan
    with pytest.raises(ValueError, match="missing values"):
        protocol.split(protocol.Purchases(lines, tiny().items), 3, 5)


def lines_and_products():
    transactions = pd.DataFrame(
        {
            "household_id": [2, 1, 1, 1, 1],
            "timestamp": pd.to_datetime(
                ["2017-01-03", "2017-01-02", "2017-01-02", "2017-01-01", "2017-01-02"]
            ),
            "basket_id": [7, 9, 9, 8, 9],
            "product_id": [1, 1, 2, 3, 2],
            "week": [2, 2, 2, 1, 2],
            "sales_value": [1.0, 1.0, 1.0, 2.0, 1.0],
            "retail_disc": [0.0, 0.0, 0.5, 0.0, 0.0],
            "coupon_match_disc": 0.0,
        }
    )
    products = pd.DataFrame(
        {
            "product_id": [1, 2, 3, 4],
            "product_type": ["milk", "milk", None, "bread"],
            "product_category": ["dairy", "dairy", None, "bakery"],
            "department": ["food", "shelf", "food", "food"],
        }
    )
    return transactions, products


def test_purchases_are_one_row_per_basket_and_type():
    found = protocol.purchases(*lines_and_products())
    assert found.items["product_type"].tolist() == ["milk"]
    # Two lines of product 2 and two of product 1: the tie goes to the later name.
    assert found.items["department"].tolist() == ["shelf"]
    assert found.lines[["household_id", "basket_id"]].to_numpy().tolist() == [[1, 9], [2, 7]]
    assert found.lines["on_deal"].tolist() == [True, False]


def test_purchases_of_single_products():
    found = protocol.product_purchases(*lines_and_products(), cut=2)
    assert found.items["product_id"].tolist() == [1, 2]
    columns = ["household_id", "basket_id", "item", "on_deal"]
    assert found.lines[columns].to_numpy().tolist() == [
        [1, 9, 0, False], [1, 9, 1, True], [2, 7, 0, False],
    ]  # fmt: skip
    most = protocol.product_purchases(*lines_and_products(), cut=2, count=1)
    assert most.items["product_id"].tolist() == [1]
    assert len(most.lines) == 2


def test_the_products_are_chosen_by_the_past_alone():
    transactions, products = lines_and_products()
    late = transactions.assign(week=np.where(transactions["product_id"] == 2, 3, 1))
    found = protocol.product_purchases(late, products, cut=2)
    assert found.items["product_id"].tolist() == [1]
