"""Small planted worlds; nothing here says anything about a shop."""

import numpy as np
import pytest

from promo_repro.datasets import complete_journey, synthetic
from promo_repro.response.logit import Choices, choice_probabilities


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def planted(rng):
    """Choices of 4,000 trips from a known logit: the vector and the data."""
    vector = np.array([-0.5, 0.2, -1.0, 0.8, -2.0])
    features = rng.normal(size=(4_000, 3, 2))
    inside = choice_probabilities(vector[:3] + features @ vector[3:])
    edges = np.cumsum(np.concatenate([1 - inside.sum(axis=1, keepdims=True), inside], axis=1), 1)
    choice = (rng.random((4_000, 1)) > edges[:, :-1]).sum(axis=1)
    return vector, Choices(features, choice, np.arange(4_000) // 4)


@pytest.fixture(scope="session")
def journey(tmp_path_factory):
    """A year of a made-up shop with the schema of the Complete Journey."""
    folder = tmp_path_factory.mktemp("journey")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMO_REPRO_CACHE", str(folder / "cache"))
        made = synthetic.complete_journey(np.random.default_rng(7), lines=6_000)
        return complete_journey.load(made.write(folder / "raw"))
