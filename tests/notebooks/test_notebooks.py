"""The book's notebooks keep to the form, and the form rejects what it should."""

import json
from pathlib import Path

import nbformat
import pytest
from chapter import TEXTS, cells, write

from promo_repro.book.notebooks import RULES, Notebook, lint, lint_book, main, normalise, prose
from promo_repro.project import root

NOTEBOOKS = sorted((root() / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_of_the_book_has_no_problem(path):
    assert [str(problem) for problem in lint(path)] == []


def test_notebooks_fit_together_as_one_book():
    alone = {problem for path in NOTEBOOKS for problem in lint(path)}
    assert [str(problem) for problem in lint_book(NOTEBOOKS) if problem not in alone] == []


@pytest.fixture
def path(tmp_path):
    """A chapter without a problem, in normal form."""
    path = write(tmp_path / "99_sum.ipynb", cells())
    normalise(path)
    return path


def change(path: Path, cell_id: str, old: str, new: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == cell_id)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)
    normalise(path)


def messages(path: Path) -> list[str]:
    return [problem.message for problem in lint(path)]


def test_good_chapter_has_no_problem(path):
    assert [str(problem) for problem in lint_book([path])] == []


COMPUTED = "computed(total, [1, 2])"
LONG = "x = 0\n" * 16
PLANTED = [
    ("imports", "from promo", "x = 1\nfrom promo", "before the parameters cell may only import"),
    ("parameters", "seed = 0\n", "", "does not set 'seed'"),
    ("parameters", "seed = 0", "seed = 1 if True else 2\nprint(seed)", "more than lines `name"),
    ("parameters", '"quick"', '"full"', "default of 'profile' is not 'quick'"),
    ("parameters", '"cpu"', '"cuda"', "default of 'device' is not 'cpu'"),
    ("rows", "number", 'warnings.filterwarnings("ignore")\nnumber', "silences warnings"),
    ("rows", "number", 'warnings.simplefilter(action="ignore")\nnumber', "silences warnings"),
    ("rows", "number", "%pip install numpy\nnumber", "installs packages"),
    ("rows", "number", "!pip install numpy\nnumber", "installs packages"),
    ("rows", "number", 'open("/home/someone/x.csv")\nnumber', "absolute path"),
    ("as-printed", "The article", "See ~/notes; the article", "absolute path"),
    ("rows", '"rows"', '"lines"', "quotes 'rows', but no cell calls"),
    ("rows", "number", LONG + "number", "17 lines of code"),
    ("rows", 'number("rows", 12, ",")', "number(", "the code does not parse"),
    ("figure", 'alt="A line that rises."', "dpi=9", "show() without alt="),
    ("figure", 'caption="The sum."', 'caption=" "', "show() with an empty caption="),
    ("figure", "fig-99-sum", "sum", "is not a literal that starts with fig-99-"),
    ("figure", "show(", 'number("n", 1)\nshow(', "more than its figure"),
    ("figure", "show(", "plt.show()\nshow(", "show() without name="),
    ("verdict-sum", COMPUTED, "3", "derived is not a call of computed()"),
    ("verdict-sum", f"printed=3, derived={COMPUTED}", "3, 3", "the second argument is not"),
    (
        "verdict-sum",
        f"confirmed(printed=3, derived={COMPUTED})",
        f'conditional(holds=(3, {COMPUTED}), fails=(3, 4), condition="n")',
        "the second part of fails is not",
    ),
    (
        "verdict-sum",
        f"confirmed(printed=3, derived={COMPUTED})",
        f'ill_posed(readings={{"one": {COMPUTED}, "two": 2}}, printed=3)',
        "a reading is not",
    ),
    ("title", "# A", "A", "starts with the title"),
    ("as-printed", "## As", "# Another title\n\n## As", "a second title"),
    ("key-ideas", "## Key ideas", "## Ideas", "0 sections `## Key ideas`"),
    ("code", "## Code", "## Code\n\n## Code again", "2 sections `## Code`"),
    ("objectives", " <!-- run-time -->", " soon", "0 markers"),
    ("as-printed", "The article", "The <b>article</b>", "raw HTML"),
    ("as-printed", "The article", "<!-- todo -->The article", "raw HTML"),
    ("exercise-1", ":label: ex-99-1", ":label: first", "without a label ex-99-k"),
    ("exercise-1", "*1 minutes.*", "", "does not say its minutes"),
    ("exercise-1", "Hint", "Help", "has no hint"),
    ("answer-1", 'check("99-1", answer)', "", 'has no check("99-1", answer)'),
    ("solution-1", 'check("99-1", answer)', "", "has no solution cell"),
    ("solution-1-end", "{solution-end}", "{note}", "has no solution cell"),
    ("title", "hold?\nIt", "hold? It", "two sentences in a line"),
    ("as-printed", "prints it,", "prints it. There,", "two sentences in a line"),
    ("as-printed", "prints it,", "prints\nit,", "a sentence over several lines"),
    ("derivation", "(eq-99-sum)", "(eq-sum)", "eq-sum does not start eq-99-"),
]


@pytest.mark.parametrize(("cell_id", "old", "new", "message"), PLANTED)
def test_planted_violation_is_found_where_it_is(path, cell_id, old, new, message):
    try:
        change(path, cell_id, old, new)
    except ValueError:
        assert "parse" in message
    problems = lint(path)
    assert any(message in problem.message for problem in problems), problems
    where = {problem.cell_id for problem in problems if message in problem.message}
    exercise = cell_id.replace("answer", "exercise").replace("solution", "exercise")
    assert where & {cell_id, None, exercise.removesuffix("-end"), "derivation"}


def alter(path, **changes):
    """Set fields of the second code cell, the parameters, without any repair."""
    content = json.loads(path.read_text())
    cell = next(cell for cell in content["cells"] if cell["id"] == "parameters")
    cell.update(changes)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"execution_count": 3}, "has outputs or an execution count"),
        (
            {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]},
            "has outputs or an execution count",
        ),
        ({"id": "title"}, "the id is used more than once"),
        ({"id": "3fa9c2d1"}, "not made of lower-case words"),
        ({"id": "Cell_1"}, "not made of lower-case words"),
        ({"id": ""}, "1 cells have no id"),
        ({"metadata": {}}, "0 cells are tagged `parameters`"),
        ({"metadata": {"tags": ["parameters"], "trusted": True}}, "not in normal form"),
        ({"source": "profile='quick'\nseed=0\ndevice='cpu'"}, "not in normal form"),
    ],
)
def test_planted_fault_of_form_is_found(path, changes, message):
    alter(path, **changes)
    assert any(message in each for each in messages(path))


