"""Numbers in prose: written by the computation, never typed."""

from typing import Any

from IPython.display import display

MIME = "application/papermill.record/"


def number(name: str, value: Any, spec: str = "") -> None:
    """Make a computed value quotable in the text of the same notebook.

    `spec` is a format specification such as `","` or `".2f"`. The text cites the result as
    ``{glue:text}`name` ``. Nothing is shown in the notebook.
    """
    text = format(value.item() if hasattr(value, "item") else value, spec)
    # The record that myst-nb's `glue` writes; writing it here keeps Sphinx out of the kernel.
    display(
        {f"{MIME}text/plain": repr(text)},
        metadata={"scrapbook": {"name": name, "mime_prefix": MIME}},
        raw=True,
    )
