"""Measurements of data quality: worked cases, planted truth, independent implementations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from promo_repro.datasets import cleaning, features, quality, synthetic
from promo_repro.datasets.features import Panel


@pytest.fixture(scope="module")
def shop():
    return synthetic.complete_journey(np.random.default_rng(3), households=40, lines=4_000).tables


@pytest.fixture(scope="module")
def raw(shop):
    return cleaning.convert(shop["transactions"])


@pytest.fixture(scope="module")
def lines(raw, shop):
    return cleaning.clean(raw, shop["products"])[0]


def steady(n=100, seed=0):
    rng = np.random.default_rng(seed)
    spend = rng.lognormal(3, 1, (n, 1)) * rng.gamma(4, 0.25, (n, features.WEEKS))
    ones, trips = np.ones_like(spend), rng.poisson(1, spend.shape).astype(float)
    discount = spend * rng.random((n, 1))
    return Panel(np.arange(n), spend, discount, 0 * ones, spend / 2, 2 * ones, trips)


def test_behaviours_missing():
    assert quality.behaviours_missing(("click", "purchase"), ["click", "item"]) == ("purchase",)
    assert quality.behaviours_missing(("click",), ["click"]) == ()
    with pytest.raises(ValueError, match="unknown behaviours"):
        quality.behaviours_missing(("smell",), ["click"])


def test_sequence_parts_missing():
    assert quality.sequence_parts_missing(["household_id", "timestamp", "sales_value"]) == ()
    assert quality.sequence_parts_missing(["timestamp", "click"]) == ("user",)
    assert quality.sequence_parts_missing([]) == ("user", "time", "behaviour")


def test_feature_families():
    roles = {"who": "customer", "when": "time", "how much": "amount"}
    assert quality.feature_families(roles) == ("behaviour", "time")
    assert quality.feature_families(roles | {"age": "attribute"}) == (
        "behaviour",
        "attribute",
        "time",
    )
    assert quality.feature_families({"how much": "amount"}) == ()


def test_behaviour_sequences_follow_time(lines):
    sequences = quality.behaviour_sequences(lines.sample(frac=1, random_state=0))
    assert sequences.map(len).sum() == len(lines)
    one = lines[lines["household_id"] == 3].sort_values(["timestamp", "product_id"])
    assert sequences[3].tolist() == one["product_id"].tolist()


def test_removed_share():
    assert quality.removed_share(np.array([1, 2, 7]), np.array([1, 2])) == pytest.approx(0.7)
    assert quality.removed_share(np.array([4.0]), np.array([4.0])) == 0


def test_coverage():
    assert quality.coverage([1, 1, 2, 9], [1, 2, 2, 3, 4]) == 0.5
    assert quality.coverage([], [1]) == 0
    with pytest.raises(ValueError, match="nobody to cover"):
        quality.coverage([1], [])


def test_missing_cells():
    assert quality.missing_cells(pd.DataFrame({"a": [1, None], "b": [1, 2]})) == 0.25


def test_detection_worked():
    flagged = np.array([True, True, False, False, True])
    wrong = np.array([True, False, True, False, True])
    assert quality.detection(flagged, wrong) == pytest.approx((2 / 3, 2 / 3))
    assert quality.detection(np.array([True, True]), np.array([True, False])) == (0.5, 1)
    assert quality.detection(np.array([True, False]), np.array([True, True])) == (1, 0.5)


@given(hnp.arrays(bool, 12), hnp.arrays(bool, 12))
def test_detection_agrees_with_scikit_learn(flagged, wrong):
    if not (flagged.any() and wrong.any()):
        with pytest.raises(ValueError, match="rates are undefined"):
            quality.detection(flagged, wrong)
        return
    precision, recall = quality.detection(flagged, wrong)
    assert precision == pytest.approx(precision_score(wrong, flagged))
    assert recall == pytest.approx(recall_score(wrong, flagged))


def test_rule_precision_on_planted_errors():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.poisson(2, 500) + 1.0, np.full(5, 10_000.0)])
    wrong = values > 5_000
    assert quality.rule_precision(values, wrong, "3-sigma") == 1
    assert quality.rule_precision(values, wrong, "IQR") <= 1


def test_planted_precision_depends_on_size():
    values = np.random.default_rng(0).lognormal(3, 0.8, 3_000)
    assert quality.planted_precision(values, 1_000.0) > 0.8
    assert quality.planted_precision(values, 1.0) < 0.1


def test_outlier_share_of_sum():
    values = np.array([1.0] * 99 + [101.0])
    assert quality.outlier_share_of_sum(values, "3-sigma") == pytest.approx(101 / 200)


def test_mean_filling_is_unbiased_and_median_filling_is_not():
    values = pd.Series(np.random.default_rng(0).lognormal(0, 1, 2_000))
    mean, low, high = quality.filling_bias(values, "mean", 0.3)
    assert low < mean < high
    assert abs(mean) < 0.01
    assert quality.filling_bias(values, "median", 0.3)[2] < -0.05
    assert abs(quality.filling_bias(values, "median", 0.3, statistic="median")[0]) < 0.02
    assert quality.filling_spread(values, "mean", 0.3) == pytest.approx(np.sqrt(0.7), rel=0.02)


def test_selection_bias_worked():
    values = pd.Series([1.0, 1.0, 3.0, 3.0] * 50)
    observed = (values == 3).to_numpy()
    value, low, high = quality.selection_bias(values, observed, "mean")
    assert value == pytest.approx(0.5)
    assert low < value < high
    assert quality.selection_bias(values, np.ones(200, bool), "mean")[0] == pytest.approx(0)


def test_mode_filling():
    values = pd.Series(["a"] * 60 + ["b"] * 40)
    assert quality.modal_class_kept(values, 0.1) == 1
    assert quality.modal_share_shift(values, 0.3) == pytest.approx(0.3 * 0.4, abs=0.01)
    close = pd.Series(["a"] * 51 + ["b"] * 50)
    assert quality.modal_class_kept(close, 0.5) < 1


def test_open_defects_count_what_is_planted(raw, lines, shop):
    products, people = shop["products"], shop["demographics"]
    before = quality.open_defects(raw, products, people)
    after = quality.open_defects(lines, products, people)
    assert before["lines of unknown products"] == 7
    assert before["copies of lines"] == 4
    assert before["lines without a countable quantity"] == 4
    assert [after[key] for key in list(after)[:3]] == [0, 0, 0]
    known = set(people["household_id"])
    assert after["households without demographics"] == len(set(lines["household_id"]) - known)
    # 2 remain: unknown households, and prices that differ within a product-store-day (random).
    assert quality.defects_left(lines, products, people) == sum(v > 0 for v in after.values())


def test_open_defects_of_days_and_prices(lines, shop):
    products, people = shop["products"], shop["demographics"]
    one = lines.iloc[[0]].assign(household_id=people["household_id"].iloc[0])
    assert quality.defects_left(one, products, people) == 0
    dearer = one.assign(sales_value=one["sales_value"] + 1, basket_id=1)
    later = one.assign(date=one["date"] + pd.Timedelta(days=3))
    found = quality.open_defects(pd.concat([one, dearer, later]), products, people)
    assert found["product-store-days with two card prices"] == 1
    assert found["days without a line"] == 2


def test_join_inflation_worked():
    basket = np.array(["milk", "milk", "bread", "pasta"])
    coupons = np.array(["milk", "milk", "milk", "pasta"])
    assert quality.join_inflation(basket, coupons) == 2
    assert quality.join_inflation(basket, np.array(["soap"])) == 1


@given(
    hnp.arrays(int, st.integers(1, 12), elements=st.integers(0, 4)),
    hnp.arrays(int, st.integers(1, 12), elements=st.integers(0, 4)),
)
def test_join_inflation_is_that_of_a_left_join(basket, coupons):
    joined = pd.DataFrame({"p": basket}).merge(pd.DataFrame({"p": coupons}), how="left", on="p")
    assert quality.join_inflation(basket, coupons) == pytest.approx(len(joined) / len(basket))


def test_auc_worked():
    labels = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    scores = np.array([[3, 2, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]])
    got = quality.auc(labels, scores)
    assert got[:2].tolist() == [0.875, 0]
    assert np.isnan(got[2:]).all()
    assert quality.auc(np.array([[0, 1]]), np.array([[1, 2]])).tolist() == [1]


@given(
    hnp.arrays(int, 9, elements=st.integers(0, 1)), hnp.arrays(int, 9, elements=st.integers(0, 4))
)
def test_auc_agrees_with_scikit_learn_and_ignores_monotone_maps(labels, scores):
    assume(0 < labels.sum() < 9)
    got = quality.auc(labels[None], scores[None])[0]
    assert got == pytest.approx(roc_auc_score(labels, scores))
    assert quality.auc(labels[None], np.exp(scores)[None])[0] == pytest.approx(got)
    assert quality.auc(1 - labels[None], scores[None])[0] == pytest.approx(1 - got)


def test_category_weeks(lines, shop):
    bought = quality.category_weeks(lines, shop["products"])
    joined = lines.merge(shop["products"], on="product_id").dropna(subset="product_category")
    seen = joined.drop_duplicates(["household_id", "product_category", "week"])
    assert bought.sum() == len(seen)
    assert bought.shape[0] == lines["household_id"].nunique()


def test_label_auc_on_planted_habits():
    rng = np.random.default_rng(0)
    habit = rng.random((60, 20)) < 0.3
    bought = habit[:, :, None] & (rng.random((60, 20, 53)) < 0.7)
    assert quality.label_auc(bought, 40, "own")[0] > 0.95
    shuffled = quality.label_auc(bought, 40, "shuffled")
    assert shuffled[1] < 0.55
    assert quality.label_auc(bought, 40, "both")[0] >= quality.label_auc(bought, 40, "popular")[0]
    with pytest.raises(ValueError, match="no score 'oracle'"):
        quality.label_auc(bought, 40, "oracle")


def test_false_negatives():
    bought = np.zeros((1, 4, 53), bool)
    bought[0, 0, 41] = True  # bought in the label window
    bought[0, 1, 3] = True  # bought, but not then
    assert quality.false_negatives(bought, 40) == pytest.approx(1 / 3)


def test_split_optimism_finds_the_leak():
    panel = steady()
    _, low, _ = quality.split_optimism(panel, "random")
    assert quality.split_optimism(panel, "time")[1] < low + 0.2
    with pytest.raises(ValueError, match="no split 'fair'"):
        quality.split_optimism(panel, "fair")


@pytest.mark.parametrize("scaler", ["z-score", "min-max"])
def test_scaling_cannot_matter_to_least_squares_and_trees(scaler):
    panel = steady(200)
    for model in ("least squares", "tree"):
        assert quality.scaling_gain(panel, model, scaler) == pytest.approx((0, 0, 0), abs=1e-9)
    assert abs(quality.scaling_gain(panel, "nearest neighbours", scaler)[0]) > 1e-6


def test_scaling_gain_is_a_difference_of_scores():
    panel = steady(200)
    gain, low, high = quality.scaling_gain(panel, "nearest neighbours", "z-score")
    scores = [quality.scaled_r_squared(panel, "nearest neighbours", s) for s in ("z-score", "none")]
    assert gain == pytest.approx(scores[0] - scores[1])
    assert low < high
    actual, predicted = quality.scaled_predictions(panel, "neural network", "z-score")
    assert actual.shape == predicted.shape == (2, 200)


def test_cleaning_gain():
    clean = steady()
    assert quality.cleaning_gain(clean, clean, "units") == (0, 0, 0)
    noise = np.random.default_rng(1).lognormal(8, 3, clean.units.shape)
    dirty = clean._replace(units=clean.units + noise)
    assert quality.cleaning_gain(dirty, clean, "units")[1] > 0.1
    assert quality.cleaning_gain(dirty, clean, "spend") == (0, 0, 0)
    with pytest.raises(ValueError, match="missing from the raw panel"):
        quality.cleaning_gain(clean.take(np.arange(5)), clean, "units")


def test_weekday_r_squared_on_a_pure_weekly_pattern():
    dates = pd.Series(pd.date_range("2017-01-02", periods=20 * 7))
    totals = np.exp(dates.dt.day_of_week.to_numpy() / 3)
    assert quality.weekday_r_squared(dates, totals, "2017-04-02") == pytest.approx((1, 1, 1))
    noise = np.exp(np.random.default_rng(0).normal(size=140))
    assert quality.weekday_r_squared(dates, noise, "2017-04-02")[0] < 0.3


def test_promotion_gain_finds_planted_promotions():
    rng = np.random.default_rng(0)
    cells = pd.MultiIndex.from_product([range(40), range(2, 53)], names=["product_id", "week"])
    cells = cells.to_frame(index=False)
    cells["display"] = (rng.random(len(cells)) < 0.3).astype(float)
    cells["mailer"] = 0.0
    level = rng.lognormal(3, 1, 40)[cells["product_id"]]
    cells["units"] = rng.poisson(level * np.exp(cells["display"]))
    assert quality.promotion_gain(cells)[1] > 0.02
    useless = cells.assign(display=rng.permutation(cells["display"].to_numpy()))
    assert abs(quality.promotion_gain(useless)[0]) < 0.02


def test_unit_value_agreement():
    base = {"product_id": 1, "store_id": 1, "week": 1, "quantity": 2, "coupon_match_disc": 0.0}
    plain = pd.DataFrame([{**base, "sales_value": 4.0, "coupon_disc": 0.0}])
    coupon = plain.assign(coupon_disc=1.0)
    matched = coupon.assign(coupon_match_disc=1.0, sales_value=3.0)
    together = pd.concat([plain, coupon, matched], ignore_index=True)
    assert quality.unit_value_agreement(together, "coupon_disc") == 1
    assert quality.unit_value_agreement(together, "coupon_match_disc") == 0
    with pytest.raises(ValueError, match="no product-store-week"):
        quality.unit_value_agreement(plain, "coupon_disc")


def test_daily_spend(lines):
    households, spend = quality.daily_spend(lines)
    assert spend.shape == (lines["household_id"].nunique(), 365)
    mine = lines[lines["household_id"] == households[0]]
    first = mine[mine["date"] == mine["date"].min()]
    day = first["date"].dt.day_of_year.iloc[0] - 1
    assert spend[0, day] == pytest.approx(first["sales_value"].sum())


def test_within_campaign_difference_worked():
    received = np.array([[1.0, 0.0, 0.0, 1.0]])
    outcome = np.array([[5.0, 1.0, 3.0, 9.0]])
    assert quality.within_campaign_difference(outcome, received) == 5
    quarter = quality.within_campaign_difference(outcome / 20, received)
    assert quarter == pytest.approx(0.25)
    # A shift of a whole campaign is no effect, whoever received it.
    two = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    level = np.array([[0.0] * 4, [100.0] * 4])
    assert quality.within_campaign_difference(2 * two + level, two) == pytest.approx(2)
    with pytest.raises(ValueError, match="both receivers and others"):
        quality.within_campaign_difference(np.ones((1, 3)), np.ones((1, 3)))


def test_campaign_effects_see_through_selection_only_with_differences():
    rng = np.random.default_rng(0)
    level = rng.lognormal(0, 1, 400)
    spend = level[:, None] * rng.gamma(2, 0.5, (400, 365))
    received = np.array([level > np.median(level)], float)
    starts = np.array([100])
    spend[level > np.median(level), 100:128] += 0.5  # a true effect of 3.50 a week
    effects = quality.campaign_effects(spend, received, starts)
    assert effects["naive"][1] > 5
    assert effects["difference in differences"][1] < 3.5 < effects["difference in differences"][2]
    assert effects["placebo"][1] < 0 < effects["placebo"][2]
    assert quality.campaign_effect(spend, received, starts, "naive") == effects["naive"]


def test_type_campaigns(shop):
    households = np.arange(1, 41)
    received, starts = quality.type_campaigns(
        households, shop["campaigns"], shop["campaign_descriptions"], "Type A"
    )
    assert received.shape == (1, 40)
    assert received.sum() == len(shop["campaigns"])
    assert starts.tolist() == [pd.Timestamp("2017-04-10").day_of_year - 1]
