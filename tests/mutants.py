"""Mutation test of the formulas: does a wrong formula make a test fail?

cosmic-ray changes one operator, number or comparison at a time in the body of every function that
is registered with `@formula`, and only there. The tests of a formula in `room/module.py` are those
in `tests/room/test_module.py`. A mutant that no test notices is a survivor; known survivors, with
the reason why they are harmless, stand in `tests/mutants.yml`.

Each mutant lives in a copy of the sources below `_build/`, so an interrupted run leaves the project
as it was. It is tested in a process forked from this one, which has the libraries loaded already.
"""

import argparse
import ast
import contextlib
import gc
import inspect
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before NumPy is loaded

import hypothesis.strategies  # noqa: F401, loaded once for all tests
import pytest
import yaml
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db

from promo_repro.claims import formulas
from promo_repro.project import root

SCORE = 0.90
SECONDS_PER_MUTANT = 120
# cosmic-ray replaces an operator by every other one. Bit shifts of floats and the like die of a
# TypeError whatever the tests are worth, so only replacements that a slip could make are tried.
SLIPS = re.compile(
    r"core/(NumberReplacer|AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr"
    r"|ReplaceOrWithAnd|ReplaceBreakWithContinue|ReplaceContinueWithBreak|ZeroIterationForLoop"
    r"|ReplaceUnaryOperator_(Delete_\w+|USub_UAdd)"
    r"|ReplaceBinaryOperator_(Add_Sub|Add_Mul|Sub_Add|Sub_Mul|Mul_Add|Mul_Div|Div_Mul|Div_Sub"
    r"|Pow_Mul|FloorDiv_Div|Mod_FloorDiv|BitAnd_BitOr|BitOr_BitAnd)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE"
    r"|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is))"
)


def body_lines(function) -> range:
    """Line numbers of the body of a function, without decorators, signature and docstring."""
    source, first = inspect.getsourcelines(function)
    body = ast.parse(textwrap.dedent("".join(source))).body[0].body
    has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    start = body[1 if has_docstring and len(body) > 1 else 0].lineno
    return range(first + start - 1, first + len(source))


def mutations_of(functions: set, work: Path) -> list:
    """All mutations of the bodies of `functions`, as cosmic-ray describes them."""
    ranges: dict[Path, list[range]] = {}
    for function in functions:
        ranges.setdefault(Path(inspect.getsourcefile(function)), []).append(body_lines(function))
    with use_db(work / "session.sqlite", WorkDB.Mode.create) as database:
        init(sorted(ranges), database, {})
        found = [mutation for item in database.work_items for mutation in item.mutations]
    return [
        m
        for m in found
        if any(m.start_pos[0] in lines for lines in ranges[m.module_path])
        and SLIPS.fullmatch(m.operator_name)
    ]


def tests_of(module: Path) -> Path:
    room, name = module.parts[-2:]
    return root() / "tests" / room / f"test_{name}"


class NamesakesFirst:
    """Pytest plugin: tests that name a function run first, as they notice its mutants soonest."""

    def __init__(self, function: str):
        self.function = function

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.function not in inspect.getsource(item.function))


def passes(tests: Path, sources: Path, log: Path, function: str = "") -> bool:
    """Run one file of tests against the package in `sources`, in a process forked for it."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    code = 1
    try:
        signal.alarm(SECONDS_PER_MUTANT)  # an endless loop ends here, and counts as noticed
        for name in [name for name in sys.modules if name.split(".")[0] == "promo_repro"]:
            del sys.modules[name]
        sys.path.insert(0, str(sources))
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(log.with_suffix(".examples"))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not real_data and not built"]
        # Libraries that this process has loaded come without pytest's rewritten assertions.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        with log.open("w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = pytest.main([*options, str(tests)], plugins=[NamesakesFirst(function)])
    finally:
        os._exit(int(code))


def try_original(module: Path) -> bool:
    """Whether the tests of a module pass as it stands: only then do they tell about mutants."""
    log = root() / "_build" / "mutants" / f"{module.parent.name}-{module.stem}.txt"
    return passes(tests_of(module), root() / "src", log)


def try_mutant(task) -> tuple[bool, str, str]:
    """Test one mutant: (noticed, place, what was changed)."""
    number, mutation, work = task
    relative = mutation.module_path.relative_to(root() / "src")
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    original = mutation.module_path.read_text(encoding="utf-8")
    mutated = mutate_code(original, operator, mutation.occurrence)
    line = mutation.start_pos[0] - 1
    before, after = original.splitlines()[line], mutated.splitlines()[line]
    change = f"- {before.strip()}\n+ {after.strip()}"

    copy = work / f"mutant-{number}"
    shutil.copytree(root() / "src" / "promo_repro", copy / "promo_repro")
    (copy / relative).write_text(mutated, encoding="utf-8")
    tests, function = tests_of(mutation.module_path), mutation.definition_name
    survived = passes(tests, copy, copy / "log.txt", function)
    shutil.rmtree(copy)
    return not survived, f"{relative}:{line + 1}", change


def known_survivors() -> dict[str, str]:
    """What a survivor changes → why no test can or need notice it."""
    entries = yaml.safe_load((root() / "tests" / "mutants.yml").read_text(encoding="utf-8")) or []
    return {entry["change"].strip(): entry["reason"] for entry in entries}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="how many mutants; 0 means all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="part of the module path, such as bandits/")
    options = parser.parse_args()

    functions = {f for f in formulas().values() if options.only in inspect.getsourcefile(f)}
    work = root() / "_build" / "mutants"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    mutations = mutations_of(functions, work)
    total = len(mutations)
    if options.sample and options.sample < total:
        mutations = random.Random(0).sample(mutations, options.sample)
    print(f"{len(functions)} formula functions, {total} mutants, {len(mutations)} are tried")

    started = time.monotonic()
    modules = sorted({m.module_path for m in mutations})
    tasks = [(number, mutation, work) for number, mutation in enumerate(mutations)]
    # Frozen, since pytest collects garbage at its end and need not walk through the libraries.
    with multiprocessing.get_context("fork").Pool(options.jobs, initializer=gc.freeze) as pool:
        for module, unharmed in zip(modules, pool.map(try_original, modules, 1), strict=True):
            if not unharmed:
                print(f"{tests_of(module).relative_to(root())} fails or is missing; mend it first")
                return 1
        results = pool.map(try_mutant, tasks, chunksize=1)
    shutil.rmtree(work)

    reasons = known_survivors()
    survivors = sorted((place, change) for noticed, place, change in results if not noticed)
    for (place, change), count in sorted(Counter(survivors).items()):
        reason = reasons.get(change, "NOT EXPLAINED")
        print(f"\nsurvivor {place} ({count}): {reason}\n{textwrap.indent(change, '  ')}")
    unexplained = sum(change not in reasons for _, change in survivors)
    score = 1 - len(survivors) / len(results)
    print(
        f"\n{len(results) - len(survivors)} of {len(results)} mutants were noticed ({score:.1%}, "
        f"at least {SCORE:.0%} is asked), {unexplained} survivors without a reason, "
        f"{time.monotonic() - started:.0f} s"
    )
    return int(score < SCORE or unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
