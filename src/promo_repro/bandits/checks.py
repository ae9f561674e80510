"""Input checks of this room: each returns an array or raises one clear `ValueError`."""

import numpy as np


def as_reals(name, values):
    """`values` as a float64 array without NaN or infinity."""
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        raise ValueError(f"{name} is empty")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or fill such rows first")
    return array


def as_counts(name, values):
    """`values` as a float64 array of finite, non-negative counts."""
    array = as_reals(name, values)
    if (array < 0).any():
        raise ValueError(f"{name} contains a negative count")
    return array


def as_probabilities(name, values):
    """`values` as a float64 array with entries in [0, 1]."""
    array = as_reals(name, values)
    if ((array < 0) | (array > 1)).any():
        raise ValueError(f"{name} has entries outside [0, 1]; give rates as fractions, not percent")
    return array


def positive(name, value):
    """`value` as a finite float greater than zero."""
    if not (np.isscalar(value) and np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; it must be a finite number above zero")
    return float(value)


def positive_integer(name, value):
    """`value` as an int of at least one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1")
    return int(value)


def fraction(name, value):
    """`value` as a float in [0, 1]."""
    if not (np.isscalar(value) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}; it must lie in [0, 1]")
    return float(value)
