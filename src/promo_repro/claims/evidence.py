"""Evidence: what was printed, what a computation gives, and whether the two agree.

A status is only as good as its evidence, so each constructor below (`confirmed`, `refuted`, ...)
checks its own rule and raises `EvidenceError` when the computation says otherwise.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STATUSES = ("confirmed", "corrected", "conditional", "refuted", "ill-posed", "untestable")


class EvidenceError(ValueError):
    """The evidence does not carry the status that it is given for."""


@dataclass(frozen=True)
class Prediction:
    """What a statement predicts about a quantity: an interval, its ends excluded or not."""

    low: float
    high: float
    text: str
    closed: bool = False

    def holds(self, value: Any) -> bool:
        values = np.asarray(value, dtype=float)
        if self.closed:
            return bool(np.all((self.low <= values) & (values <= self.high)))
        return bool(np.all((self.low < values) & (values < self.high)))


def above(bound: float) -> Prediction:
    """The statement predicts a value (every element, for an array) greater than `bound`."""
    return Prediction(bound, math.inf, f"> {bound:g}")


def below(bound: float) -> Prediction:
    """The statement predicts a value (every element, for an array) less than `bound`."""
    return Prediction(-math.inf, bound, f"< {bound:g}")


def between(low: float, high: float) -> Prediction:
    """The statement predicts a value from `low` to `high`, both included."""
    return Prediction(low, high, f"{low:g} to {high:g}", closed=True)


@dataclass(frozen=True)
class Computed:
    """A value together with the call that produced it."""

    function: Callable
    arguments: inspect.BoundArguments
    value: Any

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def describe(self) -> str:
        """The call as a reader would write it, large arguments abbreviated."""
        shown = ", ".join(f"{k}={_short(v)}" for k, v in self.arguments.arguments.items())
        return f"{self.function.__name__}({shown})"

    def perturbed(self):
        """Yield the results of the same call with one numeric argument changed at a time."""
        for name, argument in self.arguments.arguments.items():
            for changed in _changed(argument):
                arguments = inspect.BoundArguments(
                    self.arguments.signature, {**self.arguments.arguments, name: changed}
                )
                try:
                    yield self.function(*arguments.args, **arguments.kwargs)
                except (ValueError, ArithmeticError, LookupError, TypeError):
                    continue  # an input outside the function's domain says nothing


def computed(function: Callable, *args: Any, **kwargs: Any) -> Computed:
    """Call `function` and keep the value with the call: the only way to give derived evidence.

    The function has to be a tested one: defined at the top level of a `promo_repro` module and
    taking at least one argument. Anything else, a number typed into the notebook or a lambda
    wrapped around one, raises `EvidenceError`.
    """
    name = getattr(function, "__qualname__", "")
    module = getattr(function, "__module__", None) or ""
    if not callable(function):
        raise EvidenceError(
            f"computed() takes a function and its arguments, not the value {function!r}: "
            "derived evidence must come out of a call"
        )
    if module.split(".")[0] != "promo_repro" or "<" in name:
        raise EvidenceError(
            f"{module}.{name} is not a module-level function of promo_repro; "
            "move it into the room it belongs to and test it there"
        )
    arguments = inspect.signature(function).bind(*args, **kwargs)
    if not arguments.arguments:
        raise EvidenceError(f"{name}() was given no input, so its result could never differ")
    return Computed(function, arguments, function(*args, **kwargs))


@dataclass(frozen=True)
class Evidence:
    """The status that the evidence carries, and the record that goes into the book."""

    status: str
    record: dict[str, Any] = field(default_factory=dict)


def confirmed(
    printed: Any,
    derived: Computed,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    contrast: Computed | None = None,
) -> Evidence:
    """The statement holds as printed: `derived` agrees with `printed` within the tolerance.

    `printed` is a value or a `Prediction`. `contrast` is the same function on inputs for which
    the statement is false. Without it the function is called again with numeric inputs changed,
    to see that the check is able to fail; give a contrast where that cannot show it, or where
    the function is slow.
    """
    _require_computed(derived)
    if not agrees(printed, derived.value, rtol, atol):
        raise EvidenceError(
            f"not confirmed: {derived.describe()} gives {_short(derived.value)}, "
            f"printed is {_show(printed)} (rtol={rtol:g}, atol={atol:g})"
        )
    fails = _can_change(printed, derived, rtol, atol, contrast)
    return Evidence("confirmed", _record(printed, derived, rtol, atol) | {"sensitive": fails})


def refuted(
    printed: Any,
    derived: Computed,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    contrast: Computed | None = None,
) -> Evidence:
    """The statement does not hold: `derived` differs from `printed` by more than the tolerance."""
    _require_computed(derived)
    if agrees(printed, derived.value, rtol, atol):
        raise EvidenceError(
            f"not refuted: {derived.describe()} gives {_short(derived.value)}, "
            f"which agrees with printed {_show(printed)} (rtol={rtol:g}, atol={atol:g})"
        )
    fails = _can_change(printed, derived, rtol, atol, contrast)
    return Evidence("refuted", _record(printed, derived, rtol, atol) | {"sensitive": fails})


def corrected(
    printed: Any,
    derived: Computed,
    *,
    right: str,
    checked_by: Computed,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Evidence:
    """Wrong as printed; `right` says what is right, and an independent call gives the same.

    `derived` must differ from `printed` and agree with `checked_by`, which has to come from
    another function than `derived`.
    """
    _require_computed(derived, checked_by)
    if not right.strip():
        raise EvidenceError("corrected() needs the right statement in words or LaTeX")
    if checked_by.function is derived.function:
        raise EvidenceError(f"{derived.name} cannot check itself; give an independent function")
    if agrees(printed, derived.value, rtol, atol):
        raise EvidenceError(
            f"nothing to correct: {derived.describe()} gives {_short(derived.value)}, "
            f"which agrees with printed {_show(printed)}"
        )
    if not agrees(derived.value, checked_by.value, max(rtol, 1e-9), max(atol, 1e-12)):
        raise EvidenceError(
            f"the correction is not checked: {derived.describe()} gives {_short(derived.value)}, "
            f"{checked_by.describe()} gives {_short(checked_by.value)}"
        )
    record = _record(printed, derived, rtol, atol)
    return Evidence("corrected", record | {"right": right, "checked_by": _call(checked_by)})


def conditional(
    *,
    holds: tuple[Any, Computed],
    fails: tuple[Any, Computed],
    condition: str,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Evidence:
    """The statement holds under `condition` only: one case agrees, another does not.

    `holds` and `fails` are pairs (printed or predicted, computed).
    """
    _require_computed(holds[1], fails[1])
    if not condition.strip():
        raise EvidenceError("conditional() needs the condition in words")
    if not agrees(*_pair(holds), rtol, atol):
        raise EvidenceError(f"the case that should hold does not: {_case(holds)}")
    if agrees(*_pair(fails), rtol, atol):
        raise EvidenceError(f"the case that should fail holds: {_case(fails)}")
    record = _record(*holds, rtol, atol)
    return Evidence(
        "conditional", record | {"condition": condition, "fails": _record(*fails, rtol, atol)}
    )


def ill_posed(
    readings: Mapping[str, Computed],
    *,
    printed: Any,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Evidence:
    """The statement cannot be evaluated as printed; every sensible reading is evaluated.

    At least two readings are needed, they must not all give the same value, and they must not
    all agree with `printed`: otherwise the statement is clear enough to be judged.
    """
    _require_computed(*readings.values())
    values = [reading.value for reading in readings.values()]
    if len(values) < 2 or all(agrees(values[0], v, max(rtol, 1e-9), atol) for v in values[1:]):
        raise EvidenceError("ill_posed() needs at least two readings that give different values")
    if all(agrees(printed, value, rtol, atol) for value in values):
        raise EvidenceError("every reading agrees with what is printed: it is not ill-posed")
    record = {
        "printed": _show(printed),
        "rtol": rtol,
        "atol": atol,
        "derived": {text: _jsonable(reading.value) for text, reading in readings.items()},
        "readings": [
            {
                "reading": text,
                **_call(reading),
                "agrees": agrees(printed, reading.value, rtol, atol),
            }
            for text, reading in readings.items()
        ],
    }
    return Evidence("ill-posed", record)


def untestable(*, needs: str) -> Evidence:
    """No evidence can be had here; `needs` names the data or experiment that would decide it."""
    if not needs.strip():
        raise EvidenceError("untestable() needs the data or experiment that would decide it")
    return Evidence("untestable", {"needs": needs, "printed": None, "derived": None})


def agrees(printed: Any, value: Any, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Whether a derived value is what is printed or predicted, within `atol + rtol·|printed|`.

    Dictionaries must have the same keys; texts and truth values must be equal; NaN never agrees.
    """
    if isinstance(printed, Prediction):
        return printed.holds(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(printed, Mapping) or isinstance(value, Mapping):
        return (
            isinstance(printed, Mapping)
            and isinstance(value, Mapping)
            and set(printed) == set(value)
            and all(agrees(printed[k], value[k], rtol, atol) for k in printed)
        )
    if isinstance(printed, str | bool | None) or isinstance(value, str | bool | None):
        return type(printed) is type(value) and printed == value
    try:
        a, b = np.asarray(printed, dtype=float), np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return bool(printed == value)
    return a.shape == b.shape and bool(np.all(np.abs(b - a) <= atol + rtol * np.abs(a)))


def _can_change(printed, derived: Computed, rtol, atol, contrast: Computed | None) -> str:
    """Say by what the evidence is able to fail; raise when nothing shows that it is."""
    outcome = agrees(printed, derived.value, rtol, atol)
    if contrast is not None:
        _require_computed(contrast)
        if contrast.function is not derived.function:
            raise EvidenceError("the contrast must be a call of the same function as derived")
        if agrees(printed, contrast.value, rtol, atol) == outcome:
            raise EvidenceError(
                f"the contrast {contrast.describe()} gives {_short(contrast.value)}, "
                "which leads to the same conclusion: it shows nothing"
            )
        return f"contrast {contrast.describe()} gives {_short(contrast.value)}"
    if not outcome and not isinstance(printed, Prediction):
        # No change of the inputs need ever hit the one printed value; that it moves is enough.
        if any(not agrees(derived.value, value, rtol, atol) for value in derived.perturbed()):
            return "changed inputs change the derived value"
    elif any(agrees(printed, value, rtol, atol) != outcome for value in derived.perturbed()):
        return "changed inputs change the conclusion"
    raise EvidenceError(
        f"no change of the inputs of {derived.describe()} changes the conclusion, so this check "
        "cannot fail; give a contrast: the same function where the statement is false"
    )


def _changed(argument: Any):
    """Variants of one argument that a sound check should be able to notice."""
    if isinstance(argument, bool | str | None):
        return
    if isinstance(argument, int | np.integer):
        yield from (argument + 1, argument - 1, argument * 10)
    elif isinstance(argument, float | np.floating):
        yield from (argument * 1.5 + 0.01, argument * 0.5 - 0.01, -argument)
    elif isinstance(argument, list | tuple) and argument:
        for changed in _changed(argument[0]):
            yield type(argument)([changed, *argument[1:]])
        yield argument[::-1]
    elif isinstance(argument, np.ndarray) and argument.size and argument.dtype.kind in "iuf":
        first = argument.copy()
        first.flat[0] = first.flat[0] * 2 + 1
        yield from (first, argument[::-1], argument + 1, argument * 0.5)


def _require_computed(*values: Any) -> None:
    for value in values:
        if not isinstance(value, Computed):
            raise EvidenceError(
                f"derived evidence must be computed(function, ...), not the literal {value!r}"
            )


def _pair(case: tuple[Any, Computed]) -> tuple[Any, Any]:
    return case[0], case[1].value


def _case(case: tuple[Any, Computed]) -> str:
    return f"{case[1].describe()} gives {_short(case[1].value)}, expected {_show(case[0])}"


def _call(result: Computed) -> dict[str, Any]:
    return {
        "function": result.name,
        "call": result.describe(),
        "derived": _jsonable(result.value),
    }


def _record(printed: Any, derived: Computed, rtol: float, atol: float) -> dict[str, Any]:
    return {"printed": _show(printed), **_call(derived), "rtol": rtol, "atol": atol}


def _show(printed: Any) -> Any:
    return printed.text if isinstance(printed, Prediction) else _jsonable(printed)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def _short(value: Any) -> str:
    """A value in at most about 60 characters."""
    shape = getattr(value, "shape", None)
    if shape:
        size = "×".join(map(str, shape))
        if math.prod(shape) > 8:
            return f"<{type(value).__name__} {size}>"
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and len(value) <= 8:
        inner = ", ".join(map(_short, value))
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, Mapping) and len(value) <= 6:
        return "{" + ", ".join(f"{k}: {_short(v)}" for k, v in value.items()) + "}"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    text = repr(value)
    return text if len(text) <= 60 else f"<{type(value).__name__}>"
