"""The studies: exact parts by hand, measured parts on cases whose answer is known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from promo_repro.profiles import components, kmeans
from promo_repro.profiles import studies as s

BLOBS = s.planted_blobs(3, 40, 2, 10.0)


@pytest.fixture
def table(rng):
    return rng.standard_normal((80, 4)) @ np.diag([4.0, 3.0, 2.0, 1.0]) + 2


def test_best_partition_by_hand():
    assert s.best_partition([[0.0], [1.0], [5.0], [6.0]], 2) == pytest.approx(1)
    assert s.best_partition([[0.0], [1.0], [5.0], [6.0]], 1) == pytest.approx(26)
    assert s.best_partition([[0.0, 3.0], [1.0, 3.0], [5.0, 0.0]], 3) == pytest.approx(0)
    assert s.best_partition(np.zeros((10, 1)), 2) == 0
    with pytest.raises(ValueError, match=r"11 rows have 2\^11 labellings"):
        s.best_partition(np.zeros((11, 1)), 2)


def test_lloyd_reaches_the_optimum(rng):
    x = rng.standard_normal((7, 2))
    brute = min(
        float(kmeans.partition_cost(torch.tensor(x), torch.tensor(labels), 3))
        for labels in product(range(3), repeat=7)
    )
    assert s.best_partition(x, 3) == pytest.approx(brute)
    assert s.lloyd_optimum(x, 3) == pytest.approx(brute)


def test_final_inertias_and_stuck_share():
    random, plus = (s.final_inertias(BLOBS, 3, kind, 30) for kind in ("random", "++"))
    assert random.shape == (30,)
    assert plus.mean() < random.mean()
    assert s.stuck_share([1.0, 1.02, 3.0, 1.005], 1.0) == 0.5
    assert s.stuck_share([1.0, 1.02, 3.0, 1.005], 1.0, 0.03) == 0.25
    assert s.stuck_share([10.0, 10.05], 10.0) == 0
    assert s.stuck_share([1.0, 1.5], 1.0, 0.5) == 0


def test_descent():
    assert s.largest_rise(BLOBS, 4) <= 1e-12
    assert s.largest_rise(BLOBS, 4, backwards=True) > 0.01
    assert s.steps_to_rest(BLOBS, 4) is True
    assert s.steps_to_rest(BLOBS, 4, 1) is False


def test_share_nearer_by_hand():
    x = np.array([[0.0], [1.0], [2.0], [9.0]])
    assert s.share_moved_nearer(x, [0.0], [3.0]) == 0.5
    assert s.share_beyond_bisector(x, [0.0], [3.0]) == 0.5
    assert s.share_moved_nearer(x, [0.0], [2.0]) == 0.5  # the one in the middle does not gain
    assert s.share_beyond_bisector(x, [0.0], [2.0]) == 0.5
    assert s.share_moved_nearer(x, [3.0], [0.0]) == 0.5


def test_bisector_is_the_same_in_the_plane(rng):
    x, old, new = rng.standard_normal((50, 2)), rng.standard_normal(2), rng.standard_normal(2)
    assert s.share_beyond_bisector(x, old, new) == s.share_moved_nearer(x, old, new)
    shifted = s.share_beyond_bisector(x + 5, old + 5, new + 5)
    assert shifted == s.share_beyond_bisector(x, old, new)


def test_update_of():
    rows, old, new = s.update_of(BLOBS, 3, 1)
    assert new == pytest.approx(rows.mean(axis=0))
    assert (rows == old).all(axis=1).any()


def test_assignment_excess():
    assert s.assignment_excess(BLOBS, 3) > 0
    assert s.assignment_excess(BLOBS, 3, best=False) < 0


def test_centroid_gap():
    rows = np.array([[0.0, 0.0], [2.0, 4.0]])
    assert s.centroid_gap(rows, [1.0, 2.0]) == 0
    assert s.centroid_gap(rows, [2.0, 2.0]) == pytest.approx(2)
    assert s.printed_centroid_gap(rows, 1) == 0
    assert np.isnan(s.printed_centroid_gap(rows, 2))
    assert np.isnan(s.centroid_gap(np.empty((0, 2)), [0.0, 0.0]))


def test_clusters_and_inertia_at():
    assert s.clusters_found(BLOBS, 5) == 5
    assert s.inertia_at([[0.0], [1.0], [5.0]], (0, 2)) == pytest.approx(1)


def test_planted_blobs():
    assert BLOBS.shape == (120, 2)
    assert BLOBS[:40].mean(axis=0) == pytest.approx([0, 0], abs=0.5)
    assert BLOBS[80:].mean(axis=0) == pytest.approx([20, 0], abs=0.5)
    assert s.planted_blobs(2, 30, 3, 5.0, 1).std() != s.planted_blobs(2, 30, 3, 5.0, 2).std()


def test_modes():
    assert s.modes(s.planted_blobs(2, 300, 1, 8.0)[:, 0]) == 2
    assert s.modes(np.random.default_rng(0).standard_normal(500)) == 1


def test_rescaling(table):
    factors = [100.0, 1.0, 1.0, 1.0]
    assert s.angle_after_rescaling(table, factors, 2, True) < 1e-6
    last = [1.0, 1.0, 1.0, 100.0]
    assert s.angle_after_rescaling(table, last, 1, False) > 0.1
    assert s.angle_after_rescaling(table, [2.0] * 4, 2, False) < 1e-6


def test_covariance_ranking(table):
    assert s.covariance_ranking(components.standardise(table)) == pytest.approx(1)
    assert s.covariance_ranking(table) < 0.999


def test_standardising_as_printed(table):
    assert s.printed_moment_error(table) < 1e-12
    assert np.isnan(s.printed_moment_error(np.column_stack([table, np.ones(80)])))
    rare = np.zeros((101, 1))
    rare[0] = 1
    assert s.largest_score(rare) == pytest.approx(10)


def test_linear_algebra_gaps(table):
    assert s.correlation_gap(table, True) < 1e-12
    assert s.correlation_gap(table, False) > 1
    sigma = components.covariance(table)
    assert s.eigen_residual(sigma) < 1e-12
    assert s.eigen_residual(np.triu(sigma)) > 1e-3
    centred = table - table.mean(axis=0)
    assert s.score_gap(centred, 2) < 1e-10
    assert s.score_gap(table, 2) > 0.1


def test_float32(table):
    assert s.float32_angle(table, 1_000, 2, "one pass") > 1e-3
    for method in ("two passes", "svd"):
        assert s.float32_angle(table, 1_000, 2, method) < 2e-5
    assert s.float32_angle(table, 0, 2, "one pass") < 2e-5
    with pytest.raises(ValueError, match="no method 'three passes'"):
        s.float32_angle(table, 0, 2, "three passes")


def test_kept_share():
    table = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert s.kept_share(table, 1, "largest") == pytest.approx(0.8)
    assert s.kept_share(table, 1, "smallest") == pytest.approx(0.2)
    assert s.kept_share(table, 2, "smallest") == pytest.approx(1)
    with pytest.raises(ValueError, match="no order 'first'"):
        s.kept_share(table, 1, "first")


def test_readings_of_the_printed_objective(table):
    x = table - table.mean(axis=0)
    assert s.printed_minimum(table, 2, "reduced") == pytest.approx(0, abs=1e-20)
    bound = components.discarded_variance(table, 2)
    assert s.printed_minimum(table, 2, "free") == pytest.approx(bound)
    given = x[:, :2]
    residual = x - given @ np.linalg.pinv(given) @ x
    assert s.printed_minimum(table, 2, "regression") == pytest.approx((residual**2).sum())
    with pytest.raises(ValueError, match="no reading 'other'"):
        s.printed_minimum(table, 2, "other")


def test_readings_of_sigma(table):
    x = table - table.mean(axis=0)
    total = (x**2).sum()
    bound = components.discarded_variance(table, 2) / total
    assert s.error_with_sigma(table, 2, "eigenvectors") == pytest.approx(bound)
    rows = np.linalg.pinv(x[:2]) @ x[:2]
    wanted = ((x - x @ rows) ** 2).sum() / total
    assert s.error_with_sigma(table, 2, "feature vectors") == pytest.approx(wanted)
    regression = s.printed_minimum(table, 2, "regression") / total
    assert s.error_with_sigma(table, 2, "no part") == pytest.approx(regression)
    with pytest.raises(ValueError, match="no reading 'other' of sigma"):
        s.error_with_sigma(table, 2, "other")


def test_variance_of_y(table):
    x = table - table.mean(axis=0)
    assert s.variance_of_y(x, 2, "features") == pytest.approx((x**2).sum() / 80)
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    assert s.variance_of_y(x, 2, "reduced") == pytest.approx(values[-2:].sum())


def test_components_needed_and_kept(rng):
    table = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert s.components_needed(table, 0.7) == 1
    assert s.components_needed(table, 0.8) == 1
    assert s.components_needed(table, 0.81) == 2
    x = rng.standard_normal((300, 1)) + 0.5 * rng.standard_normal((300, 5))
    assert s.components_kept(x) == 1
    mixed = s.shuffled_columns(x)
    assert np.sort(mixed, axis=0) == pytest.approx(np.sort(x, axis=0))
    assert s.components_kept(mixed) == 0


def test_cost_ratio_by_hand():
    assert s.cost_ratio("linear", 20, 5, 1_000) == pytest.approx((100 + 5) / 20)
    assert s.cost_ratio("neighbours", 20, 5, 1_000) == pytest.approx((100 + 5_000) / 20_000)
    for bad in ((20, 0, 9), (20, 21, 9), (20, 5, 0)):
        with pytest.raises(ValueError, match="cannot reduce"):
            s.cost_ratio("linear", *bad)
    assert s.cost_ratio("linear", 3, 3, 1) == 4
    assert s.cost_ratio("linear", 4, 1, 1) == pytest.approx(5 / 4)


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (22, 64), (7, 3)])
def test_lstm_parameters(inputs, hidden):
    assert s.lstm_parameters(inputs, hidden) == s.counted_parameters(inputs, hidden)


def test_lstm_saving():
    assert s.lstm_saving(22, 22, 64) == 0
    assert s.lstm_saving(22, 7, 64) == pytest.approx(15 / 88)
    for bad in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            s.lstm_parameters(*bad)


def test_tag_hits_by_hand():
    assert s.tag_hits([[1, 2], [3, 4]], [[2, 9], [4, 3]]).tolist() == [0.5, 1]
    assert s.tag_hits([[1, 2]], [[2, 8, 9]]).tolist() == [0.5]


def test_ranking_auc_by_hand():
    scores = [[0.9, 0.5, 0.1, 0.7], [0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1], [1, 2, 3, 4]]
    wanted = [[1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    eligible = np.ones((4, 4), bool)
    found = s.ranking_auc(scores, wanted, eligible)
    assert found[:3].tolist() == [1, 0.25, 0.5]
    assert np.isnan(found[3])
    eligible[1, 1] = False
    eligible[0, 0] = False
    found = s.ranking_auc(scores, wanted, eligible)
    assert np.isnan(found[0])
    assert found[1] == 0
    assert s.ranking_auc([[2, 1]], [[1, 0]], [[1, 1]]).tolist() == [1]  # a single pair


def test_rule_scores_by_hand():
    bought = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], bool)
    # Confidence of 0 → 1 is 1/2, of 1 → 2 is 1/2, of 0 → 2 is 0.
    found = s.rule_scores(bought)
    assert found[1].tolist() == [1, 0.5, 0]
    assert found[0].tolist() == [0.75, 0.75, 0.25]
    assert s.rule_scores(np.zeros((2, 3), bool)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_intervals_leave_gaps_out():
    value, low, high = s.mean_interval([1.0, 2.0, np.nan, 3.0])
    assert value == 2
    assert low < 2 < high
    assert s.mean_low([1.0, 2.0, np.nan, 3.0]) == low


def test_small_counts():
    assert s.lifts_above_one([0.5, 1.0, 2.0, 3.0]) == 0.5
    assert s.smallest([0.3, -0.1]) == -0.1
    assert s.known_share([1, 2, 3, 4], [2, 4, 9]) == 0.5
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [0.5]})
    assert s.numeric_attributes(frame, ["a", "b", "c"]) == 2


def test_edges_drawn():
    edges = [("A", "B"), ("B", "D"), ("C", "E")]
    assert s.edges_drawn(edges, ["A", "B"], ["D", "E"]) == 1
    assert s.edges_drawn([*edges, ("B", "D"), ("A", "E")], ["A", "B"], ["D", "E"]) == 2
    assert s.edges_drawn(edges, ["D"], ["B"]) == 0
