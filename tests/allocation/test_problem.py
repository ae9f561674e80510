"""The problem refuses what cannot be meant, and writes out its rows."""

import numpy as np
import pytest
import torch

from promo_repro.allocation import Problem, Row
from promo_repro.allocation.problem import CHUNK, Block, Result

V = np.array([[3.0, 1.0], [2.0, -1.0], [0.5, 4.0]])
C = np.array([[1.0, 2.0], [1.0, 1.0], [2.0, 3.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": V * np.nan}, "value contains NaN"),
        ({"value": np.where(V > 3, np.inf, V)}, "value contains NaN or infinity"),
        ({"cost": -C}, "cost has an entry -3; book what a promotion earns"),
        ({"cost": np.where(C > 2, np.nan, C)}, "cost contains NaN"),
        ({"cost": C[:2]}, "differ in shape"),
        ({"value": V[0], "cost": C[0]}, "expected users by promotions"),
        ({"value": V[:0], "cost": C[:0]}, "nothing to allocate"),
        ({"value": V.astype(str)}, "value holds <U"),
        ({"budget": -1.0}, "budget is -1.0; it must be zero or more"),
        ({"budget": np.nan}, "budget is nan"),
        ({"stock": [1, 2, 3]}, r"stock has shape \(3,\); one per promotion \(2,\)"),
        ({"stock": [1, -2]}, "stock has an entry that is negative"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": True}, "limit is True"),
        ({"group": [0, 1]}, "one group per user"),
        ({"group": [0, 1, -1]}, "counted from 0"),
        ({"group": [0.5, 1, 1]}, "whole numbers"),
        ({"rows": [Row("a", "weight", "<=", 1)]}, "measure 'weight'"),
        ({"rows": [Row("a", "cost", "<", 1)]}, "sense '<'"),
        ({"rows": [Row("a", "cost", "<=", np.inf)]}, "bound inf; it must be finite"),
        ({"rows": [Row("a", "cost", "<=", 1, promotions=[1])]}, "promotions needs 2 finite"),
        ({"rows": [Row("a", "cost", "<=", 1, groups=[1, 1])]}, "groups needs 1 finite"),
        ({"rows": [Row("budget", "cost", "<=", 1)], "budget": 2}, "two rows are called 'budget'"),
    ],
)
def test_bad_input_is_refused_at_the_door(change, message):
    with pytest.raises(ValueError, match=message):
        Problem(**({"value": V, "cost": C} | change))


def test_arrays_are_shared_and_integers_converted():
    assert Problem(V, C).value.data_ptr() == V.ctypes.data
    assert Problem([[1, 2]], [[0, 1]]).value.dtype == torch.float64
    assert Problem(V.astype(np.float32), C.astype(np.float32)).cost.dtype == torch.float32


def test_rows_in_order_and_their_coefficients():
    rows = (
        Row("given", "count", ">=", 1, promotions=[1, 0]),
        Row("fair", "cost", "==", 0, groups=[2, -1]),
        Row("worth", "value", "<=", 9),
    )
    coupling = Problem(V, C, 5, [np.inf, 3], rows, [0, 1, 1]).coupling
    assert coupling.names == ("budget", "stock 2", "given", "fair", "worth")
    assert coupling.bounds.tolist() == [5, 3, 1, 0, 9]
    a = coupling.coefficients(V, C, [0, 1, 1])
    assert a[0].tolist() == C.tolist()
    assert a[1].tolist() == [[0, 1]] * 3
    assert a[2].tolist() == [[1, 0]] * 3
    assert a[3].tolist() == [[2, 4], [-1, -1], [-2, -3]]
    assert a[4].tolist() == V.tolist()


def test_tables_sum_prices_by_measure():
    rows = (Row("a", "cost", "<=", 1, promotions=[1, 2]), Row("b", "cost", "<=", 1, groups=[1, 3]))
    tables = Problem(V, C, rows=rows, group=[0, 1, 1]).coupling.tables([10.0, 100.0])
    assert tables[1].tolist() == [[110, 310], [120, 320]]
    assert not tables[0].any()
    assert not tables[2].any()


def test_excess_and_violation_by_sense():
    rows = (Row("a", "count", "<=", 2), Row("b", "count", ">=", 4), Row("c", "count", "==", 3))
    coupling = Problem(V, C, rows=rows).coupling
    assert coupling.excess([2.5, 3, 3.25]).tolist() == [0.5, 1, 0.25]
    assert coupling.excess([1, 5, 3]).tolist() == [0, 0, 0]
    assert coupling.violation([2.5, 4, 3]) == 0.25
    assert coupling.less([1, 1, 1]).bounds.tolist() == [1, 3, 2]
    assert coupling.scaled([2, 1, 1]).bounds.tolist() == [4, 4, 3]
    assert coupling.scaled_bounds(0.5).bounds.tolist() == [1, 2, 1.5]
    low, high = coupling.sign_bounds()
    assert low.tolist() == [0, -np.inf, -np.inf]
    assert high.tolist() == [np.inf, 0, np.inf]


def test_chunks_cover_all_users_once():
    n = CHUNK + 7
    block = Block(torch.arange(2.0 * n).reshape(n, 2), torch.ones(n, 2))
    got = [(users, v) for users, v, _, _ in block.chunks()]
    assert [users.stop - users.start for users, _ in got] == [CHUNK, 7]
    assert torch.equal(torch.cat([v for _, v in got], dim=1).T, block.value.double())
    assert block.take(torch.tensor([3, 1])).value.tolist() == [[6, 7], [2, 3]]


def test_the_gap_is_relative():
    result = Result(None, None, {}, 200.0, 201.0, 0.0, "optimal", 0.0, "dual")
    assert result.gap == pytest.approx(1 / 201)
    assert result.certificate()["fractional users"] == 0
