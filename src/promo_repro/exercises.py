"""Self-checking exercises: `check(id, answer)` says right, or gives the hint that fits.

Each room registers its exercises with `@exercise`; the answer is computed when it is asked for
and so never stands in the book.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from promo_repro.claims.evidence import agrees

MIME = "application/vnd.promo-repro.check+json"


@dataclass(frozen=True)
class Exercise:
    """One exercise: how long it takes, how to compute its answer, and what goes wrong often."""

    id: str
    minutes: int
    answer: Callable[[], Any]
    wrong: Mapping[str, Callable[[], Any]]
    hint: str
    rtol: float


@dataclass(frozen=True)
class Checked:
    """The outcome of one check; a notebook displays it as text."""

    id: str
    passed: bool | None
    message: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        state = {True: "right", False: "wrong", None: "open"}[self.passed]
        return {
            "text/plain": self.message,
            "text/html": f'<p class="check check-{state}">{escape(self.message)}</p>',
            MIME: {"id": self.id, "passed": self.passed},
        }


_EXERCISES: dict[str, Exercise] = {}


def exercise(
    id: str,
    *,
    minutes: int,
    hint: str,
    wrong: Mapping[str, Callable[[], Any]] | None = None,
    rtol: float = 1e-6,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a function that computes the answer of exercise `id`, such as `"07-1"`.

    `minutes` is the time a reader should plan, `hint` is shown for a wrong answer, and `wrong`
    maps a more telling hint to a function computing the answer of that typical mistake. An answer
    is right within the relative tolerance `rtol`. Raises `ValueError` if the id is taken.
    """

    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        if id in _EXERCISES and _EXERCISES[id].answer.__qualname__ != function.__qualname__:
            raise ValueError(f"exercise {id} is already registered")
        _EXERCISES[id] = Exercise(id, minutes, function, dict(wrong or {}), hint, rtol)
        return function

    return register


def exercises(rooms: Iterable[str] | None = None) -> dict[str, Exercise]:
    """Return the exercises of the book by id: of all rooms, or of the `rooms` named."""
    import promo_repro

    if rooms is None:
        rooms = [room.name for room in iter_modules(promo_repro.__path__, "promo_repro.")]
    for name in rooms:
        _register(name)
    return dict(sorted(_EXERCISES.items()))


def check(id: str, answer: Any) -> Checked:
    """Check an answer: `None` means not answered yet. Raises `ValueError` for an unknown id."""
    if id not in _EXERCISES:
        # The rooms that the chapter uses come first, so that it does not depend on all others.
        loaded = [name for name in sys.modules if name.count(".") == 1]
        if id not in exercises(loaded) and id not in exercises():
            known = ", ".join(sorted(_EXERCISES))
            raise ValueError(f"unknown exercise {id!r}; known are {known}")
    asked = _EXERCISES[id]
    if answer is None:
        return Checked(id, None, f"Exercise {id}: not answered yet ({asked.minutes} minutes).")
    if agrees(asked.answer(), answer, asked.rtol, 1e-12):
        return Checked(id, True, f"Exercise {id}: right.")
    for hint, mistake in asked.wrong.items():
        if agrees(mistake(), answer, asked.rtol, 1e-12):
            return Checked(id, False, f"Exercise {id}: not yet. {hint}")
    return Checked(id, False, f"Exercise {id}: not yet. {asked.hint}")


def _register(room: str) -> None:
    """Import the `exercises` module of a room, if `room` is a package that has one."""
    if room.startswith("promo_repro.") and find_spec(room).submodule_search_locations:
        try:
            import_module(f"{room}.exercises")
        except ModuleNotFoundError as error:
            if error.name != f"{room}.exercises":
                raise
