"""The logit against hand, torch autograd, statsmodels, and planted truth."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.response import example, logit
from promo_repro.response.logit import (
    Choices,
    choice_probabilities,
    information,
    log_likelihoods,
    own_price_elasticity,
    relative_to_first,
    scores,
    utilities,
)


def test_probabilities_by_hand():
    # Weights 2 and 5 beside the base's 1.
    p = choice_probabilities(np.log([2.0, 5.0]))
    assert p.tolist() == pytest.approx([2 / 8, 5 / 8])


def test_probabilities_of_huge_utilities_are_finite():
    assert choice_probabilities([900.0, 900.0]).tolist() == pytest.approx([0.5, 0.5])
    assert choice_probabilities([-900.0, -900.0]).tolist() == [0, 0]


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=6),
    st.floats(-3, 3),
)
def test_ratios_do_not_depend_on_other_alternatives(v, added):
    """Independence of irrelevant alternatives, and what is left goes to the base."""
    before, after = choice_probabilities(v), choice_probabilities([*v, added])
    assert before[0] / before[1] == pytest.approx(after[0] / after[1])
    assert 0 < 1 - after.sum() < 1 - before.sum() + 1e-12


def test_utilities_by_hand():
    bread = example().category("bread")
    share, ratio = np.array([[0.4, 0.3, 0.2, 0.1]]), np.array([[1.0, 0.8, 1.0, 1.0]])
    shown = np.array([[0.0, 1.0, 0.0, 0.0]])
    v = utilities(bread, np.array([2]), share, np.array([0.1]), ratio, shown, 0.5 * shown)
    second = -1.1 + 0.5 * np.log(0.3) + 0.9 * np.log(0.1) - 2.4 * np.log(0.8) + 0.4 + 0.2 * 0.5
    assert v[0, 1] == pytest.approx(second)
    assert v[0, 3] == pytest.approx(-1.3 + 0.5 * np.log(0.1) + 0.9 * np.log(0.1))


def test_elasticity_is_the_derivative():
    v, slope = np.array([0.3, -0.4]), -1.7
    step = 1e-6
    up, down = (choice_probabilities(v + np.array([slope * h, 0]))[0] for h in (step, -step))
    numeric = (np.log(up) - np.log(down)) / (2 * step)
    assert own_price_elasticity(slope, choice_probabilities(v)[0]) == pytest.approx(numeric)


def test_likelihood_by_hand():
    data = Choices(np.array([[[1.0], [2.0]], [[0.0], [1.0]]]), np.array([2, 0]), np.arange(2))
    vector = np.array([np.log(2.0), 0.0, np.log(3.0)])
    # Weights: first trip 6 and 9, second trip 2 and 3.
    assert log_likelihoods(vector, data).tolist() == pytest.approx([np.log(9 / 16), np.log(1 / 6)])


def test_likelihood_stays_finite_for_huge_utilities():
    data = Choices(np.array([[[900.0], [-900.0]]]), np.array([2]), np.zeros(1))
    value = log_likelihoods(np.array([0.0, 0.0, 1.0]), data)
    assert value[0] == pytest.approx(-1800)


def test_gradient_and_hessian_are_those_of_autograd(planted):
    _, data = planted
    few = Choices(data.features[:50], data.choice[:50], data.cluster[:50])
    at = np.array([0.3, -0.2, 0.1, 0.4, -0.6])
    x, y = torch.tensor(few.features), torch.tensor(few.choice)

    def total(v):
        u = torch.cat([torch.zeros(50, 1, dtype=torch.float64), v[:3] + x @ v[3:]], dim=1)
        return u.log_softmax(dim=1).gather(1, y[:, None]).sum()

    v = torch.tensor(at)
    gradient = torch.autograd.functional.jacobian(total, v).numpy()
    hessian = torch.autograd.functional.hessian(total, v).numpy()
    assert log_likelihoods(at, few).sum() == pytest.approx(total(v).item())
    assert np.allclose(scores(at, few).sum(axis=0), gradient, rtol=1e-10, atol=1e-10)
    assert np.allclose(information(at, few), -hessian, rtol=1e-10, atol=1e-10)


def test_scores_of_single_trips_are_those_of_autograd(planted):
    _, data = planted
    few = Choices(data.features[:3], np.array([0, 1, 3]), data.cluster[:3])
    at = np.array([0.3, -0.2, 0.1, 0.4, -0.6])
    each = [
        scores(at, Choices(few.features[[i]], few.choice[[i]], few.cluster[[i]])) for i in (0, 1, 2)
    ]
    assert np.allclose(scores(at, few), np.concatenate(each))
    assert scores(at, few)[0, :3].max() < 0  # the base was chosen: every other one is pulled down


def test_fit_recovers_planted_coefficients(planted):
    vector, data = planted
    fitted = logit.fit(data)
    assert (np.abs(fitted.vector - vector) < 3 * fitted.standard_errors).all()
    assert np.abs(scores(fitted.vector, data).sum(axis=0)).max() < 1e-4
    assert fitted.log_likelihood == pytest.approx(log_likelihoods(fitted.vector, data).sum())


def test_one_alternative_is_the_binary_logit_of_statsmodels(rng):
    x = rng.normal(size=(500, 2))
    y = (rng.random(500) < 1 / (1 + np.exp(-(0.3 + x @ [1.0, -0.5])))).astype(int)
    groups = np.arange(500) // 5
    options = {"groups": groups, "use_correction": False}
    peer = sm.Logit(y, sm.add_constant(x)).fit(disp=0, cov_type="cluster", cov_kwds=options)
    ours = logit.fit(Choices(x[:, None, :], y, groups))
    assert np.allclose(ours.vector, peer.params, rtol=1e-6)
    assert np.allclose(ours.standard_errors, peer.bse * np.sqrt(100 / 99), rtol=1e-5)
    assert ours.log_likelihood == pytest.approx(peer.llf)


def test_without_outside_option_only_differences_matter(rng):
    x = rng.normal(size=(300, 3, 1))
    choice = rng.integers(0, 3, 300)
    first = logit.fit(relative_to_first(x, choice, np.arange(300)))
    shifted = logit.fit(relative_to_first(x + 5, choice, np.arange(300)))
    assert np.allclose(first.vector, shifted.vector)


def test_columns_can_be_left_out(planted):
    _, data = planted
    assert data.only([1]).features.shape == (4_000, 3, 1)
    assert logit.fit(data.only([1])).log_likelihood < logit.fit(data).log_likelihood


def test_a_product_that_is_never_chosen_has_no_estimate(planted):
    _, data = planted
    never = Choices(data.features, np.where(data.choice == 2, 0, data.choice), data.cluster)
    with pytest.raises(ValueError, match=r"alternatives \[2\] are never chosen"):
        logit.fit(never)


def test_zero_variance_is_refused(planted):
    _, data = planted
    constant = np.concatenate([data.features, np.ones((4_000, 3, 1))], axis=2)
    with pytest.raises(ValueError, match="zero variance"):
        logit.fit(Choices(constant, data.choice, data.cluster))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: choice_probabilities([np.nan, 1.0]), "NaN"),
        (lambda: choice_probabilities([]), "empty"),
        (lambda: own_price_elasticity(-1.0, 1.5), "fractions"),
        (lambda: Choices(np.ones((2, 3, 1)), np.array([0, 4]), np.arange(2)), "0 .* to 3"),
        (lambda: Choices(np.ones((2, 3, 1)), np.array([0, -1]), np.arange(2)), "0 .* to 3"),
        (lambda: Choices(np.ones((2, 3, 1)), np.array([0.0, 1.0]), np.arange(2)), "entries"),
        (lambda: Choices(np.ones((2, 3, 1)), np.array([0]), np.arange(2)), "one entry"),
        (lambda: Choices(np.ones((2, 3)), np.array([0, 1]), np.arange(2)), "3 axes"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_vector_of_the_wrong_length_is_refused(planted):
    _, data = planted
    with pytest.raises(ValueError, match="4 entries for 3 intercepts and 2 slopes"):
        log_likelihoods(np.zeros(4), data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price_ratio": -1.0}, "price_ratio"),
        ({"price_ratio": np.nan}, "price_ratio"),
        ({"display": 2.0}, "display"),
        ({"mailer": -0.1}, "mailer"),
        ({"share": 0.0}, "share"),
        ({"rate": np.array([0.0])}, "rate"),
        ({"segment": np.array([3])}, "segment"),
        ({"segment": np.array([-1])}, "segment"),
        ({"segment": np.array([0.5])}, "segment"),
    ],
)
def test_bad_utilities(changes, message):
    good = {"segment": np.array([0]), "share": 0.3, "rate": np.array([0.1]), "price_ratio": 1.0}
    with pytest.raises(ValueError, match=message):
        utilities(example().category("cola"), **(good | changes))


def test_a_flat_price_slope_means_no_reaction():
    cola = replace(example().category("cola"), price=np.zeros(3))
    values = [utilities(cola, np.array([1]), 0.3, np.array([0.1]), r) for r in (1.0, 0.5)]
    assert np.allclose(*values)
