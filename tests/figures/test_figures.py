"""Figures are described, reproducible, and readable on a light and on a dark page."""

import itertools

import pytest
from matplotlib import pyplot as plt

from promo_repro import figures
from promo_repro.figures import INK, palette, show, svg

PAGES = ("#ffffff", "#14181e")


def figure():
    fig, ax = plt.subplots()
    ax.plot([0, 1], [1, 0])
    return fig


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("colour", "page"), list(itertools.product((*palette, INK), PAGES)))
def test_contrast_is_at_least_three_to_one(colour, page):
    dark, light = sorted((luminance(colour), luminance(page)))
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_a_figure_is_the_same_twice():
    assert svg(figure()) == svg(figure())


def test_name_caption_and_alt_travel_with_the_picture(monkeypatch):
    shown = []
    monkeypatch.setattr(
        figures, "display", lambda data, raw, metadata: shown.append((data, metadata))
    )
    show(figure(), name="fig-99-line", caption="A line.", alt="A line falls.")
    data, metadata = shown[0]
    assert data["image/svg+xml"].lstrip().startswith("<?xml")
    assert metadata["image/svg+xml"] == {
        "name": "fig-99-line",
        "caption": "A line.",
        "alt": "A line falls.",
    }


@pytest.mark.parametrize("missing", ["name", "caption", "alt"])
def test_each_of_the_three_is_needed(missing):
    texts = {"name": "n", "caption": "c", "alt": "a", missing: " "}
    with pytest.raises(ValueError, match=f"needs {missing}"):
        show(figure(), **texts)
    plt.close("all")
