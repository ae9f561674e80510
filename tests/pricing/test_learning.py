"""Learning prices: the posterior by hand and by enumeration, and what the rules converge to."""

import numpy as np
import pytest
from scipy.stats import binom

from promo_repro.pricing import learning
from promo_repro.pricing.learning import (
    CurveGreedy,
    CurveThompson,
    PriceThompson,
    log_posterior,
    price_regret,
    purchase_probability,
    simulate,
)

RATIO = np.array([0.6, 0.8, 1.0, 1.2])
GRID = learning.curves(RATIO, np.linspace(-2, 1, 13), np.linspace(-6, 0, 13))


def test_curve_by_hand():
    # Log odds log 2 at the regular price; at half of it and β = -1 they are log 4.
    q = purchase_probability([1.0, 0.5], np.log(2), -1.0)
    assert q.tolist() == pytest.approx([2 / 3, 4 / 5])


def test_grid_holds_every_pair_in_order():
    grid = learning.curves(RATIO, [0.0, 1.0], [-1.0, -2.0, -3.0])
    assert grid.shape == (6, 4)
    assert grid[4] == pytest.approx(purchase_probability(RATIO, 1.0, -2.0))


def test_posterior_is_that_of_bayes():
    demand = np.array([[0.2, 0.4], [0.5, 0.3]])
    shown, bought = np.array([5, 3]), np.array([2, 1])
    prior = np.log([0.3, 0.7])
    likelihood = binom.pmf(bought, shown, demand).prod(axis=1)
    exact = np.exp(prior) * likelihood / (np.exp(prior) * likelihood).sum()
    ours = np.exp(log_posterior(prior, demand, shown, bought))
    assert ours / ours.sum() == pytest.approx(exact)


def test_regret_by_hand():
    # Gains 1, 1.2, 0.9.
    regret = price_regret([2.0, 3.0, 4.5], [0.5, 0.4, 0.2], np.array([0, 1, 2]))
    assert regret.tolist() == pytest.approx([0.2, 0, 0.3])


def test_regret_adds_up(rng):
    class Always:
        def choose(self, margins, shown, bought, rng):
            return np.zeros(len(shown), int)

    result = simulate(Always(), [2.0, 3.0], [0.5, 0.4], 50, 4, rng, batch=10)
    assert result.checkpoints.tolist() == [10, 20, 30, 40, 50]
    assert result.regret[:, -1] == pytest.approx(50 * 0.2)
    assert result.shown.tolist() == [[50, 0]] * 4
    mean, half = result.interval()
    assert mean[-1] == pytest.approx(10)
    assert half[-1] == 0


def test_curves_learn_faster_than_prices_one_by_one(rng):
    ratio = np.linspace(0.5, 1.5, 15)
    grid = learning.curves(ratio, np.linspace(-2, 1, 13), np.linspace(-6, 0, 13))
    truth = purchase_probability(ratio, -0.5, -3.0)
    margins = ratio - 0.4
    ends = [
        simulate(rule, margins, truth, 3_000, 200, rng).interval()
        for rule in (CurveThompson(grid), PriceThompson())
    ]
    (curve, a), (prices, b) = [(mean[-1], half[-1]) for mean, half in ends]
    assert curve + a < prices - b


@pytest.mark.parametrize("rule", [CurveThompson(GRID), PriceThompson(), CurveGreedy(GRID)])
def test_every_rule_settles_on_a_good_price(rule, rng):
    truth = purchase_probability(RATIO, 0.0, -4.0)
    margins = RATIO - 0.4
    result = simulate(rule, margins, truth, 4_000, 100, rng)
    late = (result.regret[:, -1] - result.regret[:, -101]) / 1_000
    spread = price_regret(margins, truth, np.arange(4)).max()
    assert np.median(late) < 0.1 * spread


def test_thompson_draws_curves_by_their_posterior(rng):
    demand = np.array([[0.9, 0.1], [0.1, 0.9]])
    shown, bought = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])
    many = [np.repeat(x, 20_000, axis=0) for x in (shown, bought)]
    k = CurveThompson(demand).choose(np.ones(2), *many, rng)
    assert (k == 0).mean() == pytest.approx(0.9, abs=0.01)


def test_the_same_seed_gives_the_same_path():
    paths = [
        simulate(PriceThompson(), RATIO, 0.3 + 0 * RATIO, 100, 3, np.random.default_rng(1)).regret
        for _ in range(2)
    ]
    assert np.array_equal(*paths)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: purchase_probability(-1.0, 0.0, -1.0), "ratio"),
        (lambda: purchase_probability(1.0, np.nan, -1.0), "NaN"),
        (lambda: log_posterior(0.0, [[0.0, 0.5]], [1, 1], [0, 0]), "rule out"),
        (lambda: log_posterior(0.0, [[1.0, 0.5]], [1, 1], [0, 0]), "rule out"),
        (lambda: log_posterior(0.0, [[0.5, 0.5]], [1, 1], [2, 0]), "bought"),
        (lambda: log_posterior(0.0, [[0.5, 0.5]], [1, 1], [-1, 0]), "bought"),
        (lambda: price_regret([1.0], [1.5], 0), "demand"),
        (
            lambda: simulate(PriceThompson(), [1.0], [0.5, 0.5], 10, 2, np.random.default_rng()),
            "differ",
        ),
        (lambda: simulate(PriceThompson(), [1.0], [0.5], 5, 2, np.random.default_rng()), "batch"),
        (
            lambda: simulate(PriceThompson(), [1.0], [0.5], 10, 1, np.random.default_rng()),
            "two runs",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
