"""What a practitioner tries first: counts, neighbours and one closed-form linear model."""

import numpy as np
from scipy import sparse

from promo_repro.claims import formula

TIE = 1e-3  # small against the least decayed count that still means something


@formula("eq-03-decay")
def decay(age, half_life):
    """Weight ½^(age / half_life) of an event; `age` ≥ 0 and `half_life` > 0 in the same unit."""
    if half_life <= 0:
        raise ValueError(f"half_life is {half_life}; it must be positive")
    return 0.5 ** (np.asarray(age, dtype=float) / half_life)


@formula("eq-03-frequency")
def frequency(counts, popularity):
    """Personal frequency, ties broken by popularity: count + popularity / (1 + max popularity).

    `counts` (U, I) are the household's own (weighted) purchases, `popularity` (I,) everybody's.
    A household with an empty history gets the order of popularity: the documented fallback.
    """
    c, p = _dense(counts), np.asarray(popularity, dtype=float)
    if (p < 0).any() or np.isnan(p).any() or np.isnan(c).any():
        raise ValueError("counts and popularity must be numbers, popularity not negative")
    return c + TIE * p / (1 + p.max())


@formula("eq-03-item-cosine")
def item_cosine(x, shrink=0.0):
    """Cosine similarity of the items, Σ_u x_ui x_uj / (‖x_i‖ ‖x_j‖ + shrink), 0 on the diagonal.

    `x` (U, I), not negative; `shrink` ≥ 0 pulls similarities that rest on few buyers to 0.
    """
    if shrink < 0:
        raise ValueError(f"shrink is {shrink}; it must not be negative")
    x = sparse.csr_matrix(x)
    gram = np.asarray((x.T @ x).todense(), dtype=float)
    norm = np.sqrt(np.diag(gram))
    scale = np.outer(norm, norm) + shrink
    cosine = np.divide(gram, scale, out=np.zeros_like(gram), where=scale > 0)
    np.fill_diagonal(cosine, 0)
    return cosine


def item_knn(x, neighbours=50, shrink=10.0):
    """Scores (U, I): for each item, the household's x over its `neighbours` most similar items."""
    similarity = item_cosine(x, shrink)
    k = min(neighbours, len(similarity) - 1)
    least = np.partition(similarity, -k, axis=0)[-k]
    similarity[similarity < least] = 0
    return np.asarray(sparse.csr_matrix(x) @ similarity)


@formula("eq-03-ease")
def ease_weights(gram, regularisation):
    """Item-item weights that minimise ‖X − XB‖² + λ‖B‖² with zero diagonal (Steck, 2019).

    `gram` XᵀX (I, I), λ = `regularisation` > 0. With P = (XᵀX + λ)⁻¹ the solution is
    B_ij = −P_ij / P_jj off the diagonal.
    """
    if not regularisation > 0:
        raise ValueError(f"regularisation is {regularisation}; it must be positive")
    g = np.asarray(gram, dtype=float)
    inverse = np.linalg.inv(g + regularisation * np.eye(len(g)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def ease(x, regularisation=500.0):
    """Scores X B of EASE (U, I) for `x` (U, I)."""
    x = sparse.csr_matrix(x)
    return np.asarray(x @ ease_weights((x.T @ x).todense(), regularisation))


def trusted_neighbours(early, late, neighbours=100):
    """Scores (U, I) from the households whose early purchases foretold one's own late ones.

    The trust of u in v is the cosine of u's `late` and v's `early` purchases (U, I), kept for the
    `neighbours` most trusted; the score is the trusted households' late purchases.
    """
    early, late = sparse.csr_matrix(early), sparse.csr_matrix(late)
    trust = np.asarray((_unit_rows(late) @ _unit_rows(early).T).todense())
    np.fill_diagonal(trust, 0)
    k = min(neighbours, len(trust) - 1)
    trust[trust < np.partition(trust, -k, axis=1)[:, -k, None]] = 0
    return np.asarray(trust @ late)


def _unit_rows(x):
    norm = np.sqrt(np.asarray(x.multiply(x).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(norm, 1e-12)) @ x


def _dense(x):
    return np.asarray(x.todense() if sparse.issparse(x) else x, dtype=float)
