"""The long runs of chapter 03: `python -m promo_repro.recommender.full [part ...]`.

Each part writes `data/results/03_recommender/<part>.json`; without an argument all parts run.
"""

import json
import sys
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import torch

from promo_repro.datasets import complete_journey
from promo_repro.project import commit, root
from promo_repro.recommender import encoders, pointwise, protocol
from promo_repro.recommender.baselines import decay, ease, frequency, item_knn
from promo_repro.recommender.content import text_features
from promo_repro.recommender.encoders import KINDS, Recipe, variant
from promo_repro.recommender.factorisation import als, confidence
from promo_repro.recommender.metrics import measured, paired_interval
from promo_repro.recommender.protocol import EARLIER, RECENT_WEEKS, TEST, TUNING, Split, popularity
from promo_repro.recommender.studies import deal_segments, reported

METRICS = ("recall", "ndcg", "novel_recall", "novel_ndcg")
SEEDS = (0, 1, 2)
ENCODER_SEEDS = (0, 1)
TUNING_EPOCHS, EPOCHS = 4, 16
LABELLED = 100
ADAPTED = Recipe("dense", rate=1e-2, epochs=6)
STARTS = ("scratch", "hierarchy", "self-supervised", "transfer")
TRIED = "tuning: "  # before the names of what is measured on the earlier window only
COMMAND = "python -m promo_repro.recommender.full"

# What is tried for each method on the earlier window, and how a setting is called.
GRIDS: dict[str, list[tuple]] = {
    "decayed frequency": [(half_life,) for half_life in (4, 8, 16, 26, 52)],
    "item-kNN": [(neighbours,) for neighbours in (50, 200, 800, 1_600)],
    "EASE": [(10.0**power,) for power in range(-4, 5)],
    "ALS": list(product((16, 32), (0.1, 0.5), (3.0, 30.0, 100.0, 300.0))),
    "logistic regression": [(1e-2,), (1.0,), (1e2,), (1e4,)],
    "adaptive SVM": [(1e-4,), (1e-3,), (1e-2,), (1e-1,)],
    "boosting": list(product((7, 15), (0.04, 0.08))),
    "network": list(product((32, 64), (1e-3, 3e-3))),
} | {kind: [(3e-3,), (1e-2,)] for kind in KINDS}
CALLED = {
    "decayed frequency": "half-life {}",
    "item-kNN": "{} neighbours",
    "EASE": "λ = {:g}",
    "ALS": "f = {}, α = {:g}, λ = {:g}",
    "logistic regression": "λ = {:g}",
    "adaptive SVM": "C = {:g}",
    "boosting": "{} leaves, rate {:g}",
    "network": "{} units, rate {:g}",
} | dict.fromkeys(KINDS, "rate {:g}")
CLASSICAL = ("decayed frequency", "item-kNN", "EASE", "ALS")
PAIR_LEARNERS = ("logistic regression", "adaptive SVM", "boosting", "network")


def rows(name: str, values: dict[str, np.ndarray], metrics=METRICS) -> list[dict]:
    """One row per metric: mean over households with its 95 % interval."""
    result = []
    for metric in metrics:
        mean, low, high = paired_interval(values[metric], np.zeros_like(values[metric]))
        n = int((~np.isnan(values[metric])).sum())
        result.append(
            {"method": name, "metric": metric, "value": mean, "lo": low, "hi": high, "n": n}
        )
    return result


def contrast(name, first, second, metrics=("ndcg", "novel_ndcg")) -> list[dict]:
    """Rows for the paired difference of two methods."""
    return rows(name, {m: first[m] - second[m] for m in metrics}, metrics)


def averaged(runs: list[dict]) -> dict[str, np.ndarray]:
    """Metrics of each household, averaged over the runs of several seeds."""
    return {metric: np.mean([run[metric] for run in runs], axis=0) for metric in METRICS}


# Tuning -------------------------------------------------------------------------------------------


def setting_name(method: str, setting: tuple) -> str:
    """What a method with one setting is called in the results."""
    return f"{method}, {CALLED[method].format(*setting)}"


