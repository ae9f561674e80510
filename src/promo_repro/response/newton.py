"""Newton's method for concave functions: the likelihoods of this room."""

from collections.abc import Callable

import numpy as np


def maximise(
    value: Callable, derivatives: Callable, start, tolerance: float = 1e-9, most_steps: int = 60
) -> np.ndarray:
    """Maximise a concave function by Newton's method with step halving.

    `value` maps a vector to a number, `derivatives` to its gradient and minus its Hessian. Stops
    when a step promises less than `tolerance` of the value. Raises `RuntimeError` if it does not.
    """
    vector = np.asarray(start, dtype=float)
    best = value(vector)
    for _ in range(most_steps):
        gradient, curvature = derivatives(vector)
        direction = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        if gradient @ direction < tolerance * (1 + abs(best)):
            return vector
        length = 1.0
        while (reached := value(vector + length * direction)) < best and length > 1e-10:
            length /= 2
        vector, best = vector + length * direction, reached
    raise RuntimeError(
        f"no maximum after {most_steps} Newton steps: does a regressor separate choices or sales "
        "from none?"
    )
