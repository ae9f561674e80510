"""Association rules against counting by hand and mlxtend."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import apriori
from mlxtend.frequent_patterns import association_rules as peer_association_rules

from promo_repro.profiles import rules as r

BASKETS = np.array(
    [[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 0]], dtype=bool
)  # fmt: skip


@pytest.mark.parametrize("n", [1, 7, 8, 63, 64, 65, 200])
def test_bitsets_count_like_sums(rng, n):
    table = rng.random((n, 5)) < 0.5
    words = r.bitsets(table)
    assert words.shape == (5, -(-n // 64))
    assert words.dtype == np.uint64
    assert r.bit_counts(words).tolist() == table.sum(axis=0).tolist()
    assert r.bit_counts(words[0] & words[1]) == (table[:, 0] & table[:, 1]).sum()


def test_bitsets_refuse():
    for bad in (np.ones((2, 2)), np.ones(3, bool), np.ones((0, 2), bool)):
        with pytest.raises(ValueError, match="expected a boolean table"):
            r.bitsets(bad)


def test_measures_by_hand():
    assert r.support(90, 1000) == 0.09
    assert r.confidence(90, 200) == 0.45
    assert r.lift(90, 200, 300, 1000) == 1.5
    assert r.lift([90, 60], [200, 200], [300, 300], 1000).tolist() == [1.5, 1.0]


def test_itemsets_by_hand():
    found = r.frequent_itemsets(BASKETS, 0.4, 3)
    assert found == {(0,): 4, (1,): 4, (2,): 2, (0, 1): 3, (1, 2): 2}
    assert r.frequent_itemsets(BASKETS, 0.2, 3)[(0, 1, 2)] == 1
    assert max(map(len, r.frequent_itemsets(BASKETS, 0.2, 2))) == 2
    assert r.frequent_itemsets(BASKETS, 1.0) == {}
    for bad in (0, 1.1, -1):
        with pytest.raises(ValueError, match=r"minimum is .*\(0, 1\]"):
            r.frequent_itemsets(BASKETS, bad)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.02, 0.6))
def test_itemsets_are_exactly_the_frequent_ones(seed, minimum):
    table = np.random.default_rng(seed).random((70, 6)) < 0.5
    brute = {
        items: int(table[:, items].all(axis=1).sum())
        for size in (1, 2, 3, 4)
        for items in combinations(range(6), size)
    }
    wanted = {items: n for items, n in brute.items() if n >= minimum * 70 - 1e-9}
    assert r.frequent_itemsets(table, minimum, 4) == wanted


def test_rules_by_hand():
    itemsets = r.frequent_itemsets(BASKETS, 0.2, 3)
    found = r.association_rules(itemsets, 5)
    assert len(found) == 2 * 3 + 6
    rule = {(row.antecedent, row.consequent): row for row in found.itertuples()}
    row = rule[(2,), (1,)]
    assert (row.support, row.confidence, row.lift) == (0.4, 1.0, 1.25)
    row = rule[(0, 2), (1,)]
    assert (row.support, row.confidence, row.lift) == (0.2, 1.0, 1.25)
    assert found["lift"].is_monotonic_decreasing
    assert found.index.tolist() == list(range(12))
    strict = r.association_rules(itemsets, 5, 0.75)
    assert (strict["confidence"] >= 0.75).all()
    assert len(strict) == (found["confidence"] >= 0.75).sum() > 0


def test_against_mlxtend():
    table = np.random.default_rng(5).random((300, 8)) < np.linspace(0.2, 0.6, 8)
    frame = pd.DataFrame(table, columns=range(8))
    peer_sets = apriori(frame, min_support=0.05, max_len=3)
    own_sets = r.frequent_itemsets(table, 0.05, 3)
    peer = {tuple(sorted(s)): round(v * 300) for s, v in peer_sets[["itemsets", "support"]].values}
    assert own_sets == peer
    peer_rules = peer_association_rules(peer_sets, metric="confidence", min_threshold=0.4)
    own_rules = r.association_rules(own_sets, 300, 0.4)
    wanted = {
        (tuple(sorted(row.antecedents)), tuple(sorted(row.consequents))): (
            row.support, row.confidence, row.lift,
        )
        for row in peer_rules.itertuples()
    }  # fmt: skip
    assert len(wanted) == len(own_rules)
    for row in own_rules.itertuples():
        expected = wanted[row.antecedent, row.consequent]
        assert (row.support, row.confidence, row.lift) == pytest.approx(expected)


def test_lift_within_strata_by_hand():
    a = [1, 1, 0, 0, 1, 1, 1, 1]
    b = [1, 0, 1, 0, 1, 1, 1, 1]
    strata = [0, 0, 0, 0, 1, 1, 1, 1]
    # Within both strata a and b are independent; over all baskets they are not.
    assert r.lift_within_strata(a, b, strata) == pytest.approx(1)
    assert r.lift(5, 6, 6, 8) > 1.1
    assert r.lift_within_strata(a, b, [0] * 8) == pytest.approx(r.lift(5, 6, 6, 8))
    assert r.lift_within_strata([1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2]) == pytest.approx(1)
    assert r.lift_within_strata([1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 2, 2]) == pytest.approx(2)
    # A basket alone in its stratum meets as often as expected.
    assert r.lift_within_strata([1, 1], [1, 1], [0, 1]) == pytest.approx(1)


def test_stratified_lifts_remove_the_size_of_the_basket(rng):
    heavy = rng.random((4_000, 1)) < 0.3
    table = rng.random((4_000, 6)) < np.where(heavy, 0.8, 0.1)
    mined = r.association_rules(r.frequent_itemsets(table, 0.01, 2), len(table))
    adjusted = r.stratified_lifts(table, mined)
    assert mined["lift"].min() > 1.5
    assert np.median(adjusted) < 1.1