def test_missing_exercise_is_found(path):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.id.endswith("-3")]
    nbformat.write(notebook, path)
    assert "2 exercises; there must be at least three" in messages(path)


def test_order_of_sections_matters(path):
    notebook = nbformat.read(path, as_version=4)
    code, experiment = (
        next(cell for cell in notebook.cells if cell.id == name) for name in ("code", "experiment")
    )
    code.source, experiment.source = experiment.source, code.source
    nbformat.write(notebook, path)
    assert any("the sections are not in the order" in each for each in messages(path))


def test_bad_file_name_and_bad_file_are_found(path):
    renamed = path.rename(path.with_name("Untitled.ipynb"))
    assert any("NN_topic.ipynb" in each for each in messages(renamed))
    renamed.write_text("{}")
    assert [each for each in messages(renamed) if "is not a notebook" in each]


def test_label_used_in_two_chapters_is_found(path):
    other = path.with_name("98_other.ipynb")
    other.write_text(path.read_text())
    found = {problem.message for problem in lint_book([path, other])}
    assert "eq-99-sum is already used in 99_sum.ipynb" in found
    assert "fig-99-sum is already used in 99_sum.ipynb" in found


def test_every_rule_rejects_some_planted_violation(path):
    """A rule that no planted violation reaches would be one that cannot fail."""
    good, fired = path.read_text(), set()

    def note(path):
        notebook = Notebook.read(path)
        fired.update(rule.__name__ for rule in RULES if next(rule(notebook), None))

    for cell_id, old, new, _ in PLANTED:
        content = json.loads(good)
        cell = next(cell for cell in content["cells"] if cell["id"] == cell_id)
        cell["source"] = "".join(cell["source"]).replace(old, new)
        path.write_text(json.dumps(content))
        note(path)
    for changes in ({"execution_count": 3}, {"id": "title"}):
        path.write_text(good)
        alter(path, **changes)
        note(path)
    note(path.rename(path.with_name("Untitled.ipynb")))
    assert fired == {rule.__name__ for rule in RULES}


def test_normalise_is_idempotent_and_keeps_good_ids(path):
    before = path.read_text()
    assert not normalise(path)
    assert path.read_text() == before
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    assert set(TEXTS) <= set(ids)


def test_normalise_mends_form(path):
    good = path.read_text()
    alter(
        path,
        execution_count=2,
        source='profile="quick"\nseed   =0\ndevice =  "cpu"',
        metadata={"tags": ["parameters"], "collapsed": True},
    )
    content = json.loads(path.read_text())
    content["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}
    content["metadata"]["promo_repro"] = {"title": "A chapter"}
    path.write_text(json.dumps(content, indent=4))
    assert normalise(path)
    assert path.read_text() == good


def test_normalise_makes_descriptive_ids(tmp_path):
    found = [
        ("markdown", "1c2d3e4f", "## Softmax of the click shares, with $x$"),
        ("code", "twice", "a = 1"),
        ("code", "twice", "a = 1"),
    ]
    path = tmp_path / "99_ids.ipynb"
    notebook = nbformat.v4.new_notebook()
    for kind, name, text in found:
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        notebook.cells.append(make(text, id=name))
    path.write_text(json.dumps(notebook))
    normalise(path)
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    assert ids == ["markdown-softmax-of-the-click", "twice", "code-a"]


def test_prose_is_what_is_neither_code_nor_maths():
    text = (
        "Text `code` here.\n```python\nx = 1\n```\n````{note} Title\nInside.\n```\nraw\n```\n````\n"
        "$$\nx. Y\n$$ (eq-a)\nEnd."
    )
    assert [line for line in prose(text) if line] == ["Text  here.", "Inside.", "End."]


def test_command_lints_and_fixes(path, capsys):
    alter(path, execution_count=2)
    assert main([str(path)]) == 1
    assert "execution count" in capsys.readouterr().out
    assert main(["--fix", str(path)]) == 0
    assert capsys.readouterr().out == "99_sum.ipynb: rewritten\n"
    assert main([str(path)]) == 0
