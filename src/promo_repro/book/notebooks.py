"""The form of the notebooks: one normal form on disk, and a lint for what a chapter must have.

`python -m promo_repro.book.notebooks notebooks/*.ipynb` lints, with `--fix` it first rewrites the
files in normal form: no outputs, sorted and minimal metadata, descriptive cell ids, formatted code.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines

from promo_repro.book.execute import RUN_TIME

ANATOMY = (
    "Objectives",
    "As printed",
    "Derivation",
    "Code",
    "Experiment",
    "What breaks as printed",
    "Key ideas",
    "Exercises",
    "Verdicts",
    "References",
)
PARAMETERS = ("profile", "seed", "device")
LONGEST_CELL = 15  # lines of code; more belongs in the module, unless the cell shows something
EVIDENCE = ("confirmed", "corrected", "refuted", "conditional", "ill_posed")
SHOWS = ("show", "verdict")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
OWN_METADATA = ("data",)
CELL_METADATA = ("mystnb", "tags")

WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
RANDOM = re.compile(r"[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTALL = re.compile(r"^\s*[!%]+\s*(pip|conda|mamba|uv)\b", re.MULTILINE)
PLACES = "home|Users|root|tmp|mnt|work|opt|usr|var|etc|srv|media|content|private"
ABSOLUTE = re.compile(rf"(?<![\w./:])(/({PLACES})/|~/|[A-Za-z]:\\\\?[A-Za-z])")
LABEL = re.compile(r"\$\$\s*\(([\w-]+)\)|^```\{math\}\s*\n:label:\s*([\w-]+)", re.MULTILINE)
EXERCISE = re.compile(r"^(`{3,}|:{3,})\{exercise\}(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
HTML = re.compile(r"<!--|</?[A-Za-z][\w-]*(\s[^<>]*)?/?>")
GLUE = re.compile(r"\{glue:text\}`([\w-]+)(?::[^`]*)?`")
FENCE = re.compile(r"^\s*(`{3,}|:{3,}|~{3,})(\{[\w:-]+\})?")
# Directives whose content is not prose.
VERBATIM = {
    "{bibliography}", "{code}", "{code-block}", "{csv-table}", "{eval-rst}", "{list-table}",
    "{literalinclude}", "{math}", "{mermaid}", "{raw}", "{toctree}",
}  # fmt: skip
INLINE = re.compile(r"(`+).+?\1|\$[^$]+\$|\]\([^)]*\)|<https?:[^>]*>")
ABBREVIATION = re.compile(
    r"\b(e\.g|i\.e|et al|vs|cf|etc|approx|resp|No|Eq|Eqs|Fig|Figs|Sec|Ch|Vol|Dr|Prof|Mr|Ms|St"
    r"|[A-Z])\.(?=\s)"
)
TWO_SENTENCES = re.compile(r"[.!?][\"'”’)\]*_]*\s+[\"'“‘(\[*_]*[A-Z]")


@dataclass(frozen=True)
class Problem:
    """Something a notebook must not have, or lacks; `cell_id` is None for the whole notebook."""

    path: Path
    cell_id: str | None
    message: str

    def __str__(self) -> str:
        where = f", cell {self.cell_id}" if self.cell_id else ""
        return f"{self.path.name}{where}: {self.message}"


Found = Iterator[tuple[str | None, str]]


@dataclass(frozen=True)
class Notebook:
    """A notebook as the rules look at it."""

    path: Path
    node: NotebookNode

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        """Read without repairing anything; raises `ValueError` when it is no notebook."""
        try:
            node = rejoin_lines(nbformat.from_dict(json.loads(path.read_text(encoding="utf-8"))))
            sources = [cell["source"] for cell in node["cells"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name} is not a notebook: {error}") from error
        if node.get("nbformat") != 4 or not all(isinstance(text, str) for text in sources):
            raise ValueError(f"{path.name} is not a notebook of format 4")
        return cls(path, node)

    @property
    def number(self) -> str:
        """The chapter's number, such as `07`."""
        return self.path.stem.split("_")[0]

    @cached_property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.node.cells if cell.cell_type == "code"]

    @cached_property
    def markdown(self) -> list[NotebookNode]:
        return [cell for cell in self.node.cells if cell.cell_type == "markdown"]

    @cached_property
    def trees(self) -> list[tuple[str | None, ast.Module]]:
        """Cell id and syntax tree of each code cell that parses."""
        return [(cell.get("id"), tree) for cell in self.code if (tree := _parse(cell.source))]

    def calls(self, *names: str) -> Iterator[tuple[str | None, ast.Call]]:
        """Yield cell id and node of each call of a function or method with one of the names."""
        for cell_id, tree in self.trees:
            yield from ((cell_id, call) for call in _calls(tree, *names))


