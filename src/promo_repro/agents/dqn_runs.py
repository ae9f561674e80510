"""The long runs of chapter 09: `python -m promo_repro.agents.dqn_runs [part ...]`.

Each part writes `data/results/09_dqn/<part>.json`; without an argument all parts run. Seeds run in
`JOBS` processes of one thread each.
"""

import json
import os
import sys
from dataclasses import replace

import numpy as np
import torch
from joblib import Parallel, delayed

from promo_repro.agents.dqn import Plan
from promo_repro.agents.dqn_studies import (
    USERS,
    OneCoin,
    changed,
    interval,
    learn,
    newcomers,
    share,
    shares_elsewhere,
    tested_shares,
)
from promo_repro.project import commit, root
from promo_repro.simulator import worlds

AGENTS, PART_AGENTS = 10, 4
PLAN = Plan(steps=1_600, every=50, epsilon=(1.0, 0.05), fade=0.2, capacity=500_000)
PART_PLAN = replace(PLAN, steps=500, fade=0.4)
BRIEF = replace(PLAN, steps=300, fade=0.4)
JOBS = int(os.environ.get("JOBS", "2"))
TESTS = ("uniform", "segment-best", "myopic")
# One thing changed at a time: options of the agents, of the plan, and of `learn`.
PARTS = {
    "complete": ({}, {}, {}),
    "targets from the online network": ({"tau": 1.0}, {}, {}),
    "only last week's transitions": ({}, {"capacity": USERS, "warmup": 1}, {}),
    "Huber loss on dollars": ({}, {}, {"scale": 1.0}),
    "one coin for all users": ({}, {}, {"kind": OneCoin}),
    "no discounted future": ({"discount": 0.0}, {}, {}),
}


def others(world) -> dict:
    """Customers whom the agents have not met."""
    return {
        "customers between the known types": newcomers(world, True),
        "customers beyond the known types": newcomers(world, False),
    }


def row(method: str, metric: str, values) -> dict:
    """One row of a result: the mean over seeds with its 95 % interval."""
    value, low, high = interval(values)
    return {
        "method": method,
        "metric": metric,
        "value": value,
        "lo": low,
        "hi": high,
        "n": len(values),
    }


def exact(method: str, metric: str, value: float) -> dict:
    """One row of a number that is computed, not estimated."""
    return {"method": method, "metric": metric, "value": value, "lo": value, "hi": value, "n": 1}


def one_seed(seed: int) -> dict:
    """What one agent learns on the published worlds, elsewhere, and after a change; shares."""
    torch.set_num_threads(1)
    dormant, memoryless = worlds.dormant(), worlds.memoryless()
    market = changed(dormant, "reversed")
    learned = learn(dormant, PLAN, seed=seed)
    restarted = {
        "incremental": learn(
            market, replace(BRIEF, epsilon=(0.2, 0.05)), seed=seed, start=learned.agent
        ),
        "from scratch": learn(market, BRIEF, seed=seed),
    }
    return {
        "dormant": learned.shares[:, 0],
        "memoryless": learn(memoryless, BRIEF, seed=seed).shares[:, 0],
        **{how: again.shares[:, 0] for how, again in restarted.items()},
        **{
            name: shares_elsewhere(learned.agent, world, dormant)
            for name, world in others(dormant).items()
        },
        "kept": shares_elsewhere(learned.agent, market, dormant),
    }


def learning() -> dict:
    """What ten seeds learn, and what tests of the same size find."""
    found = Parallel(n_jobs=JOBS)(delayed(one_seed)(seed) for seed in range(AGENTS))
    runs = {name: np.stack([each[name] for each in found], axis=1).squeeze() for name in found[0]}
    rows = []
    for world, plan in ((worlds.dormant(), PLAN), (worlds.memoryless(), BRIEF)):
        rows.append(row("DQN", world.name, runs[world.name][-1]))
        for kind in TESTS:
            tested = tested_shares(world, plan.steps * USERS, kind, range(AGENTS))
            rows.append(row(f"{kind}, from a test", world.name, tested))
        for name, policy in world.standard_policies().items():
            rows.append(exact(name, world.name, share(world, policy)))
        rows.append(exact("oracle", world.name, share(world, world.optimal_policy)))
    for name, world in others(worlds.dormant()).items():
        rows.append(row("DQN", name, runs[name]))
        for kind in ("myopic", "none"):
            rows.append(exact(kind, name, share(world, world.standard_policies()[kind])))
    rows.append(row("kept", "reversed", runs["kept"]))
    for how in ("incremental", "from scratch"):
        for k, shares in enumerate(runs[how], 1):
            rows.append(row(how, f"reversed, {k * BRIEF.every * USERS} transitions", shares))
    marks = (np.arange(1, len(runs["dormant"]) + 1) * PLAN.every * USERS).tolist()
    curves = {
        name: {"transitions": marks[: len(runs[name])], "shares": runs[name].round(6).tolist()}
        for name in ("dormant", "memoryless")
    }
    return {"rows": rows, "curves": curves}


def one_part(name: str):
    """Final shares of the agents with one part changed."""
    torch.set_num_threads(1)
    options, plan, setting = PARTS[name]
    plan = replace(PART_PLAN, **plan)
    return learn(worlds.dormant(), plan, agents=PART_AGENTS, **setting, **options).shares[-1]


def parts() -> dict:
    """What is lost when one part of the algorithm is left out."""
    found = Parallel(n_jobs=JOBS)(delayed(one_part)(name) for name in PARTS)
    return {"rows": [row(name, "final", each) for name, each in zip(PARTS, found, strict=True)]}


RUNS = {"learning": learning, "parts": parts}


def main(names) -> None:
    torch.set_num_threads(1)
    folder = root() / "data" / "results" / "09_dqn"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or RUNS:
        record = {
            "command": f"python -m promo_repro.agents.dqn_runs {name}",
            "commit": commit(),
            "device": "cpu, one thread",
            "seeds": list(range(AGENTS if name == "learning" else PART_AGENTS)),
            "simulated": True,
            **RUNS[name](),
        }
        (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
