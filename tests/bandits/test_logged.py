"""Rates from a log, by hand and against statsmodels-free references of SciPy."""

import numpy as np
import pytest
from scipy import stats

from promo_repro.bandits import logged


def test_wilson_interval_equals_scipys():
    for clicks, shown in [(0, 10), (3, 10), (38, 10_000), (10, 10)]:
        low, high = logged.wilson_interval([clicks], [shown])
        theirs = stats.binomtest(clicks, shown).proportion_ci(method="wilson")
        assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    narrow = logged.wilson_interval([3], [10], level=0.5)
    theirs = stats.binomtest(3, 10).proportion_ci(0.5, method="wilson")
    assert (narrow[0][0], narrow[1][0]) == pytest.approx((theirs.low, theirs.high))
    with pytest.raises(ValueError, match="level is 95"):
        logged.wilson_interval([3], [10], level=95)


def test_dispersion_and_its_p_value_equal_a_contingency_table():
    clicks, shown = np.array([3, 8, 20]), np.array([50, 60, 90])
    theirs = stats.chi2_contingency([clicks, shown - clicks], correction=False)
    assert logged.dispersion(clicks, shown) == pytest.approx(theirs.statistic / 2)
    assert logged.homogeneity_p_value(clicks, shown) == pytest.approx(theirs.pvalue)


def test_dispersion_refuses_what_cannot_be_compared():
    for clicks in ([0, 0], [5, 5]):
        with pytest.raises(ValueError, match="never or always"):
            logged.dispersion(clicks, [5, 5])
    with pytest.raises(ValueError, match="fewer than two arms"):
        logged.dispersion([1], [5])


def test_shrunken_rates_by_hand():
    # Rates 0.1 and 0.3 of 100 each: pooled 0.2, chi-squared 12.5 with one degree of freedom.
    rates = logged.shrunken_rates([10, 30], [100, 100])
    assert rates == pytest.approx([0.2 - 0.1 * 0.92, 0.2 + 0.1 * 0.92])
    # Rates as close as chance would make them are one rate.
    assert logged.shrunken_rates([19, 21], [100, 100]) == pytest.approx([0.2, 0.2])
    uneven = logged.shrunken_rates([10, 90], [100, 300])
    kept = 1 - 1 / logged.dispersion([10, 90], [100, 300])
    assert uneven == pytest.approx([0.25 - 0.15 * kept, 0.25 + 0.05 * kept])
