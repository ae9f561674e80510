"""What data hold, what they lack, and what cleaning does to the answers drawn from them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from promo_repro.claims import formula
from promo_repro.datasets.features import (
    HORIZON,
    TEST_WEEKS,
    TRAIN_WEEKS,
    Panel,
    bootstrap,
    design,
    next_spend,
    r_squared,
    ridge,
)
from promo_repro.datasets.preprocessing import RULES, filled, isolated, min_max, z_score

# A behaviour counts as recorded if a table has one of these columns.
BEHAVIOUR_COLUMNS = {
    "purchase": {"sales_value", "conversion", "purchase", "choice"},
    "click": {"click"},
    "view": {"position", "visit"},
    "search": {"query", "search_term"},
    "rating": {"rating", "stars"},
    "review": {"review", "review_text"},
}
# What a table needs before a family of features can be computed from it.
FAMILY_NEEDS = {
    "behaviour": {"customer", "time", "amount"},
    "attribute": {"customer", "attribute"},
    "time": {"time"},
}
USER_COLUMNS = {"household_id", "household", "ID"}
TIME_COLUMNS = {"timestamp", "date"}


def behaviours_missing(wanted: Iterable[str], columns: Iterable[str]) -> tuple[str, ...]:
    """Return which of the wanted behaviours no column records.

    Raises `ValueError` for a behaviour that is not in `BEHAVIOUR_COLUMNS`.
    """
    unknown = set(wanted) - set(BEHAVIOUR_COLUMNS)
    if unknown:
        raise ValueError(f"unknown behaviours {unknown}; known are {tuple(BEHAVIOUR_COLUMNS)}")
    present = set(columns)
    return tuple(name for name in wanted if not BEHAVIOUR_COLUMNS[name] & present)


def sequence_parts_missing(columns: Iterable[str]) -> tuple[str, ...]:
    """Return what a table lacks for behaviour sequences: a user, a time, a behaviour."""
    present = set(columns)
    parts = {
        "user": USER_COLUMNS,
        "time": TIME_COLUMNS,
        "behaviour": set().union(*BEHAVIOUR_COLUMNS.values()),
    }
    return tuple(name for name, known in parts.items() if not known & present)


def feature_families(roles: Mapping[str, str]) -> tuple[str, ...]:
    """Return the families of features that records with these roles (column → role) permit.

    Roles are customer, time, amount, attribute, and item.
    """
    given = set(roles.values())
    return tuple(family for family, needs in FAMILY_NEEDS.items() if needs <= given)


def behaviour_sequences(lines: pd.DataFrame) -> pd.Series:
    """Return each household's products in the order of time: household → array of product ids."""
    ordered = lines.sort_values(["household_id", "timestamp", "product_id"], kind="stable")
    starts = np.flatnonzero(np.diff(ordered["household_id"], prepend=-1))
    products = np.split(ordered["product_id"].to_numpy(), starts[1:])
    return pd.Series(products, index=ordered["household_id"].to_numpy()[starts])


