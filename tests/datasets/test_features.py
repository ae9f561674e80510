"""Features and scores: worked cases, laws, independent implementations, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import r2_score

from promo_repro.datasets import cleaning, features, synthetic
from promo_repro.datasets.features import Panel

whole = st.integers(-50, 50).map(float)
pairs = st.integers(2, 20).flatmap(
    lambda n: st.tuples(hnp.arrays(float, n, elements=whole), hnp.arrays(float, n, elements=whole))
)


@pytest.fixture(scope="module")
def lines():
    shop = synthetic.complete_journey(np.random.default_rng(3), households=40, lines=6_000)
    return cleaning.clean(cleaning.convert(shop.tables["transactions"]), shop.tables["products"])[0]


@pytest.fixture(scope="module")
def panel(lines):
    return features.weekly_panel(lines)


def steady(n=120, seed=0):
    """A panel whose households differ for good, with noise between weeks."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(3, 1, (n, 1))
    spend = level * rng.gamma(4, 0.25, (n, features.WEEKS))
    ones = np.ones_like(spend)
    return Panel(np.arange(n), spend, 0.2 * spend, 0 * ones, 3 * ones, 2 * ones, ones)


def test_panel_adds_up(lines, panel):
    assert panel.spend.sum() == pytest.approx(lines["sales_value"].sum())
    assert panel.units.sum() == lines["quantity"].sum()
    assert panel.lines.sum() == len(lines)
    assert panel.trips.sum() == len(lines.drop_duplicates(["basket_id", "week"]))
    one = lines[(lines["household_id"] == panel.households[2]) & (lines["week"] == 9)]
    assert panel.spend[2, 8] == pytest.approx(one["sales_value"].sum())
    assert panel.discount[2, 8] == pytest.approx(one["retail_disc"].sum())


def test_panel_does_not_depend_on_row_order(lines, panel):
    again = features.weekly_panel(lines.sample(frac=1, random_state=1))
    for first, second in zip(panel, again, strict=True):
        np.testing.assert_allclose(first, second)


def test_behaviour_features_see_only_the_past(panel):
    week = 20
    future = Panel(panel.households, *(values.copy() for values in panel[1:]))
    for values in future[1:]:
        values[:, week:] = 99.0
    np.testing.assert_array_equal(
        features.behaviour_features(panel, week), features.behaviour_features(future, week)
    )
    assert not np.array_equal(
        features.behaviour_features(panel, week + 1), features.behaviour_features(future, week + 1)
    )


def test_behaviour_features_worked():
    zero = np.zeros((1, features.WEEKS))
    spend, discount = zero.copy(), zero.copy()
    spend[0, [10, 13]] = [3.0, 5.0]  # weeks 11 and 14
    discount[0, 10] = 2.0
    got = features.behaviour_features(Panel(np.array([1]), spend, discount, *[zero] * 4), 16)[0]
    np.testing.assert_allclose(got, [0, np.log(6), np.log(9), 0, 0, 0.2, 0, np.log(3)], atol=1e-12)


@pytest.mark.parametrize(("week", "history"), [(11, 12), (54, 12), (12, 3)])
def test_behaviour_features_refuse(panel, week, history):
    with pytest.raises(ValueError, match="behind it"):
        features.behaviour_features(panel, week, history)


def test_weeks_since_last():
    spend = np.array([[0, 0, 1], [1, 0, 0], [0, 2, 0], [0, 0, 0]], float)
    assert features.weeks_since_last(spend).tolist() == [0, 2, 1, 3]
    small = np.array([[0.5, 0.5, 0.0]])
    assert features.weeks_since_last(small).tolist() == [1]


def test_attributes_have_a_column_for_unknown():
    people = pd.DataFrame({"household_id": [2, 3], "age": ["25-34", None]}, dtype="object")
    got = features.attribute_features(np.array([1, 2, 3]), people)
    assert got.sum(axis=1).tolist() == [1, 1, 1]
    assert got[0].tolist() == got[2].tolist() != got[1].tolist()


def test_time_features():
    # The four weeks after week 48 are 27 November to 24 December.
    assert features.time_features(48).tolist() == [5, 24, 48]
    assert features.time_features(2)[1] == 0


def test_next_spend_worked(panel):
    got = features.next_spend(panel, 20)
    np.testing.assert_allclose(np.expm1(got), panel.spend[:, 20:24].sum(axis=1))


def test_design_stacks_weeks_and_families(panel):
    n = len(panel.households)
    table, target = features.design(panel, (14, 20), ("behaviour", "time"))
    assert table.shape == (2 * n, 11)
    np.testing.assert_array_equal(table[n:, :8], features.behaviour_features(panel, 20))
    np.testing.assert_array_equal(target[n:], features.next_spend(panel, 20))


@pytest.mark.parametrize("families", [("weather",), ("attribute",)])
def test_design_refuses(panel, families):
    with pytest.raises(ValueError, match="cannot make the families"):
        features.design(panel, (14,), families)


def test_r_squared_worked():
    actual = np.array([1.0, 2.0, 3.0])
    assert features.r_squared(actual, actual) == 1
    assert features.r_squared(actual, np.full(3, 2.0)) == 0
    assert features.r_squared(actual, np.array([1.0, 2.0, 4.0])) == 0.5
    assert features.r_squared(actual, np.array([3.0, 2.0, 1.0])) == -3


@given(pairs)
def test_r_squared_agrees_with_scikit_learn(pair):
    actual, guess = pair
    assume(actual.min() < actual.max())
    assert features.r_squared(actual, guess) == pytest.approx(r2_score(actual, guess), rel=1e-9)


