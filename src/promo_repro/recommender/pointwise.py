"""Models of one pair (household, item): features, sampled negatives, and three learners.

Features come from the past of a split, labels from its target. Training pairs are those of the
earlier split, so that no model sees a week after the cut of the split that it is judged on.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import nn

from promo_repro.claims import formula
from promo_repro.recommender.baselines import decay, ease, item_knn
from promo_repro.recommender.protocol import RECENT_WEEKS, Split, popularity

SHORT, LONG = 8, 26  # half-lives in weeks


class Pairs(NamedTuple):
    """Sampled training pairs: row and column (n,), label (n,), and the rate each was kept at."""

    rows: np.ndarray
    columns: np.ndarray
    labels: np.ndarray
    rates: np.ndarray


def behaviour_features(split: Split) -> np.ndarray:
    """What the baskets say about each pair, (U, I, 10) float32.

    Own purchases (all, and decayed with half-lives of 8 and 26 weeks), their rate per visit,
    recency, whether there are any, the item's popularity (all time, last 4 weeks), item-kNN and
    EASE scores.
    """
    features = np.empty((*split.target.shape, 10), dtype=np.float32)
    for k, column in enumerate(_behaviour(split)):
        features[..., k] = column
    return features


def _behaviour(split: Split):
    """The features one at a time: all of them in double precision would fill the memory."""
    counts = split.history.toarray()
    visits = np.maximum(np.diff(split.start), 1)[:, None]
    age = split.cut - split.week
    fresh = split.weighted(decay(age, SHORT)).toarray()
    log_counts = sparse.csr_matrix(np.log1p(counts))
    yield np.log1p(counts)
    yield np.log1p(fresh)
    yield np.log1p(split.weighted(decay(age, LONG)).toarray())
    yield np.log((counts + 0.3) / (visits + 1))
    yield np.where(counts > 0, fresh / np.maximum(counts, 1), 0)
    yield counts > 0
    yield np.log1p(popularity(split))
    yield np.log1p(popularity(split, RECENT_WEEKS))
    yield np.sqrt(np.maximum(item_knn(log_counts, 200), 0))
    yield ease(log_counts, 1_000)


@formula("eq-03-log-odds-correction")
def corrected_logit(logit, rate):
    """Log-odds on the whole population from those learnt with negatives kept at `rate`.

    Keeping every positive and each negative with probability q multiplies the odds by 1/q, so
    logit_population = logit_sampled + ln q. `rate` in (0, 1] broadcasts against `logit`.
    """
    q = np.asarray(rate, dtype=float)
    if not ((q > 0) & (q <= 1)).all():
        raise ValueError("rate must lie in (0, 1]: it is the share of negatives that is kept")
    return np.asarray(logit, dtype=float) + np.log(q)


def sample_pairs(target, seen, rng, *, unseen_rate, seen_rate) -> Pairs:
    """All positives, and negatives kept at one rate for seen and at another for unseen items.

    `target` and `seen` (U, I) boolean. Equal rates are uniform sampling.
    """
    target, seen = np.asarray(target, dtype=bool), np.asarray(seen, dtype=bool)
    rate = np.where(seen, seen_rate, unseen_rate)
    keep = target | (rng.random(target.shape) < rate)
    rows, columns = np.nonzero(keep)
    return Pairs(rows, columns, target[keep], rate[keep])


def training_pairs(split: Split, rng, rate=0.05) -> Pairs:
    """Pairs of the tested households of a split, negatives kept uniformly; rows count all of U."""
    users = np.flatnonzero(split.tested)
    pairs = sample_pairs(
        split.target[users].toarray() > 0,
        split.history[users].toarray() > 0,
        rng,
        unseen_rate=rate,
        seen_rate=rate,
    )
    return pairs._replace(rows=users[pairs.rows])


def standardised(features, mean, scale):
    """Features with mean 0 and deviation 1 on the training pairs; a constant one stays 0."""
    return (features - mean) / np.where(scale > 0, scale, 1)


def _in_parts(score):
    """The same score, a few million numbers at a time: copies of all pairs fill the memory."""

    def whole(x, *others):
        parts = math.ceil(x.size / 2**22)
        split = [np.array_split(each, parts) for each in (x, *others)]
        return np.concatenate([score(*part) for part in zip(*split, strict=True)])

    return whole


def logistic(features, labels, regularisation=1.0):
    """Fit a logistic regression to pairs (n, F); returns a function features → log-odds."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression(C=1 / regularisation, max_iter=500)
    model.fit(standardised(features, mean, scale), labels)
    return _in_parts(lambda x: standardised(x, mean, scale) @ model.coef_[0] + model.intercept_[0])


def boosted(features, labels, leaves=15, rate=0.08, seed=0):
    """Fit gradient-boosted trees to pairs (n, F); returns a function features → log-odds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        random_state=seed,
        early_stopping=False,
    ).fit(features, labels)
    return lambda x: model.decision_function(x.reshape(-1, x.shape[-1])).reshape(x.shape[:-1])


def linear_svm(features, labels, segments=None, penalty=0.01, seed=0):
    """Fit a linear support vector machine to pairs; returns (features, segments) → score.

    `penalty` is the C of the machine, the weight of an error. With `segments` (n,) whole numbers it
    is adaptive: each segment has its own deviation from the shared weights, penalised like them
    (Yang, Yan and Hauptmann, 2007, in its linear form); without, the score takes features only.
    """
    from sklearn.svm import LinearSVC

    mean, scale = features.mean(axis=0), features.std(axis=0)
    kinds = 0 if segments is None else int(np.max(segments)) + 1

    x = standardised(features, mean, scale)
    own = [np.where((segments == g)[:, None], x, 0) for g in range(kinds)]
    model = LinearSVC(C=penalty, dual=False, random_state=seed)
    weights = model.fit(np.concatenate([x, *own], axis=1), labels).coef_.reshape(1 + kinds, -1)

    def score(x, groups=None):
        x = standardised(x, mean, scale)
        return x @ weights[0] + sum((groups == g) * (x @ weights[1 + g]) for g in range(kinds))

    return _in_parts(score)


def mlp(features, labels, generator, *, hidden=32, epochs=6, batch=4_096, rate=3e-3, device="cpu"):
    """Fit a network F → hidden → hidden → 1 with ReLU by binary cross-entropy on pairs.

    Runs on `device`, in mixed precision on CUDA. Returns a function features → log-odds.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    x = torch.as_tensor(standardised(features, mean, scale), dtype=torch.float32, device=device)
    y = torch.as_tensor(labels, dtype=torch.float32, device=device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        net = nn.Sequential(
            nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 1),
        ).to(device)  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    loss = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator).split(batch):
            chosen = chosen.to(device)
            with torch.autocast(x.device.type, enabled=x.device.type == "cuda"):
                value = loss(net(x[chosen])[:, 0], y[chosen])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

    @torch.no_grad()
    def score(pairs):
        ready = standardised(pairs, mean, scale)
        return net(torch.as_tensor(ready, dtype=torch.float32, device=device))[..., 0].cpu().numpy()

    return _in_parts(score)
