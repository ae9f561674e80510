"""The long runs of chapter 03: `python -m promo_repro.recommender.full [part ...]`.

Each part writes `data/results/03_recommender/<part>.json`; without an argument all parts run.
"""

import json
import subprocess
import sys

import numpy as np
import torch

from promo_repro.datasets import complete_journey
from promo_repro.project import root
from promo_repro.recommender import encoders, pointwise
from promo_repro.recommender.baselines import decay, ease, frequency, item_knn
from promo_repro.recommender.content import text_features
from promo_repro.recommender.encoders import KINDS, Recipe, variant
from promo_repro.recommender.factorisation import als, confidence
from promo_repro.recommender.metrics import measured, paired_interval
from promo_repro.recommender.protocol import TEST, TUNING, Split, popularity, purchases, split

METRICS = ("recall", "ndcg", "novel_recall", "novel_ndcg")
RATES = (3e-3, 1e-2)
SEEDS = (0, 1, 2)
ENCODER_SEEDS = (0, 1)
TUNING_EPOCHS, EPOCHS = 4, 16
LABELLED = 100
COMMAND = "python -m promo_repro.recommender.full"


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


def trained(recipe: Recipe, part: Split, seeds=ENCODER_SEEDS) -> dict[str, np.ndarray]:
    """Metrics of an encoder trained on a split's past, averaged over the seeds."""
    models = (encoders.fit(recipe, part, seed) for seed in seeds)
    return averaged([measured(encoders.scores(model, part), part) for model in models])


def tuning_part(test: Split, tuning: Split) -> list[dict]:
    """Every setting of the classical methods, measured on the earlier window only."""
    counts = tuning.history
    logs = counts.log1p()
    recent = popularity(tuning, 4)
    trials = {"frequency": frequency(counts, recent)}
    for half_life in (4, 8, 16, 26):
        weights = decay(tuning.cut - tuning.week, half_life)
        trials[f"decayed frequency, half-life {half_life}"] = frequency(
            tuning.weighted(weights), recent
        )
    for neighbours in (50, 200, 800, 1_600):
        trials[f"item-kNN, {neighbours} neighbours"] = item_knn(logs, neighbours)
    for regularisation in (0.1, 1, 10, 100, 1_000):
        trials[f"EASE, λ = {regularisation}"] = ease(logs, regularisation)
    for factors in (16, 32):
        for alpha in (0.1, 0.5):
            for regularisation in (3.0, 30.0, 100.0, 300.0):
                c = confidence(counts, alpha)
                found = als(c, factors, regularisation, 8, torch.Generator().manual_seed(0))
                name = f"ALS, f = {factors}, α = {alpha:g}, λ = {regularisation:g}"
                trials[name] = (found.users @ found.items.T).numpy()
    return [row for name, scores in trials.items() for row in rows(name, measured(scores, tuning))]


