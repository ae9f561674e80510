"""Poisson PML against hand, statsmodels with dummies, and planted truth."""

import numpy as np
import pytest
import statsmodels.api as sm

from promo_repro.response import poisson
from promo_repro.response.poisson import (
    concentrated_log_likelihood,
    concentrated_mean,
    cross_section_slope,
    poisson_information,
    product_scores,
)


@pytest.fixture
def panel(rng):
    """Thirty products, twelve weeks, elasticity -2 and display lift 0.7, price endogenous."""
    level = rng.normal(2, 1, (30, 1))
    log_price = 0.3 * level + rng.normal(0, 0.2, (30, 12))
    display = (rng.random((30, 12)) < 0.3) * 1.0
    weeks = rng.normal(0, 0.1, 12)
    units = rng.poisson(np.exp(level + weeks - 2 * log_price + 0.7 * display + 1))
    return units, np.stack([log_price, display], axis=2)


def test_mean_by_hand():
    mean = concentrated_mean([[3.0, 1.0]], np.log([[1.0, 3.0]]))
    assert mean.tolist() == [pytest.approx([1.0, 3.0])]


def test_mean_of_huge_predictors_is_finite():
    mean = concentrated_mean([[3.0, 1.0]], 900 + np.log([[1.0, 3.0]]))
    assert mean.tolist() == [pytest.approx([1.0, 3.0])]


def test_likelihood_by_hand():
    value = concentrated_log_likelihood([[3.0, 1.0], [0.0, 2.0]], np.log([[1.0, 3.0], [1.0, 1.0]]))
    assert value == pytest.approx(3 * np.log(1) + np.log(3) + 2 * np.log(1))


def test_the_level_of_a_product_does_not_matter(panel):
    units, x = panel
    linear = x @ [-1.0, 0.5]
    shifted = linear + np.arange(30)[:, None]
    assert np.allclose(concentrated_mean(units, linear), concentrated_mean(units, shifted))


def test_score_and_information_are_the_derivatives(panel):
    units, x = panel
    at, step = np.array([-1.0, 0.5]), 1e-5
    gradient = product_scores(units, x, x @ at).sum(axis=0)
    curvature = poisson_information(units, x, x @ at)
    for k in range(2):
        h = step * np.eye(2)[k]
        up, down = (concentrated_log_likelihood(units, x @ (at + s * h)) for s in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / (2 * step), rel=1e-5)
        ups, downs = (product_scores(units, x, x @ (at + s * h)).sum(axis=0) for s in (1, -1))
        assert np.allclose(curvature[k], -(ups - downs) / (2 * step), rtol=1e-5)


def test_information_of_a_single_sale_by_hand():
    # One unit, in either of two weeks with equal chance, regressor 0 or 1: the variance of a coin.
    x = np.array([[[0.0], [1.0]]])
    assert poisson_information([[0.0, 1.0]], x, np.zeros((1, 2))).tolist() == [[0.25]]


def test_a_product_that_never_sold_adds_nothing(panel):
    units, x = panel
    more = np.concatenate([units, np.zeros((1, 12))])
    regressors = np.concatenate([x, x[:1]])
    assert np.allclose(poisson.fit(more, regressors).slopes, poisson.fit(units, x).slopes)


def test_fit_is_that_of_statsmodels_with_dummies(panel):
    units, x = panel
    n, periods, _ = x.shape
    rows, weeks = np.divmod(np.arange(n * periods), periods)
    dummies = np.concatenate([np.eye(n)[rows], np.eye(periods)[weeks][:, 1:]], axis=1)
    design = np.concatenate([x.reshape(-1, 2), dummies], axis=1)
    options = {"groups": rows, "use_correction": False}
    model = sm.GLM(units.ravel(), design, family=sm.families.Poisson())
    peer = model.fit(cov_type="cluster", cov_kwds=options, tol=1e-12)
    ours = poisson.fit(units, x)
    assert np.allclose(ours.slopes, peer.params[:2], rtol=1e-7)
    assert np.allclose(ours.standard_errors, peer.bse[:2] * np.sqrt(n / (n - 1)), rtol=1e-6)
    effects = np.concatenate([[0], peer.params[-11:]])
    assert np.allclose(ours.weeks, effects - effects.mean(), atol=1e-7)


