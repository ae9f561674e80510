"""Networks by hand, against PyTorch and autograd; the collapse, and training jointly or apart."""

from itertools import chain, pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import nn
from torch.nn import functional

from promo_repro.recommender import losses, networks
from promo_repro.recommender.networks import Network

seeds = st.integers(0, 2**32)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def theta(*sizes, seed=0):
    """Random weights and biases of a network with these sizes."""
    return [
        (random(b, a, seed=seed + 2 * k), random(b, seed=seed + 2 * k + 1))
        for k, (a, b) in enumerate(pairwise(sizes))
    ]


def made(*sizes, hidden="relu", output="sigmoid", seed=0, dtype=torch.float64):
    return Network(sizes, hidden, output, torch.Generator().manual_seed(seed), dtype)


def shop(n=200, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, (x[:, 0] + rng.normal(size=n) > 0).astype(float)


# --- forward and backward -------------------------------------------------------------------------


def test_layer_by_hand():
    weight, bias = [[3.0, 4.0], [-3.0, -4.0]], [0.5, 0.25]
    linear = [[11.5, -10.75], [0.5, 0.25]]
    x = [[1.0, 2.0], [0.0, 0.0]]
    assert networks.layer(x, weight, bias, "identity").tolist() == linear
    assert networks.layer(x, weight, bias, "relu").tolist() == [[11.5, 0], [0.5, 0.25]]
    sigmoid = networks.layer(x, weight, bias, "sigmoid").numpy()
    assert sigmoid == pytest.approx(1 / (1 + np.exp(-np.array(linear))))
    softmax = networks.layer(x, weight, bias, "softmax").numpy()
    assert softmax == pytest.approx(np.exp(linear) / np.exp(linear).sum(1, keepdims=True))


def test_layer_takes_any_axes_before_the_last():
    x, ((weight, bias),) = random(5, 300), theta(300, 400)
    assert networks.layer(x, weight, bias, "relu").shape == (5, 400)
    x, ((weight, bias),) = random(5, 2, 3), theta(3, 4)
    whole = networks.layer(x, weight, bias, "relu")
    assert whole.shape == (5, 2, 4)
    assert torch.allclose(whole[3], networks.layer(x[3], weight, bias, "relu"))
    assert torch.allclose(whole[3, 1], networks.layer(x[3, 1], weight, bias, "relu"))


@pytest.mark.parametrize("seed", range(3))
def test_network_against_torch(seed):
    x, ((w1, b1), (w2, b2), (w3, b3)) = random(9, 5, seed=99), theta(5, 8, 6, 4, seed=seed)
    h = functional.relu(functional.linear(x, w1, b1))
    h = functional.relu(functional.linear(h, w2, b2))
    expected = functional.softmax(functional.linear(h, w3, b3), -1)
    y = networks.forward(x, [(w1, b1), (w2, b2), (w3, b3)], "relu", "softmax")
    assert y.numpy() == pytest.approx(expected.numpy(), abs=1e-12)
    one = networks.forward(x, [(w1, b1)], "relu", "identity")
    assert one.numpy() == pytest.approx(functional.linear(x, w1, b1).numpy())


@pytest.mark.parametrize("nonlinearity", networks.ACTIVATIONS)
@pytest.mark.parametrize("seed", range(2))
def test_gradients_by_hand_equal_autograd(nonlinearity, seed):
    x, ((weight, bias),) = random(7, 3, seed=50 + seed), theta(3, 4, seed=seed)
    upstream = random(7, 4, seed=80 + seed)
    inputs = [each.requires_grad_() for each in (weight, bias, x)]
    out = networks.layer(x, weight, bias, nonlinearity)
    expected = torch.autograd.grad((out * upstream).sum(), inputs)
    with torch.no_grad():
        found = networks.layer_gradients(x, weight, bias, nonlinearity, upstream)
    for a, b in zip(found, expected, strict=True):
        assert a.numpy() == pytest.approx(b.numpy(), abs=1e-12)


def test_backpropagation_through_two_layers_against_finite_differences():
    x, y = random(6, 3, seed=1), torch.tensor([1.0, 0, 1, 0, 0, 1], dtype=torch.float64)[:, None]
    (w1, b1), (w2, b2) = theta(3, 4, 1, seed=5)

    def loss(w):
        h = networks.layer(x, w, b1, "relu")
        return float(losses.binary_cross_entropy(y, networks.layer(h, w2, b2, "sigmoid")))

    h = networks.layer(x, w1, b1, "relu")
    p = networks.layer(h, w2, b2, "sigmoid")
    upstream = (p - y) / (p * (1 - p))
    *_, below = networks.layer_gradients(h, w2, b2, "sigmoid", upstream)
    gradient, *_ = networks.layer_gradients(x, w1, b1, "relu", below)
    for i, j in product(range(4), range(3)):
        step = torch.zeros_like(w1)
        step[i, j] = 1e-6
        numeric = (loss(w1 + step) - loss(w1 - step)) / 2e-6
        assert float(gradient[i, j]) == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize(
    ("previous", "weight", "bias"),
    [
        (np.zeros((2, 3)), np.zeros((4, 2)), np.zeros(4)),
        (np.zeros((2, 3)), np.zeros((4, 3)), np.zeros(3)),
        (np.zeros((2, 3)), np.zeros((4, 3)), np.zeros((4, 1))),
        (np.zeros((2, 3)), np.zeros((4, 5)), np.zeros(4)),
        (np.zeros((2, 5, 3)), np.zeros((4, 2)), np.zeros(4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(previous, weight, bias):
    with pytest.raises(ValueError, match="do not fit inputs of width 3"):
        networks.layer(previous, weight, bias, "relu")


def test_unknown_activation_and_sizes_are_refused():
    with pytest.raises(ValueError, match="no activation 'tanh'; choose from identity, relu"):
        networks.activation("tanh")
    for sizes in ((3,), (), (3, 0, 1)):
        with pytest.raises(ValueError, match="give at least inputs and outputs"):
            made(*sizes)
    with pytest.raises(ValueError, match="no activation 'swish'"):
        made(3, 1, output="swish")
    with pytest.raises(ValueError, match="no activation 'swish'"):
        made(3, 1, hidden="swish")


# --- the network as a module ----------------------------------------------------------------------


def test_network_starts_within_glorot_bounds_with_zero_biases():
    network = made(300, 100, 20)
    for weight, bias in network.theta:
        bound = (6 / sum(weight.shape)) ** 0.5
        assert 0.98 * bound < weight.abs().max() <= bound
        assert abs(float(weight.detach().mean())) < 0.05 * bound
        assert bias.shape == weight.shape[:1]
        assert not bias.any()
    assert network.weights[0].dtype == torch.float64
    assert made(3, 2, dtype=None).weights[0].dtype == torch.get_default_dtype()


def test_network_is_a_function_of_its_generator_alone():
    first, again, other = made(4, 3, 2, seed=1), made(4, 3, 2, seed=1), made(4, 3, 2, seed=2)
    x = random(5, 4)
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


def test_scores_are_what_the_output_activation_is_applied_to():
    network, x = made(4, 3, 2, output="softmax"), random(5, 4)
    assert torch.allclose(network(x), torch.softmax(network.scores(x), -1))
    hidden = networks.layer(x, *network.theta[0], "relu")
    assert torch.allclose(network.scores(x), functional.linear(hidden, *network.theta[1]))


def test_fit_equals_adam_by_hand_when_all_rows_are_one_batch():
    x, y = random(20, 3), (random(20, 1, seed=4) > 0).double()
    network, reference = made(3, 4, 1, seed=3), made(3, 4, 1, seed=3)
    loss = losses.binary_cross_entropy_of_score
    generator = torch.Generator().manual_seed(0)
    steps = networks.fit(network, x, y, loss, epochs=5, rate=0.02, generator=generator)
    adam = torch.optim.Adam(reference.parameters(), lr=0.02)
    for _ in range(5):
        adam.zero_grad()
        functional.binary_cross_entropy_with_logits(reference.scores(x), y).backward()
        adam.step()
    assert steps == 5
    for own, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(own, theirs, atol=1e-12)


def test_fit_visits_every_row_once_an_epoch_in_a_new_order():
    seen = []

    def record(rows, z):
        seen.append(rows.tolist())
        return z.sum()

    generator = torch.Generator().manual_seed(0)
    steps = networks.fit(
        made(1, 1), torch.zeros(7, 1, dtype=torch.float64), torch.arange(7), record,
        epochs=2, batch_size=3, generator=generator,
    )  # fmt: skip
    assert steps == 6
    assert [len(batch) for batch in seen] == [3, 3, 1] * 2
    epochs = [list(chain(*seen[:3])), list(chain(*seen[3:]))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 2
    assert epochs[0] != epochs[1]


def test_fit_refuses_targets_of_another_length():
    with pytest.raises(ValueError, match="3 rows of x, but 2 targets"):
        networks.fit(made(1, 1), torch.zeros(3, 1), torch.zeros(2, 1),
                     losses.binary_cross_entropy_of_score, epochs=1,
                     generator=torch.Generator())  # fmt: skip


# --- layers without a nonlinearity ----------------------------------------------------------------


def test_collapse_by_hand():
    parameters = [
        (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([1.0, -1.0])),
        (torch.tensor([[3.0, 1.0]]), torch.tensor([0.5])),
    ]
    weight, bias = networks.collapse(parameters)
    assert weight.tolist() == [[3, 7]]
    assert bias.tolist() == [2.5]


@given(seeds, st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_affine_layers_are_one_layer(seed, sizes):
    parameters = theta(*sizes, seed=seed % 2**31)
    x = random(4, sizes[0], seed=7)
    whole = networks.forward(x, parameters, "identity", "sigmoid")
    one = networks.layer(x, *networks.collapse(parameters), "sigmoid")
    assert whole.numpy() == pytest.approx(one.numpy(), abs=1e-9)


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_every_affine_map_of_that_rank_is_two_layers(seed, inputs, outputs):
    ((target, bias),) = theta(inputs, outputs, seed=seed % 2**31)
    u, s, v = torch.linalg.svd(target, full_matrices=False)
    parameters = [(v, torch.zeros(len(s), dtype=u.dtype)), (u * s, bias)]
    weight, found = networks.collapse(parameters)
    assert weight.numpy() == pytest.approx(target.numpy(), abs=1e-9)
    assert found.numpy() == pytest.approx(bias.numpy())


def test_collapse_error_tells_affine_from_relu():
    assert networks.collapse_error((10, 100, 2), "identity", 1) < 1e-12
    assert networks.collapse_error((10, 100, 2), "relu", 1) > 0.1
    assert networks.collapse_error((4, 5, 6, 2), "identity", 1) < 1e-12


def test_departure_from_affine_by_hand():
    points = [-2.0, 1.0]
    found = networks.departure_from_affine(("identity", "relu", "sigmoid"), points)
    assert found[:2] == (0, 1)
    sigma = 1 / (1 + np.exp(-np.array([-4.0, -1, 2, 0, -2, 1])))
    gaps = [sigma[0] + sigma[3] - 2 * sigma[4], sigma[1] + sigma[3] - sigma[4] - sigma[5],
            sigma[2] + sigma[3] - 2 * sigma[5]]  # fmt: skip
    assert found[2] == pytest.approx(np.abs(gaps).max())


def test_separable_labellings_of_the_square():
    corners, exclusive_or = networks.XOR
    alike = {(0, 1, 1, 0), (1, 0, 0, 1)}
    for labels in product([0, 1], repeat=4):
        assert networks.separable(corners, labels) == (labels not in alike)
    assert tuple(exclusive_or) in alike
    assert networks.separable([[0.0], [1.0], [2.0]], [1, 0, 0])
    assert not networks.separable([[0.0], [1.0], [2.0]], [0, 1, 0])


def test_no_logistic_regression_gets_more_than_three_quarters_of_the_exclusive_or():
    assert networks.best_linear_accuracy(*networks.XOR) == 0.75
    assert networks.best_accuracy_by_grid(*networks.XOR) == 0.75
    assert networks.best_linear_accuracy([[0.0], [1.0], [2.0]], [0, 1, 0]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"11 points have 2\^11 labellings; give at most 10"):
        networks.best_linear_accuracy(np.zeros((11, 2)), np.zeros(11))


@settings(max_examples=20)
@given(seeds, st.integers(3, 5))
def test_linear_programme_and_grid_agree_on_random_labels(seed, n):
    rng = np.random.default_rng(seed)
    # On a coarse lattice the grid of directions is fine enough to find every line.
    points = rng.permutation([(i, j) for i in range(3) for j in range(3)])[:n]
    labels = rng.integers(0, 2, n)
    exact = networks.best_linear_accuracy(points, labels)
    assert networks.best_accuracy_by_grid(points, labels) == exact


def test_two_relu_units_are_the_exclusive_or():
    corners, labels = networks.XOR
    hidden = networks.layer(corners, np.ones((2, 2)), np.array([0.0, -1.0]), "relu")
    out = networks.layer(hidden, np.array([[1.0, -2.0]]), np.zeros(1), "identity")
    assert out[:, 0].tolist() == labels.tolist()


@pytest.mark.parametrize(("hidden", "least", "most"), [("relu", 1, 1), ("identity", 0, 0.75)])
def test_training_reaches_what_the_network_can_represent(hidden, least, most):
    assert least <= networks.trained_accuracy(*networks.XOR, hidden, seed=1) <= most


def test_linear_network_has_the_log_loss_of_a_logistic_regression():
    x, y = shop(600)
    rows = np.arange(600) < 400
    peer = LogisticRegression(C=np.inf).fit(x[rows], y[rows])
    expected = log_loss(y[~rows], peer.predict_proba(x[~rows])[:, 1])
    found = networks.log_loss_of(x, y, rows, "identity", seed=0, epochs=300)
    assert found == pytest.approx(expected, abs=1e-4)


# --- joint training -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_on_the_sum_or_on_the_parts_gives_the_same_weights_bit_for_bit(seed, dtype):
    x, y = shop(seed=seed)
    assert networks.joint_training_gap(x.astype(dtype), y, seed) == 0


def test_clipping_the_whole_gradient_or_sharing_a_layer_joins_the_two():
    x, y = shop()
    assert networks.joint_training_gap(x, y, 0, clip=0.05, steps=20) > 0.01
    # A bound that is never reached changes nothing.
    assert networks.joint_training_gap(x, y, 0, clip=1e9, steps=20) == 0
    assert networks.joint_training_gap(x, y, 0, shared=True, steps=20) > 0.01
    assert networks.joint_training_gap(x, y, 0, shared=True, steps=0) == 0


def test_shared_trunk_has_one_hidden_layer_for_both_outputs():
    generator = torch.Generator().manual_seed(0)
    model = networks.SharedTrunk(3, 5, generator, torch.float64)
    assert sum(each.numel() for each in model.parameters()) == 3 * 5 + 5 + 2 * (5 + 1)
    x = random(4, 3)
    first, second = model(x)
    features = model.trunk(x)
    assert first.shape == (4,)
    assert torch.allclose(first, model.heads[0](features)[:, 0])
    assert torch.allclose(second, model.heads[1](features)[:, 0])
    (gradient,) = torch.autograd.grad(second.sum(), [model.trunk.weights[0]])
    assert gradient.abs().sum() > 0


def test_two_networks_share_nothing():
    model = networks.TwoNetworks(3, 5, torch.Generator().manual_seed(0), torch.float64)
    first, _ = model(random(4, 3))
    gradients = torch.autograd.grad(
        first.sum(), list(model.parts[1].parameters()), allow_unused=True
    )
    assert gradients == (None,) * 4


def test_the_discount_model_gives_everything_away_to_everybody():
    x, y = shop()
    path = networks.discount_path(x, y, 0, (0, 50, 300))
    assert path.shape == (3, 200)
    start, half, end = path
    assert 0.2 < start.mean() < 0.8
    assert start.mean() < half.mean() < end.mean()
    assert end.min() > 0.99
    assert end.std() < start.std()


def test_held_out_loss_of_the_three_ways_of_training():
    x, y = shop(400)
    other, rows = (x[:, 1] > 0).astype(float), np.arange(400) < 200
    loss = {
        second: networks.held_out_loss(x, y, other, rows, second, 0, steps=60)
        for second in ("alone", "discount", "task")
    }
    assert len(set(loss.values())) == 3
    entropy = -np.log(0.5)
    assert max(loss.values()) < entropy
    swapped = networks.held_out_loss(x, y, 1 - other, rows, "alone", 0, steps=60)
    assert swapped == loss["alone"]
    with pytest.raises(ValueError, match="no second loss 'both'; choose from alone, discount"):
        networks.held_out_loss(x, y, other, rows, "both", 0)


def test_training_alone_leaves_the_second_head_as_it_was():
    x, y = shop(50)
    rows = np.ones(50, dtype=bool)
    rows[:5] = False
    before = networks.held_out_loss(x, y, y, rows, "alone", 0, steps=0)
    generator = torch.Generator().manual_seed(0)
    model = networks.SharedTrunk(3, 32, generator, torch.float64)
    p, _ = model(torch.as_tensor(x[:5]))
    assert before == pytest.approx(losses.binary_cross_entropy(y[:5], p.detach()).item() / 5)


def test_module_parameters_are_registered():
    assert len(list(made(3, 2, 1).parameters())) == 4
    assert isinstance(made(3, 2, 1), nn.Module)
