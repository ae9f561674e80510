import numpy as np
import pytest
import statsmodels.api as sm

from promo_repro.response.inference import cluster_sums, clustered_covariance, interval


def test_cluster_sums_by_hand():
    sums = cluster_sums([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], ["b", "a", "b"])
    assert sums.tolist() == [[3, 4], [6, 8]]


def test_covariance_is_that_of_statsmodels(rng):
    x = rng.normal(size=(200, 3))
    groups = np.repeat(np.arange(40), 5)
    y = x @ [1.0, -1.0, 0.5] + rng.normal(size=40)[groups] + rng.normal(size=200)
    options = {"groups": groups, "use_correction": False}
    peer = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds=options)
    ours = clustered_covariance(x.T @ x, x * peer.resid[:, None], groups)
    assert np.allclose(ours, peer.cov_params() * 40 / 39, rtol=1e-10)


def test_scalar_case_by_hand():
    # Two clusters with sums 3 and -1; A = 2: 2/1 · (9 + 1) / 4.
    assert clustered_covariance([[2.0]], [[1.0], [2.0], [-1.0]], [0, 0, 1]) == pytest.approx(5.0)


def test_interval():
    low, high = interval([1.0, 2.0], [0.5, 1.0])
    assert low.tolist() == pytest.approx([0.02, 0.04])
    assert high.tolist() == pytest.approx([1.98, 3.96])


@pytest.mark.parametrize(
    ("information", "scores", "clusters", "message"),
    [
        ([[1.0]], [[1.0], [2.0]], [0, 0], "single cluster"),
        ([[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [2.0, 1.0]], [0, 1], "singular"),
        ([[1.0]], [[1.0], [np.nan]], [0, 1], "NaN"),
        ([[1.0]], [[1.0], [2.0]], [0, 1, 2], "3 labels for 2 rows"),
        ([[1.0]], [1.0, 2.0], [0, 1], "2 axes are expected"),
    ],
)
def test_bad_input(information, scores, clusters, message):
    with pytest.raises(ValueError, match=message):
        clustered_covariance(information, scores, clusters)
