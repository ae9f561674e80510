"""The rebuilt listings: names and data flow, shapes, D3's loop, D4's training and imitation."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from promo_repro.claims import inventory
from promo_repro.datasets import hillstrom, synthetic
from promo_repro.recommender import listings
from promo_repro.recommender.networks import Network

SKETCHES = {
    listings.D2_BUILDER: ("Dense", "Input", "Model", "num_classes", "num_features", "num_hidden"),
    listings.D4_SCRIPT: ("tf", "x_test", "x_train", "y_test", "y_train"),
    listings.D3_CLASS: ("nn",),
    listings.D3_SCRIPT: ("DiscountModel", "Recommender", "nn", "optim", "rows", "torch"),
}

# --- names and data flow --------------------------------------------------------------------------


@pytest.mark.parametrize("find", [listings.missing_names, listings.names_asked_for])
def test_names_that_nothing_defines(find):
    for sketch, names in SKETCHES.items():
        assert find(sketch) == names
        assert find(sketch, names) == ()
        assert find(sketch, names[1:]) == names[:1]
    assert find("a = 1\nfor b in range(a):\n    print(a, b)") == ()
    assert find("class A(B):\n    pass\nA()") == ("B",)
    assert find("z = f(y)", given=["y", "f"]) == ()


def test_influence_follows_assignments_and_loops():
    code = "a = f(x)\nfor b in a:\n    c = b + 1\nd = 2"
    assert listings.influences(code, "x", "c")
    assert listings.influences(code, "a", "c")
    assert listings.influences(code, "f", "b")
    assert not listings.influences(code, "c", "a")
    assert not listings.influences(code, "x", "d")
    assert not listings.influences("a = b\nb = a", "x", "a")


def test_the_recommender_reaches_the_discount_only_as_described():
    assert listings.D3_SCRIPT_AS_DESCRIBED != listings.D3_SCRIPT
    assert listings.influences(listings.D3_SCRIPT_AS_DESCRIBED, "recommender", "discount")
    assert not listings.influences(listings.D3_SCRIPT, "recommender", "discount")
    assert listings.influences(listings.D3_SCRIPT, "recommender", "probability")


# --- structure ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "hidden"), [((20, 64, 10), 1), ((3, 4, 5, 2), 2), ((7, 1), 0)])
def test_layers_are_counted_the_same_on_paper_and_in_the_network(sizes, hidden):
    assert listings.hidden_layers(sizes) == hidden
    assert listings.hidden_layers_built(sizes) == hidden
    assert listings.fully_connected_layers(sizes) == hidden + 1
    shapes = listings.weight_shapes(sizes)
    assert shapes == tuple((b, a) for a, b in pairwise(sizes))


def test_d4_has_1994_parameters():
    network = Network((20, 64, 10), "relu", "softmax", torch.Generator().manual_seed(0))
    assert sum(each.numel() for each in network.parameters()) == 1994
    d3 = Network((10, 100, 2), "identity", "sigmoid", torch.Generator().manual_seed(0))
    assert sum(each.numel() for each in d3.parameters()) == 1302


def test_accepted_widths():
    assert listings.accepted_widths((5, 3, 2), (4, 5, 6)) == (5,)
    assert listings.accepted_widths((5, 3, 2), (1,)) == ()


def test_output_range_and_row_sums():
    low, high = listings.output_range((10, 100, 2), "identity", "sigmoid", 1)
    assert 0 < low < 0.4 < 0.6 < high < 1
    low, high = listings.output_range((10, 100, 2), "identity", "identity", 1)
    assert low < 0 < 1 < high
    assert listings.row_sums((20, 64, 10), "relu", "softmax", 1) == pytest.approx((1, 1))
    low, high = listings.row_sums((10, 100, 2), "identity", "sigmoid", 1)
    assert low < 0.9 < 1.1 < high


def test_output_depends_on_the_users_own_row():
    assert listings.depends_on_own_row((6, 8, 3), False) < 1e-12
    assert listings.depends_on_own_row((6, 8, 3), True) > 1e-3


def test_theta_is_all_that_the_function_depends_on():
    gaps = [listings.reproduced_by_theta((6, 8, 3), copied, seed=2) for copied in (0, 1, 2)]
    assert gaps[2] == 0
    assert min(gaps[:2]) > 0.01


def test_one_output_cannot_tell_two_items_apart():
    assert listings.recommendation_gap(10, 1) == 0
    assert listings.recommendation_gap(10, 2) > 0.05
    assert [listings.numbers_per_user(10, outputs) for outputs in (1, 2, 5)] == [1, 2, 5]


# --- D3's loop ------------------------------------------------------------------------------------


def test_purchases_follow_the_first_two_features():
    table = listings.purchases(2_000, 4, 0)
    assert table.shape == (2_000, 5)
    assert set(table["bought"]) == {0, 1}
    by_feature = table.drop(columns="bought").corrwith(table["bought"])
    assert by_feature.iloc[0] > 0.2
    assert by_feature.iloc[1] < -0.2
    assert by_feature.iloc[2:].abs().max() < 0.1
    pd.testing.assert_frame_equal(table, listings.purchases(2_000, 4, 0))


@pytest.mark.parametrize(
    ("convert", "outputs", "batched", "message"),
    [
        (listings.as_row, 2, False, "ValueError: could not determine the shape"),
        (listings.as_doubles, 2, False, "RuntimeError: .*same dtype"),
        (listings.as_floats, 2, False, r"ValueError: .*different to the input size \(.*\[2\]\)"),
        (listings.as_floats, 2, True, r"ValueError: .*different to the input size \(.*\[1, 2\]\)"),
        (listings.as_floats, 1, False, r"ValueError: .*different to the input size \(.*\[1\]\)"),
    ],
)
def test_d3s_loop_stops_at_the_first_row(convert, outputs, batched, message):
    table = listings.purchases(3, 10, 0)
    done, error = listings.epochs_completed(table, convert, outputs, 2, batched=batched)
    assert done == 0
    assert pd.Series([error]).str.match(message).all()
    assert listings.full_epochs(table, convert, outputs, 2, batched=batched) == 0


def test_d3s_loop_runs_when_mended():
    table = listings.purchases(3, 10, 0)
    assert listings.epochs_completed(table, listings.as_floats, 1, 4, batched=True) == (4, "")
    assert listings.full_epochs(table, listings.as_floats, 1, 4, batched=True) == 4


def test_adams_first_step_is_the_learning_rate():
    assert listings.first_step(0.001, [5.0, -0.3, 1e-3]) == pytest.approx([0.001] * 3, rel=1e-4)
    assert listings.first_step(0.1, [1.0]) == pytest.approx([0.1], rel=1e-4)


def test_gradients_pile_up_unless_cleared():
    assert listings.gradient_taken([2.0, 3.0], True) == 3
    assert listings.gradient_taken([2.0, 3.0], False) == 5


# --- D4's training and evaluation -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "epochs", "batch", "steps"), [(200, 10, 32, 70), (64, 3, 32, 6), (5, 2, 8, 2)]
)
def test_steps_and_visits(rows, epochs, batch, steps):
    assert listings.steps_taken(rows, epochs, batch) == steps
    assert listings.visits_per_row(rows, epochs, batch) == (epochs, epochs)


def test_one_hot():
    assert listings.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_class_numbers_are_no_targets():
    classes = np.arange(12) % 4
    assert listings.fit_error(listings.one_hot(classes, 4), 4) == ""
    assert listings.fit_error(classes, 4) == "ValueError"
    assert listings.fit_error(classes[:, None], 4) == "ValueError"


def test_evaluation_gives_loss_then_accuracy():
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    loss, accuracy = listings.evaluation(p, labels)
    assert loss == pytest.approx(log_loss(labels, p))
    assert accuracy == accuracy_score(labels, p.argmax(1))
    assert listings.evaluation_entry(p, labels, 0) == loss
    assert listings.evaluation_entry(p, labels, 1) == accuracy


def test_training_gains_only_with_a_learning_rate():
    fall, rise = listings.training_gain(0.001, 5)
    assert fall > 0.1
    assert rise > 0.1
    assert listings.training_gain(0.0, 5) == (0, 0)


# --- imitation ------------------------------------------------------------------------------------


def test_thinned_rows_look_as_if_the_policy_had_chosen():
    rng = np.random.default_rng(0)
    arm, usual = rng.integers(0, 3, 60_000), rng.integers(0, 3, 60_000)
    kept = listings.thin(arm, usual, 0.8, rng)
    for prefers in range(3):
        share = np.bincount(arm[kept & (usual == prefers)], minlength=3)
        expected = np.full(3, 0.1)
        expected[prefers] = 0.8
        assert share / share.sum() == pytest.approx(expected, abs=0.015)
    assert not listings.thin(arm, usual, 1.0, rng)[arm != usual].any()
    assert listings.thin(arm, usual, 1 / 3, rng).all()
    for share in (0.2, 1.1):
        with pytest.raises(ValueError, match="the usual arm must be the most frequent one"):
            listings.thin(arm, usual, share, rng)


def test_customer_features_are_standardised():
    rows = synthetic.hillstrom_rows(np.random.default_rng(0), 300)
    x = listings.customer_features(rows)
    assert x.shape == (300, 9)
    assert x.mean(axis=0) == pytest.approx(np.zeros(9), abs=1e-12)
    assert x.std(axis=0) == pytest.approx(np.ones(9))
    history = np.log(rows["history"])
    assert np.corrcoef(x[:, 1], history)[0, 1] == pytest.approx(1)
    with pytest.raises(ValueError, match="newbie is the same for all customers"):
        listings.customer_features(rows.assign(newbie=0))


@pytest.fixture(scope="module")
def log():
    """Customers (x, usual arm, arm, reward): arm 2 is best, the past policy prefers 0 and 1."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1_500, 4))
    usual = (x[:, 0] > 0).astype(int)
    arm = np.where(rng.random(1_500) < 0.7, usual, rng.integers(0, 3, 1_500))
    reward = (rng.random(1_500) < np.array([0.1, 0.3, 0.8])[arm]).astype(float)
    return x, usual, arm, reward


