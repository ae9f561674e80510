"""The long runs of chapter 09: `python -m promo_repro.agents.dqn_runs [part ...]`.

Each part writes `data/results/09_dqn/<part>.json`; without an argument all parts run.
"""

import json
import sys
from dataclasses import replace

import torch

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
PLAN = Plan(steps=800, every=50, epsilon=(1.0, 0.05), fade=0.4)
PART_PLAN = replace(PLAN, steps=500)
BRIEF = replace(PLAN, steps=300)
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


def learning() -> dict:
    """What ten seeds learn on the published worlds, and what tests of the same size find."""
    dormant, memoryless = worlds.dormant(), worlds.memoryless()
    rows, curves = [], {}
    for world, plan in ((dormant, PLAN), (memoryless, BRIEF)):
        learned = learn(world, plan, agents=AGENTS)
        rows.append(row("DQN", world.name, learned.shares[-1]))
        curves[world.name] = {
            "transitions": learned.transitions.tolist(),
            "shares": learned.shares.round(6).tolist(),
        }
        for kind in TESTS:
            found = tested_shares(world, plan.steps * USERS, kind, range(AGENTS))
            rows.append(row(f"{kind}, from a test", world.name, found))
        for name, policy in world.standard_policies().items():
            rows.append(exact(name, world.name, share(world, policy)))
        rows.append(exact("oracle", world.name, share(world, world.optimal_policy)))
        if world is dormant:
            agent = learned.agent

    for name, between in (("between the known types", True), ("beyond the known types", False)):
        others = newcomers(dormant, between)
        rows.append(row("DQN", f"customers {name}", shares_elsewhere(agent, others, dormant)))
        for kind in ("myopic", "none"):
            value = share(others, others.standard_policies()[kind])
            rows.append(exact(kind, f"customers {name}", value))

    market = changed(dormant, "reversed")
    rows.append(row("kept", market.name, shares_elsewhere(agent, market, dormant)))
    for method, start, first in (("incremental", agent, 0.2), ("from scratch", None, 1.0)):
        plan = replace(BRIEF, epsilon=(first, 0.05))
        again = learn(market, plan, agents=AGENTS, start=start, seed=1)
        for weeks, shares in zip(again.transitions, again.shares, strict=True):
            rows.append(row(method, f"{market.name}, {weeks} transitions", shares))
    return {"rows": rows, "curves": curves}


def parts() -> dict:
    """What is lost when one part of the algorithm is left out."""
    dormant = worlds.dormant()
    rows = []
    for name, (options, plan, setting) in PARTS.items():
        learned = learn(
            dormant, replace(PART_PLAN, **plan), agents=PART_AGENTS, **setting, **options
        )
        rows.append(row(name, "final", learned.shares[-1]))
    return {"rows": rows}


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
