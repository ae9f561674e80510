import numpy as np
import pytest

from promo_repro.profiles.checks import as_table, at_most


def test_as_table_keeps_a_finite_table():
    assert as_table("x", [[1, 2], [3, 4]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("bad", [[1.0, 2.0], np.empty((0, 3)), 3.0])
def test_as_table_refuses_other_shapes(bad):
    with pytest.raises(ValueError, match=r"x has shape .*expected rows by features"):
        as_table("x", bad)


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_as_table_names_the_columns_with_gaps(hole):
    with pytest.raises(ValueError, match=r"x has NaN or infinity in columns \[1\]"):
        as_table("x", [[1.0, hole], [2.0, 3.0]])


def test_at_most():
    assert at_most("k", 3, 3, "rows") == 3
    assert at_most("k", np.int64(1), 3, "rows") == 1
    for bad in (0, 4):
        with pytest.raises(ValueError, match=f"k is {bad}; it must lie between 1 and the 3 rows"):
            at_most("k", bad, 3, "rows")
    for bad in (1.0, True, "2"):
        with pytest.raises(ValueError, match="must be a whole number"):
            at_most("k", bad, 3, "rows")
