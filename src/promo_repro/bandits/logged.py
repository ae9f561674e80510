"""Click rates from a log of random impressions: what can be told apart, and what cannot."""

import numpy as np
from scipy import stats

from promo_repro.bandits.checks import as_counts, fraction
from promo_repro.bandits.rewards import click_probability
from promo_repro.claims import formula


@formula("eq-07-wilson")
def wilson_interval(clicks, impressions, level=0.95):
    """Wilson's confidence limits of a click probability, two arrays of the shape of `clicks`."""
    p, n = click_probability(clicks, impressions), as_counts("impressions", impressions)
    z = stats.norm.ppf((1 + fraction("level", level)) / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@formula("eq-07-dispersion")
def dispersion(clicks, impressions):
    """Pearson's χ² of equal click rates over its degrees of freedom; about 1 if rates are equal.

    `clicks` and `impressions` (N,), N at least 2. Raises `ValueError` if nothing or everything was
    clicked.
    """
    p, n = click_probability(clicks, impressions), as_counts("impressions", impressions)
    if p.size < 2:
        raise ValueError("clicks has fewer than two arms; there is nothing to compare")
    pooled = (n * p).sum() / n.sum()
    if pooled in (0, 1):
        raise ValueError("clicks never or always happened; their rates cannot be compared")
    return float((n * (p - pooled) ** 2).sum() / (pooled * (1 - pooled)) / (p.size - 1))


@formula("eq-07-homogeneity")
def homogeneity_p_value(clicks, impressions):
    """Probability of a χ² at least as large as the observed one if all click rates are equal."""
    freedom = np.size(clicks) - 1
    return float(stats.chi2(freedom).sf(dispersion(clicks, impressions) * freedom))


@formula("eq-07-shrunken")
def shrunken_rates(clicks, impressions):
    """Click rates drawn towards the pooled rate as far as the log cannot tell them apart.

    Moment estimate: of a rate's observed distance from the pooled one, the part 1 − 1/dispersion
    is kept (none if the dispersion is below 1). Meant for arms shown about equally often.
    """
    p, n = click_probability(clicks, impressions), as_counts("impressions", impressions)
    pooled = (n * p).sum() / n.sum()
    kept = max(0.0, 1 - 1 / dispersion(clicks, impressions))
    return pooled + kept * (p - pooled)