def test_d4s_network_imitates_whatever_the_outcomes_are(log):
    x, usual, arm, _ = log
    network = listings.imitate(x, arm, 3, seed=0)
    assert (listings.most_likely(network, x) == usual).mean() > 0.95
    with torch.no_grad():
        p = network(torch.as_tensor(x, dtype=torch.float32)).numpy()
    assert p[:, 2].mean() == pytest.approx((arm == 2).mean(), abs=0.03)


def test_the_response_model_finds_the_better_promotion(log):
    x, _, arm, reward = log
    network = listings.respond(x, arm, reward, 3, seed=0)
    assert (listings.best_response(network, x, 3) == 2).mean() > 0.95
    worst = listings.respond(x, arm, 1 - reward, 3, seed=0)
    assert (listings.best_response(worst, x, 3) == 0).mean() > 0.95


def test_matched_value_by_hand():
    chosen, arm, reward = [0, 1, 1, 0], [0, 1, 0, 0], [1.0, 0.0, 1.0, 1.0]
    mean, low, high = listings.matched_value(chosen, arm, reward)
    assert mean == pytest.approx(2 / 3)
    half = 1.96 * np.std([1, 0, 1], ddof=1) / 3**0.5
    assert (low, high) == pytest.approx((mean - half, mean + half))
    with pytest.raises(ValueError, match="fewer than two customers"):
        listings.matched_value([0, 1], [1, 1], [1, 1])


