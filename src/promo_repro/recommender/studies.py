"""The measured quantities that verdicts of chapter 03 rest on, apart from the paired intervals."""

import json
import time
from statistics import median

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from promo_repro.claims import formula
from promo_repro.project import root
from promo_repro.recommender import encoders
from promo_repro.recommender.baselines import ease_weights, frequency
from promo_repro.recommender.encoders import Recipe
from promo_repro.recommender.metrics import top_k
from promo_repro.recommender.protocol import RECENT_WEEKS, Split, popularity

FIELDS = ("age", "income", "household_size")


def committed(part: str) -> pd.DataFrame:
    """Rows of a committed long run: method, metric, value, lo, hi, n."""
    path = root() / "data" / "results" / "03_recommender" / f"{part}.json"
    return pd.DataFrame(json.loads(path.read_text())["rows"])


def reported(rows: pd.DataFrame, method: str, metric: str = "ndcg", field: str = "lo") -> float:
    """One number of a committed run; raises `ValueError` when the row is not there."""
    found = rows[(rows["method"] == method) & (rows["metric"] == metric)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} rows for {method!r} and {metric!r}; expected one")
    return float(found[field].iloc[0])


@formula("eq-03-click-gain")
def click_gain_low(learned, chance, impressions):
    """Lower end of the 95 % interval of the click rate gained by a learned over a random policy.

    `learned` and `chance` are clicks per campaign, each on `impressions` randomised impressions.
    Normal approximation to the difference of two proportions, summed over the campaigns.
    """
    p, q = np.asarray(learned, dtype=float) / impressions, np.asarray(chance) / impressions
    if not ((p >= 0) & (p <= 1) & (q >= 0) & (q <= 1)).all():
        raise ValueError("clicks must lie between 0 and the number of impressions")
    variance = (p * (1 - p) + q * (1 - q)).sum() / impressions
    return float((p - q).sum() - 1.96 * np.sqrt(variance)) / p.size


@formula("eq-03-arm-size")
def impressions_needed(rate, gain):
    """Impressions per arm to see a relative `gain` in a click `rate`: 5 % level, power 80 %.

    n = (1.96 + 0.84)² (p(1 − p) + q(1 − q)) / (q − p)² with q = (1 + gain) p.
    """
    q = rate * (1 + gain)
    if not (0 < rate < 1 and 0 < q < 1) or gain == 0:
        raise ValueError("rate and (1 + gain) · rate must lie in (0, 1), and gain must not be 0")
    return (1.96 + 0.84) ** 2 * (rate * (1 - rate) + q * (1 - q)) / (q - rate) ** 2


@formula("eq-03-share-of-gain")
def share_of_gain(short, full, base):
    """How much of the gain over `base` is there already: (short − base) / (full − base) of means.

    Each (U,) holds a metric per household; NaN pairs are left out.
    """
    values = np.array([short, full, base], dtype=float)
    s, f, b = values[:, ~np.isnan(values).any(axis=0)].mean(axis=1)
    return float((s - b) / (f - b))


def seconds_taken(task) -> float:
    """Least CPU seconds of three calls of a function without arguments."""
    times = []
    for _ in range(3):
        start = time.process_time()
        task()
        times.append(time.process_time() - start)
    return min(times)


def cost_over_counting(stage: str, split: Split, recipe: Recipe) -> float:
    """CPU time of a deep encoder over that of the household's own frequency.

    `stage` "training" compares making the model: an epoch of training, times the epochs of the
    recipe, with counting the baskets of all households. "deployment" compares answering, once the
    model is there: scores and lists of ten for all households.
    """
    model = encoders.build(recipe, split, 0)
    recent = popularity(split, RECENT_WEEKS)
    counts = split.history
    if stage == "training":
        deep = seconds_taken(lambda: encoders.train(model, split, 0, epochs=1)) * recipe.epochs
        plain = seconds_taken(lambda: split.history)
    elif stage == "deployment":
        deep = seconds_taken(lambda: top_k(encoders.scores(model, split), 10))
        plain = seconds_taken(lambda: top_k(frequency(counts, recent), 10))
    else:
        raise ValueError(f"no stage {stage!r}; choose training or deployment")
    return deep / plain


@formula("eq-03-training-cost")
def training_cost(parameters, examples, epochs, lines):
    """Multiply-adds of training by back-propagation over the additions of counting `lines`.

    A forward pass takes one multiply-add per parameter and example, the backward pass two.
    """
    if min(parameters, examples, epochs, lines) <= 0:
        raise ValueError("parameters, examples, epochs and lines must be positive")
    return 3 * parameters * examples * epochs / lines


@formula("eq-03-calibration")
def calibration(logits, labels):
    """Purchases that a model expects over those that happened, Σ sigmoid(logit) / Σ label."""
    z, y = np.asarray(logits, dtype=float), np.asarray(labels, dtype=float)
    if z.shape != y.shape or y.sum() == 0:
        raise ValueError("logits and labels must have one shape, with at least one purchase")
    return float((1 / (1 + np.exp(-z))).sum() / y.sum())


