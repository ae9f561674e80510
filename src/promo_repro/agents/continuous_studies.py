"""The measured quantities behind the verdicts on learned discounts; every result is simulated.

Unless an argument says otherwise the case is `TwoProducts()`: purchases respond to a discount with
slope 1, a discount of the week before takes 0.3 of itself away, and the margin is 0.7.
"""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from promo_repro.agents import continuous_case, ddpg
from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.agents.networks import MLP
from promo_repro.agents.replay import Replay
from promo_repro.claims import formula
from promo_repro.project import root

CASE = TwoProducts()
LEVELS = np.linspace(0, CASE.deepest, 81)

# What could be done without learning --------------------------------------------------------------


@formula("eq-10-constant-value")
def constant_value(base, level, response, memory, margin, paid, discount):
    """Value of always giving `level` d for one product, with p + (b − c) d after the first week.

    (p + b d)(m − k d) + γ/(1 − γ) (p + (b − c) d)(m − k d); arguments broadcast.
    """
    kept = margin - paid * level
    later = discount / (1 - discount)
    return kept * (base + response * level + later * (base + (response - memory) * level))


def best_constant(case: TwoProducts, reward: str = "profit") -> float:
    """The discount that earns most if everybody always gets it, on a grid of half per cents.

    For products that do not compete. A "purchase" is a margin of one of which nothing is paid.
    """
    base, weight = case.customers
    money = (case.margin, case.paid) if reward == "profit" else (1.0, 0.0)
    rest = case.response, case.memory, *money, case.discount
    values = [weight @ constant_value(base, level, *rest).sum(axis=1) for level in LEVELS]
    return float(LEVELS[int(np.argmax(values))])


def segment_policy(case: TwoProducts, segments: int = 3):
    """The best constant discount for each of `segments` equal ranges of p: `(p, y) -> d`."""
    low, high = case.base
    edges = np.linspace(low, high, segments + 1)
    middles = (edges[1:] + edges[:-1]) / 2  # values are linear in p: the middle stands for all
    values = constant_value(
        middles[:, None], LEVELS, case.response, case.memory, case.margin, case.paid, case.discount
    )
    best = LEVELS[values.argmax(axis=1)]

    def policy(base, previous):
        return best[np.searchsorted(edges[1:-1], base)]

    return policy


def share_of(name: str, case: TwoProducts = CASE) -> float:
    """Part of the best value of "none", "uniform", "segment-best", "myopic" or "oracle"."""
    policies = {
        "none": lambda: case.constant(0.0),
        "uniform": lambda: case.constant(best_constant(case)),
        "segment-best": lambda: segment_policy(case),
        "myopic": lambda: case.myopic,
        "oracle": lambda: case.best,
    }
    if name not in policies:
        raise ValueError(f"no policy {name!r}; choose from {', '.join(policies)}")
    return float(case.share(policies[name]()))


def gain(better: str, worse: str, **changes) -> float:
    """What one policy of `share_of` earns more than another, in parts of the best value."""
    case = replace(CASE, **changes)
    return share_of(better, case) - share_of(worse, case)


def share_seeing(what: str, noise: float = 0.0) -> float:
    """Part of the best value if the shop sees "p and y", "p" or "y" only, p with an error.

    What is not seen is taken to be at its mean: p at the middle of its range, y at the discount
    that the best policy settles on. `noise` is the error of p in probability, up or down alike.
    """
    middle = np.full(2, np.mean(CASE.base))
    usual = np.zeros(2)
    for _ in range(50):
        usual = CASE.best(middle, usual)

    def policy(base, previous, error=0.0):
        p = base + error if "p" in what.split() else np.broadcast_to(middle, np.shape(base))
        y = previous if "y" in what.split() else np.broadcast_to(usual, np.shape(base))
        return CASE.best(p, y)

    values = [CASE.value(lambda p, y, e=e: policy(p, y, e)) for e in (-noise, noise)]
    return float(np.mean(values) / CASE.value(CASE.best))


def share_on_grid(levels: int) -> float:
    """Part of the best value if a discount has to be one of `levels` from 0 to the deepest."""
    grid = np.linspace(0, CASE.deepest, levels)

    def policy(base, previous):
        return grid[np.abs(CASE.best(base, previous)[..., None] - grid).argmin(axis=-1)]

    return float(CASE.share(policy))


def maximiser_share(reward: str) -> float:
    """Part of the best profit that the policy earns which maximises "profit" or "purchase"."""
    policy = CASE.best if reward == "profit" else CASE.constant(best_constant(CASE, reward))
    return float(CASE.share(policy))


def purchases_gain(policy: str) -> float:
    """Purchases over those without discounts, for the "profit" or the "purchase" maximiser."""
    chosen = CASE.best if policy == "profit" else CASE.constant(best_constant(CASE, "purchase"))
    return float(CASE.value(chosen, "purchase") / CASE.value(CASE.constant(0.0), "purchase"))


