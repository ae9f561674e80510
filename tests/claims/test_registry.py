"""A formula lives in exactly one function, and the registry finds them all."""

import pytest

from promo_repro.claims import formula, formulas, inventory
from promo_repro.claims.registry import _FORMULAS


@pytest.fixture(autouse=True)
def _clean():
    before = formulas()  # imports all rooms, so that what they register is kept
    yield
    _FORMULAS.clear()
    _FORMULAS.update(before)


def test_a_formula_is_returned_unchanged():
    def f(x):
        return x

    assert formula("eq-99-test")(f) is f
    assert formulas()["eq-99-test"] is f


def test_a_second_function_for_one_id_raises():
    @formula("eq-99-test")
    def f(x):
        return x

    def g(x):
        return -x

    with pytest.raises(ValueError, match="already computed by"):
        formula("eq-99-test")(g)


def test_an_id_is_needed():
    with pytest.raises(ValueError, match="at least one"):
        formula()


def test_every_registered_claim_id_is_in_the_inventory():
    claims = [name for name in formulas() if name.startswith("D")]
    assert claims, "no room registers a formula"
    assert set(claims) <= set(inventory())
