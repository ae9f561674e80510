"""The measurements of the chapter: by hand, on planted panels, and against published fits."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.discrete.conditional_models import ConditionalLogit

from promo_repro.response import logit, studies
from promo_repro.response.panels import (
    FIRST,
    TRAINED,
    CategoryTrips,
    Prices,
    ProductWeeks,
    deal_segments,
    product_weeks,
)

N, WEEKS = 40, 51


@pytest.fixture
def panel(rng):
    """Forty products of two categories, elasticity -2, display lift 0.7, dear products sell."""
    level = rng.normal(2, 0.7, (N, 1))
    regular = np.exp(0.5 * level) * np.ones((1, WEEKS))
    depth = rng.choice([0, 0.1, 0.2, 0.3, 0.4, 0.5], (N, WEEKS), p=[0.5, *[0.1] * 5])
    display = (rng.random((N, WEEKS)) < 0.2) * 1.0
    mailer = (rng.random((N, WEEKS)) < 0.2) * 1.0
    card = regular * (1 - depth)
    log_mean = level + 2 * np.log(regular) - 2 * np.log(card) + 0.7 * display
    units = rng.poisson(np.exp(log_mean)) * 1.0
    prices = Prices(np.arange(N), card, regular)
    return ProductWeeks(np.repeat(["cola", "pizza"], N // 2), units, prices, display, mailer)


def test_calibration_by_hand():
    # Two clusters, observed 3 and 1, predicted 2 and 3: R = 4/5, residuals 1.4 and -1.4.
    ratio, low, high = studies.calibration_ratio([1.0, 2.0, 1.0], [1.0, 1.0, 3.0], [7, 7, 9])
    half = 1.96 * np.sqrt((1.4**2 + 1.4**2) * 2) / 5
    assert ratio == pytest.approx(0.8)
    assert (low, high) == pytest.approx((0.8 - half, 0.8 + half))
    # Half a unit expected in all, one seen: R = 2, residuals 0.5 and -0.5.
    ratio, low, high = studies.calibration_ratio([1.0, 0.0], [0.25, 0.25], [0, 1])
    assert (ratio, low, high) == pytest.approx((2.0, 2 - 1.96 * 2, 2 + 1.96 * 2))


def test_calibration_interval_covers(rng):
    hits = 0
    for _ in range(300):
        predicted = rng.uniform(1, 3, 200)
        clusters = np.arange(200) // 4
        factor = rng.gamma(20, 1 / 20, 50)[clusters]
        _, low, high = studies.calibration_ratio(
            rng.poisson(predicted * factor), predicted, clusters
        )
        hits += low < 1 < high
    assert 0.90 < hits / 300 < 0.99


@pytest.mark.parametrize(
    ("observed", "predicted", "clusters"),
    [([1.0, 1.0], [0.0, 0.0], [0, 1]), ([1.0, 1.0], [1.0, 1.0], [0, 0])],
)
def test_calibration_needs_predictions_in_two_clusters(observed, predicted, clusters):
    with pytest.raises(ValueError, match="two clusters"):
        studies.calibration_ratio(observed, predicted, clusters)


def test_deviance_by_hand():
    units, reference = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    predicted = np.array([0.5, 1.5])
    of_reference = 2 * (1 + (2 * np.log(2) - 1))
    of_predicted = 2 * (0.5 + (2 * np.log(2 / 1.5) - 0.5))
    explained = studies.deviance_explained(units, predicted, reference)
    assert explained == pytest.approx(1 - of_predicted / of_reference)
    assert studies.deviance_explained(units, reference, reference) == 0
    # A single unit counts: D = 2 (log(1/μ) - 1 + μ).
    explained = studies.deviance_explained([1.0], [3.0], [4.0])
    assert explained == pytest.approx(1 - (2 - np.log(3)) / (3 - np.log(4)))


def test_predicting_what_was_sold_explains_all_also_for_weekly_averages():
    assert studies.deviance_explained([0.5, 1.0, 3.0], [0.5, 1.0, 3.0], [1.5, 1.5, 1.5]) == 1


@pytest.mark.parametrize("predicted", [[0.0, 1.0], [-1.0, 1.0], [np.nan, 1.0]])
def test_deviance_needs_positive_means(predicted):
    with pytest.raises(ValueError, match=r"positive|NaN"):
        studies.deviance_explained([1.0, 2.0], predicted, [1.0, 1.0])


def test_pooling_by_hand():
    # Equal errors of 1, estimates 0 and 4: Q = 8, tau² = (8 - 1) / (2 - 1) = 7, shrunk by 7/8.
    mean, spread, shrunken = studies.pooled([0.0, 4.0], [1.0, 1.0])
    assert mean == 2
    assert spread == pytest.approx(np.sqrt(7))
    assert shrunken.tolist() == pytest.approx([0.25, 3.75])


def test_pooling_of_unequal_errors_by_hand():
    # Weights 1, 1, 1/4; mean of 0, 6, 3 is 3, Q = 18, tau² = (18 - 2) / (9/4 - (33/16) / (9/4)).
    _, spread, shrunken = studies.pooled([0.0, 6.0, 3.0], [1.0, 1.0, 2.0])
    assert spread**2 == pytest.approx(16 / (9 / 4 - (33 / 16) / (9 / 4)))
    assert shrunken[2] == pytest.approx(3)


def test_pooling_pulls_the_badly_measured_and_estimates_no_negative_spread():
    mean, spread, shrunken = studies.pooled([-1.0, -1.2, 8.0], [0.1, 0.1, 4.0])
    assert spread < 0.3
    assert abs(shrunken[2] - mean) < 0.1 * (8 - mean)
    assert studies.pooled([1.0, 1.1, 0.9], [5.0, 5.0, 5.0])[1] == 0


def test_a_single_group_has_nothing_to_be_pooled_with():
    with pytest.raises(ValueError, match="at least two groups"):
        studies.pooled([1.0], [1.0])


@pytest.mark.parametrize("errors", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, np.nan]])
def test_pooling_needs_an_error_for_each(errors):
    with pytest.raises(ValueError, match="errors"):
        studies.pooled([1.0, 2.0], errors)


def test_planted_elasticity_is_found_with_effects_and_missed_without(panel):
    slope, error = studies.effects_elasticity(panel)
    assert abs(slope + 2) < 3 * error
    table = studies.elasticity_table(panel)
    assert table.index.tolist() == ["cola", "pizza"]
    assert (abs(table["with promotion"] + 2) < 3 * table["with promotion se"]).all()
    assert (table["naive"] > -1.7).all()


def test_small_categories_are_left_out(panel):
    few = replace(panel, category=np.repeat(["cola", "pizza"], [N - 4, 4]))
    assert studies.elasticity_table(few).index.tolist() == ["cola"]


def test_depth_curve_is_that_of_a_constant_elasticity(panel):
    curve = studies.depth_curve(panel)
    planted = -2 * np.log(1 - np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert ((curve["low"] < planted + 0.05) & (planted - 0.05 < curve["high"])).all()


def test_held_out_weeks_are_predicted(panel):
    held = studies.held_out(panel)
    assert held.units.shape == (N, WEEKS - (TRAINED - FIRST + 1))
    assert held.explained() > 0.5
    assert held.error(held.predicted) < held.error(held.mean)
    table = held.by_depth()
    assert ((table["low"] < 1.1) & (table["high"] > 0.9)).all()
    assert table["units"].sum() == held.units.sum()


def test_units_of_the_segments_are_those_of_the_panel(journey):
    panel = product_weeks(journey, weeks_sold=5, least_units=5)
    segments = deal_segments(journey, least_lines=5)
    units = studies.segment_units(journey, panel, segments)
    assert units.shape == (3, *panel.units.shape)
    assert 0 < units.sum() <= panel.units.sum()


def test_segments_with_planted_slopes_are_told_apart(panel, rng):
    slopes = np.array([-1.0, -2.0, -3.0])[:, None, None]
    units = rng.poisson(np.exp(2 + slopes * np.log(panel.prices.card / panel.prices.regular)))
    table = studies.segment_elasticities(units, panel)
    assert (abs(table["elasticity"] - slopes.ravel()) < 3 * table["se"]).all()
    assert table.index.tolist() == ["low", "middle", "high"]


def test_choices_of_the_fitted_vector_are_calibrated(planted, rng):
    vector, data = planted
    n, j = len(data.choice), data.features.shape[1]
    blank = np.zeros((n, j))
    padded = np.concatenate([data.features, np.zeros((n, j, 5))], axis=2)
    depth = rng.choice([0.0, 0.3], (n, j))
    trips = CategoryTrips(
        logit.Choices(padded, data.choice, data.cluster),
        np.zeros(n, int), np.zeros(n, int), depth, blank, blank, np.zeros(n),
    )  # fmt: skip
    table = studies.choice_calibration(np.concatenate([vector, np.zeros(5)]), trips)
    assert table.index.tolist() == ["0–5 %", "25–35 %", "all"]
    assert ((table["low"] < 1.02) & (table["high"] > 0.98)).all()
    assert table.loc["all", "purchases"] == (data.choice > 0).sum()


def conditional_logit(data: logit.Choices) -> float:
    """Log-likelihood of the same choices by statsmodels: one group per choice situation."""
    n, j, k = data.features.shape
    x = np.zeros((n, j + 1, j + k))
    x[:, 1:, :j], x[:, 1:, j:] = np.eye(j), data.features
    chosen = data.choice[:, None] == np.arange(j + 1)
    peer = ConditionalLogit(
        chosen.ravel() * 1, x.reshape(-1, j + k), groups=np.repeat(np.arange(n), j + 1)
    )
    return peer.loglike(logit.fit(data).vector), peer.score(logit.fit(data).vector)


def test_the_fit_is_a_maximum_of_the_conditional_logit_of_statsmodels(planted):
    _, data = planted
    few = logit.Choices(data.features[:400], data.choice[:400], data.cluster[:400])
    value, score = conditional_logit(few)
    assert logit.fit(few).log_likelihood == pytest.approx(value)
    assert np.abs(score).max() < 1e-3


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("panel", "reported"),
    [
        ("Catsup", -2466.4),
        ("Cracker", -3341.3),
        ("Yogurt", -2651.5),
        ("Ketchup", -4887.5),
        ("Tuna", -16265.0),
    ],
)
def test_log_likelihoods_of_the_published_panels(panel, reported):
    assert studies.ecdat_log_likelihood(panel) == pytest.approx(reported, abs=0.1)


@pytest.mark.real_data
def test_the_published_fit_of_the_yogurt_panel():
    # Helveston (2023), vignette of the R package logitr: price, feat and brand.
    fitted = logit.fit(studies.ecdat_choices("Yogurt", np.asarray))
    assert fitted.log_likelihood == pytest.approx(-2656.8878779, abs=1e-5)
    assert fitted.vector[-2:].tolist() == pytest.approx([-0.366584, 0.491433], abs=1e-5)


@pytest.mark.real_data
def test_zero_prices_are_dropped():
    assert len(studies.ecdat_choices("Cracker").choice) == 3289
