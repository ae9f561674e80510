"""A number is written by the computation and quoted by name."""

import numpy as np
import pytest

from promo_repro import prose


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(1439203, ",", "1,439,203"), (np.float64(0.12345), ".2f", "0.12"), (np.int64(7), "", "7")],
)
def test_the_record_is_that_of_glue(monkeypatch, value, spec, text):
    shown = []
    monkeypatch.setattr(
        prose, "display", lambda data, metadata, raw: shown.append((data, metadata))
    )
    prose.number("n", value, spec)
    from myst_nb.ext.glue import extract_glue_data_cell
    from nbformat import NotebookNode

    data, metadata = shown[0]
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    cell = NotebookNode(outputs=[NotebookNode(output)])
    ((name, glued),) = extract_glue_data_cell(cell)
    assert name == "n"
    assert glued["data"]["text/plain"] == repr(text)
