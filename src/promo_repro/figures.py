"""House style of the figures: readable in light and dark, safe for the colour-blind, described.

Importing this module sets matplotlib's style.
"""

import io

import matplotlib as mpl
from IPython.display import display
from matplotlib import pyplot as plt

# Four colours of Okabe and Ito (2008), an ochre and a grey: distinguishable under the common forms
# of colour blindness, and each with a contrast of at least 3:1 on a white and on a dark page.
palette = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#7A7A7A")
INK = "#7A7A7A"  # mid-grey: readable on a white and on a near-black page

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.prop_cycle": mpl.cycler(color=palette),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "figure.figsize": (7.2, 3.6),
    "font.size": 10,
    "grid.alpha": 0.3,
    "grid.color": INK,
    "legend.framealpha": 0.0,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "svg.fonttype": "path",
    # Without a fixed salt the same figure would have other ids in every build.
    "svg.hashsalt": "promo_repro",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
mpl.rcParams.update(STYLE)


def svg(figure: plt.Figure) -> str:
    """Return the figure as SVG text, identical for identical figures, and close it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def show(figure: plt.Figure, *, name: str, caption: str, alt: str) -> None:
    """Display a figure with its reference name, its caption and its alt text.

    `alt` says in a sentence what is seen; the build puts it, the caption and the name on the
    figure of the page. Raises `ValueError` when one of the three is empty.
    """
    for what, text in (("name", name), ("caption", caption), ("alt", alt)):
        if not text.strip():
            raise ValueError(f"figure {name!r} needs {what}: it is what a reader gets instead")
    metadata = {"image/svg+xml": {"name": name, "caption": caption, "alt": alt}}
    bundle = {"image/svg+xml": svg(figure), "text/plain": f"{caption} [{alt}]"}
    display(bundle, metadata=metadata, raw=True)
