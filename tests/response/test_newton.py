import numpy as np
import pytest

from promo_repro.response.newton import maximise


def test_a_far_start_needs_halved_steps():
    # Plain Newton on -log cosh(x) runs away from 2.
    found = maximise(
        lambda x: -np.log(np.cosh(x)).sum(),
        lambda x: (-np.tanh(x), np.diag(1 / np.cosh(x) ** 2)),
        [2.0, -2.0],
    )
    assert np.allclose(found, 0, atol=1e-4)


def test_a_function_without_maximum_is_reported():
    with pytest.raises(RuntimeError, match="no maximum after 60"):
        maximise(lambda x: x.sum(), lambda x: (np.ones(1), np.eye(1)), [0.0])
