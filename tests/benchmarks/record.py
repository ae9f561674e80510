"""What every benchmark shares: CPU seconds, the row of a result, and the record that holds rows.

A benchmark is a file `bench_<room>.py` whose `run()` yields one line per task and ends with
`yield write("<room>", rows, seeds)`.
"""

import json
import time
from importlib.metadata import version
from statistics import median

from promo_repro.project import commit, root


def seconds(task, calls=1):
    """CPU seconds of one call of `task`, mean over `calls`, and what the last call returned."""
    start = time.process_time()
    for _ in range(calls):
        result = task()
    return (time.process_time() - start) / calls, result


def take_turns(own, peer, repeats, calls=1):
    """Warm both sides up and time them in turn: what each returned, and pairs of CPU seconds."""
    mine, theirs = own(), peer()
    turns = [(seconds(own, calls)[0], seconds(peer, calls)[0]) for _ in range(repeats)]
    return mine, theirs, turns


def row(task, size, peer, turns, **more):
    """Return one row: CPU seconds of both sides, and how many times faster ours is.

    `turns` holds a pair of CPU seconds, ours and the peer's, for each turn that the two sides took
    one after the other; `peer` is the name of the installed package.
    """
    own, other = zip(*turns, strict=True)
    ratios = [theirs / ours for ours, theirs in turns]
    return {
        "task": task,
        "size": size,
        "threads": 1,
        "peer": peer,
        "peer_version": version(peer),
        "own_cpu_s": median(own),
        "peer_cpu_s": median(other),
        "ratio_median": median(ratios),
        "ratio_min": min(ratios),
        "repeats": len(turns),
        **more,
    }


def told(found):
    """Return a row as one line of text."""
    own, other = (_in_units(found[side]) for side in ("own_cpu_s", "peer_cpu_s"))
    return (
        f"{found['task']}, {found['size']}: {own} against {other} of {found['peer']}, "
        f"{found['ratio_median']:,.2f} times as fast (least {found['ratio_min']:,.2f})"
    )


def _in_units(value):
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def write(room, rows, seeds, **more):
    """Write the record `data/results/bench/<room>.json` and return a line that says so."""
    record = {
        "command": "make bench",
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": list(seeds),
        "simulated": True,
        "numpy_version": version("numpy"),
        **more,
        "rows": rows,
    }
    path = root() / "data" / "results" / "bench" / f"{room}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    return f"written: {path.relative_to(root())}"
