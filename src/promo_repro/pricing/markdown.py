"""Selling a limited stock before a date: exact dynamic programme, and Gallego and van Ryzin (1994).

Stock left after the date is worth nothing, and what the stock has cost is sunk. C units, T
periods with at most one customer each, A prices.
"""

import numpy as np
from scipy.stats import poisson

from promo_repro.claims import formula
from promo_repro.response.checks import as_fractions, as_prices, as_reals


def _whole(name, value, least=1):
    if isinstance(value, bool) or int(value) != value or value < least:
        raise ValueError(f"{name} is {value}; give a whole number of at least {least}")
    return int(value)


def _menu(prices, probability):
    p, q = as_prices("prices", prices), as_fractions("probability", probability)
    if p.ndim != 1 or q.shape[-1:] != p.shape:
        raise ValueError(f"probability {q.shape} needs a last axis like prices {p.shape}")
    return p, q


@formula("eq-05-marginal-value")
def marginal_value(value):
    """What one more unit of stock is worth, V(s) − V(s − 1), for s = 1 … C: (..., C)."""
    return np.diff(as_reals("value", value), axis=-1)


@formula("eq-05-markdown")
def markdown(prices, probability, stock, periods, review=1):
    """Best prices by stock and time: value (..., B + 1, C + 1) and choice (..., B, C).

    `prices` (A,) dollars, `probability` (..., A) of a sale in a period at each of them. With t
    periods left and s units

        V_t(s) = V_{t−1}(s) + max_a q_a [p_a − (V_{t−1}(s) − V_{t−1}(s − 1))],

    V_0 = 0 and V_t(0) = 0. The price may change every `review` periods only, so that there are
    B = T / review decisions; with more than one period between them a price is held and the
    maximum is taken at the decision. Entry [b] of `value` has b decisions left, entry
    [b − 1, s − 1] of `choice` is the price index with b decisions and s units left.
    """
    p, q = _menu(prices, probability)
    c, t, every = _whole("stock", stock), _whole("periods", periods), _whole("review", review)
    if t % every:
        raise ValueError(f"review is {every}; it has to divide the {t} periods")
    value, choice = [np.zeros((*q.shape[:-1], c + 1))], []
    for _ in range(t // every):
        kept = np.repeat(value[-1][..., None, :], len(p), axis=-2)  # (..., A, C + 1)
        for _ in range(every):
            kept = one_period(kept, p, q)
        value.append(kept.max(axis=-2))
        choice.append(kept.argmax(axis=-2)[..., 1:])
    return np.stack(value, axis=-2), np.stack(choice, axis=-2)


@formula("eq-05-sale")
def one_period(value, prices, probability):
    """Value one period earlier when each price is held, V + q [p − ΔV]: (..., A, C + 1)."""
    sold = probability[..., None] * (prices[:, None] - marginal_value(value))
    return np.concatenate([value[..., :1], value[..., 1:] + sold], axis=-1)


@formula("eq-05-rule-value")
def rule_value(prices, probability, choice):
    """Value of any pricing rule `choice` (T, C) of price indices: (T + 1, C + 1), exact."""
    p, q = _menu(prices, probability)
    rule = np.asarray(choice)
    if rule.ndim != 2 or rule.dtype.kind not in "iu" or rule.min() < 0 or rule.max() >= len(p):
        raise ValueError(f"choice needs indices of the {len(p)} prices by time and stock, (T, C)")
    value = np.zeros((len(rule) + 1, rule.shape[1] + 1))
    for t, index in enumerate(rule):
        gain = q[index] * (p[index] - marginal_value(value[t]))
        value[t + 1, 1:] = value[t, 1:] + gain
    return value


@formula("eq-05-sold-out")
def sold_out(probability, choice, stock):
    """Probability that the whole stock is sold before the last period ends, under a rule."""
    q = as_fractions("probability", probability)
    rule = np.asarray(choice)
    left = np.zeros(rule.shape[1] + 1)
    left[_whole("stock", stock)] = 1
    for index in rule[::-1]:  # the rule's first row is the last period
        sale = left[1:] * q[index]
        left[1:] -= sale
        left[:-1] += sale
    return float(left[0])


def stock_rule(low, high, threshold, periods, stock):
    """A rule (T, C): price index `low` while at most `threshold` units are left, else `high`."""
    units = np.arange(1, _whole("stock", stock) + 1)
    return np.tile(np.where(units <= threshold, low, high), (_whole("periods", periods), 1))


def best_fixed(prices, probability, stock, periods):
    """Index and value of the best single price."""
    values = [
        rule_value(prices, probability, np.full((periods, stock), a))[-1, -1]
        for a in range(len(prices))
    ]
    return int(np.argmax(values)), float(np.max(values))


@formula("eq-05-exponential-demand")
def exponential_demand(price, scale, sensitivity):
    """Customers per unit of time who buy at a price, λ(p) = a e^{−α p}; its elasticity is −α p."""
    p = as_prices("price", price)
    return as_prices("scale", scale) * np.exp(-as_prices("sensitivity", sensitivity) * p)


@formula("eq-05-gallego-value")
def exponential_value(stock, time, scale, sensitivity):
    """Value of n units and t units of time under exponential demand: (C + 1,) for n = 0 … C.

    J(n, t) = (1/α) log Σ_{i ≤ n} (a t / e)^i / i!; Gallego and van Ryzin (1994), section 2.3.
    """
    n = _whole("stock", stock, 0)
    x = as_prices("scale", scale) * as_prices("time", time) / np.e
    terms = np.concatenate([[0.0], np.cumsum(np.log(x) - np.log(np.arange(1, n + 1)))])
    return np.logaddexp.accumulate(terms) / as_prices("sensitivity", sensitivity)


@formula("eq-05-gallego-price")
def exponential_price(stock, time, scale, sensitivity):
    """Best price with n = 1 … C units left, p = J(n, t) − J(n − 1, t) + 1/α: (C,)."""
    value = exponential_value(_whole("stock", stock), time, scale, sensitivity)
    return marginal_value(value) + 1 / sensitivity


@formula("eq-05-run-out-price")
def run_out_price(stock, time, scale, sensitivity):
    """Best price if demand were certain: max(1/α, log(a t / n) / α).

    The second is the price at which the stock lasts exactly until the date.
    """
    n = as_prices("stock", stock)
    clearing = np.log(as_prices("scale", scale) * as_prices("time", time) / n)
    return np.maximum(1, clearing) / as_prices("sensitivity", sensitivity)


@formula("eq-05-fixed-value")
def fixed_price_value(price, stock, time, scale, sensitivity):
    """Expected revenue at one price for all the time, p E min(n, Poisson(λ(p) t)).

    E min(n, N) = Σ_{i < n} Pr(N > i).
    """
    mean = exponential_demand(price, scale, sensitivity) * as_prices("time", time)
    return float(price * poisson.sf(np.arange(_whole("stock", stock)), mean).sum())
