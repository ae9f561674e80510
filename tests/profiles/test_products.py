"""Features of products on a synthetic shop and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.profiles import products as p


def test_repeat_share_by_hand():
    lines = pd.DataFrame(
        {
            "product_id": [1, 1, 1, 1, 2, 2],
            "household_id": [1, 1, 1, 2, 1, 1],
            "basket_id": [1, 1, 2, 3, 4, 4],
        }
    )
    found = p.repeat_share(lines)
    assert found["rating"].tolist() == [0.5, 0]
    assert found["buyers"].tolist() == [2, 1]


def test_product_table(shop):
    lines, products = shop
    table = p.product_table(lines, products, 5)
    assert (table["buyers"] >= 5).all()
    first = table.index[0]
    early = lines[lines["week"].between(2, 26) & (lines["product_id"] == first)]
    late = lines[lines["week"].between(27, 52) & (lines["product_id"] == first)]
    assert table["price"].iloc[0] == pytest.approx(
        (early["sales_value"] / early["quantity"]).median()
    )
    assert table["buyers"].iloc[0] == early["household_id"].nunique()
    assert table["later_units"].iloc[0] == late["quantity"].sum()
    assert not table.drop(columns="later_rating").isna().any(axis=None)
    vanished = lines[~((lines["product_id"] == first) & (lines["week"] > 26))]
    assert p.product_table(vanished, products, 5)["later_units"].iloc[0] == 0
    # What is sold later changes no attribute.
    attributes = ["price", "rating", "buyers", "brand", "category", "text"]
    pd.testing.assert_frame_equal(
        p.product_table(vanished, products, 5)[attributes], table[attributes]
    )


def test_attribute_coverage(shop):
    lines, products = shop
    aliases = {"price": "sales_value", "category": "product_category"}
    assert p.attribute_coverage(lines, products, "price", aliases) == 1
    assert p.attribute_coverage(lines, products, "rating", aliases) == 0
    gaps = products.copy()
    gaps.loc[gaps["product_id"] == 1, "product_category"] = None
    share = (lines["product_id"] == 1).mean()
    found = p.attribute_coverage(lines, gaps, "category", aliases)
    assert found == pytest.approx(1 - share - (lines["product_id"] == 901).mean())
    with pytest.raises(ValueError, match="no attribute 'colour'"):
        p.attribute_coverage(lines, products, "colour", aliases)


def test_grades_by_hand():
    assert p.grades([1, 2, 3, 4], 2).tolist() == [0, 0, 1, 1]
    assert p.grades([9, 1, 5], 3).tolist() == [2, 0, 1]
    assert p.grades([1, 1, 1, 2, 3, 4], 2).tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="too few different values for 3 classes"):
        p.grades([1, 1, 1, 2], 3)
    with pytest.raises(ValueError, match="NaN"):
        p.grades([1, np.nan], 2)


@given(st.integers(2, 8), st.integers(0, 100))
def test_grades_are_even_and_ordered(number, seed):
    values = np.random.default_rng(seed).random(200)
    found = p.grades(values, number)
    sizes = np.bincount(found)
    assert len(sizes) == number
    assert sizes.max() - sizes.min() <= 2
    assert (np.diff(found[np.argsort(values)]) >= 0).all()


def test_equal_width_by_hand():
    assert p.equal_width([0, 1, 5, 9, 10], 2).tolist() == [0, 0, 1, 1, 1]
    assert p.equal_width([10, 12, 14, 16], 3).tolist() == [0, 1, 2, 2]
    assert p.equal_width([0, 0.2, 0.5], 2).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="all values are equal"):
        p.equal_width([3, 3], 2)


def test_largest_class():
    assert p.largest_class([0, 0, 0, 2]) == 0.75


def test_indicators():
    assert p.indicators(["b", "a", "b"]).tolist() == [[0, 1], [1, 0], [0, 1]]


def test_combine_by_hand():
    found = p.combine(["x", "x", "y", "y", "x"], [0, 1, 0, 1, 0])
    assert found.tolist() == [0, 1, 2, 3, 0]
    # Only pairs that occur get a code.
    assert p.combine([0, 2, 2], [5, 5, 9]).tolist() == [0, 1, 2]
    assert p.combine([0, 1], [3, 1]).tolist() == [0, 1]
    assert len(set(p.combine([0, 0, 1, 1, 2, 2], [0, 2, 0, 2, 0, 2]))) == 6


def test_words():
    assert p.words(["red wine", "red beer", "x 12"], least=2).tolist() == [[1], [1], [0]]


def test_attribute_blocks():
    table = pd.DataFrame(
        {
            "price": [1.0, np.e**3] * 5,
            "rating": [0.5, 0.25] * 5,
            "brand": ["National", "Private"] * 5,
            "category": ["a", "b"] * 5,
            "text": ["milk whole", "milk"] * 5,
        }
    )
    blocks = p.attribute_blocks(table)
    assert blocks["price"][:2] == pytest.approx(np.array([[0, 0], [3, 9]]))
    assert blocks["rating"][:2].tolist() == [[0.5, 0.25], [0.25, 0.0625]]
    assert blocks["brand"][:2].tolist() == [[0], [1]]
    assert blocks["category"][:2].tolist() == [[0], [1]]
    assert blocks["description"].tolist() == [[1]] * 10
