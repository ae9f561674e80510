"""Relative price response: planted differences are recovered, common shocks cancel."""

import numpy as np
import pandas as pd
import pytest

from promo_repro.profiles import segments as s


def planted(rng, ours=-2.0, theirs=-1.0, products=40, weeks=32):
    """Poisson sales of two groups that share a promotion effect tied to the price."""
    x = rng.choice([0.0, 0.0, -0.2, -0.4], (products, weeks))
    shock = 1.5 * (x < 0) + rng.normal(0, 0.5, (products, weeks))
    level = rng.normal(2.5, 0.5, (2, products, 1))
    means = [np.exp(level[g] + shock + beta * x) for g, beta in enumerate((ours, theirs))]
    return rng.poisson(means[0]), rng.poisson(means[1]), x


def test_planted_difference_is_recovered(rng):
    a, b, x = planted(rng)
    value, error = s.relative_response(a, b, x)
    assert abs(value + 1) < 3 * error
    assert 0.01 < error < 0.15
    back, same = s.relative_response(b, a, x)
    assert back == pytest.approx(-value)
    assert same == pytest.approx(error)


def test_errors_cover(rng):
    found = [s.relative_response(*planted(rng, products=15)) for _ in range(60)]
    z = np.array([(value + 1) / error for value, error in found])
    assert 0.75 < z.std() < 1.4
    assert abs(z.mean()) < 0.5


def test_one_product_by_hand():
    # Shares 1/2 at price ratio 1 and 3/4 at e^-1: the log-odds rise by log 3.
    value, _ = s.relative_response([[50, 75]], [[50, 25]], [[0.0, -1.0]])
    assert value == pytest.approx(-np.log(3))


def test_products_of_one_group_are_left_out():
    ours, theirs, x = [[50, 75], [9, 9]], [[50, 25], [0, 0]], [[0.0, -1.0], [0.0, -0.5]]
    assert s.relative_response(ours, theirs, x)[0] == pytest.approx(-np.log(3))
    assert s.relative_response(theirs, ours, x)[0] == pytest.approx(np.log(3))


def test_single_units_count():
    value, _ = s.relative_response([[1, 0, 3]], [[0, 1, 1]], [[0.0, 0.0, -1.0]])
    assert value == pytest.approx(-np.log(3))
    # A group with one unit of a product counts: it falls on the middle price, so no slope.
    middle, _ = s.relative_response([[0, 1, 0]], [[1, 1, 1]], [[-1.0, 0.0, 1.0]])
    assert middle == pytest.approx(0, abs=1e-9)
    ones = s.relative_response([[1, 0, 1]], [[0, 1, 0]], [[0.0, 0.0, 0.4]], steps=3)
    assert np.isfinite(ones).all()


def test_clustered_error_by_hand():
    """Two products with equal information and opposite responses: the score sum is known."""
    ours, theirs = [[50, 75], [75, 50]], [[50, 25], [25, 50]]
    x = [[0.0, -1.0], [0.0, -1.0]]
    value, error = s.relative_response(ours, theirs, x)
    assert value == pytest.approx(0, abs=1e-9)
    # At beta = 0 the share is 5/8: the second week has 62.5 expected, 12.5 more or less seen.
    information = 2 * (100 * 0.625 * 0.375) * 0.5
    assert error == pytest.approx(np.sqrt(2 * 12.5**2) / information)


def test_response_refuses():
    with pytest.raises(ValueError, match="no product is bought by both"):
        s.relative_response([[1, 2]], [[0, 0]], [[0.0, 1.0]])
    with pytest.raises(ValueError, match="at different prices"):
        s.relative_response([[1, 2]], [[1, 2]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="at different prices"):
        # The price moves only in a week without sales.
        s.relative_response([[1, 2, 0]], [[1, 2, 0]], [[0.5, 0.5, 0.1]])


@pytest.fixture
def sales(shop):
    lines, _ = shop
    households = np.unique(lines["household_id"])
    return s.regular_sales(lines, households, least_units=20, least_weeks=5)


def test_regular_sales(shop, sales):
    lines, _ = shop
    late = lines[lines["week"].between(21, 52)]
    assert sales.log_price.shape[1] == late["week"].nunique()
    ones = np.ones(len(sales.households))
    everyone = sales.units(ones > 0, ones)
    assert everyone.sum() == sales.quantity.sum()
    assert sales.units(ones > 0, 2 * ones) == pytest.approx(2 * everyone)
    first = sales.households == 1
    own = late[(late["household_id"] == 1)]
    early = lines[lines["week"].between(2, 20)].groupby("product_id")["quantity"].sum()
    chosen = early.index[early >= 20]
    assert sales.units(first, ones).sum() == own["quantity"][own["product_id"].isin(chosen)].sum()
    assert np.median(sales.log_price) == pytest.approx(0, abs=0.2)
    with pytest.raises(ValueError, match="lower the limits"):
        s.regular_sales(lines, sales.households, least_units=10**9)


def test_products_are_chosen_without_the_future(shop, sales):
    lines, _ = shop
    cut = lines[lines["week"] <= 40]
    fewer = s.regular_sales(cut, sales.households, 20, 5)
    assert fewer.log_price.shape[0] == sales.log_price.shape[0]


def test_response_gap(sales):
    rng = np.random.default_rng(0)
    values = rng.random(len(sales.households))
    value, low, high = s.tercile_response(sales, values, draws=20)
    assert low < value < high
    thirds = s.terciles(values)
    assert s.response_gap(sales, thirds == 2, thirds == 0, 0, 20) == (value, low, high)
    back = s.response_gap(sales, thirds == 0, thirds == 2, 0, 20)
    assert back[0] == pytest.approx(-value)


def test_response_high_is_the_upper_end(sales):
    values = pd.Series(sales.households * 7 % 11).to_numpy()
    assert s.response_high(sales, values) == s.tercile_response(sales, values)[2]
