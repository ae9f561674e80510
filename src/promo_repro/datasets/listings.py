"""What the articles' data-loading listings do when they are run, shown on the smallest pieces.

The pieces are our own: they keep the shape of a listing (which names are bound, which are
returned) and none of its text.
"""

import ast
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from promo_repro.claims import formula


@formula("D2-L04", "D2-L07")
def outcome(body: Sequence[str], returned: Sequence[str]) -> str:
    """Define a function with these lines as body that returns these names, and call it.

    Returns "returned", or the name of the exception that the call raises. Lines that are
    comments bind nothing.
    """
    lines = [*body, f"return {', '.join(returned)}"]
    source = "def listing():\n" + "\n".join(f"    {line}" for line in lines)
    names: dict = {}
    exec(source, names)
    try:
        names["listing"]()
    except Exception as error:  # whatever it is, its name is the answer
        return type(error).__name__
    return "returned"


@formula("D2-L06")
def statements(source: str) -> int:
    """Return how many top-level statements a piece of code has; comments are none."""
    return len(ast.parse(source).body)


@formula("D2-L05")
def importable(names: Sequence[str]) -> int:
    """Return how many of the names ("module" or "module:attribute") can be imported."""
    count = 0
    for name in names:
        module, _, attribute = name.partition(":")
        try:
            loaded = import_module(module)
        except ImportError:
            continue
        count += not attribute or hasattr(loaded, attribute)
    return count


@formula("D3-L20")
def read_outcome(name: str, files: Mapping[str, str]) -> str:
    """Read a CSV file by its bare name in a folder that holds just these files (name → text).

    Returns "returned", or the name of the exception.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (Path(folder) / file).write_text(text)
        try:
            pd.read_csv(Path(folder) / name)
        except Exception as error:
            return type(error).__name__
    return "returned"
