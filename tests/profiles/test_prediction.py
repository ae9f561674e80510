"""Cross-validated prediction, paired gains, intervals."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from promo_repro.profiles import prediction as p


@pytest.fixture
def linear(rng):
    x = rng.standard_normal((200, 3))
    return x, x[:, 0] + 0.5 * rng.standard_normal(200)


def test_rows_do_not_see_themselves(linear):
    x, y = linear
    changed = y.copy()
    changed[7] += 100
    before, after = p.cross_predicted(x, y), p.cross_predicted(x, changed)
    assert before[7] == after[7]
    assert (before != after).any()


def test_prediction_of_signal_and_of_noise(linear, rng):
    x, y = linear
    assert p.value_low(y, p.cross_predicted(x, y)) > 0.6
    assert p.value_low(y, p.cross_predicted(rng.standard_normal((200, 3)), y)) < 0
    curved = np.abs(x[:, 0])
    straight, trees = (p.cross_predicted(x, curved, m) for m in ("ridge", "boosting"))
    assert p.gain_low(curved, trees, straight) > 0


def test_gain_by_hand():
    y = np.array([0.0, 1.0, 2.0, 3.0] * 5)
    value, _, _ = p.gain(y, y, np.full(20, 1.5))
    assert value == pytest.approx(1)
    assert p.gain(y, y + 1, y)[0] == pytest.approx(-1 / 1.25)


def test_gain_is_paired(linear):
    x, y = linear
    good = p.cross_predicted(x, y)
    value, low, high = p.gain(y, good, good)
    assert (value, low, high) == (0, 0, 0)
    worse = good + 0.3 * np.sign(np.arange(200) % 2 - 0.5)
    assert p.gain_low(y, good, worse) > 0
    assert p.gain_high(y, worse, good) < 0
    _, low, high = p.gain(y, good, worse)
    assert p.gain_low(y, good, worse) == low
    assert p.gain_high(y, good, worse) == high


def test_gains_over_several_targets(linear):
    x, y = linear
    good = p.cross_predicted(x, y)
    worse = good + 0.3 * np.sign(np.arange(200) % 2 - 0.5)
    both = ([y, y], [worse, good], [good, good])
    assert p.highest_gain(*both) == 0 > p.highest_gain([y], [worse], [good])
    assert p.surest_gain(*both) == 0 < p.surest_gain([y, y], [worse, good], [good, worse])
    assert p.highest_gain([y], [worse], [good], seed=3) == p.gain(y, worse, good, 3)[2]
    assert p.surest_gain([y], [worse], [good], seed=3) == p.gain(y, worse, good, 3)[1]


def test_retained():
    y = np.array([0.0, 1.0, 2.0, 3.0] * 10)
    half = y.mean() + (y - y.mean()) * (1 - np.sqrt(0.5))
    value, low, high = p.retained(y, half, y)
    assert value == pytest.approx(0.5)
    assert p.retained_low(y, half, y) == low <= value <= high
    assert p.retained(y, half, half)[:2] == (1, 1)
    # The whole itself may be imperfect: a ratio, not a difference.
    assert p.retained(y, y, half)[0] == pytest.approx(2)


def test_area_by_hand_and_peer(rng):
    assert p.area_under_curve([1, 0, 1, 0], [3, 2, 1, 1]) == pytest.approx(2.5 / 4)
    assert p.area_under_curve([0, 1], [0.1, 0.2]) == 1
    flag, score = rng.random(50) < 0.4, rng.integers(0, 9, 50)
    assert p.area_under_curve(flag, score) == pytest.approx(roc_auc_score(flag, score))
    for flags in ([0, 0], [1, 1]):
        with pytest.raises(ValueError, match="all flags are equal"):
            p.area_under_curve(flags, [1, 2])


def test_auc(rng):
    flag = rng.random(300) < 0.3
    score = flag + rng.standard_normal(300)
    value, low, high = p.auc(flag, score, draws=50)
    assert value == pytest.approx(roc_auc_score(flag, score))
    assert low < value < high
    assert p.auc_low(flag, score) > 0.5
    assert p.auc_gain(flag, score, score, draws=20) == (0, 0, 0)
    assert p.auc_gain_low(flag, score, rng.random(300)) > 0


def test_cross_scored(linear):
    x, y = linear
    score = p.cross_scored(x, y > 0)
    assert ((score > 0) & (score < 1)).all()
    assert p.auc_low(y > 0, score) > 0.7


def test_persistence(rng):
    a = rng.standard_normal(200)
    assert p.persistence(a, np.exp(a), draws=20)[0] == pytest.approx(1)
    assert p.persistence_low(a, -a) == pytest.approx(-1)
    assert p.persistence_low(a, rng.standard_normal(200)) < 0


def test_identification_rank_by_hand():
    first = [[0.0], [1.0], [2.0], [3.0]]
    assert p.identification_rank(first, first) == 0
    # Everyone moved by 1.6: two others are nearer for most.
    moved = [[1.6], [2.6], [3.6], [4.6]]
    assert p.identification_rank(first, moved) == pytest.approx(np.median([2, 2, 1, 0]) / 4)
    # Both rows are their own nearest, though the second is the longer one.
    assert p.identification_rank([[1.0], [1.4]], [[1.0], [1.4]]) == 0
    # The third of the first period lies between: two rows find it first, one finds itself.
    assert p.identification_rank([[0.0], [10.0], [5.0]], [[4.0], [6.0], [5.0]]) == 1 / 3
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(3, 1\)"):
        p.identification_rank(first, first[:3])


def test_identification_rank_of_strangers(rng):
    a, b = rng.standard_normal((2, 300, 4))
    assert 0.4 < p.identification_rank(a, b) < 0.6
    assert p.identification_rank(a, a + 0.05 * b) < 0.02
