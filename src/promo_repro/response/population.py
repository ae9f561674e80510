"""Customers drawn from the fitted distributions: no real household is used."""

from dataclasses import dataclass

import numpy as np

from promo_repro.response.parameters import ResponseParameters


@dataclass(frozen=True)
class Population:
    """N simulated customers and C categories.

    `segment` (N,) and `trip_rate` (N,) trips a week; per category `active` (N, C) flags, `rate`
    (N, C) of buying it on a trip, and `share[c]` (N, J) initial shares.
    """

    segment: np.ndarray
    trip_rate: np.ndarray
    active: np.ndarray
    rate: np.ndarray
    share: tuple[np.ndarray, ...]


def draw_population(
    parameters: ResponseParameters, size: int, generator: np.random.Generator
) -> Population:
    """Draw `size` customers. Raises `ValueError` if there are to be none."""
    if size < 1:
        raise ValueError(f"size is {size}; a population needs at least one customer")
    users = parameters.users
    segment = generator.choice(3, size, p=parameters.segment_share)
    shape = users.trip_shape[segment]
    trip_rate = generator.gamma(shape, users.trip_mean[segment] / shape)
    active = generator.random((size, len(parameters.categories))) < users.active[:, segment].T
    a, b = np.moveaxis(users.rate_beta[:, segment], 2, 0)
    rate = generator.beta(a, b).T.clip(1e-6)
    share = tuple(
        _shares(mean[segment], concentration[segment], weight[segment], generator)
        for mean, concentration, weight in zip(
            users.share_mean, users.share_concentration, users.share_smoothing, strict=True
        )
    )
    return Population(segment, trip_rate, active, rate, share)


def _shares(mean, concentration, weight, generator) -> np.ndarray:
    """Dirichlet shares drawn as normalised gammas, mixed with their mean."""
    drawn = generator.standard_gamma(mean * concentration[:, None]).clip(1e-300)
    drawn /= drawn.sum(axis=1, keepdims=True)
    w = weight[:, None]
    return (1 - w) * drawn + w * mean
