"""What the README says was found, written from the built book.

Run as `python -m promo_repro.book.readme`.
"""

import re
from pathlib import Path

import nbformat

from promo_repro.book import pages
from promo_repro.claims import collect, inventory
from promo_repro.project import root

BLOCK = re.compile(r"(<!-- found -->\n).*?(<!-- /found -->)", re.DOTALL)


def found(project: Path) -> str:
    """Return the verdict counts and each chapter's question and answer, as Markdown.

    Read from the executed chapters and from the downloads of the built book, in which every
    number is filled in.
    """
    scorecard = collect(project / "book" / "chapters", inventory())
    downloads = project / "_build" / "html" / "_sources" / "chapters"
    paragraphs = [pages.summary(scorecard)]
    for path in sorted(downloads.glob("*.ipynb")):
        heading, _, text = nbformat.read(path, as_version=4).cells[0].source.partition("\n")
        title = heading.lstrip("# ")
        stop = "" if title.endswith("?") else "."
        paragraphs.append(f"**{title}{stop}** {' '.join(text.split())}\n")
    return "\n".join(paragraphs)


def update(project: Path) -> bool:
    """Fill the block of README.md; return whether it changed."""
    path = project / "README.md"
    text = path.read_text(encoding="utf-8")
    filled = BLOCK.sub(lambda match: match[1] + found(project) + match[2], text)
    path.write_text(filled, encoding="utf-8")
    return filled != text


if __name__ == "__main__":
    print("README.md was updated" if update(root()) else "README.md is up to date")