def trials(method: str, run: Callable[..., dict]) -> list[dict]:
    """Rows for every setting in the method's grid; `run(method, *setting)` gives its metrics."""
    result = []
    for setting in GRIDS[method]:
        result += rows(setting_name(method, setting), run(method, *setting))
    progress(method)
    return result


def best(found, method: str) -> tuple:
    """The setting of a method with the highest NDCG in the rows (a frame) of a tuning run."""
    ndcg = [reported(found, setting_name(method, s), "ndcg", "value") for s in GRIDS[method]]
    return GRIDS[method][int(np.argmax(ndcg))]


def classical(method: str, part: Split, *setting) -> np.ndarray:
    """Scores (U, I) of one of the methods in `CLASSICAL` with one setting."""
    logs = part.history.log1p()
    if method == "decayed frequency":
        weights = decay(part.cut - part.week, *setting)
        return frequency(part.weighted(weights), popularity(part, RECENT_WEEKS))
    if method == "item-kNN":
        return item_knn(logs, *setting)
    if method == "EASE":
        return ease(logs, *setting)
    factors, alpha, regularisation = setting
    trust = confidence(part.history, alpha)
    found = als(trust, factors, regularisation, 8, torch.Generator().manual_seed(0))
    return (found.users @ found.items.T).numpy()


def impersonal(part: Split) -> dict[str, np.ndarray]:
    """Scores of the baselines without a setting: chance, popularity and the plain count."""
    recent = popularity(part, RECENT_WEEKS)
    return {
        "random": np.random.default_rng(0).random(part.target.shape),
        "popularity": popularity(part),
        "popularity, 4 weeks": recent,
        "personal frequency": frequency(part.history, recent),
    }


def pair_scores(method: str, past: Split, features, later: Split, new, *setting) -> np.ndarray:
    """Scores (U, I) for `later` of a learner of pairs that was trained on the target of `past`.

    `features` (U, I, F) belong to `past` and `new` to `later`.
    """
    pairs = pointwise.training_pairs(past, np.random.default_rng(0))
    x, labels = features[pairs.rows, pairs.columns], pairs.labels
    if method == "logistic regression":
        return pointwise.logistic(x, labels, *setting)(new)
    if method == "boosting":
        return pointwise.boosted(x, labels, *setting)(new)
    if method == "network":
        hidden, rate = setting
        start = torch.Generator().manual_seed(0)
        return pointwise.mlp(x, labels, start, hidden=hidden, rate=rate)(new)
    groups = [deal_segments(part) for part in (past, later)]
    score = pointwise.linear_svm(x, labels, groups[0][pairs.rows], *setting)
    return score(new, np.broadcast_to(groups[1][:, None], later.target.shape))


# Parts --------------------------------------------------------------------------------------------


def splits(shop, *windows) -> list[Split]:
    """Splits of the shop's purchases by product type, one for each window."""
    bought = protocol.purchases(shop.transactions, shop.products)
    return [protocol.split(bought, **window) for window in windows]


def product_split(shop, window) -> Split:
    """Split of the purchases of the 5,000 products that sold most up to the cut of the window."""
    bought = protocol.product_purchases(shop.transactions, shop.products, window["cut"])
    return protocol.split(bought, **window)


def tuning_part(shop) -> list[dict]:
    """Every setting of the classical methods, measured on the earlier window only."""
    (tuning,) = splits(shop, TUNING)
    result = rows("frequency", measured(impersonal(tuning)["personal frequency"], tuning))
    for method in CLASSICAL:
        result += trials(method, lambda m, *s: measured(classical(m, tuning, *s), tuning))
    return result


