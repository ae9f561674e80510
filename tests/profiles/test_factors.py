"""Factor analysis against scikit-learn, SciPy's density, and planted factors."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import FactorAnalysis

from promo_repro.profiles import factors as f
from promo_repro.profiles.components import covariance

LOADINGS = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0], [1.0, 1.0]])
NOISE = np.array([0.5, 1.0, 2.0, 0.25])
MODEL = LOADINGS @ LOADINGS.T + np.diag(NOISE)


@pytest.fixture
def table(rng):
    true = rng.standard_normal((6, 2))
    return rng.standard_normal((300, 2)) @ true.T + rng.standard_normal((300, 6)) + 4


def test_likelihood_is_the_normal_density(rng):
    x = rng.standard_normal((50, 4))
    x -= x.mean(axis=0)
    found = f.factor_log_likelihood(covariance(x), LOADINGS, NOISE)
    assert found == pytest.approx(multivariate_normal(np.zeros(4), MODEL).logpdf(x).mean())


def test_weights_are_the_regression_on_the_features():
    assert f.factor_weights(LOADINGS, NOISE) @ MODEL == pytest.approx(LOADINGS.T)


def test_best_loadings_recover_the_model():
    found = f.best_loadings(MODEL, NOISE, 2)
    assert found.shape == (4, 2)
    assert found @ found.T == pytest.approx(LOADINGS @ LOADINGS.T)
    # Nothing is common to features that are all noise.
    assert np.abs(f.best_loadings(np.diag(NOISE), 2 * NOISE, 2)).max() == 0


def test_best_noise_keeps_the_variances():
    assert f.best_noise(MODEL, LOADINGS) == pytest.approx(NOISE)
    assert f.best_noise(np.eye(2), np.array([[2.0], [0.5]])).tolist() == [f.SMALLEST_NOISE, 0.75]


def test_fit_agrees_with_scikit_learn(table):
    own = f.factor_analysis(table, 2, tolerance=1e-12)
    peer = FactorAnalysis(2, tol=1e-9, max_iter=5_000, svd_method="lapack").fit(table)
    assert own.log_likelihood == pytest.approx(peer.score(table), abs=1e-6)
    assert own.noise == pytest.approx(peer.noise_variance_, rel=1e-3)
    common = peer.components_.T @ peer.components_
    assert own.loadings @ own.loadings.T == pytest.approx(common, abs=1e-3)
    assert np.abs(f.factor_scores(table, own)) == pytest.approx(
        np.abs(peer.transform(table)), abs=5e-3
    )


def test_likelihood_never_falls(table):
    fit = f.factor_analysis(table, 2, steps=40, tolerance=0)
    assert len(fit.history) <= 40
    assert np.diff(fit.history).min() > -1e-10
    assert fit.history[-1] == fit.log_likelihood
    early = f.factor_analysis(table, 2, tolerance=1e-3)
    assert 2 <= len(early.history) < 40
    assert len(f.factor_analysis(table, 2, tolerance=1e9).history) == 2
    assert len(f.factor_analysis(table, 2, steps=3, tolerance=-1).history) == 3
    steps = np.diff(early.history)
    assert steps[-1] < 1e-3
    assert (steps[:-1] >= 1e-3).all()


def test_scores_are_centred(table):
    fit = f.factor_analysis(table, 2)
    assert f.factor_scores(table, fit).mean(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_one_factor_less_than_features_is_allowed(table):
    assert f.factor_analysis(table, 5, steps=2).loadings.shape == (6, 5)


def test_refusals(table):
    for k in (0, 6):
        with pytest.raises(ValueError, match=f"k is {k}"):
            f.factor_analysis(table, k)
    with pytest.raises(ValueError, match="NaN"):
        f.factor_analysis([[np.nan, 1.0], [1.0, 2.0]], 1)
