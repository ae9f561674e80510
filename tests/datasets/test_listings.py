"""Outcomes of listings, on pieces whose outcome is known."""

import pytest

from promo_repro.datasets import listings


@pytest.mark.parametrize(
    ("body", "returned", "expected"),
    [
        (["# only a remark"], ["a"], "NameError"),
        (["a = 1"], ["a"], "returned"),
        (["a = 1"], ["a", "b"], "NameError"),
        (["a = 1", "b = a"], ["a", "b"], "returned"),
        (["a = 1 / 0"], ["a"], "ZeroDivisionError"),
    ],
)
def test_outcome(body, returned, expected):
    assert listings.outcome(body, returned) == expected


@pytest.mark.parametrize(
    ("source", "count"), [("", 0), ("# a\n# b", 0), ("a = 1", 1), ("a = 1  # x\nb = 2", 2)]
)
def test_statements(source, count):
    assert listings.statements(source) == count


def test_importable():
    assert listings.importable(["json", "json:loads"]) == 2
    assert listings.importable(["json:nothing", "no_such_module", "no_such_module:x"]) == 0
    assert listings.importable(["no_such_module", "json"]) == 1
    assert listings.importable([]) == 0


def test_read_outcome():
    assert listings.read_outcome("data.csv", {}) == "FileNotFoundError"
    assert listings.read_outcome("data.csv", {"other.csv": "a\n1\n"}) == "FileNotFoundError"
    assert listings.read_outcome("data.csv", {"data.csv": "a\n1\n"}) == "returned"
    assert listings.read_outcome("data.csv", {"data.csv": ""}) == "EmptyDataError"
