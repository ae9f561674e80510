"""Long runs: settings chosen by NDCG, no method sees the future, and every result on record."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from promo_repro.project import root
from promo_repro.recommender import encoders, full, protocol
from promo_repro.recommender.metrics import evaluate, measured

SETTINGS = {
    "decayed frequency": (8,),
    "item-kNN": (5,),
    "EASE": (1.0,),
    "ALS": (4, 0.1, 1.0),
}


@pytest.fixture(scope="module")
def windows(small_shop):
    """The same past before the true future and before a shuffled one."""
    other = protocol.shuffled_future(small_shop, 20, np.random.default_rng(0))
    first, second = (protocol.split(shop, 20, 26) for shop in (small_shop, other))
    assert (first.target != second.target).nnz > 0
    return first, second


@pytest.mark.parametrize("method", full.CLASSICAL)
def test_no_baseline_sees_the_future(method, windows):
    first, second = (full.classical(method, part, *SETTINGS[method]) for part in windows)
    assert (first == second).all()


def test_the_plain_baselines_do_not_see_the_future(windows):
    first, second = (full.impersonal(part) for part in windows)
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("kind", encoders.KINDS)
def test_no_encoder_sees_the_future(kind, windows):
    recipe = encoders.Recipe(kind, width=8, epochs=1, visits=12)
    first, second = (encoders.scores(encoders.fit(recipe, part), part) for part in windows)
    assert (first == second).all()


@pytest.mark.parametrize("method", full.PAIR_LEARNERS)
def test_learners_of_pairs_do_not_see_the_future(method, small_shop):
    other = protocol.shuffled_future(small_shop, 26, np.random.default_rng(0))
    scores = []
    for shop in (small_shop, other):
        past, later = protocol.split(shop, 20, 26), protocol.split(shop, 26, 30)
        features = [part.history.toarray()[..., None] for part in (past, later)]
        setting = full.GRIDS[method][0]
        scores.append(full.pair_scores(method, past, features[0], later, features[1], *setting))
    assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("method", full.CLASSICAL)
def test_an_empty_household_and_an_unseen_item_have_finite_scores(method, windows):
    part = windows[0]
    known = sparse.diags((part.owner > 0).astype(float))
    sold = sparse.diags((np.arange(len(part.items)) != 5).astype(float))
    part = replace(part, baskets=(known @ part.baskets @ sold).tocsr())
    scores = full.classical(method, part, *SETTINGS[method])
    assert np.isfinite(scores).all()
    # Nothing is known of them: at most the ties by popularity, all below one purchase.
    assert np.abs(scores[0]).max() < 1e-2
    assert np.abs(scores[:, 5]).max() < 1e-2


def test_the_best_setting_has_the_highest_ndcg():
    ndcg = [0.1, 0.3, 0.2, 0.1, 0.0]
    rows = [
        {"method": f"decayed frequency, half-life {h}", "metric": "ndcg", "value": v}
        for h, v in zip((4, 8, 16, 26, 52), ndcg, strict=True)
    ]
    assert full.best(pd.DataFrame(rows), "decayed frequency") == (8,)
    with pytest.raises(ValueError, match="0 rows for 'decayed frequency, half-life 52'"):
        full.best(pd.DataFrame(rows[:4]), "decayed frequency")


def test_trials_measure_every_setting_once():
    target = np.eye(3, dtype=bool)

    def run(method, penalty):
        assert method == "logistic regression"
        return evaluate(penalty * np.eye(3) - np.eye(3), target, ~np.ones_like(target), k=1)

    found = pd.DataFrame(full.trials("logistic regression", run))
    assert found["method"].nunique() == 4
    assert set(found["metric"]) == set(full.METRICS)
    ndcg = found[found["metric"] == "ndcg"].set_index("method")["value"]
    assert ndcg["logistic regression, λ = 100"] == 1
    assert ndcg["logistic regression, λ = 0.01"] < 1


def test_a_start_needs_a_known_name(windows):
    with pytest.raises(ValueError, match="no start 'magic'"):
        full.adapted("magic", windows[0], 0)


def test_places_do_not_overlap():
    places = full.households_by_place(SimpleNamespace(households=np.arange(600)), 0)
    assert [len(place) for place in places] == [400, full.LABELLED, 100]
    assert sorted(np.concatenate(places)) == list(range(600))


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit, match="no part magic"):
        full.main(["magic"])


def test_averages_are_per_household(windows):
    part = windows[0]
    runs = [measured(full.impersonal(part)[name], part) for name in ("random", "popularity")]
    mean = full.averaged(runs)["ndcg"]
    assert mean == pytest.approx((runs[0]["ndcg"] + runs[1]["ndcg"]) / 2, nan_ok=True)
    assert len(full.joined(runs)["ndcg"]) == 2 * len(mean)


@pytest.mark.parametrize("part", full.PARTS)
def test_every_part_is_on_record(part):
    record = json.loads((root() / "data/results/03_recommender" / f"{part}.json").read_text())
    assert record["command"] == f"{full.COMMAND} {part}"
    assert record["seeds"] == list(full.PARTS[part][1])
    assert record["commit"] != "unknown"
    rows = pd.DataFrame(record["rows"])
    assert not rows.duplicated(["method", "metric"]).any()
    assert (rows["lo"] <= rows["value"]).all()
    assert (rows["value"] <= rows["hi"]).all()


def test_the_trials_of_the_encoders_are_told_from_their_results():
    tried = {"rate 0.003": 0.1, "rate 0.01": 0.2}
    rows = [
        {"method": name, "metric": "ndcg", "value": value}
        for name, value in (
            *((f"tuning: dense, {setting}", value) for setting, value in tried.items()),
            ("dense", 0.3),
        )
    ]
    found = full.encoder_trials(pd.DataFrame(rows))
    assert found["method"].tolist() == [f"dense, {setting}" for setting in tried]
    recipe = full.tuned_recipe("dense", found)
    assert recipe == encoders.Recipe("dense", rate=1e-2, epochs=full.EPOCHS)
