"""Input checks of this room: each returns an array or raises one clear `ValueError`."""

import numpy as np


def as_table(name: str, values) -> np.ndarray:
    """`values` as a finite float64 table (n, p) with at least one row and one column."""
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"{name} has shape {table.shape}; expected rows by features (n, p)")
    if not np.isfinite(table).all():
        columns = np.flatnonzero(~np.isfinite(table).all(axis=0)).tolist()
        raise ValueError(f"{name} has NaN or infinity in columns {columns}; drop or fill them")
    return table


def at_most(name: str, value: int, bound: int, what: str) -> int:
    """`value` as an int from 1 to `bound`, the number of `what`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} is {value!r}; it must be a whole number")
    if not 1 <= value <= bound:
        raise ValueError(f"{name} is {value}; it must lie between 1 and the {bound} {what}")
    return int(value)
