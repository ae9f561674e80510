"""Named streams: reproducible, apart from each other, and unmoved by new ones."""

import pytest
import torch

from promo_repro.training.seeding import generator


def draw(*address):
    return torch.rand(4, generator=generator(*address)).tolist()


def test_the_same_name_gives_the_same_numbers():
    assert draw(3, "replay", 1) == draw(3, "replay", 1)


def test_seed_name_and_number_each_make_another_stream():
    streams = [draw(0, "a"), draw(1, "a"), draw(0, "b"), draw(0, "a", 0), draw(0, "a", 1)]
    assert len(set(map(tuple, streams))) == len(streams)


def test_names_are_not_joined_by_accident():
    assert draw(1, "1", "a") != draw(1, "1a")
    assert draw(1, 1) != draw(11, "")


def test_many_streams_do_not_collide():
    first = {
        float(torch.rand((), generator=generator(s, "x", k))) for s in range(20) for k in range(50)
    }
    assert len(first) > 990  # floats of 24 bits: a few of 1000 may agree by chance


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="whole number"):
        generator(seed, "x")


def test_a_stream_has_a_name():
    with pytest.raises(ValueError, match="needs a name"):
        generator(0)
