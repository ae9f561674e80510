"""The built book in a real browser with the network cut, opened from the disk.

Needs a built book (`make book`) and a Chromium: `/usr/bin/chromium`, or the one that the
environment variable CHROMIUM names. Without either, the tests say so and are skipped.
"""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml

from promo_repro.project import root

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

ROOT = root()
SITE = ROOT / "_build" / "html"
PAGES = sorted(
    page.relative_to(SITE).as_posix()
    for page in SITE.rglob("*.html")
    if "_static" not in page.parts and page.name not in {"index.html"}
)
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
# What a browser would otherwise do on its own: updates, sync, a sandbox that root cannot have.
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic", "--disable-gpu",
]  # fmt: skip
READABLE = 4.5  # WCAG AA, for text of normal size

CONTRAST = """
elements => elements.filter(e => e.textContent.trim()).map(element => {
  const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let background = [255, 255, 255];
  for (let e = element; e; e = e.parentElement) {
    const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0.5) { background = c; break; }
  }
  const a = luminance(channels(getComputedStyle(element).color)), b = luminance(background);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return [ratio, element.className + ': ' + element.textContent.trim().slice(0, 40)];
})
"""


@pytest.fixture(scope="module")
def browser():
    if not PAGES:
        pytest.skip(f"no built book in {SITE}; run: make book")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not executable or not Path(executable).exists():
        pytest.skip("no Chromium; install Debian's chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def opened(browser, name, theme="light"):
    """A page of the book in a window of its own, with a list of its `problems`."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    context.set_offline(True)
    context.add_init_script(
        f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:", "blob:"))
            else page.problems.append(f"asks the network: {request.url}")
        ),
    )
    page.on(
        "console",
        lambda message: (
            page.problems.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    page.goto(f"{SITE.as_uri()}/{name}", wait_until="load")
    return page


@pytest.fixture
def book(browser):
    """Open a page of the book: `book("intro.html", theme="dark")`."""
    pages = []

    def open_page(name, theme="light"):
        pages.append(opened(browser, name, theme))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()


@pytest.fixture(scope="module", params=CHAPTERS or ["no chapter"])
def chapter(browser, request):
    """A chapter, opened once for the tests that leave it as it is."""
    page = opened(browser, request.param)
    page.name = request.param
    yield page
    page.context.close()


def typeset(page):
    """Wait until MathJax, where the page loads it, has finished."""
    page.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise")


def read(name) -> str:
    return (SITE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES or ["no page"])
def test_page(book, name, theme):
    """Opens without error, maths typeset, text and badges readable, nothing cut off on a phone."""
    page = book(name, theme=theme)
    typeset(page)
    assert page.problems == []
    assert page.locator("html").get_attribute("data-theme") == theme
    assert_typeset(page, expected="\\(" in read(name) or "\\[" in read(name))
    texts = "article p, article li, article td, article th, article dd, article figcaption"
    ratios = page.eval_on_selector_all(f"{texts}, .verdict-badge, .claim-because", CONTRAST)
    assert [(round(ratio, 2), what) for ratio, what in ratios if ratio < READABLE] == []
    if name in CHAPTERS:
        assert_figures(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 391


def assert_typeset(page, expected: bool):
    """Assert that no delimiter of a formula is left; in code it is meant literally."""
    assert (page.locator("mjx-container").count() > 0) == expected
    assert page.locator("mjx-merror").count() == 0
    left = page.evaluate(
        "() => { const copy = (document.querySelector('article') || document.body).cloneNode(true);"
        "copy.querySelectorAll('pre, code, script, mjx-container').forEach(e => e.remove());"
        "return copy.textContent }"
    )
    assert re.findall(r"\\[(\[].{0,40}", left) == []


def assert_figures(page):
    """Assert that each figure is loaded, shown in its own colours and described."""
    images = page.eval_on_selector_all(
        "article img",
        "images => images.map(i => [i.naturalWidth, i.getBoundingClientRect().width,"
        "getComputedStyle(i).filter, i.alt])",
    )
    assert images
    for natural, shown, css_filter, alt in images:
        assert natural > 0
        assert shown > 50
        assert css_filter == "none"
        assert len(alt) > 10


def test_the_theme_button_toggles(book):
    page = book("intro.html")
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.locator("html").get_attribute("data-theme"))
    assert seen == {"light", "dark"}


def test_search_finds_terms_of_chapters_pages_and_claims(book):
    for word, where in (("softmax", "07_bandits"), ("propensity", "glossary"), ("byline", "D1")):
        page = book(f"search.html?q={word}")
        page.wait_for_selector("#search-results li a")
        found = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
        assert any(where in link for link in found), (word, found)
        assert page.problems == []


def test_a_hover_tip_shows_a_term(chapter):
    typeset(chapter)
    term = chapter.locator("article a.reference.internal[href*='glossary.html#term-']").first
    term.hover()
    chapter.wait_for_selector(".tippy-box .tippy-content")
    assert len(chapter.locator(".tippy-box").inner_text()) > 20
    assert chapter.problems == []


def test_the_download_is_a_notebook(chapter):
    link = chapter.locator("a.btn-download-source-button").first.get_attribute("href")
    path = (SITE / chapter.name).parent / link
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert any(cell.cell_type == "code" and cell.outputs for cell in notebook.cells)


def test_launch_and_edit_links_name_files_of_the_repository(chapter):
    links = chapter.eval_on_selector_all(
        ".article-header-buttons a[href^='https://']", "links => links.map(a => a.href)"
    )
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    branch, slug = settings["branch"], settings["url"].removeprefix("https://github.com/")
    patterns = (
        rf"mybinder\.org/v2/gh/{slug}/{branch}\?urlpath=lab/tree/(.+)",
        rf"colab\.research\.google\.com/github/{slug}/blob/{branch}/(.+)",
        rf"github\.com/{slug}/edit/{branch}/(.+)",
    )
    for pattern in patterns:
        files = [match[1] for link in links if (match := re.search(pattern, link))]
        assert files, (pattern, links)
        assert all((ROOT / file).is_file() for file in files)


def test_the_claims_table_filters_by_keyboard_and_by_link(book):
    page = book("generated/scorecard.html")
    visible = page.locator(".claims-table tbody tr:visible")
    total = page.locator(".claims-table tbody tr").count()
    assert visible.count() == total
    page.locator("#claims-search").focus()
    page.keyboard.type("softmax")
    found = visible.count()
    assert 0 < found < total
    assert page.locator(".claims-table-count").inner_text().startswith(f"{found} of ")
    page.keyboard.press("Tab")
    page.keyboard.type("D3")
    assert visible.count() < found
    page.get_by_role("button", name="Show all").press("Enter")
    assert visible.count() == total
    assert page.problems == []

    linked = book("generated/scorecard.html?document=D2&verdict=open#claims-table")
    rows = linked.locator(".claims-table tbody tr:visible")
    assert rows.count() > 0
    assert set(rows.evaluate_all("rows => rows.map(r => r.dataset.document)")) == {"D2"}
    assert set(rows.evaluate_all("rows => rows.map(r => r.dataset.verdict)")) == {"open"}


def test_a_verdict_leads_to_the_card_that_decided_it(book):
    page = book("generated/scorecard.html")
    link = page.locator(".claims-table td a").first
    claim = page.locator(".claims-table tr:has(td a) th a").first.inner_text()
    link.click()
    page.wait_for_url(f"**#verdict-{claim}")
    card = page.locator(f".verdict:has(#verdict-{claim})")
    assert claim in card.inner_text()
    assert card.locator(".verdict-badge").is_visible()