def profit_gain(policy: str) -> float:
    """Profit over that without discounts, for the "profit" or the "purchase" maximiser."""
    return maximiser_share(policy) / share_of("none")


def purchase_ratio(levels: int) -> float:
    """Purchases under the profit maximiser over those under the best constant discount.

    The constant is the best of `levels` discounts from 0 to the deepest; one level is no discount.
    """
    grid = np.linspace(0, CASE.deepest, levels) if levels > 1 else np.zeros(1)
    constant = CASE.constant(grid[np.argmax([CASE.value(CASE.constant(d)) for d in grid])])
    return float(CASE.value(CASE.best, "purchase") / CASE.value(constant, "purchase"))


def pair_rates(users: int, products: int, seed: int = 0) -> tuple[int, int, float]:
    """Shape of the table G(x_u, x_i) of an untrained model, and the part of it inside (0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    network = MLP(1, (4, 16, 1), generator, dtype=torch.float64)
    place = {"generator": generator, "dtype": torch.float64}
    user, product = torch.randn(users, 2, **place), torch.randn(products, 2, **place)
    pairs = torch.cat(
        [user[:, None].expand(-1, products, -1), product.expand(users, -1, -1)], dim=-1
    )
    rates = torch.sigmoid(network(pairs.reshape(1, -1, 4))).reshape(users, products)
    return *rates.shape, ((rates > 0) & (rates < 1)).double().mean().item()


def separate_share(rivalry: float) -> float:
    """Part of the joint optimum that two discounts earn if each serves its own product alone."""
    case = replace(CASE, base=(0.24, 0.45), memory=0.0, rivalry=rivalry)
    apart = continuous_case.separate_discounts
    policy = apart(case.customers[0], case.response, rivalry, case.margin, case.paid)
    return float(case.share(lambda base, previous: policy.clip(0, case.deepest)))


def discount_change(base_change: float, response_change: float) -> float:
    """How the best discount moves when a signal raises p, or the response b, of a customer."""

    def discount(p, b):
        rest = CASE.memory, CASE.margin, CASE.paid, CASE.discount
        return continuous_case.best_discount(p, 0.1, b, *rest)

    p, b = np.mean(CASE.base), CASE.response
    return float(discount(p + base_change, b + response_change) - discount(p, b))


def ensemble_gain(members: int, error: float, seed: int) -> float:
    """What the mean of `members` erring discount models earns more than they do on average.

    Each errs by a normal constant with deviation `error` for each product.
    """
    errors = error * np.random.default_rng(seed).standard_normal((members, 1, 2))
    alone = CASE.share(lambda base, previous: CASE.best(base, previous) + errors)
    together = CASE.share(lambda base, previous: CASE.best(base, previous) + errors.mean(axis=0))
    return float(together - alone.mean())


# The printed losses -------------------------------------------------------------------------------


def minimising_rate(loss: Callable, bought) -> float:
    """The discount rate in (0, 1], the same for all pairs, at which `loss(y, g)` is least."""
    rates = np.linspace(0.01, 1, 100)
    y = np.asarray(bought, dtype=float)
    return float(rates[np.argmin([float(loss(y, np.full(len(y), g))) for g in rates])])


def earning_rate(base: float, response: float) -> float:
    """The rate that earns most from a customer without memory, in closed form."""
    found = continuous_case.best_discount(base, 0.0, response, 0.0, CASE.margin, CASE.paid, 0.0)
    return float(found)


def earning_rate_by_search(base: float, response: float) -> float:
    """The same by trying ten thousand rates."""
    rates = np.linspace(0, 1, 10_001)
    bought = base + response * rates
    return float(rates[continuous_case.profit(bought, rates, CASE.margin, CASE.paid).argmax()])


def coupling(loss: Callable, shared: bool, seed: int = 0) -> float:
    """How much the discounts in `loss(y, p, g)` move the recommender: the largest gradient added.

    As printed the models share no parameter; `shared` feeds the recommender's output to the
    discount model.
    """
    generator = torch.Generator().manual_seed(seed)
    place = {"generator": generator, "dtype": torch.float64}
    recommender = MLP(1, (4, 8, 1), generator, dtype=torch.float64)
    discounter = MLP(1, (1 if shared else 4, 8, 1), generator, dtype=torch.float64)
    x = torch.randn(1, 64, 4, **place)
    bought = (torch.rand(1, 64, 1, **place) < 0.4).double()
    p = torch.sigmoid(recommender(x))
    rate = torch.sigmoid(discounter(p if shared else x))
    weights = recommender.weights[0]
    alone, together = (
        torch.autograd.grad(loss(bought, p, given), weights, retain_graph=True)[0]
        for given in (rate.detach(), rate)
    )
    return (together - alone).abs().max().item()


def first_over_second(reading: str, discount: float) -> float:
    """Weight of the first reward relative to the second in −J, under one reading."""
    first, second = continuous_case.printed_weights(discount, 2, reading)
    return float(first / second)


# What DDPG needs ----------------------------------------------------------------------------------


def identified_effects(noise: float, customers: int = 200, seed: int = 0) -> int:
    """Rank of (1, p, d, d²) over customers whose discount is μ(p) plus noise: 4 or less.

    A critic can only learn the effect of a discount that varies among equal customers.
    """
    rng = np.random.default_rng(seed)
    p = rng.uniform(*CASE.base, customers)
    d = earning_rate(0.0, 1.0) - p / 2 + noise * rng.standard_normal(customers)
    return int(np.linalg.matrix_rank(np.stack([np.ones_like(p), p, d, d**2], axis=1), tol=1e-6))


def draw_distance(stored: int, batch: int, recent: int, seed: int = 0) -> float:
    """Total variation between the ages of drawn transitions and uniform over all `stored`.

    `recent` is the capacity of the memory: smaller than `stored`, it forgets the older ones.
    """
    memory = Replay(1, recent, 1)
    when = torch.arange(stored, dtype=torch.float32).reshape(1, -1)
    memory.add(when[..., None], when[..., None], when, when[..., None], torch.zeros_like(when))
    drawn = memory.sample(batch, torch.Generator().manual_seed(seed)).reward.long().ravel()
    shares = torch.bincount(drawn, minlength=stored) / batch
    return float((shares - 1 / stored).abs().sum() / 2)


def target_lag(tau: float, updates: int) -> float:
    """How far the target is from a value that jumped by one, after `updates` soft updates."""
    slow, online = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for _ in range(updates):
        ddpg.soft_update([slow], [online], tau)
    return float(1 - slow)


# Apart and end to end -----------------------------------------------------------------------------


def bottleneck_share(way: str, spread: float, steps: int = 300, seed: int = 0) -> float:
    """Part of the best profit of a recommender of one number and a discount model behind it.

    A customer has two features: the first moves p, the second his response b by up to `spread`.
    "apart": the number is trained on purchases without discounts, then the discount model on
    profit; "end to end": both on profit. Full-batch Adam on the expected profit of 2,000 customers
    without memory.
    """
    generator = torch.Generator().manual_seed(seed)
    place = {"generator": generator, "dtype": torch.float64}
    x = 2 * torch.rand(1, 2_000, 2, **place) - 1
    p = (CASE.base[0] + CASE.base[1]) / 2 + (CASE.base[1] - CASE.base[0]) / 2 * x[..., :1]
    b = CASE.response + spread * x[..., 1:]

    def earned(rate):
        return continuous_case.profit(p + b * rate, rate, CASE.margin, CASE.paid).mean()

    recommender = MLP(1, (2, 16, 1), generator, dtype=torch.float64)
    discounter = MLP(1, (1, 16, 1), generator, dtype=torch.float64)

    def rates():
        return CASE.deepest * torch.sigmoid(discounter(recommender(x)))

    def fit(parameters, loss):
        optimiser = torch.optim.Adam(parameters, lr=0.02)
        for _ in range(steps):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()

    if way == "apart":
        fit(recommender.parameters(), lambda: (torch.sigmoid(recommender(x)) - p).square().mean())
        fit(discounter.parameters(), lambda: -earned(rates()))
    elif way == "end to end":
        fit([*recommender.parameters(), *discounter.parameters()], lambda: -earned(rates()))
    else:
        raise ValueError(f"no way {way!r}; choose apart or end to end")
    best = ((b * CASE.margin - CASE.paid * p) / (2 * CASE.paid * b)).clip(0, CASE.deepest)
    return (earned(rates()) / earned(best)).item()


def end_to_end_gain(spread: float, seed: int = 0) -> float:
    """What training end to end gains over training apart, in parts of the best profit."""
    return bottleneck_share("end to end", spread, seed=seed) - bottleneck_share(
        "apart", spread, seed=seed
    )


# Results of the long runs -------------------------------------------------------------------------


def committed(part: str, method: str, metric: str, what: str = "value") -> float:
    """One number of `data/results/10_ddpg/<part>.json`: `value`, `lo`, `hi` or `worst`.

    Raises `ValueError` if the result has no such row.
    """
    rows = json.loads((root() / "data" / "results" / "10_ddpg" / f"{part}.json").read_text())[
        "rows"
    ]
    for each in rows:
        if (each["method"], each["metric"]) == (method, metric):
            return float(each[what])
    known = ", ".join(f"{each['method']}: {each['metric']}" for each in rows)
    raise ValueError(f"{part} has no {method}: {metric}; it has {known}")


def interactions_to_beat(kind: str, level: float, world: str = "memory") -> float:
    """Interactions after which the mean of the committed curve stays above a share."""
    path = root() / "data" / "results" / "10_ddpg" / "learning.json"
    found = json.loads(path.read_text())["curves"][f"{kind}, {world}"]
    above = np.mean(found["shares"], axis=1) > level
    stays = np.logical_and.accumulate(above[::-1])[::-1]
    return float(np.array(found["interactions"], float)[stays].min(initial=np.inf))
