"""Moments by hand and from planted draws, the planted dip, and the stored record."""

import json

import numpy as np
import pytest

from promo_repro.response import example, fit
from promo_repro.response.fit import beta_moments, dirichlet_concentration, gamma_moments
from promo_repro.response.panels import Prices, ProductWeeks


def test_gamma_moments_by_hand():
    # Counts 0, 2, 10: mean 4, variance 56/3, excess 44/3, shape 16 · 3 / 44.
    rate, shape = gamma_moments([0, 2, 10], 8)
    assert rate == pytest.approx(0.5)
    assert shape == pytest.approx(12 / 11)
    # Rare events: mean 1/2, variance 3/4, so that an excess of 1/4 is enough.
    assert gamma_moments([0, 0, 0, 2], 5) == pytest.approx((0.1, 1.0))


def test_gamma_moments_find_the_planted_shape(rng):
    counts = rng.poisson(rng.gamma(2.5, 30 / 2.5, 40_000))
    rate, shape = gamma_moments(counts, 10)
    assert rate == pytest.approx(3, rel=0.02)
    assert shape == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("counts", [[2.0, 2.0], [1.0, 3.0]])
def test_counts_without_excess_have_no_gamma(counts):
    # The second has variance 1 and mean 2, the edge case variance = mean is refused as well.
    with pytest.raises(ValueError, match="no gamma shape"):
        gamma_moments(counts, 1)
    with pytest.raises(ValueError, match="no gamma shape"):
        gamma_moments([0.0, 2.0], 1)


def test_beta_moments_by_hand():
    # Rates 0.2 and 0.6: m = 0.4, v = 0.04, a + b = 0.24/0.04 - 1 = 5.
    assert beta_moments([0.2, 0.6]).tolist() == pytest.approx([2, 3])
    # Mostly zero: m = 0.1, v = 0.03, a + b = 0.09/0.03 - 1 = 2.
    assert beta_moments([0.0, 0.0, 0.0, 0.4]).tolist() == pytest.approx([0.2, 1.8])


# The mean of three times 0.1 is not 0.1 in floats, nor their variance zero. Rates from -0.1 to 1.1
# have a variance that a beta distribution could have.
@pytest.mark.parametrize(
    "rates",
    [[0.3, 0.3], [0.1, 0.1, 0.1], [0.0, 1.0], [0.0, 1.0, 1.0], [-1.0, 2.0], [-0.1, 0.5, 1.1]],
)
def test_rates_without_a_beta(rates):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        beta_moments(rates)


def test_dirichlet_by_hand_and_planted(rng):
    # Shares (0.2, 0.8) and (0.6, 0.4): Σ m(1-m) = 0.48, Σ v = 0.08.
    assert dirichlet_concentration([[0.2, 0.8], [0.6, 0.4]]) == pytest.approx(5)
    drawn = rng.dirichlet([1.0, 2.0, 3.0], 40_000)
    assert dirichlet_concentration(drawn) == pytest.approx(6, rel=0.03)


def test_equal_shares_have_no_concentration():
    with pytest.raises(ValueError, match="do not vary"):
        dirichlet_concentration([[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="do not vary"):
        dirichlet_concentration([[0.1, 0.9]] * 3)


def test_the_planted_dip_is_found(rng):
    depth = rng.choice([0.0, 0.3], (200, 51), p=[0.6, 0.4])
    before = np.roll(depth, 1, axis=1)
    display = (rng.random((200, 51)) < 0.2) * 1.0
    mailer = (rng.random((200, 51)) < 0.2) * 1.0
    units = rng.poisson(np.exp(2 + 2 * depth - 0.5 * before + 0.3 * display)) * 1.0
    regular = np.full((200, 51), 2.0)
    prices = Prices(np.arange(200), regular * (1 - depth), regular)
    found = fit.dip(ProductWeeks(np.repeat("eggs", 200), units, prices, display, mailer))
    assert abs(found.discount - 2) < 3 * found.discount_se
    assert (abs(found.lags - [-0.5, 0, 0, 0]) < 3 * found.lags_se).all()


def test_rows_hold_every_slope_with_its_interval():
    rows = fit.rows(example())
    assert len(rows) == 2 * 7
    for row in rows:
        assert row["lo"] < row["value"] < row["hi"]
    assert {row["method"] for row in rows} == {"bread", "cola"}


def test_results_are_written_with_their_provenance(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "root", lambda: tmp_path)
    fit.write("table", "python -m x", [{"value": 1.0}], True, more=[2])
    (path,) = tmp_path.rglob("table.json")
    record = json.loads(path.read_text())
    assert record["simulated"] is True
    assert record["rows"] == [{"value": 1.0}]
    assert record["more"] == [2]
    assert record["commit"] == "unknown"
