"""Which function is which formula."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules, walk_packages

ROOF = ("promo_repro.cli", "promo_repro.book")

_FORMULAS: dict[str, Callable] = {}


def formula(*ids: str) -> Callable[[Callable], Callable]:
    """Register a function as the one place where these claim or equation ids are computed.

    The function itself is returned unchanged. Raises `ValueError` when an id is missing, or
    already belongs to another function: a formula lives in exactly one function.
    """
    if not ids:
        raise ValueError("formula() needs at least one claim or equation id")

    def register(function: Callable) -> Callable:
        for name in ids:
            other = _FORMULAS.get(name, function)
            if _address(other) != _address(function):
                raise ValueError(
                    f"{name} is already computed by {_address(other)}; "
                    f"{_address(function)} cannot be a second one"
                )
        _FORMULAS.update(dict.fromkeys(ids, function))
        return function

    return register


def formulas() -> dict[str, Callable]:
    """Return every registered formula of the module: claim or equation id → function.

    All rooms are imported first, except the roof (`cli`, `book`), which computes no formula.
    """
    import promo_repro

    for room in iter_modules(promo_repro.__path__, "promo_repro."):
        if room.name in ROOF:
            continue
        package = import_module(room.name)
        for module in walk_packages(getattr(package, "__path__", ()), f"{room.name}."):
            import_module(module.name)
    return dict(sorted(_FORMULAS.items()))


def _address(function: Callable) -> str:
    return f"{function.__module__}.{function.__qualname__}"