def test_matched_gain_by_hand():
    low, mean, high = listings.matched_gain([0, 1, 1], [1, 1, 0], [0, 1, 0], [2.0, 5.0, 1.0], 2)
    each = [2 * 2.0, 0, -2 * 1.0]
    half = 1.96 * np.std(each, ddof=1) / 3**0.5
    assert (low, mean, high) == pytest.approx((2 / 3 - half, 2 / 3, 2 / 3 + half))
    assert listings.matched_gain([0, 1], [0, 1], [0, 0], [1, 1], 2) == (0, 0, 0)


def test_matched_estimates_are_unbiased_on_simulated_tests():
    rng = np.random.default_rng(5)
    arm = rng.integers(0, 3, 90_000)
    reward = (rng.random(90_000) < np.array([0.1, 0.2, 0.4])[arm]).astype(float)
    always = np.full(90_000, 2)
    mean, low, high = listings.matched_value(always, arm, reward)
    assert low < 0.4 < high
    assert mean - low == pytest.approx(1.96 * (0.24 / 30_000) ** 0.5, rel=0.05)
    low, mean, high = listings.matched_gain(always, 0 * always, arm, reward, 3)
    assert low < 0.3 < high


# --- the inventory and real data ------------------------------------------------------------------


def test_the_inventory_prints_the_sizes_that_are_rebuilt():
    claims = inventory()
    assert claims["D4-L03"].values["input_shape"] == [20]
    assert (claims["D4-L03"].values["hidden_units"], claims["D4-L03"].values["output_units"]) == (
        64,
        10,
    )
    assert claims["D3-L21"].values == {"input_dim": 10, "hidden_dim": 100, "output_dim": 2}
    assert claims["D4-N02"].values["hidden_layers"] != listings.hidden_layers((20, 64, 10))


@pytest.mark.real_data
def test_a_bad_past_policy_is_imitated_on_real_customers():
    customers = hillstrom.load()
    x = listings.customer_features(customers)
    arm = customers["segment"].map(hillstrom.ARMS.index).to_numpy(int)
    usual = np.where(customers["history"] > customers["history"].median(), 0, 2)
    rng = np.random.default_rng(11)
    part = rng.integers(0, 8, len(x)) == 0
    kept = np.flatnonzero(part)[listings.thin(arm[part], usual[part], 0.8, rng)]
    network = listings.imitate(x[kept], arm[kept], 3, seed=11)
    chosen = listings.most_likely(network, x[~part])
    assert (chosen == usual[~part]).mean() > 0.9
    visit = customers["visit"].to_numpy()[~part]
    mens = np.ones_like(chosen)
    assert listings.matched_gain(mens, chosen, arm[~part], visit, 3)[0] > 0.02