def _parse(code: str) -> ast.Module | None:
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines()]
    try:
        return ast.parse("\n".join(lines))
    except SyntaxError:
        return None


def _calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if _called(call) in names]


def _called(call: ast.Call) -> str | None:
    function = call.func
    return getattr(function, "id", None) or getattr(function, "attr", None)


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _literal(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


# Normal form ------------------------------------------------------------------------------------


def normalise(path: Path) -> bool:
    """Rewrite the notebook in normal form; return whether that changed the file.

    Descriptive cell ids are kept; missing, repeated and random ones are made from the first words
    of their cell. Raises `ValueError` when the file is no notebook or a code cell does not parse.
    """
    before = path.read_text(encoding="utf-8")
    after = _normal_form(Notebook.read(path))
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _normal_form(notebook: Notebook) -> str:
    node = nbformat.from_dict(json.loads(json.dumps(notebook.node)))
    own = node.metadata.get("promo_repro", {})
    own = {key: own[key] for key in OWN_METADATA if own.get(key)}
    node.metadata = nbformat.from_dict({**METADATA, "promo_repro": own})
    node.nbformat_minor = 5
    taken: set[str] = set()
    for cell in node.cells:
        cell.id = _descriptive_id(cell, taken)
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        )
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").splitlines())
    formatted = _ruff_format(nbformat.writes(node), notebook.path)
    return nbformat.writes(nbformat.reads(formatted, as_version=4)) + "\n"


def _ruff_format(text: str, path: Path) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    result = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["ruff failed"])[0]
        raise ValueError(f"{path.name}: the code cells cannot be formatted: {reason}")
    return result.stdout


def _descriptive_id(cell: NotebookNode, taken: set[str]) -> str:
    name = cell.get("id", "")
    if not _is_descriptive(name) or name in taken:
        words = re.findall(r"[a-z][a-z0-9]*", INLINE.sub(" ", cell.source).lower())
        stem = "-".join([cell.cell_type, *words[:4]])[:50]
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
        name = next(each for each in (stem, *numbered) if each not in taken)
    taken.add(name)
    return name


def _is_descriptive(cell_id: str) -> bool:
    return bool(WORDS.fullmatch(cell_id)) and not RANDOM.fullmatch(cell_id) and len(cell_id) <= 64


# Rules ------------------------------------------------------------------------------------------


def file_name(notebook: Notebook) -> Found:
    if not re.fullmatch(r"\d\d_[a-z][a-z0-9_]*", notebook.path.stem):
        yield None, "the file name is not of the form NN_topic.ipynb"


def no_outputs(notebook: Notebook) -> Found:
    for cell in notebook.code:
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield cell.get("id"), "has outputs or an execution count"


def cell_ids(notebook: Notebook) -> Found:
    ids = Counter(cell.get("id", "") for cell in notebook.node.cells)
    for cell_id, count in ids.items():
        if not cell_id:
            yield None, f"{count} cells have no id"
        elif count > 1:
            yield cell_id, "the id is used more than once"
        if cell_id and not _is_descriptive(cell_id):
            yield cell_id, "the id is not made of lower-case words joined by hyphens"


def syntax(notebook: Notebook) -> Found:
    for cell in notebook.code:
        if _parse(cell.source) is None:
            yield cell.get("id"), "the code does not parse"


