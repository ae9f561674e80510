"""The process that runs one chapter: papermill, and nothing else.

Called by the executor as `python -m promo_repro.book.worker JOB`, with standard input kept open
for as long as the executor lives. A process of its own per chapter gives each its environment,
its own peak memory, and something to end when the time is up.
"""

import json
import os
import resource
import sys
import threading
from pathlib import Path

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError


def run(job: dict) -> str | None:
    """Execute `job["source"]` into `job["target"]`; return what went wrong, or nothing."""
    try:
        papermill.execute_notebook(
            job["source"],
            job["target"],
            job["parameters"],
            kernel_name="python3",
            language="python",
            cwd=os.getcwd(),
            progress_bar=False,
            autosave_cell_every=0,
            coalesce_streams=True,
        )
    except PapermillExecutionError as error:
        return _one_line(error.ename, error.evalue)
    except DeadKernelError:
        return "the kernel died (out of memory, or ended from outside)"
    except Exception as error:
        return _one_line(type(error).__name__, str(error))
    return None


def _one_line(kind: str, text: str) -> str:
    lines = text.strip().splitlines() or [""]
    note = " (warnings are errors in the book)" if kind.endswith("Warning") else ""
    return f"{kind}: {lines[0].strip()}{note}"


def _leave_with_the_executor() -> None:
    sys.stdin.read()
    os._exit(1)  # the kernel notices that its parent is gone, and leaves too


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    threading.Thread(target=_leave_with_the_executor, daemon=True).start()
    error = run(job)
    # The largest of the processes that this one has waited for: the kernel. Kibibytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1024**2 if sys.platform == "darwin" else 1024
    result = {"error": error, "peak_memory_mb": round(peak / unit)}
    Path(job["result"]).write_text(json.dumps(result), encoding="utf-8")
    os._exit(0)  # the thread above would still be waiting for standard input


if __name__ == "__main__":
    main()
