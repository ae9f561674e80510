"""Addressed random numbers: the address decides, nothing else does."""

import numpy as np
import pytest

from promo_repro.simulator.streams import PURPOSES, Stream


def test_a_part_of_the_users_sees_its_part_of_the_numbers():
    whole = Stream(5).uniforms(3, 2, 1_000)
    for first, count in ((0, 10), (7, 20), (8, 1), (993, 7)):
        part = Stream(5).uniforms(3, 2, count, first)
        np.testing.assert_array_equal(part, whole[:, first : first + count])


def test_the_order_of_calls_does_not_matter():
    stream = Stream(5)
    later, earlier = stream.uniforms(9, 1, 50), stream.uniforms(2, 1, 50)
    again = Stream(5)
    np.testing.assert_array_equal(again.uniforms(2, 1, 50), earlier)
    np.testing.assert_array_equal(again.uniforms(9, 1, 50), later)


def test_keys_purposes_steps_and_rows_are_apart():
    drawn = [Stream(1, purpose).uniforms(0, 2, 1_000) for purpose in PURPOSES]
    drawn += [Stream(2).uniforms(0, 2, 1_000), Stream(1).uniforms(1, 2, 1_000)]
    rows = np.concatenate(drawn)
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 0.15
    assert np.abs(rows.mean(axis=1) - 0.5).max() < 4 * np.sqrt(1 / 12 / 1_000)
    assert rows.min() >= 0
    assert rows.max() < 1


def test_an_unknown_purpose_is_named():
    with pytest.raises(ValueError, match=r"unknown purpose 'luck'; choose from environment"):
        Stream(1, "luck")