def parameters_cell(notebook: Notebook) -> Found:
    tagged = [cell for cell in notebook.code if "parameters" in _tags(cell)]
    if len(tagged) != 1:
        yield None, f"{len(tagged)} cells are tagged `parameters`; it must be exactly one"
        return
    cell, tree = tagged[0], _parse(tagged[0].source) or ast.Module([], [])
    defaults = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                defaults[name] = value
            case _:
                yield cell.get("id"), "the parameters cell holds more than lines `name = literal`"
    for name in PARAMETERS:
        if name not in defaults:
            yield cell.get("id"), f"the parameters cell does not set {name!r}"
    for name, default in (("profile", "quick"), ("device", "cpu")):
        if name in defaults and _literal(defaults[name]) != default:
            yield cell.get("id"), f"the default of {name!r} is not {default!r}"
    for earlier in notebook.code[: notebook.code.index(cell)]:
        body = (_parse(earlier.source) or ast.Module([], [])).body
        if not all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in body):
            yield earlier.get("id"), "code before the parameters cell may only import"


def warnings_heard(notebook: Notebook) -> Found:
    for cell_id, call in notebook.calls("filterwarnings", "simplefilter", "catch_warnings"):
        actions = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "action")]
        if any(_literal(action) == "ignore" for action in actions):
            yield cell_id, "silences warnings; mend their cause"


def no_installs(notebook: Notebook) -> Found:
    for cell in notebook.code:
        if INSTALL.search(cell.source):
            yield cell.get("id"), "installs packages; requirements.lock is the place"


def no_absolute_paths(notebook: Notebook) -> Found:
    for cell in notebook.node.cells:
        if ABSOLUTE.search(cell.source):
            yield cell.get("id"), "holds an absolute path"


def figures(notebook: Notebook) -> Found:
    for cell_id, tree in notebook.trees:
        shows = _calls(tree, "show")
        for call in shows:
            yield from ((cell_id, message) for message in _figure(call, notebook.number))
        if len(shows) > 1:
            yield cell_id, "shows more than one figure; split the cell"
        if shows and _calls(tree, "verdict", "number", "display"):
            yield cell_id, "shows more than its figure; split the cell"


def _figure(call: ast.Call, chapter: str) -> Iterator[str]:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    for name in ("name", "caption", "alt"):
        if name not in given:
            yield f"show() without {name}="
        elif isinstance(given[name], ast.Constant) and not str(_literal(given[name])).strip():
            yield f"show() with an empty {name}="
    name = _literal(given.get("name"))
    if "name" in given and not (isinstance(name, str) and name.startswith(f"fig-{chapter}-")):
        yield f"the figure's name is not a literal that starts with fig-{chapter}-"


def short_cells(notebook: Notebook) -> Found:
    for cell_id, tree in notebook.trees:
        body = [each for each in tree.body if not isinstance(each, ast.Import | ast.ImportFrom)]
        lines = sum(each.end_lineno - each.lineno + 1 for each in body)
        single_call = len(body) == 1 and isinstance(getattr(body[0], "value", None), ast.Call)
        if lines > LONGEST_CELL and not single_call and not _calls(tree, *SHOWS):
            yield cell_id, f"{lines} lines of code; more than {LONGEST_CELL} belong in the module"


