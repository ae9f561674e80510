"""What answers a choice: arms with fixed or moving click rates."""

from dataclasses import dataclass

import numpy as np

from promo_repro.bandits.checks import as_probabilities, as_reals, positive_integer


@dataclass(frozen=True)
class BernoulliArms:
    """Promotions that are clicked (or bought) with probability `rates`, each click worth `values`.

    `rates` is (N,), or (T, N) for rates that change with time; `values` (N,) in any unit, 1 by
    default. Expected reward of arm a at time t: rates[t, a] · values[a].
    """

    rates: np.ndarray
    values: np.ndarray | None = None

    def __post_init__(self):
        rates = as_probabilities("rates", self.rates)
        if rates.ndim not in (1, 2):
            raise ValueError(f"rates has shape {rates.shape}; expected (N,) or (T, N)")
        object.__setattr__(self, "rates", rates)
        if self.values is not None:
            values = as_reals("values", self.values)
            if values.shape != rates.shape[-1:] or (values < 0).any():
                raise ValueError("values needs one non-negative number per arm of rates")
            object.__setattr__(self, "values", values)

    @property
    def count(self):
        """Number of arms."""
        return self.rates.shape[-1]

    @property
    def means(self):
        """Expected reward of each arm, of the shape of `rates`."""
        return self.rates if self.values is None else self.rates * self.values


def switching_rates(before, after, horizon, switch):
    """Rates (horizon, N) that jump from `before` to `after` at decision `switch`."""
    before, after = as_probabilities("before", before), as_probabilities("after", after)
    if before.shape != after.shape:
        raise ValueError(f"before {before.shape} and after {after.shape} differ in shape")
    late = np.arange(positive_integer("horizon", horizon)) >= switch
    return np.where(late[:, None], after, before)
