"""Lint of the built HTML: what a reader without network, or without sight, would stumble over."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag

from promo_repro.book.plain import myst_leaks

ASSETS = (("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"))
# A canonical or licence link is an address, not something that the browser loads.
NOT_LOADED = {"canonical", "license", "author", "search", "index", "next", "prev"}
FILE_NAME = re.compile(r"\.(?:png|svg|jpe?g|gif|webp)$", re.IGNORECASE)
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|^\w*(?:Error|Exception): ", re.MULTILINE
)
REMOTE_CSS = re.compile(r"(?:@import\s+|url\()\s*['\"]?((?:https?:)?//[^'\")\s]+)")
# Placeholders that the build has to replace.
RUN_TIME = "<!-- run-time -->"


@dataclass(frozen=True, order=True)
class Problem:
    """One finding: the page, the rule that it breaks, and what breaks it."""

    page: str
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.page}: {self.rule}: {self.what}"


def lint(site: Path) -> list[Problem]:
    """Return every problem of the site built in the folder `site`, sorted.

    Raises `FileNotFoundError` when there is no built page: nothing to lint is not a pass.
    """
    pages = [p for p in sorted(site.rglob("*.html")) if not _is_template(p, site)]
    if not pages:
        raise FileNotFoundError(f"{site} holds no built page; build the book first")
    soups = {page: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser") for page in pages}
    anchors = cache(lambda page: _anchors(soups[page]) if page in soups else None)
    problems = [
        Problem(page.relative_to(site).as_posix(), rule, what)
        for page, soup in soups.items()
        for check in (_remote_assets, _figures, _placeholders, _errors, _duplicate_ids)
        for rule, what in check(soup, page.relative_to(site).as_posix())
    ]
    problems += [
        Problem(page.relative_to(site).as_posix(), rule, what)
        for page, soup in soups.items()
        for rule, what in _links(soup, page, site, anchors)
    ]
    for style in sorted(site.rglob("*.css")):
        for url in REMOTE_CSS.findall(style.read_text(encoding="utf-8", errors="replace")):
            problems.append(Problem(style.relative_to(site).as_posix(), "remote asset", url))
    for notebook in sorted(site.rglob("*.ipynb")):
        name = notebook.relative_to(site).as_posix()
        problems += [Problem(name, rule, what) for rule, what in _download(notebook)]
    return sorted(set(problems))


def _is_template(page: Path, site: Path) -> bool:
    """Whether a file is one that the theme copies along, not a page."""
    return "_static" in page.relative_to(site).parts


def _remote_assets(soup: BeautifulSoup, page: str) -> Iterator[tuple[str, str]]:
    for tag, attribute in ASSETS:
        for element in soup.find_all(tag):
            url = element.get(attribute) or ""
            loaded = tag != "link" or not NOT_LOADED & set(element.get("rel") or [])
            if loaded and re.match(r"(?:https?:)?//", url):
                yield "remote asset", url
    for style in soup.find_all("style"):
        for url in REMOTE_CSS.findall(style.text):
            yield "remote asset", url


def _links(soup: BeautifulSoup, page: Path, site: Path, anchors) -> Iterator[tuple[str, str]]:
    """Yield local links and assets whose file or anchor does not exist."""
    elements = [(e, a) for tag, a in (*ASSETS, ("a", "href")) for e in soup.find_all(tag)]
    for element, attribute in elements:
        url = element.get(attribute) or ""
        parts = urlsplit(url)
        if not url or parts.scheme or parts.netloc or url == "#":
            continue
        path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if path.is_dir():
            path = path / "index.html"
        if not path.is_relative_to(site.resolve()) and not path.is_relative_to(site):
            yield "link out of the site", url
        elif not path.exists():
            yield "missing file" if element.name != "a" else "broken link", url
        elif parts.fragment and path.suffix == ".html":
            known = anchors(page if path == page else site / path.relative_to(site.resolve()))
            if known is not None and unquote(parts.fragment) not in known:
                yield "broken link", url


def _anchors(soup: BeautifulSoup) -> set[str]:
    return {e["id"] for e in soup.find_all(id=True)} | {
        e["name"] for e in soup.find_all("a", {"name": True})
    }


def _duplicate_ids(soup: BeautifulSoup, page: str) -> Iterator[tuple[str, str]]:
    """Yield anchors of claims given twice: a link to them would be ambiguous."""
    seen = set()
    for element in soup.find_all(id=re.compile(r"^(?:verdict-)?D\d-")):
        if element["id"] in seen:
            yield "anchor given twice", element["id"]
        seen.add(element["id"])


def _figures(soup: BeautifulSoup, page: str) -> Iterator[tuple[str, str]]:
    article = soup.find("article") or soup
    for image in article.find_all("img"):
        alt, source = (image.get("alt") or "").strip(), image.get("src", "")
        if not alt:
            yield "figure without alt text", source
        elif FILE_NAME.search(alt) or alt in source:
            yield "alt text is a file name", alt
        if page.startswith("chapters/") and not _caption(image):
            yield "figure without caption", source
    for drawing in article.find_all("svg", recursive=True):
        if drawing.find_parent(class_="cell_output") and not drawing.get("aria-label"):
            yield "figure without alt text", "inline <svg>"


def _caption(image: Tag) -> str:
    figure = image.find_parent("figure")
    caption = figure.find("figcaption") if figure else None
    text = caption.find(class_="caption-text") if caption else None
    return text.text.strip() if text else ""


def _placeholders(soup: BeautifulSoup, page: str) -> Iterator[tuple[str, str]]:
    if RUN_TIME in str(soup.find("article") or soup):
        yield "unresolved placeholder", RUN_TIME


def _errors(soup: BeautifulSoup, page: str) -> Iterator[tuple[str, str]]:
    """Yield error output of cells and system messages of Sphinx."""
    for output in soup.select(".cell_output .output"):
        if match := TRACEBACK.search(output.text):
            yield "error in output", match[0].strip()
    for message in soup.select(".system-message, .cell_output .traceback, .output.stderr"):
        yield "error in output", " ".join(message.text.split())[:80]


def _download(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a notebook offered for download."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # any of several libraries' errors: the file is unusable
        yield "invalid notebook", str(error).splitlines()[0]
        return
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for leak in myst_leaks(cell.source):
                yield "MyST in a download", f"cell {cell.get('id', '?')}: {leak}"
            if RUN_TIME in cell.source:
                yield "unresolved placeholder", f"cell {cell.get('id', '?')}"
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield "error in output", f"cell {cell.get('id', '?')}: {output.ename}"