def evidence_is_computed(notebook: Notebook) -> Found:
    names = {
        target.id
        for _, tree in notebook.trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_call(node.value, "computed")
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def computed(node: ast.AST | None) -> bool:
        named = isinstance(node, ast.Name) and node.id in names
        return named or _is_call(node, "computed")

    for cell_id, call in notebook.calls(*EVIDENCE):
        for what, node in _evidence(call):
            if not computed(node):
                yield cell_id, f"{_called(call)}(): {what} is not a call of computed()"


def _is_call(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Call) and _called(node) == name


def _evidence(call: ast.Call) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield each part of a verdict's evidence that has to be computed."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    for name in ("derived", "checked_by", "contrast"):
        if name in given:
            yield name, given[name]
    if len(call.args) > 1:
        yield "the second argument", call.args[1]
    for name in ("holds", "fails"):
        if name in given:
            pair = given[name]
            second = pair.elts[1] if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 else None
            yield f"the second part of {name}", second
    match given.get("readings", call.args[0] if _called(call) == "ill_posed" and call.args else 0):
        case ast.Dict(values=values):
            yield from (("a reading", value) for value in values)
        case ast.DictComp(value=value):
            yield "a reading", value
        case ast.AST():
            yield "readings", None


def anatomy(notebook: Notebook) -> Found:
    cells = notebook.node.cells
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield None, "the first cell is not markdown that starts with the title, `# ...`"
    titles, sections = [], []
    for cell in notebook.markdown:
        lines = _outside_fences(cell.source)
        titles += [cell.get("id") for line in lines if line.startswith("# ")]
        sections += [line[3:].strip() for line in lines if line.startswith("## ")]
    if len(titles) > 1:
        yield titles[1], "a second title; sections start with ##"
    positions = []
    for heading in ANATOMY:
        matches = [i for i, text in enumerate(sections) if re.match(rf"{heading}\b", text)]
        if len(matches) != 1:
            yield None, f"{len(matches)} sections `## {heading}`; it must be exactly one"
        positions += matches[:1]
    if positions != sorted(positions):
        yield None, f"the sections are not in the order {', '.join(ANATOMY)}"


def run_time_marker(notebook: Notebook) -> Found:
    count = sum(cell.source.count(RUN_TIME) for cell in notebook.markdown)
    if count != 1:
        yield None, f"{count} markers {RUN_TIME}; it must be exactly one"


def no_html(notebook: Notebook) -> Found:
    for cell in notebook.markdown:
        text = "\n".join(prose(cell.source.replace(RUN_TIME, "")))
        if HTML.search(text):
            yield cell.get("id"), "raw HTML in the text"


def exercises(notebook: Notebook) -> Found:
    found = {}
    for cell in notebook.markdown:
        for match in EXERCISE.finditer(cell.source):
            text = match[2]
            label = re.search(r"^:label:\s*(\S+)", text, re.MULTILINE)
            if not label or not re.fullmatch(rf"ex-{notebook.number}-\d+", label[1]):
                yield cell.get("id"), f"an exercise without a label ex-{notebook.number}-k"
                continue
            found[label[1]] = cell.get("id")
            if not re.search(r"\d+\s*min", text):
                yield cell.get("id"), f"exercise {label[1]} does not say its minutes"
            if not re.search(r"\bhint", text, re.IGNORECASE):
                yield cell.get("id"), f"exercise {label[1]} has no hint"
    if len(found) < 3:
        yield None, f"{len(found)} exercises; there must be at least three"
    for label, cell_id in found.items():
        yield from ((cell_id, message) for message in _solution(notebook, label))


def _solution(notebook: Notebook, label: str) -> Iterator[str]:
    inside, solved, asked, ended = False, False, False, False
    for cell in notebook.node.cells:
        if cell.cell_type == "markdown":
            if "{solution-start}" in cell.source:
                inside = f"{{solution-start}} {label}\n" in f"{cell.source}\n"
            if inside and "{solution-end}" in cell.source:
                inside, ended = False, True
        elif cell.cell_type == "code":
            calls = _calls(_parse(cell.source) or ast.Module([], []), "check")
            if any(call.args and _literal(call.args[0]) == label[3:] for call in calls):
                solved |= inside and "solution" in _tags(cell)
                asked |= not inside
    if not asked:
        yield f'exercise {label} has no check("{label[3:]}", answer) for the reader'
    if not (solved and ended):
        yield f"exercise {label} has no solution cell that is checked"


def one_sentence_a_line(notebook: Notebook) -> Found:
    for cell in notebook.markdown:
        lines = [line for line in prose(cell.source) if not re.match(r"\s*[#|]", line)]
        for line in lines:
            text = ABBREVIATION.sub(r"\1", re.sub(r"^\s*(\d+\.|[-*+])\s+", "", line))
            if TWO_SENTENCES.search(text):
                yield cell.get("id"), f"two sentences in a line: {line.strip()[:60]!r}"
        for line, following in pairwise(lines):
            if re.search(r"[\w,]$", line) and re.match(r"\s*[a-z]", following):
                yield cell.get("id"), f"a sentence over several lines: {line.strip()[:60]!r}"


def quoted_numbers(notebook: Notebook) -> Found:
    calls = [call for _, call in notebook.calls("number")]
    names = {_literal(call.args[0]) for call in calls if call.args}
    for cell in notebook.markdown:
        for name in GLUE.findall(cell.source):
            if name not in names:
                yield cell.get("id"), f'quotes {name!r}, but no cell calls number("{name}", ...)'


def equation_labels(notebook: Notebook) -> Found:
    for cell in notebook.markdown:
        for label in _equations(cell):
            if not label.startswith(f"eq-{notebook.number}-"):
                yield cell.get("id"), f"equation label {label} does not start eq-{notebook.number}-"


def _equations(cell: NotebookNode) -> list[str]:
    return [first or second for first, second in LABEL.findall(cell.source)]


def normal_form(notebook: Notebook) -> Found:
    try:
        form = _normal_form(notebook)
    except ValueError as error:
        yield None, str(error)
    else:
        if form != notebook.path.read_text(encoding="utf-8"):
            yield None, "not in normal form; run `python -m promo_repro.book.notebooks --fix`"


RULES = (
    file_name,
    no_outputs,
    cell_ids,
    syntax,
    parameters_cell,
    warnings_heard,
    no_installs,
    no_absolute_paths,
    figures,
    short_cells,
    evidence_is_computed,
    anatomy,
    run_time_marker,
    no_html,
    exercises,
    one_sentence_a_line,
    quoted_numbers,
    equation_labels,
    normal_form,
)


def prose(markdown: str) -> list[str]:
    """Return the lines of text: code, maths, link targets and directive options blanked out."""
    lines, inside_maths = [], False
    for line in _outside_fences(markdown):
        delimiters = line.count("$$")
        if delimiters % 2:
            inside_maths = not inside_maths
        if delimiters or inside_maths or re.match(r"\s*:[\w-]+:", line):
            lines.append("")
        else:
            lines.append(INLINE.sub("", line))
    return lines


def _outside_fences(markdown: str) -> list[str]:
    """Return the lines outside code blocks; of directives with prose in them, that prose."""
    lines, closing = [], None
    for line in markdown.splitlines():
        fence = FENCE.match(line)
        if closing:
            if line.strip() == closing:
                closing = None
            lines.append("")
        elif fence:
            directive = fence[2]
            is_end = not directive and line.strip() == fence[1]
            prose_inside = directive and directive not in VERBATIM
            # A bare fence of colons, or of backticks after a directive, only ends one.
            if not prose_inside and not (is_end and _open_directive(lines, fence[1])):
                closing = fence[1]
            lines.append(f"\0{fence[1]}" if prose_inside else "")
        else:
            lines.append(line)
    return ["" if line.startswith("\0") else line for line in lines]


def _open_directive(lines: list[str], fence: str) -> bool:
    """Whether a directive with this fence is open; if so, it is taken as closed from here on."""
    for index in reversed(range(len(lines))):
        if lines[index] == f"\0{fence}":
            lines[index] = ""
            return True
    return False


# Command ----------------------------------------------------------------------------------------


def lint(path: Path) -> list[Problem]:
    """Return what is wrong with one notebook, in the order of `RULES`."""
    try:
        notebook = Notebook.read(Path(path))
    except ValueError as error:
        return [Problem(Path(path), None, str(error))]
    return [
        Problem(notebook.path, cell_id, message)
        for rule in RULES
        for cell_id, message in rule(notebook)
    ]


def lint_book(paths: Iterable[Path]) -> list[Problem]:
    """Return what is wrong with the notebooks one by one, and with all of them as one book.

    Labels of equations and names of figures must be unique in the book.
    """
    paths = [Path(path) for path in paths]
    problems = [problem for path in paths for problem in lint(path)]
    first: dict[str, str] = {}
    for path in paths:
        try:
            notebook = Notebook.read(path)
        except ValueError:
            continue
        for cell_id, label in _labels(notebook):
            if label in first:
                message = f"{label} is already used in {first[label]}"
                problems.append(Problem(path, cell_id, message))
            first.setdefault(label, path.name)
    return problems


def _labels(notebook: Notebook) -> Iterator[tuple[str | None, str]]:
    for cell in notebook.markdown:
        yield from ((cell.get("id"), label) for label in _equations(cell))
    for cell_id, call in notebook.calls("show"):
        for keyword in call.keywords:
            if keyword.arg == "name" and isinstance(_literal(keyword.value), str):
                yield cell_id, keyword.value.value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Lint notebooks, or rewrite them in normal form.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--fix", action="store_true", help="rewrite in normal form, then lint")
    options = parser.parse_args(arguments)
    if options.fix:
        for path in options.paths:
            try:
                if normalise(path):
                    print(f"{path.name}: rewritten")
            except ValueError as error:
                print(error)
    problems = lint_book(options.paths)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