def products_part(shop) -> list[dict]:
    """The baselines for 5,000 single products, tuned on the earlier window as for the types."""
    tuning, test = (product_split(shop, window) for window in (TUNING, TEST))
    tried, runs = [], {name: measured(s, test) for name, s in impersonal(test).items()}
    for method in CLASSICAL:
        tried += trials(method, lambda m, *s: measured(classical(m, tuning, *s), tuning))
    for method in CLASSICAL:
        runs[method] = measured(classical(method, test, *best(pd.DataFrame(tried), method)), test)
    result = tried
    for name, run in runs.items():
        result += rows(name, run)
        result += contrast(f"{name} − frequency", run, runs["personal frequency"])
        result += contrast(f"{name} − popularity", run, runs["popularity, 4 weeks"])
    return result


def pair_trials(earlier: Split, tuning: Split) -> list[dict]:
    """The grids of the learners of pairs: trained on one window, measured on the next."""
    past, now = (pointwise.behaviour_features(part) for part in (earlier, tuning))
    result = []
    for method in PAIR_LEARNERS:
        result += trials(
            method, lambda m, *s: measured(pair_scores(m, earlier, past, tuning, now, *s), tuning)
        )
    return result


def pairs_part(shop) -> list[dict]:
    """Learners of pairs: their tuning one window earlier, and boosted trees on the later one."""
    earlier, tuning, test = splits(shop, EARLIER, TUNING, TEST)
    result = pair_trials(earlier, tuning)
    setting = best(pd.DataFrame(result), "boosting")
    own = measured(impersonal(test)["personal frequency"], test)
    for name, make in {
        "boosting": pointwise.behaviour_features,
        "boosting with text": all_features,
    }.items():
        scores = pair_scores("boosting", tuning, make(tuning), test, make(test), *setting)
        run = measured(scores, test)
        result += rows(name, run) + contrast(f"{name} − frequency", run, own)
        progress(name)
    return result


def all_features(part: Split) -> np.ndarray:
    """Behaviour and text features of all pairs, (U, I, 14)."""
    return np.concatenate([pointwise.behaviour_features(part), text_features(part)], axis=-1)


def trained(recipe: Recipe, part: Split, seeds=ENCODER_SEEDS) -> dict[str, np.ndarray]:
    """Metrics of an encoder trained on a split's past, averaged over the seeds."""
    models = (encoders.fit(recipe, part, seed) for seed in seeds)
    return averaged([measured(encoders.scores(model, part), part) for model in models])


def encoder_trials(found) -> pd.DataFrame:
    """The rows of the encoders' tuning among those (a frame) of the part "encoders"."""
    tried = found[found["method"].str.startswith(TRIED)]
    return tried.assign(method=tried["method"].str.removeprefix(TRIED))


def tuned_recipe(kind: str, tried: pd.DataFrame) -> Recipe:
    """An encoder with its best learning rate, and all epochs."""
    (rate,) = best(tried, kind)
    return Recipe(kind, rate=rate, epochs=EPOCHS)


def encoder_part(shop) -> list[dict]:
    """Four encoders, tuned with an equal budget, and what a prior, a hierarchy and a task add."""
    tuning, test = splits(shop, TUNING, TEST)
    result = []
    for kind in KINDS:
        result += trials(
            kind,
            lambda kind, rate: trained(
                Recipe(kind, rate=rate, epochs=TUNING_EPOCHS), tuning, ENCODER_SEEDS[:1]
            ),
        )
    result = [row | {"method": TRIED + row["method"]} for row in result]
    tried = encoder_trials(pd.DataFrame(result))
    dense = tuned_recipe("dense", tried)
    recipes = {kind: tuned_recipe(kind, tried) for kind in KINDS} | {
        "dense with rule": variant(dense, prior=True),
        "dense with hierarchy": variant(dense, hierarchy=True),
    }
    runs = {}
    for name, recipe in recipes.items():
        runs[name] = trained(recipe, test)
        result += rows(name, runs[name])
        progress(name)
    for name in list(recipes)[len(KINDS) :]:
        result += contrast(f"{name} − dense", runs[name], runs["dense"])
    models = [encoders.fit(variant(dense, heads=2), test, seed) for seed in ENCODER_SEEDS]
    joint = averaged([measured(encoders.scores(m, test), test) for m in models])
    deal_main = averaged([measured(encoders.scores(m, test), test, deal=True) for m in models])
    deal_own = averaged([measured(encoders.scores(m, test, 1), test, deal=True) for m in models])
    result += rows("two tasks", joint) + contrast("two tasks − dense", joint, runs["dense"])
    result += contrast("deals: own head − item head", deal_own, deal_main)
    plain = {name: measured(scores, test) for name, scores in impersonal(test).items()}
    for name, run in runs.items():
        result += contrast(f"{name} − popularity", run, plain["popularity, 4 weeks"])
        result += contrast(f"{name} − frequency", run, plain["personal frequency"])
    for i, first in enumerate(KINDS):
        for second in KINDS[i + 1 :]:
            result += contrast(f"{first} − {second}", runs[first], runs[second])
    return result