def distinct_groups(ranked, groups) -> np.ndarray:
    """Number of different groups (say departments) in each household's list (U, k)."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    codes = np.sort(codes[np.asarray(ranked)], axis=1)
    return 1 + (np.diff(codes, axis=1) != 0).sum(axis=1)


def distinct_lists(ranked) -> int:
    """Number of different lists, the order of the items apart, among those of all households."""
    return len(np.unique(np.sort(np.asarray(ranked), axis=1), axis=0))


def changed_lists(first, second) -> float:
    """Share of households whose top 10 differ between two score matrices (U, I)."""
    return float((top_k(first, 10) != top_k(second, 10)).any(axis=1).mean())


def lists_kept(states, weights, bias, bits) -> float:
    """Share of households with an unchanged top 10 after storing the states (U, d) in `bits` bits.

    32 bits are IEEE single precision, fewer are whole numbers scaled to the largest state.
    """
    s = np.asarray(states, dtype=np.float32)
    if bits == 32:
        stored = np.frombuffer(s.tobytes(), dtype=np.float32).reshape(s.shape)
    else:
        step = np.abs(s).max() / (2 ** (bits - 1) - 1)
        stored = np.round(s / step) * step
    return 1 - changed_lists(s @ weights.T + bias, stored @ weights.T + bias)


def filled_share(matrix) -> float:
    """Share of the pairs (household, item) that have a value other than 0."""
    filled = matrix.nnz if sparse.issparse(matrix) else np.count_nonzero(matrix)
    return float(filled / np.prod(matrix.shape))


def response_seconds(items, width, seed=0) -> float:
    """Median seconds to score and rank `items` items for one household with a state of `width`."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((items, width), dtype=np.float32)
    state = rng.standard_normal((width, 1), dtype=np.float32)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        top_k((weights @ state).T, 10)
        times.append(time.perf_counter() - start)
    return median(times)


def superposition_gap(model: str, x, seed=0) -> float:
    """How far a model is from linear: max |S(a + b) − S(a) − S(b)| / max |S(a + b)|.

    a and b are halves of the histories x (U, I) and S the scores of `model`: "neighbours", "EASE"
    (item-item weights learnt from x) or "deep" (two layers with a ReLU, untrained).
    """
    x = np.asarray(x, dtype=float)
    rng = np.random.default_rng(seed)
    a = np.where(rng.random(x.shape) < 0.5, x, 0)
    if model == "deep":
        first, second = (rng.normal(size=(x.shape[1], x.shape[1])) for _ in range(2))

        def scores(history):
            return np.maximum(history @ first, 0) @ second

    elif model in ("neighbours", "EASE"):
        weights = x.T @ x if model == "neighbours" else ease_weights(x.T @ x, 10.0)

        def scores(history):
            return history @ weights

    else:
        raise ValueError(f"no model {model!r}; choose neighbours, EASE or deep")
    whole = scores(x)
    return float(np.abs(whole - scores(a) - scores(x - a)).max() / np.abs(whole).max())


def demographic_features(split: Split, demographics: pd.DataFrame) -> np.ndarray:
    """How much more popular an item is in the household's own group than overall, (U, I, 3).

    Log ratio of the item's smoothed shares, for age, income and household size; 0 where unknown.
    """
    known = demographics.set_index("household_id").reindex(split.households)
    counts = split.history
    overall = popularity(split) / popularity(split).sum()
    result = np.zeros((*counts.shape, len(FIELDS)), dtype=np.float32)
    for k, field in enumerate(FIELDS):
        for value in known[field].dropna().unique():
            group = (known[field] == value).to_numpy()
            bought = np.asarray(counts[group].sum(axis=0)).ravel()
            smoothed = (bought + 2_000 * overall) / (bought.sum() + 2_000)
            result[group, :, k] = np.log(smoothed / np.maximum(overall, 1e-12))
    return result


def deal_segments(split: Split) -> np.ndarray:
    """Tercile (0, 1, 2) of each household's share of purchases made on deal in its past."""
    own = np.asarray(split.weighted(np.ones(len(split.week))).sum(axis=1)).ravel()
    deals = np.zeros(len(own))
    np.add.at(deals, split.owner, np.asarray(split.deals.sum(axis=1)).ravel())
    share = deals / own
    return np.searchsorted(np.quantile(share, [1 / 3, 2 / 3]), share)


def finite_difference_gap(seed: int, step: float = 1e-5) -> float:
    """Largest relative gap between back-propagation and central differences, in float64.

    The loss is the binary cross-entropy of a 4-5-1 network with a sigmoid hidden layer on twelve
    random examples; every weight is moved by ± `step`.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = ((5, 4), (5,), (1, 5), (1,))
    weights = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    x = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    y = (torch.rand(12, generator=generator) < 0.5).double()

    def loss(w):
        hidden = torch.sigmoid(x @ w[0].T + w[1])
        score = (hidden @ w[2].T + w[3])[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(score, y)

    exact = torch.autograd.grad(loss([w.requires_grad_() for w in weights]), weights)
    gap, scale = 0.0, max(float(g.abs().max()) for g in exact)
    with torch.no_grad():
        for w, gradient in zip(weights, exact, strict=True):
            for position in np.ndindex(*w.shape):
                value = float(w[position])
                w[position] = value + step
                up = float(loss(weights))
                w[position] = value - step
                down = float(loss(weights))
                w[position] = value
                gap = max(gap, abs((up - down) / (2 * step) - float(gradient[position])))
    return gap / scale
