"""ALS: brute force, descent, stationarity, and the `implicit` package from the same start."""

import numpy as np
import pytest
import torch
from implicit.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from promo_repro.recommender import factorisation

COUNTS = sparse.csr_matrix(np.random.default_rng(0).poisson(0.5, (30, 20)))


def trust(alpha=2.0):
    return factorisation.confidence(COUNTS, alpha).double()


def brute_loss(c, users, items, regularisation):
    """The objective as a sum over all pairs."""
    p, weight = (COUNTS.toarray() > 0), c.to_dense().numpy()
    weight = np.where(p, weight, 1)
    error = (weight * (p - users.numpy() @ items.numpy().T) ** 2).sum()
    size = float((users**2).sum() + (items**2).sum())
    return (error + regularisation * size) / weight.sum()


def test_confidence_by_hand_and_bad_counts():
    c = factorisation.confidence(sparse.csr_matrix([[0, 1], [3, 0]]), 2.0).to_dense()
    expected = [[0, 1 + 2 * np.log(2)], [1 + 2 * np.log(4), 0]]
    assert c.numpy() == pytest.approx(np.array(expected))
    for counts, alpha in ((COUNTS, 0.0), (COUNTS, np.nan), (-COUNTS, 1.0), (COUNTS * np.nan, 1.0)):
        with pytest.raises(ValueError, match="counts must be numbers"):
            factorisation.confidence(counts, alpha)


def test_one_step_solves_every_household_exactly():
    c = trust()
    items = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    users = factorisation.als_step(c, items, 0.7)
    for u in range(30):
        weight = np.where(COUNTS.toarray()[u] > 0, c.to_dense()[u].numpy(), 1)
        y = items.numpy()
        left = y.T @ (weight[:, None] * y) + 0.7 * np.eye(3)
        right = y.T @ (weight * (COUNTS.toarray()[u] > 0))
        assert users[u].numpy() == pytest.approx(np.linalg.solve(left, right), abs=1e-10)


def test_loss_without_the_full_matrix_equals_the_sum_over_all_pairs():
    c, generator = trust(), torch.Generator().manual_seed(2)
    users, items = (torch.randn(n, 4, dtype=torch.float64, generator=generator) for n in (30, 20))
    for regularisation in (0.5, 3.0):
        ours = float(factorisation.als_loss(c, users, items, regularisation))
        assert ours == pytest.approx(brute_loss(c, users, items, regularisation), rel=1e-10)


def test_als_descends_and_stops_at_a_stationary_point():
    c = trust()
    found = factorisation.als(c, 3, 1.0, 60, torch.Generator().manual_seed(3))
    assert (np.diff(found.losses) < 1e-12).all()
    users, items = (f.clone().requires_grad_() for f in found[:2])
    factorisation.als_loss(c, users, items, 1.0).backward()
    assert float(users.grad.abs().max()) < 1e-3
    assert float(items.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("bad", [(0, 1.0, 5), (2, 0.0, 5), (2, 1.0, 0)])
def test_als_refuses_nonsense(bad):
    with pytest.raises(ValueError, match="must be positive"):
        factorisation.als(trust(), *bad, torch.Generator())


def test_the_loss_agrees_with_implicit():
    with threadpool_limits(1, "blas"):
        peer = AlternatingLeastSquares(
            factors=4, regularization=1.5, alpha=1.0, iterations=15, use_cg=False, num_threads=1,
            random_state=0, dtype=np.float64,
        )  # fmt: skip
        c = trust()
        start = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        peer.item_factors = start.numpy().copy()
        peer.user_factors = np.zeros((30, 4))
        row, column = c.indices().numpy()
        weights = sparse.csr_matrix((c.values().numpy(), (row, column)), shape=c.shape)
        peer.fit(weights, show_progress=False)
    ours = factorisation.als(c, 4, 1.5, 15, None, items=start)
    theirs = brute_loss(
        c, torch.as_tensor(peer.user_factors), torch.as_tensor(peer.item_factors), 1.5
    )
    assert ours.losses[-1] == pytest.approx(theirs, rel=1e-3)
    assert (ours.users @ ours.items.T).numpy() == pytest.approx(
        peer.user_factors @ peer.item_factors.T, abs=1e-3
    )