def households_by_place(test: Split, seed: int):
    """Target households (a random third), 100 of them with known next baskets, and the rest."""
    order = np.random.default_rng(seed).permutation(len(test.households))
    third = len(order) // 3
    return order[third:], order[:LABELLED], order[LABELLED:third]


def adapted(start: str, test: Split, seed: int, labelled_epochs=60) -> dict[str, np.ndarray]:
    """Metrics of unlabelled target households after a start and training on 100 labelled ones.

    `start` is "scratch", "hierarchy" (the same, with embeddings shared along the product
    hierarchy), "self-supervised" (unordered baskets of the other households) or "transfer" (their
    next baskets).
    """
    if start not in STARTS:
        raise ValueError(f"no start {start!r}; choose from {', '.join(STARTS)}")
    source, labelled, rest = households_by_place(test, seed)
    recipe = variant(ADAPTED, hierarchy=start == "hierarchy")
    model = encoders.build(recipe, test.only(labelled), seed)
    if start == "self-supervised":
        encoders.self_supervised(model, test.only(source), seed, 3)
    elif start == "transfer":
        encoders.train(model, test, seed, households=source)
    encoders.train(model, test, seed, households=labelled, epochs=labelled_epochs)
    held = test.only(rest)
    return measured(encoders.scores(model, held), held)


def adaptation_part(shop) -> list[dict]:
    """A hierarchy, self-supervised pre-training and transfer against a start from scratch."""
    (test,) = splits(shop, TEST)
    result, runs = [], {}
    for start in STARTS:
        runs[start] = joined([adapted(start, test, seed) for seed in SEEDS])
        result += rows(start, runs[start])
        progress(start)
    rest = [test.only(households_by_place(test, seed)[2]) for seed in SEEDS]
    common = joined([measured(popularity(test, RECENT_WEEKS), part) for part in rest])
    result += rows("popularity", common)
    for start in STARTS[1:]:
        result += contrast(f"{start} − scratch", runs[start], runs["scratch"])
        result += contrast(f"{start} − popularity", runs[start], common)
    return result


def joined(runs: list[dict]) -> dict[str, np.ndarray]:
    """Metrics of the households of several divisions, one after the other."""
    return {metric: np.concatenate([run[metric] for run in runs]) for metric in METRICS}


PARTS = {
    "tuning": (tuning_part, (0,)),
    "products": (products_part, (0,)),
    "pairs": (pairs_part, (0,)),
    "adaptation": (adaptation_part, SEEDS),
    "encoders": (encoder_part, ENCODER_SEEDS),
}


def progress(text: str) -> None:
    """Say on the terminal what is done."""
    print(f"  {text}", flush=True)


def main(names) -> None:
    """Run the named parts, or all, and write their results."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise SystemExit(f"no part {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    torch.set_num_threads(1)
    shop = complete_journey.load()
    for name in names or PARTS:
        print(name, flush=True)
        part, seeds = PARTS[name]
        record = {
            "command": f"{COMMAND} {name}",
            "commit": commit(),
            "device": "cpu, one thread",
            "seeds": list(seeds),
            "simulated": False,
            "rows": part(shop),
        }
        path = root() / "data" / "results" / "03_recommender" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