def test_r_squared_refuses():
    with pytest.raises(ValueError, match="shapes differ"):
        features.r_squared(np.ones((2, 3)), np.ones(6))
    with pytest.raises(ValueError, match="nothing to explain"):
        features.r_squared(np.ones(3), np.arange(3.0))


def test_captured_share_worked():
    spend = np.array([10.0, 30.0, 40.0, 20.0])
    assert features.captured_share(spend, spend, 0.25) == 0.4
    assert features.captured_share(spend, -spend, 0.25) == 0.1
    assert features.captured_share(spend, spend, 0.5) == 0.7
    assert features.captured_share(spend / 1000, spend, 0.25) == pytest.approx(0.4)
    ten = np.arange(1.0, 11.0)
    assert features.captured_share(ten, ten) == pytest.approx(19 / 55)


@given(hnp.arrays(float, 10, elements=st.integers(1, 50).map(float)), st.integers(0, 2**32 - 1))
def test_captured_share_laws(spend, seed):
    score = np.random.default_rng(seed).permutation(10).astype(float)
    best = features.captured_share(spend, spend, 0.3)
    assert 0 < features.captured_share(spend, score, 0.3) <= best + 1e-12
    assert features.captured_share(3 * spend, np.exp(score), 0.3) == pytest.approx(
        features.captured_share(spend, score, 0.3)
    )


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.1])
def test_captured_share_refuses_shares(share):
    with pytest.raises(ValueError, match="not between"):
        features.captured_share(np.ones(3), np.ones(3), share)


def test_captured_share_refuses_nothing():
    with pytest.raises(ValueError, match="nothing is spent"):
        features.captured_share(np.zeros(3), np.ones(3))


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(5)
    covered = 0
    for draw in range(60):
        value, low, high = features.bootstrap(np.mean, rng.normal(size=80), seed=draw)
        assert low < value < high
        covered += low < 0 < high
    assert covered >= 50


def test_bootstrap_draws_the_same_households_for_all_columns():
    values = np.arange(30.0)
    assert features.bootstrap(lambda a, b: np.abs(a - b).max(), values, values)[1:] == (0, 0)


def test_interval_text():
    assert features.interval((0.5, 0.123, 0.987), ".2f") == "0.12 to 0.99"


def test_predictions_are_out_of_time_and_good_where_levels_last():
    panel = steady()
    actual, guess = features.predict_ahead(panel)
    assert actual.shape == guess.shape == (2, 120)
    assert features.r_squared(actual, guess) > 0.8
    value, low, high = features.predictive_r_squared(panel, ("behaviour",))
    assert low < value < high
    assert features.predictive_r_squared(panel, ("time",))[0] < 0.05


def test_family_gain_is_zero_for_a_family_that_says_nothing():
    panel = steady()
    noise = np.random.default_rng(1).integers(0, 2, (120, 2)).astype(float)
    _, low, high = features.family_gain(panel, ("attribute",), ("behaviour",), noise)
    assert low < 0.02
    assert high > -0.02
    value, low, _ = features.family_gain(panel, ("behaviour",), ("time",), noise)
    assert low > 0.5
    assert value > low


def test_learning_curves_rise_and_reach_the_whole():
    panel = steady()
    curve = features.learning_curve(panel, [8, 120], repeats=4)
    assert curve["value"].is_monotonic_increasing
    whole_score = features.r_squared(*features.predict_ahead(panel))
    assert curve["value"].iloc[1] == pytest.approx(whole_score)
    assert features.size_gain(panel, 100, 8, repeats=4)[0] > 0


def test_history_gain_of_equal_histories_is_zero():
    assert features.history_gain(steady(), 8, 8) == (0, 0, 0)
    assert features.history_gain(steady(), 12, 4)[0] > 0


def test_swap_households_keeps_weekly_totals():
    panel = steady()
    damaged = features.swap_households(panel, 0.5, seed=2)
    np.testing.assert_allclose(damaged.spend.sum(axis=0), panel.spend.sum(axis=0))
    assert 0.3 < (damaged.spend != panel.spend).mean() < 0.6
    same = features.swap_households(panel, 0.0)
    np.testing.assert_array_equal(same.spend, panel.spend)
    with pytest.raises(ValueError, match="share is 2"):
        features.swap_households(panel, 2)


def test_corruption_costs_and_none_costs_nothing():
    panel = steady()
    assert features.corruption_loss(panel, 0.0) == (0, 0, 0)
    assert features.corruption_loss(panel, 1.0)[1] > 0.1
    assert 0.2 < features.targeting_capture(panel)[0] < 1


def test_within_share_worked():
    assert features.within_share(np.array([[1.0, 1.0], [3.0, 3.0]])) == 0
    assert features.within_share(np.array([[1.0, 3.0], [3.0, 1.0]])) == 1
    # Means 1 and 4 around 2.5: between 4 · 2.25 = 9, within 2 · 1 = 2.
    assert features.within_share(np.array([[0.0, 2.0], [4.0, 4.0]])) == pytest.approx(2 / 11)
    with pytest.raises(ValueError, match="no variance"):
        features.within_share(np.ones((2, 2)))


@given(hnp.arrays(float, (4, 5), elements=whole), st.integers(1, 9), whole)
def test_within_share_is_a_share_without_unit(values, scale, origin):
    assume(values.min() < values.max())
    share = features.within_share(values)
    assert -1e-12 <= share <= 1 + 1e-12
    assert features.within_share(scale * values + origin) == pytest.approx(share, abs=1e-9)
