"""Matrix factorisation of implicit feedback by alternating least squares.

Objective (Hu, Koren and Volinsky, 2008), with confidence c_ui = 1 for what was not bought and
c_ui > 1 for what was, preference p_ui = [bought]:

    Σ_ui c_ui (p_ui − x_uᵀ y_i)² + λ (Σ_u ‖x_u‖² + Σ_i ‖y_i‖²)
"""

from typing import NamedTuple

import numpy as np
import torch

from promo_repro.claims import formula


class Factors(NamedTuple):
    """Factors of users (U, f) and items (I, f), and the loss after each iteration."""

    users: torch.Tensor
    items: torch.Tensor
    losses: list[float]


def confidence(counts, alpha) -> torch.Tensor:
    """Sparse confidences c_ui = 1 + α ln(1 + count) of what was bought (U, I), from scipy counts.

    Raises `ValueError` for negative or missing counts and for α that is not positive.
    """
    coo = counts.tocoo()
    data = torch.as_tensor(coo.data, dtype=torch.get_default_dtype())
    if not alpha > 0 or not bool((data >= 0).all()):
        raise ValueError("counts must be numbers >= 0 and alpha positive")
    index = torch.as_tensor(np.stack([coo.row, coo.col]), dtype=torch.long)
    return torch.sparse_coo_tensor(
        index, 1 + alpha * data.log1p(), coo.shape, check_invariants=True
    ).coalesce()


@formula("eq-03-als-step")
def als_step(confidences, fixed, regularisation):
    """Best factors of one side (U, f) given the other side's `fixed` (I, f), for all rows at once.

    x_u = (YᵀY + Σ_i (c_ui − 1) y_i y_iᵀ + λ)⁻¹ Σ_i c_ui y_i, the sums over what u bought;
    `confidences` sparse (U, I). The outer products of the items are summed by one sparse product.
    """
    f = fixed.shape[1]
    outer = (fixed[:, :, None] * fixed[:, None, :]).reshape(len(fixed), f * f)
    excess = torch.sparse_coo_tensor(
        confidences.indices(),
        confidences.values() - 1,
        confidences.shape,
        is_coalesced=True,
        check_invariants=False,
    )
    ridge = regularisation * torch.eye(f, dtype=fixed.dtype, device=fixed.device)
    left = torch.sparse.mm(excess, outer).reshape(-1, f, f) + fixed.T @ fixed + ridge
    right = torch.sparse.mm(confidences, fixed)
    return torch.cholesky_solve(right[:, :, None], torch.linalg.cholesky(left))[:, :, 0]


@formula("eq-03-als-loss")
def als_loss(confidences, users, items, regularisation):
    """The objective over its total confidence, without forming the (U, I) matrix.

    Σ_ui (x_uᵀy_i)² is tr(XᵀX YᵀY); what was bought adds (c − 1) ŝ² − 2cŝ + c for its score ŝ.
    """
    row, column = confidences.indices()
    c = confidences.values()
    score = (users[row] * items[column]).sum(dim=1)
    everywhere = ((users.T @ users) * (items.T @ items)).sum()
    bought = ((c - 1) * score**2 - 2 * c * score + c).sum()
    size = regularisation * ((users**2).sum() + (items**2).sum())
    total = c.sum() + len(users) * len(items) - len(c)
    return (everywhere + bought + size) / total


def als(confidences, factors, regularisation, iterations, generator, *, items=None) -> Factors:
    """Alternate `iterations` times between users and items, from small random item factors.

    `items` (I, f) replaces the random start. Device and dtype are those of `confidences`.
    Raises `ValueError` unless λ, the number of factors and of iterations are positive.
    """
    if not (factors > 0 and regularisation > 0 and iterations > 0):
        raise ValueError("factors, regularisation and iterations must be positive")
    like = {"dtype": confidences.dtype, "device": confidences.device}
    if items is None:
        shape = (confidences.shape[1], factors)
        items = 0.1 * torch.randn(shape, generator=generator, **like)
    transposed = confidences.t().coalesce()
    losses = []
    for _ in range(iterations):
        users = als_step(confidences, items, regularisation)
        items = als_step(transposed, users, regularisation)
        losses.append(float(als_loss(confidences, users, items, regularisation)))
    return Factors(users, items, losses)
