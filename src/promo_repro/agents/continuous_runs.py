"""The long runs of chapter 10: `python -m promo_repro.agents.continuous_runs [part ...]`.

Each part writes `data/results/10_ddpg/<part>.json`; without an argument all parts run.
"""

import json
import sys
from collections.abc import Callable

import numpy as np
import torch

from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.agents.continuous_learning import (
    KINDS,
    USERS,
    Learned,
    forgetful,
    learn,
)
from promo_repro.agents.dqn_studies import interval
from promo_repro.project import commit, root

AGENTS = 10
CASE = TwoProducts()


def row(method: str, metric: str, values) -> dict:
    """One row of a result: the mean over seeds with its 95 % interval, and the worst seed."""
    value, low, high = interval(values)
    return {
        "method": method,
        "metric": metric,
        "value": value,
        "lo": low,
        "hi": high,
        "n": len(values),
        "worst": float(np.min(values)),
    }


def curve(learned: Learned) -> dict:
    return {
        "interactions": learned.interactions.tolist(),
        "shares": learned.shares.round(6).tolist(),
    }


def learning() -> dict:
    """Ten agents of each kind with memory and without."""
    rows, curves = [], {}
    for name, case in (("memory", CASE), ("no memory", forgetful(CASE))):
        for kind in KINDS:
            learned = learn(kind, case, agents=AGENTS)
            rows.append(row(kind, name, learned.shares[-1]))
            curves[f"{kind}, {name}"] = curve(learned)
            print(kind, name, learned.shares[-1].round(4), flush=True)
    return {"rows": rows, "curves": curves}


def rewards() -> dict:
    """DDPG told to earn purchases, and one DDPG for each product as the article prints."""
    rows = []
    best = CASE.value(CASE.best, "purchase")
    for name, options in {
        "purchase": {"reward": "purchase"},
        "profit, separate agents": {"separate": True},
    }.items():
        learned = learn("DDPG", CASE, agents=AGENTS, **options)
        rows.append(row("DDPG", f"reward {name}: profit", learned.shares[-1]))
        bought = CASE.value(learned.policy, "purchase") / best
        rows.append(row("DDPG", f"reward {name}: purchases", bought))
        print(name, learned.shares[-1].round(4), bought.round(3), flush=True)
    return {"rows": rows}


RUNS: dict[str, Callable[[], dict]] = {"learning": learning, "rewards": rewards}


def record(command: str, seeds: int, found: dict) -> dict:
    return {
        "command": command,
        "commit": commit(),
        "device": "cpu, one thread",
        "seeds": list(range(seeds)),
        "users": USERS,
        "simulated": True,
        **found,
    }


def write(name: str, found: dict) -> None:
    folder = root() / "data" / "results" / "10_ddpg"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def main(names) -> None:
    torch.set_num_threads(1)
    for name in names or RUNS:
        command = f"python -m promo_repro.agents.continuous_runs {name}"
        write(name, record(command, AGENTS, RUNS[name]()))


if __name__ == "__main__":
    main(sys.argv[1:])
