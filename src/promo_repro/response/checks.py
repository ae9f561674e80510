"""Input checks of this room: each returns an array or raises one clear `ValueError`."""

import numpy as np


def as_reals(name, values, ndim=None):
    """`values` as a float64 array without NaN or infinity, of `ndim` axes if that is given."""
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        raise ValueError(f"{name} is empty")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; {ndim} axes are expected")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or impute such entries first")
    return array


def as_prices(name, values):
    """`values` as positive finite prices."""
    array = as_reals(name, values)
    if (array <= 0).any():
        raise ValueError(f"{name} has entries that are not positive; a price is above zero")
    return array


def as_counts(name, values, ndim=None):
    """`values` as finite counts, not negative."""
    array = as_reals(name, values, ndim)
    if (array < 0).any():
        raise ValueError(f"{name} contains a negative count")
    return array


def as_fractions(name, values):
    """`values` as entries in [0, 1]."""
    array = as_reals(name, values)
    if ((array < 0) | (array > 1)).any():
        raise ValueError(f"{name} has entries outside [0, 1]; give fractions, not percent")
    return array
