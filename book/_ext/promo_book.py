"""Sphinx glue of this book: what Jupyter Book does not do for its layout."""

import re
from pathlib import Path

import nbformat
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as TocTreeCollector
from sphinxcontrib.bibtex.directives import BibliographyDirective

from promo_repro.book.plain import Citation, References, Target, plain_markdown

CHAPTER = re.compile(r"chapters/(\d\d)_")


def add_vendored_files(app, config):
    """Copy the vendored scripts.

    Appended now, after Jupyter Book has listed every script of `_static` for every page: these
    are loaded only by what asks for them.
    """
    config.html_static_path.append("_vendor")


def number_chapters_by_file():
    """Number a chapter by its file name, so that 07 is chapter 7 also while 02-06 are unwritten."""
    assign = TocTreeCollector.assign_section_numbers

    def assign_then_renumber(self, env):
        changed = assign(self, env)
        for docname, numbers in env.toc_secnumbers.items():
            if match := CHAPTER.match(docname):
                renumber(env, docname, numbers, int(match[1]))
        return changed

    TocTreeCollector.assign_section_numbers = assign_then_renumber


def renumber(env, docname, numbers, chapter):
    """Replace the first part of every section number of one document by `chapter`."""
    for anchor, number in numbers.items():
        if number:
            numbers[anchor] = (chapter, *number[1:])
    numbered = [env.titles[docname], *env.tocs[docname].findall()]
    for node in numbered:
        if getattr(node, "attributes", {}).get("secnumber"):
            node["secnumber"] = [chapter, *node["secnumber"][1:]]


class Bibliography(BibliographyDirective):
    """A bibliography that in a chapter lists what that chapter cites, without being a target.

    Every citation leads to the bibliography page, so two chapters may list the same work.
    """

    def run(self):
        if self.env.docname != "bibliography":
            self.options["list"] = "bullet"
            self.options["filter"] = "docname in docnames"
        return super().run()


def load_mathjax(app, pagename, templatename, context, doctree):
    """Load MathJax also where formulas only stand in raw HTML, which Sphinx does not look into."""
    if "\\(" in context.get("body", ""):
        app.env.get_domain("math").data["has_equations"][pagename] = True


def relink(app, pagename, templatename, context, doctree):
    """Point launch and edit links at `notebooks/`: the executed copies are not in the repository.

    A generated page has no source to edit at all.
    """
    if pagename.startswith("chapters/"):
        for button in every_button(context.get("header_buttons", [])):
            if "url" in button:
                button["url"] = button["url"].replace("book/chapters/", "notebooks/")
    elif pagename.startswith("generated/"):
        for button in every_button(context.get("header_buttons", [])):
            if "buttons" in button:
                button["buttons"] = [
                    b for b in button["buttons"] if "book/generated/" not in b.get("url", "")
                ]


def every_button(buttons):
    for button in buttons:
        yield button
        yield from every_button(button.get("buttons", []))


def drop_thebe(app, pagename, templatename, context, doctree):
    """Drop sphinx-thebe's scripts: unused here, and they declare a constant twice (an error)."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "sphinx-thebe" not in str(script)
        and "THEBE_JS_URL" not in (getattr(script, "attributes", None) or {}).get("body", "")
    ]


PRELOAD = re.compile(r'^ *<link rel="preload"[^>]*>\n', re.MULTILINE)


def drop_preloads(app, exception):
    """Drop the theme's hints to load fonts early.

    They ask for a cross-origin load, which a browser refuses, loudly, for pages opened from a
    disk. The style sheet loads the same fonts without them.
    """
    if exception or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(PRELOAD.sub("", text), encoding="utf-8")


def write_plain_downloads(app, exception):
    """Rewrite the notebooks offered for download so that any Jupyter shows them properly."""
    if exception or app.builder.name != "html":
        return
    references = collect_references(app.env)
    for path in sorted(Path(app.outdir, "_sources").rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
        here = references.in_notebook([c.source for c in prose], glued_texts(notebook))
        for cell in prose:
            cell.source = plain_markdown(cell.source, here)
        # The end mark of a folded solution leaves nothing behind.
        notebook.cells = [c for c in notebook.cells if c.source or c.cell_type != "markdown"]
        nbformat.write(notebook, path)


def collect_references(env):
    """Return what every label of the book is called on the page."""
    numbers = {
        (docname, anchor): (kind, ".".join(map(str, number)))
        for docname, kinds in env.toc_fignumbers.items()
        for kind, anchors in kinds.items()
        for anchor, number in anchors.items()
    }
    equations = {
        label: numbers.get((docname, f"equation-{label}"), ("", str(number)))[1]
        for label, (docname, number) in env.get_domain("math").equations.items()
    }
    standard = env.get_domain("std")
    targets = {}
    for label, (docname, anchor, *title) in (standard.anonlabels | standard.labels).items():
        kind, number = numbers.get((docname, anchor), ("", ""))
        targets[label] = Target(title[0] if title else "", kind.capitalize(), number)
    for label, entry in getattr(env, "proof_list", {}).items():
        number = numbers.get((entry["docname"], label), ("", ""))[1]
        targets[label] = Target("", entry["realtype"].capitalize(), number)
    for label, entry in getattr(env, "sphinx_exercise_registry", {}).items():
        number = numbers.get((entry["docname"], label), ("", ""))[1]
        targets[label] = Target("", entry["type"].removesuffix("-start").capitalize(), number)
    pages = {docname: title.astext() for docname, title in env.titles.items()}
    return References(equations, targets, citations(env), pages)


def citations(env):
    """Return every entry of the bibliography: how it is cited, and in full."""
    entries = env.get_domain("cite").bibdata.data.entries
    return {key: citation(entry) for key, entry in entries.items()}


def citation(entry):
    fields = {
        name: value.strip("{}").replace("{", "").replace("}", "")
        for name, value in entry.fields.items()
    }
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    last = [" ".join(p.prelast_names + p.last_names).strip("{}") for p in people]
    authors = f"{last[0]} et al." if len(last) > 2 else " and ".join(last)
    year = fields.get("year", "no date")
    venue = fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or ""
    link = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url", "")
    parts = [f"{', '.join(last)} ({year})", fields.get("title", ""), venue, link]
    return Citation(authors, year, ". ".join(part for part in parts if part))


def glued_texts(notebook):
    """Return what each glued name of one executed notebook prints."""
    texts = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            scrap = output.get("metadata", {}).get("scrapbook", {})
            if "name" in scrap:
                text = output["data"].get(scrap.get("mime_prefix", "") + "text/plain", "")
                texts[scrap["name"]] = text.strip("'\"")
    return texts


def setup(app):
    number_chapters_by_file()
    app.setup_extension("sphinxcontrib.bibtex")
    app.add_directive("bibliography", Bibliography, override=True)
    app.connect("config-inited", add_vendored_files)
    app.connect("html-page-context", load_mathjax, priority=100)
    app.connect("html-page-context", relink, priority=900)
    app.connect("html-page-context", drop_thebe, priority=950)
    app.connect("build-finished", drop_preloads)
    app.connect("build-finished", write_plain_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