def encoder_part(test: Split, tuning: Split) -> list[dict]:
    """Four encoders at equal tuning budget, and what a prior, a hierarchy and a task add."""
    result, runs, base = [], {}, {}
    for kind in KINDS:
        recipes = [Recipe(kind, rate=rate, epochs=TUNING_EPOCHS) for rate in RATES]
        trials = [trained(recipe, tuning, ENCODER_SEEDS[:1]) for recipe in recipes]
        for recipe, trial in zip(recipes, trials, strict=True):
            result += rows(f"tuning: {kind}, rate {recipe.rate:g}", trial)
        best = recipes[int(np.argmax([np.nanmean(trial["ndcg"]) for trial in trials]))]
        base[kind] = variant(best, epochs=EPOCHS)
        runs[kind] = trained(base[kind], test)
        result += rows(kind, runs[kind])
        progress(kind)
    for name, changes in {
        "dense with rule": {"prior": True},
        "dense with hierarchy": {"hierarchy": True},
    }.items():
        runs[name] = trained(variant(base["dense"], **changes), test)
        result += rows(name, runs[name]) + contrast(f"{name} − dense", runs[name], runs["dense"])
        progress(name)
    models = [encoders.fit(variant(base["dense"], heads=2), test, seed) for seed in ENCODER_SEEDS]
    joint = averaged([measured(encoders.scores(m, test), test) for m in models])
    deal_main = averaged([measured(encoders.scores(m, test), test, deal=True) for m in models])
    deal_own = averaged([measured(encoders.scores(m, test, 1), test, deal=True) for m in models])
    result += rows("two tasks", joint) + contrast("two tasks − dense", joint, runs["dense"])
    result += contrast("deals: own head − item head", deal_own, deal_main)
    own = measured(frequency(test.history, popularity(test, 4)), test)
    common = measured(popularity(test, 4), test)
    for name, run in runs.items():
        result += contrast(f"{name} − popularity", run, common)
        result += contrast(f"{name} − frequency", run, own)
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

    `start` is "scratch", "self-supervised" (unordered baskets of the other households) or
    "transfer" (their next baskets).
    """
    source, labelled, rest = households_by_place(test, seed)
    recipe = Recipe("dense", rate=RATES[1], epochs=6)
    model = encoders.build(recipe, test.only(labelled), seed)
    if start == "self-supervised":
        encoders.self_supervised(model, test.only(source), seed, 3)
    elif start == "transfer":
        encoders.train(model, test, seed, households=source)
    elif start != "scratch":
        raise ValueError(f"no start {start!r}; choose scratch, self-supervised or transfer")
    encoders.train(model, test, seed, households=labelled, epochs=labelled_epochs)
    held = test.only(rest)
    return measured(encoders.scores(model, held), held)


def adaptation_part(test: Split, tuning: Split) -> list[dict]:
    """Self-supervised pre-training and transfer against a start from scratch."""
    result, runs = [], {}
    for start in ("scratch", "self-supervised", "transfer"):
        trials = [adapted(start, test, s) for s in SEEDS]
        runs[start] = {m: np.concatenate([trial[m] for trial in trials]) for m in METRICS}
        result += rows(start, runs[start])
        progress(start)
    common = [
        measured(popularity(test, 4), test.only(households_by_place(test, s)[2])) for s in SEEDS
    ]
    common = {m: np.concatenate([trial[m] for trial in common]) for m in METRICS}
    result += rows("popularity", common)
    for start in ("self-supervised", "transfer"):
        result += contrast(f"{start} − scratch", runs[start], runs["scratch"])
        result += contrast(f"{start} − popularity", runs[start], common)
    return result


def boosting_part(test: Split, tuning: Split) -> list[dict]:
    """Gradient-boosted trees on the behaviour features, and with the descriptions added."""
    features = {"boosting": pointwise.behaviour_features}
    features["boosting with text"] = lambda s: np.concatenate(
        [pointwise.behaviour_features(s), text_features(s)], axis=-1
    )
    own = measured(frequency(test.history, popularity(test, 4)), test)
    result = []
    for name, make in features.items():
        pairs = pointwise.training_pairs(tuning, np.random.default_rng(0))
        score = pointwise.boosted(make(tuning)[pairs.rows, pairs.columns], pairs.labels)
        run = measured(score(make(test)), test)
        result += rows(name, run) + contrast(f"{name} − frequency", run, own)
        progress(name)
    return result


PARTS = {
    "tuning": (tuning_part, (0,)),
    "boosting": (boosting_part, (0,)),
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
    bought = purchases(shop.transactions, shop.products)
    test, tuning = split(bought, **TEST), split(bought, **TUNING)
    for name in names or PARTS:
        print(name, flush=True)
        part, seeds = PARTS[name]
        record = {
            "command": f"{COMMAND} {name}",
            "commit": _commit(),
            "device": "cpu, one thread",
            "seeds": list(seeds),
            "simulated": False,
            "rows": part(test, tuning),
        }
        path = root() / "data" / "results" / "03_recommender" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _commit() -> str:
    command = ["git", "-C", str(root()), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main(sys.argv[1:])
