"""Benchmarks against peers, no part of the tests: `make bench` runs `python -m tests.benchmarks`.

One thread for both sides: this has to be set before NumPy is loaded, so here.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
