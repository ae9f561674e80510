"""Features of households on a synthetic shop and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.profiles import features as f


def test_window(shop):
    lines, _ = shop
    assert set(f.window(lines, (3, 4))["week"]) == {3, 4}
    with pytest.raises(ValueError, match="no line falls in weeks 60 to 61"):
        f.window(lines, (60, 61))


def test_rfm_by_hand():
    spend = np.array([[5.0, 0.0, 2.5], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    trips = np.array([[2, 0, 1], [1, 0, 0], [0, 0, 0]])
    assert f.rfm(spend, trips).tolist() == [[0, 3, 7.5], [2, 1, 1], [3, 0, 0]]
    with pytest.raises(ValueError, match=r"spend \(3, 3\) and trips \(3, 2\) differ"):
        f.rfm(spend, trips[:, :2])


def test_shares_by_hand():
    assert f.shares([[1, 3], [0, 2]]).tolist() == [[0.25, 0.75], [0, 1]]
    assert f.shares([[0.25, 0.25]]).tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match=r"rows \[1\] bought nothing"):
        f.shares([[0.5, 0], [0, 0]])
    with pytest.raises(ValueError, match=r"rows \[0, 1, 2, 3, 4\] bought nothing"):
        f.shares(np.zeros((7, 2)))
    with pytest.raises(ValueError, match="or less"):
        f.shares([[3, -1], [1, 1]])


def test_features_of_one_household_by_hand(shop):
    lines, products = shop
    table = f.household_features(lines, products, (2, 52), 5)
    assert list(table.columns) == [*f.BEHAVIOUR, *f.DEPARTMENTS] == list(f.MEANING)
    assert table.index.is_monotonic_increasing
    assert np.isfinite(table.to_numpy()).all()
    row = table.loc[1]
    own = lines[(lines["household_id"] == 1) & lines["week"].between(2, 52)]
    own = own.merge(products)
    trips = own["basket_id"].nunique()
    assert row["frequency"] == pytest.approx(np.log1p(trips))
    assert row["monetary"] == pytest.approx(np.log1p(own["sales_value"].sum()))
    assert row["recency"] == pytest.approx(np.log1p(52 - own["week"].max()))
    assert row["basket"] == pytest.approx(np.log1p(own["sales_value"].sum() / trips))
    assert row["lines_per_trip"] == pytest.approx(np.log1p(len(own) / trips))
    assert row["breadth"] == pytest.approx(np.log1p(own["product_category"].nunique()))
    assert row["stores"] == pytest.approx(np.log1p(own["store_id"].nunique()))
    dealt = own[own["retail_disc"] > 0]
    assert row["deal_share"] == pytest.approx(len(dealt) / len(own))
    off, paid = dealt["retail_disc"].sum(), dealt["sales_value"].sum()
    assert row["deal_depth"] == pytest.approx(off / (off + paid))
    coupon = own["coupon_disc"].sum() / own["sales_value"].sum()
    assert row["coupon_share"] == pytest.approx(np.sqrt(coupon))
    assert row["private_share"] == pytest.approx((own["brand"] == "Private").mean())
    assert row["weekend_share"] == pytest.approx((own["date"].dt.day_of_week >= 5).mean())
    assert row["GROCERY"] == 1  # every product of the synthetic shop
    assert row["MEAT"] == 0


def test_order_and_later_weeks_do_not_matter(shop):
    lines, products = shop
    table = f.household_features(lines, products, f.FIRST_HALF, 4)
    mixed = lines.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(f.household_features(mixed, products, f.FIRST_HALF, 4), table)
    future = lines["week"] > f.FIRST_HALF[1]
    changed = lines.copy()
    changed.loc[future, "sales_value"] = changed.loc[future, "sales_value"].sample(
        frac=1, random_state=0
    ).to_numpy()  # fmt: skip
    changed.loc[future, "retail_disc"] = 0.0
    pd.testing.assert_frame_equal(f.household_features(changed, products, f.FIRST_HALF, 4), table)


def test_two_halves_hold_the_same_households(shop):
    first, second = f.two_halves(*shop, least_trips=4)
    assert list(first.index) == list(second.index)
    assert len(first) > 3
    assert not np.allclose(first, second)


def test_too_few_trips(shop):
    with pytest.raises(ValueError, match="no household has 999 trips in weeks 2 to 52"):
        f.household_features(*shop, least_trips=999)


def test_category_counts(shop):
    lines, products = shop
    counts = f.category_counts(lines, products, [3, 1, 10_000])
    assert list(counts.index) == [3, 1, 10_000]
    assert counts.loc[10_000].sum() == 0
    assert counts.loc[1].sum() == (lines["household_id"] == 1).sum()


def test_category_baskets(shop):
    lines, products = shop
    table, names = f.category_baskets(lines, products)
    known = lines.merge(products)[["basket_id", "product_category"]].drop_duplicates()
    assert table.sum() == len(known)
    assert list(names) == sorted(known["product_category"].unique())
    assert (
        table.sum(axis=0).tolist() == known["product_category"].value_counts().sort_index().tolist()
    )
    assert len(table) == lines["basket_id"].nunique()


def test_over_index_by_hand():
    found = f.over_index([[30, 10], [10, 30]])
    assert found == pytest.approx(np.array([[40 / 30, 20 / 30], [20 / 30, 40 / 30]]))
    uneven = f.over_index([[20, 0], [40, 20]])  # base shares 3/4 and 1/4
    assert uneven[0] == pytest.approx([35 / 30, 5 / 10])
    assert uneven[1] == pytest.approx([55 / 60, 25 / 20])
    assert f.over_index([[1, 0], [0, 1]]) == pytest.approx(np.array([[11, 10], [10, 11]]) / 10.5)
    for bad in ([[0, 0], [1, 1]], [[1, 0], [1, 0]]):
        with pytest.raises(ValueError, match="empty household or category"):
            f.over_index(bad)


def test_interest_tags():
    counts = [[90, 10, 5], [10, 90, 5], [10, 10, 90]]
    assert f.interest_tags(counts, 1).tolist() == [[0], [1], [2]]
    assert f.interest_tags(counts, 2).shape == (3, 2)


def test_terciles_by_hand():
    assert f.terciles([5, 1, 3]).tolist() == [2, 0, 1]
    assert f.terciles([1, 1, 1, 1]).tolist() == [0, 0, 1, 2]
    for bad in ([1, 2], [[1, 2, 3]], [1, 2, np.nan]):
        with pytest.raises(ValueError, match="at least three finite numbers"):
            f.terciles(bad)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60))
def test_terciles_are_ordered_thirds(values):
    thirds = f.terciles(values)
    sizes = np.bincount(thirds, minlength=3)
    assert sizes.max() - sizes.min() <= 1
    v = np.asarray(values)
    assert v[thirds == 0].max() <= v[thirds == 1].min()
    assert v[thirds == 1].max() <= v[thirds == 2].min()
