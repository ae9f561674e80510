"""Losses by hand, against SciPy, scikit-learn and autograd, and by their laws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from sklearn.metrics import log_loss

from promo_repro.recommender import losses

Y = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
P = [[0.7, 0.2, 0.4], [0.1, 0.6, 0.3]]
ALL = [
    losses.bernoulli_likelihood,
    losses.binary_cross_entropy,
    losses.categorical_cross_entropy,
    losses.discount_loss,
    losses.loss_with_free_index,
    losses.loss_without_brackets,
]


@st.composite
def pairs(draw, least_columns=1):
    """Labels of 0 and 1 and probabilities, both (rows, columns)."""
    shape = draw(st.integers(1, 6)), draw(st.integers(least_columns, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(0, 2, shape).astype(float), rng.uniform(0.01, 0.99, shape)


# --- Bernoulli ------------------------------------------------------------------------------------


def test_bernoulli_likelihood_by_hand():
    assert float(losses.bernoulli_likelihood([1, 0, 1], [0.5, 0.2, 0.1])) == pytest.approx(0.04)
    assert float(losses.bernoulli_likelihood([1, 0], [1.0, 0.0])) == 1
    assert float(losses.bernoulli_likelihood([0], [1.0])) == 0


def test_bernoulli_likelihoods_of_all_labels_sum_to_one():
    p = [0.3, 0.9, 0.45]
    labels = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    assert sum(float(losses.bernoulli_likelihood(y, p)) for y in labels) == pytest.approx(1)


def test_cross_entropy_by_hand():
    expected = -(math.log(0.7) + math.log(0.8) + math.log(0.6))
    expected -= math.log(0.9) + math.log(0.6) + math.log(0.7)
    assert float(losses.binary_cross_entropy(Y, P)) == pytest.approx(expected)
    assert float(losses.binary_cross_entropy([1, 0], [1.0, 0.0])) == 0
    assert float(losses.binary_cross_entropy([0], [1.0])) == math.inf
    assert float(losses.binary_cross_entropy([0.5], [0.5])) == pytest.approx(math.log(2))


@given(pairs())
def test_cross_entropy_is_minus_the_log_likelihood(pair):
    y, p = pair
    loss = float(losses.binary_cross_entropy(y, p))
    assert loss == pytest.approx(-stats.bernoulli.logpmf(y, p).sum())
    assert loss == pytest.approx(losses.minus_log_likelihood(y, p))
    assert loss == pytest.approx(log_loss(y.ravel(), p.ravel(), labels=[0, 1]) * y.size)


@given(pairs())
def test_score_gives_the_same_loss_and_autograd_the_same_gradient(pair):
    y, p = pair
    z = torch.tensor(np.log(p / (1 - p)), requires_grad=True)
    loss = losses.binary_cross_entropy_of_score(y, z)
    assert loss.item() == pytest.approx(float(losses.binary_cross_entropy(y, p)))
    (gradient,) = torch.autograd.grad(loss, z)
    by_hand = losses.binary_cross_entropy_gradient(y, z.detach())
    assert gradient.numpy() == pytest.approx(by_hand.numpy(), abs=1e-12)
    assert by_hand.numpy() == pytest.approx(p - y, abs=1e-12)


def test_loss_of_an_extreme_score_does_not_overflow():
    assert float(losses.binary_cross_entropy_of_score([0, 1], [1e4, -1e4])) == pytest.approx(2e4)
    assert float(losses.binary_cross_entropy_of_score([1, 0], [1e4, -1e4])) == 0


# --- categorical ----------------------------------------------------------------------------------


def test_categorical_cross_entropy_by_hand():
    target, p = [[1, 0, 0], [0, 0, 1]], [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]
    loss = float(losses.categorical_cross_entropy(target, p))
    assert loss == pytest.approx(-math.log(0.5) - math.log(0.8))
    assert float(losses.categorical_cross_entropy([[1, 0]], [[1.0, 0.0]])) == 0


@given(pairs(least_columns=2), st.floats(-50, 50))
def test_categorical_score_gives_the_same_loss_whatever_is_added_to_it(pair, shift):
    _, p = pair
    z = np.log(p)
    target = p[:, ::-1] / p.sum(axis=1, keepdims=True)
    expected = losses.categorical_cross_entropy(target, p / p.sum(axis=1, keepdims=True))
    loss = losses.categorical_cross_entropy_of_score(target, z + shift)
    assert float(loss) == pytest.approx(float(expected))


def test_categorical_score_against_torch():
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    classes = torch.arange(7) % 5
    expected = torch.nn.functional.cross_entropy(z, classes, reduction="sum")
    loss = losses.categorical_cross_entropy_of_score(np.eye(5)[classes], z)
    assert float(loss) == pytest.approx(float(expected))


def test_excess_cross_entropy_by_hand():
    excess = float(losses.excess_cross_entropy([[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [1, 0.0]]))
    assert excess == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(2 / 3)) / 2)


@given(pairs(least_columns=2))
def test_excess_is_least_and_zero_at_the_policy_that_gave_the_classes(pair):
    _, p = pair
    policy = p / p.sum(axis=1, keepdims=True)
    other = policy[:, ::-1]
    assert float(losses.excess_cross_entropy(policy, policy)) == pytest.approx(0, abs=1e-12)
    excess = float(losses.excess_cross_entropy(policy, other))
    assert excess == pytest.approx(stats.entropy(policy, other, axis=1).mean(), abs=1e-12)
    assert excess >= -1e-12


# --- as printed -----------------------------------------------------------------------------------


def test_loss_without_brackets_by_hand():
    expected = -math.log(0.7) - math.log(0.6)
    expected += math.log(0.8) + math.log(0.6) + math.log(0.9) + math.log(0.7)
    assert float(losses.loss_without_brackets(Y, P)) == pytest.approx(expected)


@given(pairs())
def test_what_the_loss_without_brackets_equals(pair):
    y, p = pair
    expected = losses.binary_cross_entropy(y, p) + 2 * ((1 - y) * np.log(1 - p)).sum()
    assert float(losses.loss_without_brackets(y, p)) == pytest.approx(float(expected))


def test_loss_without_brackets_falls_without_bound():
    values = [float(losses.loss_without_brackets([1, 0], [p, p])) for p in (0.5, 0.9, 1 - 1e-9)]
    assert values == sorted(values, reverse=True)
    assert float(losses.loss_without_brackets([1, 0], [1.0, 1.0])) == -math.inf


def test_loss_with_free_index_by_hand():
    expected = -math.log(0.7) - math.log(0.6) + math.log(1 - 0.3)
    assert float(losses.loss_with_free_index(Y, P)) == pytest.approx(expected)
    assert float(losses.loss_with_free_index([[0.0, 1.0]], [[0.5, 0.2]])) == -math.log(0.2)


def test_discount_and_total_loss_by_hand():
    assert float(losses.discount_loss(Y, P)) == pytest.approx(-math.log(0.7) - math.log(0.6))
    assert float(losses.discount_loss([0, 0], [0.0, 1.0])) == 0
    total = losses.total_loss([1, 0], [0.5, 0.5], [0.25, 0.1])
    assert float(total) == pytest.approx(2 * math.log(2) - math.log(0.25))


@given(pairs())
def test_discount_loss_is_least_where_every_buyer_pays_nothing(pair):
    y, g = pair
    assert float(losses.discount_loss(y, np.where(y == 1, 1.0, g))) == 0
    assert float(losses.discount_loss(y, g)) >= 0


@given(st.floats(0, 50), st.integers(0, 20), st.floats(-3, 3))
def test_discount_flow_solves_its_differential_equation(time, buyers, start):
    g = float(losses.discount_under_training(time, buyers, start))
    z = math.log(g) - math.log1p(-g)
    expected = start + math.exp(start) + buyers * time
    assert z + math.exp(z) == pytest.approx(expected, rel=1e-6)


def test_discount_flow_against_numerical_integration():
    times = np.array([0.0, 0.5, 2, 10])
    solution = integrate.solve_ivp(
        lambda _, z: 3 / (1 + np.exp(z)), (0, 10), [0.4], t_eval=times, rtol=1e-9, atol=1e-9
    )
    flow = losses.discount_under_training(times, 3, 0.4)
    assert flow == pytest.approx(1 / (1 + np.exp(-solution.y[0])), abs=1e-7)
    assert flow[0] == pytest.approx(1 / (1 + math.exp(-0.4)))
    assert losses.discount_under_training(5.0, 0, 0.4) == pytest.approx(flow[0])


@pytest.mark.parametrize(("time", "buyers"), [(-1.0, 2), ([1.0, -0.1], 2), (1.0, -1)])
def test_discount_flow_refuses_negative_input(time, buyers):
    with pytest.raises(ValueError, match="must not be negative"):
        losses.discount_under_training(time, buyers)


def test_expected_profit_by_hand():
    assert losses.expected_profit(0.0, 10, 6, 0.0, 2.0) == pytest.approx(0.5 * 4)
    # Log-odds of buying log 3: three in four.
    assert losses.expected_profit(0.5, 10, 6, 0.0, 2 * math.log(3)) == pytest.approx(0.75 * -1)
    assert losses.expected_profit(0.2, 10, 6, math.log(3), 0.0) == pytest.approx(0.75 * 2)
    assert losses.expected_profit(1, 10, 6, 0.0, 0.0) == pytest.approx(0.5 * -6)
    grid = losses.expected_profit(np.zeros((3, 1)), 1, 0.5, np.zeros(2), 1.0)
    assert grid.tolist() == [[0.25, 0.25]] * 3


@pytest.mark.parametrize("discount", [-0.1, 1.1, [0.5, 20]])
def test_discount_outside_the_unit_interval_is_refused(discount):
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        losses.expected_profit(discount, 1, 0.5, 0, 1)


# --- what the losses estimate ---------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 60))
def test_the_best_constant_is_the_share_of_ones(ones, zeros):
    y = [1] * ones + [0] * zeros
    best = losses.best_constant(y)
    assert best == pytest.approx(ones / (ones + zeros), abs=1e-9)


def test_the_best_constant_against_a_scalar_search():
    y = np.array([1.0, 0, 0, 1, 0, 0, 0])
    search = optimize.minimize_scalar(
        lambda p: float(losses.binary_cross_entropy(y, np.full(7, p))), bounds=(0, 1)
    )
    assert losses.best_constant(y) == pytest.approx(search.x, abs=1e-4)
    with pytest.raises(ValueError, match="all labels are equal"):
        losses.best_constant([1, 1])


def test_descent_finds_the_labels_with_brackets_and_only_ones_without():
    y = [1.0, 0.0, 0.0]
    assert losses.descend(losses.binary_cross_entropy, y, 400, 0.5).round(1).tolist() == y
    assert losses.descend(losses.loss_without_brackets, y, 100, 0.2).min() > 0.9
    first = losses.descend(losses.discount_loss, y, steps=1, rate=0.5)
    assert first == pytest.approx([1 / (1 + math.exp(-0.25)), 0.5, 0.5])


def test_label_mean_by_hand():
    bought = [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]]
    assert losses.label_mean(bought, "pair") == pytest.approx(5 / 12)
    assert losses.label_mean(bought, "anybody") == 0.75
    assert losses.label_mean(bought, "most") == 0.25
    assert losses.label_mean([[1], [0]], "most") == 0
    assert losses.contradicted_items(bought) == 0.5
    with pytest.raises(ValueError, match="no reading 'item'; choose from pair, anybody, most"):
        losses.label_mean(bought, "item")
    for bad in ([], [1, 0], np.zeros((0, 3))):
        with pytest.raises(ValueError, match="must be a table"):
            losses.label_mean(bad, "pair")


def test_behaviour_change_by_hand():
    # Weeks 0-1 and 2-3; the third user has no purchase in the second window.
    counts = np.zeros((3, 4, 2))
    counts[0] = [[1, 0], [3, 0], [0, 5], [0, 0]]
    counts[1] = [[2, 1], [1, 2], [1, 0], [3, 4]]
    counts[2, 0] = 1
    found = losses.behaviour_change(counts, [False, False, True, True])
    assert found == pytest.approx([1, 0, np.nan], nan_ok=True)
    found = losses.behaviour_change(counts[:2, :3], [False, True, True])
    assert found == pytest.approx([5 / 8, 1 / 6])
    with pytest.raises(ValueError, match="no user has purchases in both sets"):
        losses.behaviour_change(counts[2:], [False, False, True, True])


def test_behaviour_drifts_when_it_changes_with_time_and_not_otherwise():
    rng = np.random.default_rng(0)
    share = np.full((20, 3), 1 / 3)
    steady = rng.multinomial(30, share, size=(200, 20)).astype(float)
    share[10:] = [0.6, 0.3, 0.1]
    moving = rng.multinomial(30, share, size=(200, 20)).astype(float)
    later, even = np.arange(20) >= 10, np.arange(20) % 2 == 0
    assert abs(losses.behaviour_drift(steady, later, even)) < 0.01
    assert losses.behaviour_drift(moving, later, even) > 0.2


# --- input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        ([[1.0]], [[0.5, 0.5]], r"labels of shape \(1, 1\) do not fit predictions of shape \(1, 2"),
        ([[1.0]], [[1.5]], r"the probability has entries outside \[0, 1\]"),
        ([[1.0]], [[-0.5]], r"the probability has entries outside \[0, 1\]"),
        ([[2.0]], [[0.5]], r"the label has entries outside \[0, 1\]"),
        ([[-1.0]], [[0.5]], r"the label has entries outside \[0, 1\]"),
        ([[1.0]], [[math.nan]], "the prediction contains NaN or infinity"),
        ([[math.inf]], [[0.5]], "the label contains NaN or infinity"),
    ],
)
def test_bad_input_is_refused(loss, label, prediction, message):
    with pytest.raises(ValueError, match=message):
        loss(label, prediction)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_prediction(loss, dtype):
    result = loss(np.array(Y), torch.tensor(P, dtype=dtype))
    assert result.dtype == dtype
    assert result.device.type == "cpu"


def test_scores_refuse_labels_outside_the_unit_interval():
    with pytest.raises(ValueError, match="the label has entries outside"):
        losses.binary_cross_entropy_of_score([2.0], [0.0])
    assert losses.as_pair([1, 0], [3, 4])[1].dtype == torch.float64
