"""Evidence that contradicts its status raises, and so does a check that cannot fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.claims.evidence import (
    EvidenceError,
    above,
    agrees,
    below,
    between,
    computed,
    conditional,
    confirmed,
    corrected,
    ill_posed,
    refuted,
    untestable,
)

# Stand-ins for functions of the module: `computed` takes nothing else.
THIS = "promo_repro.for_these_tests"


def product(clicks, rate):
    return clicks * rate


def logarithmic_product(clicks, rate):
    return np.exp(np.log(clicks) + np.log(rate))


def constant(x):
    return 5.0


def share(values):
    return np.mean(np.asarray(values) > 0)


for _function in (product, logarithmic_product, constant, share):
    _function.__module__ = THIS


def of(function, *args, **kwargs):
    return computed(function, *args, **kwargs)


class TestComputed:
    @pytest.mark.parametrize("literal", [5, "5", None, [5]])
    def test_a_literal_is_rejected(self, literal):
        with pytest.raises(EvidenceError, match=r"not a module-level|not the value"):
            computed(literal)

    def test_a_lambda_is_rejected(self):
        with pytest.raises(EvidenceError, match="module-level"):
            computed(lambda x: 5, 1)

    def test_a_function_of_the_notebook_is_rejected(self):
        def local(x):
            return 5

        with pytest.raises(EvidenceError, match="module-level"):
            computed(local, 1)

    def test_a_call_without_input_is_rejected(self):
        with pytest.raises(EvidenceError, match="no input"):
            of(untestable_without_input)

    @pytest.mark.parametrize("status", [confirmed, refuted])
    def test_evidence_must_be_computed(self, status):
        with pytest.raises(EvidenceError, match="not the literal 5"):
            status(5, 5)

    def test_the_call_is_described(self):
        call = of(share, np.arange(100))
        assert call.describe() == "share(values=<ndarray 100>)"
        assert of(product, 10, rate=0.5).describe() == "product(clicks=10, rate=0.5)"


def untestable_without_input():
    return 1


untestable_without_input.__module__ = THIS


class TestConfirmed:
    def test_agreement_is_recorded(self):
        record = confirmed(5, of(product, 10, 0.5)).record
        assert (record["printed"], record["derived"]) == (5, 5.0)
        assert record["function"] == f"{THIS}.product"
        assert "changed inputs" in record["sensitive"]

    def test_disagreement_raises(self):
        with pytest.raises(EvidenceError, match="not confirmed"):
            confirmed(5, of(product, 10, 0.6))

    def test_the_tolerance_is_the_stated_one(self):
        confirmed(5, of(product, 10, 0.51), rtol=0.02)
        with pytest.raises(EvidenceError, match="not confirmed"):
            confirmed(5, of(product, 10, 0.51), rtol=0.01)

    def test_a_check_that_cannot_fail_raises(self):
        with pytest.raises(EvidenceError, match="cannot fail"):
            confirmed(5, of(constant, 10))
        with pytest.raises(EvidenceError, match="cannot fail"):
            confirmed(above(-1e9), of(product, 10, 0.5))

    def test_a_contrast_has_to_differ(self):
        confirmed(above(0.5), of(share, [1, 1]), contrast=of(share, [-1, -1]))
        with pytest.raises(EvidenceError, match="shows nothing"):
            confirmed(above(0.5), of(share, [1, 1]), contrast=of(share, [1, 2]))
        with pytest.raises(EvidenceError, match="same function"):
            confirmed(above(0.5), of(share, [1, 1]), contrast=of(product, 0, 1))


class TestOtherStatuses:
    def test_refuted_needs_a_difference(self):
        assert refuted(6, of(product, 10, 0.5)).status == "refuted"
        with pytest.raises(EvidenceError, match="not refuted"):
            refuted(5, of(product, 10, 0.5))
        with pytest.raises(EvidenceError, match="cannot fail"):
            refuted(6, of(constant, 10))
        with pytest.raises(EvidenceError, match="cannot fail"):
            refuted(above(1e9), of(product, 10, 0.5))

    def test_corrected_needs_a_difference_and_an_independent_check(self):
        good = of(product, 10, 0.5)
        peer = of(logarithmic_product, 10, 0.5)
        record = corrected(4, good, right="10 × 0.5 = 5", checked_by=peer).record
        assert record["right"] == "10 × 0.5 = 5"
        with pytest.raises(EvidenceError, match="nothing to correct"):
            corrected(5, good, right="x", checked_by=peer)
        with pytest.raises(EvidenceError, match="cannot check itself"):
            corrected(4, good, right="x", checked_by=good)
        with pytest.raises(EvidenceError, match="not checked"):
            corrected(4, good, right="x", checked_by=of(logarithmic_product, 10, 0.6))
        with pytest.raises(EvidenceError, match="right statement"):
            corrected(4, good, right=" ", checked_by=peer)

    def test_conditional_needs_one_case_of_each(self):
        five, six = (5, of(product, 10, 0.5)), (5, of(product, 12, 0.5))
        assert conditional(holds=five, fails=six, condition="rate 0.5").status == "conditional"
        with pytest.raises(EvidenceError, match="should hold does not"):
            conditional(holds=six, fails=six, condition="x")
        with pytest.raises(EvidenceError, match="should fail holds"):
            conditional(holds=five, fails=five, condition="x")
        with pytest.raises(EvidenceError, match="condition in words"):
            conditional(holds=five, fails=six, condition="")

    def test_ill_posed_needs_readings_that_differ(self):
        five, six = of(product, 10, 0.5), of(product, 12, 0.5)
        record = ill_posed({"a": five, "b": six}, printed=5).record
        assert [reading["agrees"] for reading in record["readings"]] == [True, False]
        with pytest.raises(EvidenceError, match="two readings"):
            ill_posed({"a": five}, printed=5)
        with pytest.raises(EvidenceError, match="two readings"):
            ill_posed({"a": five, "b": five}, printed=5)
        with pytest.raises(EvidenceError, match="not ill-posed"):
            ill_posed({"a": five, "b": six}, printed=above(0))

    def test_untestable_names_what_is_needed(self):
        assert untestable(needs="a field experiment").record["needs"] == "a field experiment"
        with pytest.raises(EvidenceError, match="data or experiment"):
            untestable(needs="")


class TestAgrees:
    @pytest.mark.parametrize(
        ("printed", "value", "outcome"),
        [
            (True, np.bool_(True), True),
            (True, 1, False),
            ("a", "a", True),
            (1.0, float("nan"), False),
            ({"a": 1}, {"a": 1.0}, True),
            ({"a": 1}, {"b": 1}, False),
            ([1, 2], (1, 2), True),
            ([1, 2], [1, 2, 3], False),
            (above(1), 1, False),
            (above(1), [2, 3], True),
            (above(1), [2, 1], False),
            (below(1), 0.5, True),
            (between(1, 2), 1, True),
            (between(1, 2), 2.1, False),
            (between(1, 2), float("nan"), False),
        ],
    )
    def test_cases(self, printed, value, outcome):
        assert agrees(printed, value) is outcome

    @given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(0, 1))
    def test_is_the_declared_band(self, printed, value, rtol, atol):
        assert agrees(printed, value, rtol, atol) == (
            abs(value - printed) <= atol + rtol * abs(printed)
        )
