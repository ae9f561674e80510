"""Preprocessing formulas: worked cases, laws, independent implementations, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from promo_repro.datasets import preprocessing as pre

columns = hnp.arrays(float, st.integers(2, 30), elements=st.integers(-1000, 1000).map(float))


def test_z_score_worked():
    np.testing.assert_allclose(pre.z_score([1, 3]), [-1, 1])
    np.testing.assert_allclose(pre.z_score([2, 4, 4, 4, 5, 5, 7, 9])[[0, -1]], [-1.5, 2.0])


@given(columns)
def test_scalers_agree_with_scikit_learn(values):
    assume(values.min() < values.max())
    table = values[:, None]
    np.testing.assert_allclose(
        pre.z_score(values), StandardScaler().fit_transform(table)[:, 0], atol=1e-9
    )
    np.testing.assert_allclose(
        pre.min_max(values), MinMaxScaler().fit_transform(table)[:, 0], atol=1e-12
    )


@given(columns, st.integers(1, 50), st.integers(-50, 50))
def test_scalers_forget_scale_and_origin(values, scale, origin):
    assume(values.min() < values.max())
    moved = scale * values + origin
    np.testing.assert_allclose(pre.z_score(moved), pre.z_score(values), atol=1e-8)
    np.testing.assert_allclose(pre.min_max(moved), pre.min_max(values), atol=1e-10)


def test_min_max_worked():
    np.testing.assert_allclose(pre.min_max([2, 3, 6]), [0, 0.25, 1])


@pytest.mark.parametrize("scale", [pre.z_score, pre.min_max, pre.three_sigma])
def test_constants_cannot_be_scaled(scale):
    with pytest.raises(ValueError, match="all values are equal"):
        scale([2.0, 2.0])


def test_three_sigma_is_strict_and_two_sided():
    # 18 zeros and a pair ±1 have standard deviation 1/√10, so the pair lies at √10 > 3.
    values = np.array([0.0] * 18 + [1.0, -1.0])
    assert pre.three_sigma(values).tolist() == [False] * 18 + [True, True]
    # 16 zeros and a pair ±1: exactly three deviations, which is not beyond three.
    edge = np.array([0.0] * 16 + [1.0, -1.0])
    assert np.abs(pre.z_score(edge)).max() == 3
    assert not pre.three_sigma(edge).any()


def test_three_sigma_is_not_two_sigma():
    values = np.array([0.0] * 10 + [1.0, -1.0])  # the pair lies at √6 = 2.45
    assert not pre.three_sigma(values).any()


@pytest.mark.parametrize(
    ("extreme", "flagged"), [(7.0, False), (7.01, True), (-1.0, False), (-1.01, True)]
)
def test_interquartile_edges(extreme, flagged):
    # With twenty twos, twenty fours and one extreme the quartiles are 2 and 4: fences at -1 and 7.
    values = np.array([2.0] * 20 + [4.0] * 20 + [extreme])
    assert np.quantile(values, [0.25, 0.75]).tolist() == [2, 4]
    assert pre.interquartile(values)[-1] == flagged
    assert not pre.interquartile(values)[:-1].any()


def test_isolation_flags_the_planted_point_and_the_asked_share():
    values = np.concatenate([np.random.default_rng(1).normal(size=199), [50.0]])
    flags = pre.isolated(values, 0.02, seed=3)
    assert flags[-1]
    assert 3 <= flags.sum() <= 4  # two percent of 200, the row on the quantile in or out


GAPS = pd.Series([1.0, 1.0, 4.0, 10.0, np.nan])


@pytest.mark.parametrize(("method", "value"), [("mean", 4.0), ("median", 2.5), ("mode", 1.0)])
def test_filled(method, value):
    result = pre.filled(GAPS, method)
    assert result.iloc[-1] == value
    assert result.iloc[:-1].tolist() == GAPS.iloc[:-1].tolist()


def test_filled_takes_the_smallest_mode_and_text():
    assert pre.filled(pd.Series(["b", "a", None]), "mode").tolist() == ["b", "a", "a"]


def test_filled_refuses():
    for method in ("first", "meat", "zero"):
        with pytest.raises(ValueError, match=f"no method '{method}'"):
            pre.filled(GAPS, method)
    with pytest.raises(ValueError, match="every value is missing"):
        pre.filled(pd.Series([np.nan, np.nan]), "mean")


def test_filled_spread_against_simulation():
    rng = np.random.default_rng(0)
    values = pd.Series(rng.gamma(2.0, size=20_000))
    gaps = values.mask(rng.random(len(values)) < 0.4)
    ratio = pre.filled(gaps, "mean").std() / values.std()
    assert ratio == pytest.approx(pre.filled_spread(0.4), rel=0.02)
    assert pre.filled_spread(0.36) == pytest.approx(0.8)
    assert pre.filled_spread(0) == 1


@pytest.mark.parametrize("missing", [-0.01, 1, 1.5])
def test_filled_spread_refuses(missing):
    with pytest.raises(ValueError, match="missing share"):
        pre.filled_spread(missing)


def test_filled_mode_share():
    assert pre.filled_mode_share(0.5, 0.4) == pytest.approx(0.7)
    assert pre.filled_mode_share(0.25, 0.1) == pytest.approx(0.325)
    assert pre.filled_mode_share(0.3, 0) == 0.3
    assert pre.filled_mode_share(0.3, 1) == 1
    assert pre.filled_mode_share(0, 0.25) == 0.25
    assert pre.filled_mode_share(1, 0.25) == 1


@pytest.mark.parametrize(("share", "missing"), [(-0.1, 0.5), (1.1, 0.5), (0.5, -0.1), (0.5, 1.1)])
def test_filled_mode_share_refuses(share, missing):
    with pytest.raises(ValueError, match="must be in"):
        pre.filled_mode_share(share, missing)


def test_exact_duplicates_count_copies_not_originals():
    frame = pd.DataFrame({"a": [1, 1, 1, 2], "b": [0, 0, 1, 0]})
    assert pre.exact_duplicates(frame) == 1
    assert pre.exact_duplicates(pd.concat([frame, frame])) == 5
    assert pre.exact_duplicates(frame.drop_duplicates()) == 0


def test_deduplication_shift():
    frame = pd.DataFrame({"visit": [0, 0, 0, 1]})
    assert pre.deduplication_shift(frame, "visit") == pytest.approx(1.0)  # 1/4 becomes 1/2
    assert pre.deduplication_shift(frame.assign(id=range(4)), "visit") == 0


LINES = pd.DataFrame({"household_id": [5, 5, 9, 9], "product_id": [1, 1, 3, 1]})


def test_interaction_matrix():
    matrix = pre.interaction_matrix(LINES)
    assert matrix.toarray().tolist() == [[2, 0], [1, 1]]
    assert pre.density(matrix) == 0.75
    assert pre.interactions_kept(LINES) == 4
    missing = LINES.assign(product_id=[1, 1, None, 1])
    assert pre.interactions_kept(missing) == 3
    assert pre.interaction_matrix(missing).toarray().tolist() == [[2], [1]]


def test_density_of_a_wide_matrix():
    wide = pre.interaction_matrix(
        pd.DataFrame({"household_id": [1, 1, 2], "product_id": [1, 2, 3]})
    )
    assert wide.shape == (2, 3)
    assert pre.density(wide) == 0.5


# User 1 buys item 7 on day 2 (twice) and item 8 on day 3; user 2 buys item 7 on days 3 and 4.
# User 0 buys item 6 on day 1, and so does nobody else.
USER = np.array([1, 1, 1, 2, 2, 0])
ITEM = np.array([7, 7, 8, 7, 7, 6])
DAY = np.array([2, 2, 3, 3, 4, 1])


def test_history_readings():
    assert pre.history(USER, ITEM, DAY, 1, 7, 4, "own") == [(0, 0), (2, 1), (0, 0), (0, 0)]
    assert pre.history(USER, ITEM, DAY, 1, 7, 4, "printed") == [(0, 0), (2, 1), (1, 1), (0, 1)]
    assert pre.history(USER, ITEM, DAY, 1, 7, 3, "printed") == [(0, 0), (2, 1), (1, 1)]
    assert pre.history(USER, ITEM, DAY - 1, 1, 7, 2, "own") == [(2, 1), (0, 0)]
    assert pre.history(USER, ITEM, DAY - 2, 1, 7, 2, "own") == [(0, 0), (0, 0)]  # day 0 is out
    assert pre.history(USER, ITEM, DAY, 1, 6, 1, "own") == [(0, 0)]


def test_history_counts():
    assert pre.purchase_days(USER, ITEM, DAY, 1, 7, 4, "own") == 1
    assert pre.purchase_days(USER, ITEM, DAY, 1, 7, 4, "printed") == 3
    assert pre.elements(USER, ITEM, DAY, 1, 7, 4, "set") == 2
    assert pre.elements(USER, ITEM, DAY, 1, 7, 4, "sequence") == 4


def test_history_refuses_other_readings():
    with pytest.raises(ValueError, match="no reading 'mixed'"):
        pre.history(USER, ITEM, DAY, 1, 7, 4, "mixed")