def test_effects_undo_the_endogenous_price_and_the_cross_section_does_not(panel):
    units, x = panel
    ours = poisson.fit(units, x)
    assert abs(ours.slopes[0] + 2) < 3 * ours.standard_errors[0]
    naive, error = cross_section_slope(units, np.exp(x[:, :, 0]))
    assert naive > -2 + 5 * error


def test_clusters_can_be_wider_than_products(panel):
    units, x = panel
    wide = poisson.fit(units, x, np.arange(30) // 5)
    assert np.allclose(wide.slopes, poisson.fit(units, x).slopes)
    assert not np.allclose(wide.standard_errors, poisson.fit(units, x).standard_errors)


def test_cross_section_by_hand():
    # Log units fall by 2 for each unit of log price; a week without a sale does not count.
    prices = np.exp([[0.0, 1.0], [2.0, 3.0]])
    units = np.exp([[6.0, 4.0], [2.0, 0.0]])
    slope, error = cross_section_slope(units, prices)
    assert slope == pytest.approx(-2)
    assert error == pytest.approx(0, abs=1e-9)
    units[1, 1] = 0
    assert cross_section_slope(units, prices)[0] == pytest.approx(-2)


def test_small_differences_of_price_are_enough_for_a_slope():
    prices = np.exp([[0.0, 0.1], [0.2, 0.3]])
    units = np.exp([[6.0, 5.8], [5.6, 5.4]])
    assert cross_section_slope(units, prices)[0] == pytest.approx(-2)


def test_two_prices_are_enough_for_a_slope():
    # At twice the price a quarter is sold.
    slope, _ = cross_section_slope([[8.0, 2.0], [2.0, 8.0]], [[1.0, 2.0], [2.0, 1.0]])
    assert slope == pytest.approx(-2)


def test_cross_section_error_is_that_of_statsmodels(panel):
    units, x = panel
    slope, error = cross_section_slope(units + 1, np.exp(x[:, :, 0]))
    design = sm.add_constant(x[:, :, 0].ravel())
    groups = np.repeat(np.arange(30), 12)
    options = {"groups": groups, "use_correction": False}
    peer = sm.OLS(np.log(units + 1).ravel(), design).fit(cov_type="cluster", cov_kwds=options)
    assert slope == pytest.approx(peer.params[1])
    assert error == pytest.approx(peer.bse[1] * np.sqrt(30 / 29))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u, x: (u, x[:, :, :1] * 0 + 1), "zero variance"),
        (lambda u, x: (u, np.repeat(x[:, :1], 12, axis=1)), "zero variance"),
        (lambda u, x: (-1.0 * u, x), "negative"),
        (lambda u, x: (u * np.nan, x), "NaN"),
        (lambda u, x: (u[:, :5], x), "do not fit"),
        (lambda u, x: (u[0], x), "2 axes"),
    ],
)
def test_bad_panels(panel, change, message):
    with pytest.raises(ValueError, match=message):
        poisson.fit(*change(*panel))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        concentrated_mean([[1.0, 2.0]], [[1.0], [2.0]])


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(ValueError, match="prices"):
        cross_section_slope([[1.0, 2.0]], [[1.0, price]])


@pytest.mark.parametrize("price", [0.9, 1.0, 2.99])
@pytest.mark.parametrize("weeks", [2, 3, 7])
def test_one_price_gives_no_slope(price, weeks):
    units = np.arange(1.0, 2 * weeks + 1).reshape(2, weeks)
    with pytest.raises(ValueError, match="zero variance"):
        cross_section_slope(units, np.full((2, weeks), price))


def test_without_sales_there_is_no_slope():
    with pytest.raises(ValueError, match="zero variance"):
        cross_section_slope([[0.0, 0.0]], [[1.0, 2.0]])
