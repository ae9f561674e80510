"""Principal components against algebra, brute force and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from promo_repro.profiles import components as c

SQUARE = np.array([[2.0, 1.0], [1.0, 2.0]])


@pytest.fixture
def table(rng):
    return rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5)) + 3


def test_feature_vector_is_the_row_as_a_column():
    assert c.feature_vector([[1, 2], [3, 4]], 1).tolist() == [[3], [4]]


def test_standardise_by_hand():
    z = c.standardise([[1, 10], [3, 30], [5, 20]])
    root = np.sqrt(1.5)
    assert z == pytest.approx(np.array([[-root, -root], [0, root], [root, 0]]))


@given(st.integers(0, 50))
def test_standardised_moments(seed):
    x = np.random.default_rng(seed).normal(5, 3, (20, 4))
    z = c.standardise(x)
    assert z.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-12)
    assert z.var(axis=0) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("constant", [0.0, 7.0, 1e9 + 0.1])
def test_standardise_refuses_constants(constant):
    with pytest.raises(ValueError, match=r"columns \[1\] are constant"):
        c.standardise([[1, constant], [2, constant], [3, constant]])


def test_constant_is_judged_by_the_size_of_the_column():
    assert c.standardise([[5e-13], [0.0]]) == pytest.approx(np.array([[1.0], [-1.0]]))
    with pytest.raises(ValueError, match="constant"):
        c.standardise([[1e13], [1e13 + 0.5]])


def test_covariance_by_hand_and_peer(table):
    assert c.covariance([[0, 0], [2, 4]]).tolist() == [[1, 2], [2, 4]]
    assert c.covariance(table) == pytest.approx(np.cov(table.T, bias=True))


def test_one_pass_is_the_same_on_paper_and_not_in_float32(table):
    assert c.one_pass_covariance(table, np.float64) == pytest.approx(c.covariance(table))
    found = c.one_pass_covariance(table + 10_000, np.float32)
    assert found.dtype == np.float32
    assert np.abs(found - c.covariance(table)).max() > 1


def test_eigen_by_hand():
    values, vectors = c.eigen(SQUARE)
    assert values == pytest.approx([3, 1])
    assert np.abs(vectors) == pytest.approx(np.full((2, 2), np.sqrt(0.5)))
    assert vectors[0, 0] * vectors[1, 0] > 0 > vectors[0, 1] * vectors[1, 1]


@pytest.mark.parametrize("shift", [0, 1_000])
def test_components_against_scikit_learn(table, shift):
    own = c.principal_components(table + shift, 3)
    peer = PCA(3).fit(table)
    assert c.subspace_angle(own.directions, peer.components_.T) < 1e-6
    assert own.variances[:3] == pytest.approx(peer.explained_variance_ * 59 / 60)
    assert own.mean == pytest.approx(table.mean(axis=0) + shift)
    assert own.directions.shape == (5, 3)
    assert len(own.variances) == 5


def test_components_of_a_wide_table():
    wide = np.random.default_rng(0).standard_normal((3, 6))
    found = c.principal_components(wide, 3)
    assert found.variances.shape == (6,)
    assert found.variances[2:] == pytest.approx(np.zeros(4), abs=1e-12)
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k is {k}"):
            c.principal_components(wide, k)


def test_scores():
    assert c.scores([[1, 2], [3, 4]], [[1], [2]]).tolist() == [[5], [11]]
    with pytest.raises(ValueError, match=r"table \(2, 2\) and directions \(3, 1\) do not fit"):
        c.scores([[1, 2], [3, 4]], [[1], [2], [3]])


def test_reconstruction_by_hand():
    table = [[0, 0], [2, 4], [4, 2]]  # centred: (-2, -2), (0, 2), (2, 0)
    assert c.reconstruction_error(table, [[1], [0]]) == pytest.approx(8)
    assert c.reconstruction_error(table, [[0.6], [0.8]]) == pytest.approx(16 - 11.84)
    for bad in ([[1.0], [1.0]], [[1.0, 1.0], [0.0, 0.0]]):
        with pytest.raises(ValueError, match="not orthonormal"):
            c.reconstruction_error(table, bad)


@given(st.integers(0, 30), st.integers(1, 4))
def test_eckart_young(seed, k):
    """The bound is attained by the components, and by no other orthonormal directions."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((15, 4)) * [4, 3, 2, 1] + 2
    bound = c.discarded_variance(x, k)
    best = c.principal_components(x, k).directions
    other = np.linalg.qr(rng.standard_normal((4, k)))[0]
    assert c.reconstruction_error(x, best) == pytest.approx(bound, abs=1e-9)
    assert c.reconstruction_error(x, other) >= bound - 1e-9


def test_discarded_variance_limits(table):
    assert c.discarded_variance(table, 0) == pytest.approx(((table - table.mean(0)) ** 2).sum())
    assert c.discarded_variance(table, 5) == 0
    for k in (-1, 6):
        with pytest.raises(ValueError, match=f"k is {k}; it must lie between 0 and the 5 features"):
            c.discarded_variance(table, k)


def test_printed_objective_by_hand():
    assert c.printed_objective([[1, 2]], [[1, 1]], [[1, 0], [1, 0]]) == 5
    with pytest.raises(ValueError, match=r"Y is \(1, 1\) and X W is \(1, 2\)"):
        c.printed_objective([[1]], [[1, 1]], [[1, 0], [1, 0]])


def test_regression_directions_minimise_the_printed_objective(rng, table):
    y = rng.standard_normal((60, 2))
    w = c.regression_directions(y, table)
    assert table.T @ (y - table @ w) == pytest.approx(np.zeros((5, 2)), abs=1e-8)


def test_explained_share():
    assert c.explained_share([3, 1], 1) == 0.75
    assert c.explained_share([3, 1, 0], 2) == 1
    assert c.explained_share([3, 1, -1e-12], 3) == 1
    assert c.explained_share([0.3, 0.1], 1) == pytest.approx(0.75)
    for bad in ([0, 0], [], [3, -1], [[3, 1]], [1e-3, -1e-10]):
        with pytest.raises(ValueError, match="variances must be"):
            c.explained_share(bad, 1)
    with pytest.raises(ValueError, match="k is 3"):
        c.explained_share([3, 1], 3)


def test_subspace_angle():
    x, y = [[1.0], [0.0]], [[1.0], [1.0]]
    assert c.subspace_angle(x, y) == pytest.approx(np.pi / 4)
    plane = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    tilted = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    assert c.subspace_angle(plane, tilted) == pytest.approx(np.pi / 4)


def test_parallel_analysis_finds_planted_factors(rng):
    x = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 8)) + rng.standard_normal((400, 8))
    values, limits, kept = c.parallel_analysis(x, np.random.default_rng(0), 30)
    assert kept == 2
    assert values.shape == limits.shape == (8,)
    assert values.sum() == pytest.approx(8)
    noise = rng.standard_normal((400, 8))
    assert c.parallel_analysis(noise, np.random.default_rng(0), 30, 1.0)[2] == 0