@formula("eq-01-removed-share")
def removed_share(before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of a sum that is gone after a step: 1 - sum(after) / sum(before)."""
    return float(1 - np.sum(after) / np.sum(before))


@formula("eq-01-coverage")
def coverage(known: Iterable, everyone: Iterable) -> float:
    """Return the share of `everyone` that is among `known`; ids may repeat.

    Raises `ValueError` if `everyone` is empty.
    """
    everyone = set(everyone)
    if not everyone:
        raise ValueError("nobody to cover: `everyone` is empty")
    return len(everyone & set(known)) / len(everyone)


def missing_cells(frame: pd.DataFrame) -> float:
    """Return the share of the cells of a table that are missing."""
    return float(frame.isna().to_numpy().mean())


@formula("eq-01-detection")
def detection(flagged: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Return `(precision, recall)` of flags against what is wrong in truth, both boolean (n,).

    Precision is the share of the flagged that is wrong, recall the share of the wrong that is
    flagged. Raises `ValueError` if nothing is flagged or nothing is wrong.
    """
    hits = np.sum(flagged & wrong)
    if not flagged.any() or not wrong.any():
        raise ValueError("nothing is flagged, or nothing is wrong: the rates are undefined")
    return float(hits / flagged.sum()), float(hits / wrong.sum())


def rule_precision(values: np.ndarray, wrong: np.ndarray, rule: str) -> float:
    """Return the precision of one outlier rule: the share of what it flags that is wrong."""
    return detection(RULES[rule](values), wrong)[0]


def planted_precision(
    values: np.ndarray, factor: float, share: float = 0.01, *, repeats: int = 5, seed: int = 0
) -> float:
    """Return the precision of an isolation forest when a known share of values is wrong.

    The wrong values are multiplied by `factor`; the forest is told the share. By chance the
    precision would be `share`. Mean over `repeats` draws of wrong values and forests.
    """
    rng = np.random.default_rng(seed)
    precisions = []
    for forest in rng.integers(2**31, size=repeats).tolist():
        wrong = rng.random(len(values)) < share
        noisy = np.where(wrong, values * factor, values)
        precisions.append(detection(isolated(np.log(noisy), share, forest), wrong)[0])
    return float(np.mean(precisions))


def outlier_share_of_sum(values: np.ndarray, rule: str) -> float:
    """Return the share of the sum of positive values that lies in what a rule flags."""
    return float(values[RULES[rule](values)].sum() / values.sum())


def filling_bias(
    values: pd.Series,
    method: str,
    missing: float,
    *,
    statistic: str = "mean",
    repeats: int = 200,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the relative bias of a statistic after filling values missing at random.

    The statistic is the "mean" or the "median" of all values. `(mean, low, high)`: mean over
    `repeats` masks and its 95 % interval.
    """
    rng = np.random.default_rng(seed)
    truth = values.agg(statistic)
    biases = []
    for _ in range(repeats):
        gaps = values.mask(rng.random(len(values)) < missing)
        biases.append(filled(gaps, method).agg(statistic) / truth - 1)
    error = 1.96 * np.std(biases, ddof=1) / np.sqrt(repeats)
    mean = np.mean(biases)
    return float(mean), float(mean - error), float(mean + error)


def filling_spread(
    values: pd.Series, method: str, missing: float, *, repeats: int = 200, seed: int = 0
) -> float:
    """Return the standard deviation after filling, relative to the true one, over many masks."""
    rng = np.random.default_rng(seed)
    ratios = [
        filled(values.mask(rng.random(len(values)) < missing), method).std() / values.std()
        for _ in range(repeats)
    ]
    return float(np.mean(ratios))


def selection_bias(values: pd.Series, observed: np.ndarray, method: str) -> tuple:
    """Return the relative bias of the mean after filling all that is not `observed`.

    `(value, low, high)` with a 95 % interval over units (households). `observed` is boolean (n,).
    """

    def bias(values, observed):
        series = pd.Series(values)
        return float(filled(series.where(observed), method).mean() / series.mean() - 1)

    return bootstrap(bias, values.to_numpy(), np.asarray(observed))


def modal_class_kept(values: pd.Series, missing: float, repeats: int = 50, seed: int = 0) -> float:
    """Return how often the most frequent class stays the most frequent after mode filling."""
    rng = np.random.default_rng(seed)
    truth = values.mode().iloc[0]
    kept = [
        filled(values.mask(rng.random(len(values)) < missing), "mode").mode().iloc[0] == truth
        for _ in range(repeats)
    ]
    return float(np.mean(kept))


def modal_share_shift(values: pd.Series, missing: float, repeats: int = 50, seed: int = 0) -> float:
    """Return by how much mode filling raises the share of the most frequent class, on average."""
    rng = np.random.default_rng(seed)
    truth = values.mode().iloc[0]
    shares = [
        (filled(values.mask(rng.random(len(values)) < missing), "mode") == truth).mean()
        for _ in range(repeats)
    ]
    return float(np.mean(shares) - (values == truth).mean())


def open_defects(
    lines: pd.DataFrame, products: pd.DataFrame, demographics: pd.DataFrame
) -> dict[str, int]:
    """Count what is still missing or inconsistent in converted transactions.

    Keys: lines of unknown products, lines without a countable quantity, copies, days without a
    single line between the first and the last, households without demographics, and
    product-store-days with more than one card price.
    """
    known = lines["product_id"].isin(products["product_id"])
    days = lines["date"].nunique()
    span = (lines["date"].max() - lines["date"].min()).days + 1
    countable = lines[lines["quantity"] > 0]
    price = (countable["sales_value"] + countable["coupon_match_disc"]) / countable["quantity"]
    keys = [countable[name] for name in ("product_id", "store_id", "date")]
    cells = price.round(2).groupby(keys, sort=False)
    return {
        "lines of unknown products": int((~known).sum()),
        "lines without a countable quantity": int(len(lines) - len(countable)),
        "copies of lines": int(lines.duplicated().sum()),
        "days without a line": int(span - days),
        "households without demographics": len(
            set(lines["household_id"]) - set(demographics["household_id"])
        ),
        "product-store-days with two card prices": int((cells.max() > cells.min() + 0.005).sum()),
    }


def defects_left(lines: pd.DataFrame, products: pd.DataFrame, demographics: pd.DataFrame) -> int:
    """Return how many kinds of defect of `open_defects` still occur."""
    return sum(count > 0 for count in open_defects(lines, products, demographics).values())


@formula("eq-01-join-inflation")
def join_inflation(line_products: np.ndarray, coupon_products: np.ndarray) -> float:
    r"""Return the rows of a left join of lines to coupons by product, per line.

    .. math:: \frac1n \sum_l \max(1, c_{j(l)})

    `line_products` (n,) holds the product of each line, `coupon_products` (m,) one entry per
    product that a coupon lists; :math:`c_j` counts the entries of product j.
    """
    per_product = pd.Series(coupon_products).value_counts()
    # A line without a coupon stays in a left join, as one row.
    return float(pd.Series(line_products).map(per_product).fillna(1).mean())


@formula("eq-01-auc")
def auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    r"""Return, for each row, the chance that a positive outranks a negative; ties count half.

    .. math:: \mathrm{AUC} = \frac{\sum_{k: y_k = 1} \rho_k - n_+(n_+ + 1)/2}{n_+\, n_-}

    `labels` (0 or 1) and `scores` are (n, k); :math:`\rho` is the mid-rank within the row. A row
    without a positive or without a negative gives NaN.
    """
    ranks = rankdata(scores, axis=1)
    positive = labels.sum(axis=1)
    negative = labels.shape[1] - positive
    excess = (ranks * labels).sum(axis=1) - positive * (positive + 1) / 2
    pairs = (positive * negative).astype(float)
    return np.divide(excess, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def category_weeks(lines: pd.DataFrame, products: pd.DataFrame) -> np.ndarray:
    """Return whether household i bought category c in week w: boolean (households, c, 53)."""
    codes, names = pd.factorize(products["product_category"], sort=True)
    column = pd.Series(codes, products["product_id"]).reindex(lines["product_id"]).to_numpy()
    users, rows = np.unique(lines["household_id"], return_inverse=True)
    bought = np.zeros((len(users), len(names), 53), dtype=bool)
    known = column >= 0
    bought[rows[known], column[known].astype(int), lines["week"].to_numpy()[known] - 1] = True
    return bought[:, bought.any(axis=(0, 2))]


def label_auc(
    bought: np.ndarray, week: int, score: str = "own", *, history: int = 12, seed: int = 0
) -> tuple[float, float, float]:
    """Return how well the past ranks what a household buys in the next four weeks.

    Labels come from the weeks after `week`, scores from the `history` weeks up to it: how many
    of them saw a purchase by the household ("own"), how often all households bought ("popular"),
    "own" with ties broken by "popular" ("both"), or "own" in a random order ("shuffled").
    Mean AUC within households, with its interval over households.
    Raises `ValueError` for another score.
    """
    labels = bought[:, :, week : week + HORIZON].any(axis=2)
    own = bought[:, :, week - history : week].sum(axis=2)
    popular = np.broadcast_to(own.sum(axis=0), own.shape)
    scores = {
        "own": own,
        "popular": popular,
        "both": own + popular / (popular.max() + 1),
        "shuffled": np.random.default_rng(seed).permuted(own, axis=1),
    }
    if score not in scores:
        raise ValueError(f"no score {score!r}; choose from {', '.join(scores)}")
    values = auc(labels, scores[score])
    return bootstrap(np.mean, values[~np.isnan(values)], seed=seed)


def false_negatives(bought: np.ndarray, week: int) -> float:
    """Return the share of zero labels (not bought in the four weeks after `week`) that the
    household did buy at another time of the year: no purchase is not a refusal."""
    labels = bought[:, :, week : week + HORIZON].any(axis=2)
    ever = bought.any(axis=2)
    return float((ever & ~labels).sum() / (~labels).sum())


def split_optimism(
    panel: Panel, how: str, *, spacing: int = 1, seed: int = 0
) -> tuple[float, float, float]:
    """Return how much the R² of a held-out part overstates that of the true future.

    A forest of extra trees learns to predict next spend from rows (household, week), one every
    `spacing` weeks from 14 to 40. Held out are either a fifth of the rows at "random" or the last
    weeks ("time"), with a gap so that targets do not overlap. The true future is `TEST_WEEKS`,
    predicted after learning from all rows.
    `(value, low, high)` of held-out minus future R².
    Raises `ValueError` for another way to split.
    """
    if how not in ("random", "time"):
        raise ValueError(f"no split {how!r}; choose 'random' or 'time'")
    rng = np.random.default_rng(seed)
    weeks = np.arange(14, 41, spacing)
    features, actual = design(panel, weeks)
    week = np.repeat(weeks, len(panel.households))
    if how == "random":
        held_out = rng.random(len(actual)) < 0.2
        learnt = ~held_out
    else:
        held_out = week > 34
        learnt = week <= 34 - HORIZON
    guess = _forest(seed).fit(features[learnt], actual[learnt]).predict(features)
    guess = np.where(held_out, guess, np.nan).reshape(len(weeks), -1)
    future_features, future = design(panel, TEST_WEEKS)
    future_guess = _forest(seed).fit(features, actual).predict(future_features)
    future, future_guess = (
        values.reshape(len(TEST_WEEKS), -1) for values in (future, future_guess)
    )

    def optimism(actual, guess, future, future_guess):
        seen = ~np.isnan(guess)
        return r_squared(actual[seen], guess[seen]) - r_squared(future, future_guess)

    return bootstrap(optimism, actual.reshape(guess.shape), guess, future, future_guess, seed=seed)


def _forest(seed: int) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(10, random_state=seed)


MODELS = {
    "least squares": LinearRegression,
    "tree": lambda: DecisionTreeRegressor(max_depth=6, random_state=0),
    "nearest neighbours": lambda: KNeighborsRegressor(50),
    "neural network": lambda: VotingRegressor(
        [
            (f"start {start}", MLPRegressor(random_state=start, **NETWORK))
            for start in range(NETWORK_STARTS)
        ]
    ),
}
NETWORK = {"hidden_layer_sizes": (16,), "early_stopping": True, "max_iter": 2_000}
NETWORK_STARTS = 3
SCALERS = {"none": np.asarray, "z-score": z_score, "min-max": min_max}


def scaled_predictions(panel: Panel, model: str, scaler: str) -> tuple[np.ndarray, np.ndarray]:
    """Return actual and predicted spend, each (test weeks, households), after a scaler.

    Features: dollars, trips and discounted share of the last twelve weeks: very unlike scales.
    Training and test rows are scaled together, so that both see the same map.
    """
    weeks = (*TRAIN_WEEKS[-3:], *TEST_WEEKS)
    blocks = []
    for week in weeks:
        past = slice(week - 12, week)
        spend, discount = panel.spend[:, past].sum(1), panel.discount[:, past].sum(1)
        depth = np.divide(discount, spend + discount, out=np.zeros_like(spend), where=spend > 0)
        blocks.append(np.column_stack([spend, panel.trips[:, past].sum(1), depth]))
    table = np.apply_along_axis(SCALERS[scaler], 0, np.vstack(blocks))
    target = np.concatenate([next_spend(panel, week) for week in weeks])
    cut = 3 * len(panel.households)
    fitted = MODELS[model]().fit(table[:cut], target[:cut])
    shape = (len(TEST_WEEKS), len(panel.households))
    return target[cut:].reshape(shape), fitted.predict(table[cut:]).reshape(shape)


def scaled_r_squared(panel: Panel, model: str, scaler: str) -> float:
    """Return out-of-time R² of a model behind a scaler."""
    return r_squared(*scaled_predictions(panel, model, scaler))


def scaling_gain(panel: Panel, model: str, scaler: str, seed: int = 0):
    """Return how much out-of-time R² rises when features are scaled first, with interval."""
    actual, without = scaled_predictions(panel, model, "none")
    _, scaled = scaled_predictions(panel, model, scaler)

    def difference(actual, a, b):
        return r_squared(actual, a) - r_squared(actual, b)

    return bootstrap(difference, actual, scaled, without, seed=seed)


def cleaning_gain(raw: Panel, clean: Panel, measure: str, seed: int = 0):
    """Return how much R² of next spend rises when one measure is cleaned first, with interval.

    The households of `clean` must be among those of `raw`; others are left out.
    Raises `ValueError` if one is missing from `raw`.
    """
    rows = np.searchsorted(raw.households, clean.households)
    rows = rows.clip(max=len(raw.households) - 1)
    if not np.array_equal(raw.households[rows], clean.households):
        raise ValueError("a cleaned household is missing from the raw panel")
    same = raw.take(rows)

    def guess(panel):
        def table(week):
            values = getattr(panel, measure)
            return np.column_stack(
                [np.log1p(values[:, week - span : week].sum(1)) for span in (1, 4, 12)]
            )

        train = np.concatenate([next_spend(clean, week) for week in TRAIN_WEEKS])
        model = ridge().fit(np.vstack([table(week) for week in TRAIN_WEEKS]), train)
        return model.predict(np.vstack([table(week) for week in TEST_WEEKS]))

    actual = np.concatenate([next_spend(clean, week) for week in TEST_WEEKS])
    shape = (len(TEST_WEEKS), -1)

    def gain(actual, after, before):
        return r_squared(actual, after) - r_squared(actual, before)

    return bootstrap(
        gain,
        actual.reshape(shape),
        guess(clean).reshape(shape),
        guess(same).reshape(shape),
        seed=seed,
    )


def weekday_r_squared(dates: pd.Series, totals: np.ndarray, cut: str, seed: int = 0):
    """Return how well the weekday alone predicts log daily sales after the day `cut`.

    Means by weekday are learnt up to `cut`; `(value, low, high)` resamples whole test weeks.
    """
    log_sales = np.log(totals)
    weekday = dates.dt.day_of_week.to_numpy()
    past = (dates <= pd.Timestamp(cut)).to_numpy()
    means = np.array([log_sales[past & (weekday == day)].mean() for day in range(7)])
    weeks = (~past).sum() // 7
    test = np.flatnonzero(~past)[: 7 * weeks]
    actual, guess = (values[test].reshape(weeks, 7).T for values in (log_sales, means[weekday]))
    return bootstrap(r_squared, actual, guess, seed=seed)


def promotion_gain(cells: pd.DataFrame, cut: int = 39, seed: int = 0):
    """Return how much R² of weekly product sales rises when the promotion calendar is known.

    `cells` has one row per product and week: `product_id`, `week`, `units`, `display` and
    `mailer` (shares of the shops). Log units are predicted from their means over the last 4 and
    12 weeks, with and without this week's promotion, learnt up to week `cut` and judged after
    it. The interval resamples products.
    """
    wide = {
        name: cells.pivot(index="product_id", columns="week", values=name).fillna(0).to_numpy(float)
        for name in ("units", "display", "mailer")
    }
    weeks = np.sort(cells["week"].unique())
    log_units = np.log1p(wide["units"])

    def rows(column, promoted):
        past = [log_units[:, column - span : column].mean(1) for span in (4, 12)]
        now = [wide["display"][:, column], wide["mailer"][:, column]] if promoted else []
        return np.column_stack([*past, *now])

    train = [c for c in range(12, len(weeks)) if weeks[c] <= cut]
    test = [c for c in range(12, len(weeks)) if weeks[c] > cut]
    target = np.concatenate([log_units[:, c] for c in train])
    guesses = []
    for promoted in (True, False):
        model = ridge().fit(np.vstack([rows(c, promoted) for c in train]), target)
        guesses.append(np.array([model.predict(rows(c, promoted)) for c in test]))

    def gain(actual, more, less):
        return r_squared(actual, more) - r_squared(actual, less)

    return bootstrap(gain, np.array([log_units[:, c] for c in test]), *guesses, seed=seed)


def unit_value_agreement(lines: pd.DataFrame, discount: str) -> float:
    """Return in what share of product-store-weeks a coupon leaves the booked unit value alone.

    Compares the median of sales value / quantity on lines with `discount` ("coupon_disc" without
    a match, or "coupon_match_disc") to that on lines without either. One means that sales value
    is not net of the discount, zero that it is.
    Raises `ValueError` if no product-store-week has lines of both kinds.
    """
    matched, couponed = lines["coupon_match_disc"] > 0, lines["coupon_disc"] > 0
    treated = matched if discount == "coupon_match_disc" else couponed & ~matched
    compared = lines[treated | ~(matched | couponed)]
    unit = compared["sales_value"] / compared["quantity"]
    keys = [compared[name] for name in ("product_id", "store_id", "week")]
    cells = unit.groupby([*keys, treated[compared.index].rename("treated")]).median()
    both = cells.unstack().reindex(columns=[False, True]).dropna()
    if both.empty:
        raise ValueError(f"no product-store-week has lines with and without {discount}")
    return float(((both[True] - both[False]).abs() < 0.005).mean())


def daily_spend(lines: pd.DataFrame, days: int = 365) -> tuple[np.ndarray, np.ndarray]:
    """Return households (n,) and their spend by day of the year (n, 365), in dollars."""
    households, rows = np.unique(lines["household_id"], return_inverse=True)
    day = lines["date"].dt.day_of_year.to_numpy() - 1
    total = np.bincount(rows * days + day, lines["sales_value"], len(households) * days)
    return households, total.reshape(-1, days)


@formula("eq-01-within-campaign")
def within_campaign_difference(outcome: np.ndarray, received: np.ndarray) -> float:
    r"""Return receivers minus others within campaigns, pooled.

    .. math:: \hat\tau = \frac{\sum_{c,i} (D_{ci} - \bar D_c)(y_{ci} - \bar y_c)}
                             {\sum_{c,i} (D_{ci} - \bar D_c)^2}

    `outcome` and `received` (0 or 1) are (campaigns, households).
    Raises `ValueError` if no campaign has both receivers and others.
    """
    treated = received - received.mean(axis=1, keepdims=True)
    weight = np.sum(treated**2)
    if weight == 0:
        raise ValueError("no campaign has both receivers and others")
    return float(np.sum(treated * (outcome - outcome.mean(axis=1, keepdims=True))) / weight)


def campaign_effects(
    spend: np.ndarray, received: np.ndarray, starts: np.ndarray, *, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Return what receiving a campaign seems to do to weekly spend, by three comparisons.

    `spend` is (n, days), `received` (campaigns, n), `starts` the first day (campaigns,), counted
    from 0. "naive" compares the first four weeks of receivers and others, "difference in
    differences" takes off the four weeks before, "placebo" moves that back by four weeks, when
    there was no campaign yet. Dollars per week, with intervals over households.
    """
    month = 28

    def weekly(shift):
        return np.array([spend[:, s + shift : s + shift + month].sum(1) / 4 for s in starts])

    after, before, earlier = weekly(0), weekly(-month), weekly(-2 * month)
    outcomes = {
        "naive": after,
        "difference in differences": after - before,
        "placebo": before - earlier,
    }
    return {
        name: bootstrap(within_campaign_difference, outcome, received, seed=seed)
        for name, outcome in outcomes.items()
    }


def type_campaigns(
    households: np.ndarray, campaigns: pd.DataFrame, descriptions: pd.DataFrame, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return who received each campaign of one type, (campaigns, n), and its first day.

    Only campaigns with eight weeks before them and four weeks of 2017 after their start count.
    """
    start = descriptions["start_date"]
    usable = (start >= "2017-02-26") & (start <= "2017-12-03")
    chosen = descriptions[usable & (descriptions["campaign_type"] == kind)]
    received = [
        np.isin(households, campaigns.loc[campaigns["campaign_id"] == number, "household_id"])
        for number in chosen["campaign_id"]
    ]
    return np.array(received, dtype=float), chosen["start_date"].dt.day_of_year.to_numpy() - 1


def campaign_effect(spend, received, starts, comparison: str) -> tuple[float, float, float]:
    """Return one of the comparisons of `campaign_effects`."""
    return campaign_effects(spend, received, starts)[comparison]
