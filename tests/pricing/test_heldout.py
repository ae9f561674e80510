"""The held-out comparison on a planted category of three products."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_repro.pricing import heldout, personal
from promo_repro.response.logit import Choices, choice_probabilities
from promo_repro.response.panels import CategoryTrips

VECTOR = np.array([0.5, 0.2, -0.3, 0.8, 0.5, -0.5, -3.0, -7.0, 0.3, 0.2])


@pytest.fixture
def trips(rng):
    n, j = 4_000, 3
    household = np.arange(n) // 8
    share = rng.dirichlet(np.ones(j), n // 8)[household].clip(0.02)
    rate = rng.uniform(0.05, 0.5, n // 8)[household]
    segment = rng.integers(0, 3, n // 8)[household]
    week = rng.integers(40, 53, n)
    depth = rng.choice([0.0, 0.1, 0.2, 0.3, 0.4], (13, j), p=[0.4, 0.15, 0.15, 0.15, 0.15])
    depth = depth[week - 40]
    flags = (rng.random((2, n, j)) < 0.2) * 1.0
    by_segment = np.log(1 - depth)[:, :, None] * (segment[:, None] == np.arange(3))[:, None, :]
    features = np.concatenate(
        [
            np.log(share)[:, :, None],
            np.repeat(np.log(rate)[:, None, None], j, axis=1),
            by_segment,
            np.moveaxis(flags, 0, 2),
        ],
        axis=2,
    )
    p = choice_probabilities(VECTOR[:j] + features @ VECTOR[j:])
    edges = np.cumsum(np.column_stack([1 - p.sum(axis=1), p]), axis=1)
    choice = (rng.random((n, 1)) > edges[:, :-1]).sum(axis=1)
    data = Choices(features, choice, household)
    return CategoryTrips(data, segment, week, depth, 1 - depth, share, rate)


@pytest.fixture
def data(trips, rng):
    history = pd.DataFrame(rng.normal(size=(500, 6)))
    offers = personal.category_offers(0, trips, [2.0, 3.0, 4.0], VECTOR, history, 1)
    judge, kept = heldout.judge_of(trips)
    return heldout.Data(offers, offers.take(kept), (judge,))


def test_the_judge_recovers_the_planted_vector(trips):
    judge, kept = heldout.judge_of(trips)
    assert kept.all()
    assert (abs(judge.fit.vector - VECTOR) < 4 * judge.fit.standard_errors).all()


def test_products_that_nobody_chose_are_left_to_nobody(trips):
    never = replace(
        trips,
        data=replace(trips.data, choice=np.where(trips.data.choice == 2, 0, trips.data.choice)),
    )
    judge, kept = heldout.judge_of(never)
    assert len(judge.fit.vector) == 2 + 7
    assert np.array_equal(kept, never.share.argmax(axis=1) != 1)
    own, _, _ = judge.odds(judge.fit.vector)
    assert len(own) == kept.sum()
    assert set(np.unique(judge.favourite)) == {0, 1}


def test_thinning_keeps_trips_and_judges_together(data):
    few, rows = data.thinned(7)
    assert np.array_equal(rows, np.arange(0, 4_000, 7))
    assert few.judged().own == pytest.approx(data.judged().own[rows])


def test_redraws_differ_and_the_estimate_does_not(data):
    rng = np.random.default_rng(0)
    assert not np.array_equal(data.judged(rng).own, data.judged(rng).own)
    assert np.array_equal(data.judged().own, data.judged().own)


def test_the_table_ranks_the_static_price_above_a_deep_cut_for_everybody(data, monkeypatch):
    monkeypatch.setattr(heldout, "MARGINS", (0.4,))
    monkeypatch.setattr(heldout, "FUNDINGS", (0.0,))
    rows = heldout.table(data, seeds=(0,), draws=10)
    assert {row["metric"] for row in rows} == {"judged", "replayed"}
    judged = {row["method"]: row for row in rows if row["metric"] == "judged"}
    assert len(judged) == 7
    assert judged["static segment price"]["value"] > judged["20 % for everybody"]["value"]
    assert judged["static segment price"]["value"] > 0
    assert judged["20 % for everybody"]["offered"] == 1
    for row in rows:
        assert row["lo"] <= row["value"] <= row["hi"]


def test_both_yardsticks_agree_on_the_planted_gain(data):
    choices = {"static": personal.by_segment(
        data.test, personal.segment_rule(data.train, personal.logit_profits(data.train, 0.5))
    )}  # fmt: skip
    judged = heldout.judged_gains(data, {(0.5, 0.0): choices}, [(0.5, 0.0)], draws=20, step=1)
    value, low, high = judged[(0.5, 0.0), "static"]
    assert 0 < low < value < high
    _, lower, upper = heldout.replayed_gains(data, choices, 0.5, 0.0)["static"]
    assert lower < value < upper


def test_a_cut_of_a_fifth_by_hand(data):
    """The spot check is the mean over every fifth trip of the judge's own profits."""
    few, _ = data.thinned(5)
    profits = personal.logit_profits(few.judged(), *heldout.CENTRAL)
    assert heldout.spot_check(data) == pytest.approx(1_000 * (profits[:, 2] - profits[:, 0]).mean())


def test_a_network_learns_tendencies_and_nothing_from_scrambled_outcomes(data):
    assert heldout.tendency_gain(data, 0) > 0.02
    assert heldout.tendency_gain(heldout.scrambled(data, 0), 0) < 0.01
