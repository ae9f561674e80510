"""Which files of the package a piece of code imports, directly or through others.

The answer is static: it is read from the source, nothing is imported. Imports whose name is only
known at run time are invisible here; the executor adds those from what the kernel really loaded.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def imported_names(code: str, package: str = "") -> Iterator[str]:
    """Yield the dotted names that `code` may import, relative imports resolved.

    `package` is the dotted name of the package that the code belongs to (empty for a notebook).
    `from a.b import c` yields both `a.b` and `a.b.c`, because `c` may be a module. Raises
    `SyntaxError` when the code does not parse.
    """
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    anchor = parents[: len(parents) - node.level + 1]
    return ".".join([*anchor, *filter(None, [node.module])])


def closure(names: Iterable[str], src: Path, package: str) -> set[Path]:
    """Return the files under `src` that importing `names` loads from `package`.

    Importing `a.b.c` runs `a/__init__.py` and `a/b/__init__.py` as well, so they belong to the
    answer. Names outside `package` and names that are no module are passed over. Raises
    `ValueError` when a file does not parse.
    """
    found: set[Path] = set()
    pending = list(names)
    while pending:
        parts = pending.pop().split(".")
        if parts[0] != package:
            continue
        for depth in range(1, len(parts) + 1):
            path = _module_file(src, parts[:depth])
            if path is None or path in found:
                continue
            found.add(path)
            inside = parts[:depth] if path.name == "__init__.py" else parts[: depth - 1]
            try:
                pending += imported_names(path.read_text(encoding="utf-8"), ".".join(inside))
            except SyntaxError as error:
                raise ValueError(f"{path.name}, line {error.lineno}: {error.msg}") from error
    return found


def _module_file(src: Path, parts: list[str]) -> Path | None:
    base = src.joinpath(*parts)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None
