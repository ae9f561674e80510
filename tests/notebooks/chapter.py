"""A smallest chapter that has everything the lint asks for."""

from pathlib import Path

import nbformat

EXERCISE = """\
````{{exercise}} Task {k}
:label: ex-99-{k}

*{k} minutes.*
What is the sum?

```{{dropdown}} Hint
Add them.
```
````"""
TEXTS = {
    "title": "# A chapter\n\nDoes it hold?\nIt does.",
    "objectives": "## Objectives\n\nRun time: <!-- run-time -->",
    "as-printed": "## As printed\n\nThe article prints it, see e.g. Table 1 of Smith et al. 2020.",
    "derivation": (
        "## Derivation: the sum\n\n$$\n\\begin{aligned} x &= 1. A <b> \\end{aligned}\n$$ "
        "(eq-99-sum)"
        "\n\nIt follows from {eq}`eq-99-sum` that $a<b$ and `x. Y` holds; there are "
        "{glue:text}`rows` rows.\n\n```python\ncode. Not prose\n```"
    ),
    "code": "## Code",
    "experiment": "## Experiment",
    "breaks": "## What breaks as printed",
    "key-ideas": "## Key ideas\n\n1. One idea a paragraph.\n2. Another one.",
    "exercises": "## Exercises",
    "verdicts": "## Verdicts",
    "references": "## References\n\n```{bibliography}\n:filter: docname in docnames\n```",
}
CODE = {
    "imports": ("title", "from promo_repro.claims import computed, confirmed, verdict"),
    "parameters": ("imports", 'profile = "quick"\nseed = 0\ndevice = "cpu"'),
    "rows": ("as-printed", 'number("rows", 12, ",")'),
    "figure": (
        "experiment",
        'show(\n    fig,\n    name="fig-99-sum",\n    caption="The sum.",\n'
        '    alt="A line that rises.",\n)',
    ),
    "verdict-sum": (
        "figure",
        'verdict(\n    "D1-N01",\n    confirmed(printed=3, derived=computed(total, [1, 2])),\n'
        '    because="The sum is three.",\n)',
    ),
}
TAGS = {"parameters": ["parameters"]}


def cells() -> list[tuple[str, str, str]]:
    """Type, id and source of each cell of the chapter."""
    found = [("markdown", name, text) for name, text in TEXTS.items()]
    for name, (after, source) in CODE.items():
        position = next(i for i, cell in enumerate(found) if cell[1] == after)
        found.insert(position + 1, ("code", name, source))
    position = next(i for i, cell in enumerate(found) if cell[1] == "exercises")
    for k in (3, 2, 1):
        found[position + 1 : position + 1] = [
            ("markdown", f"exercise-{k}", EXERCISE.format(k=k)),
            ("code", f"answer-{k}", f'answer = None\ncheck("99-{k}", answer)'),
            (
                "markdown",
                f"solution-{k}-start",
                f"```{{solution-start}} ex-99-{k}\n:class: dropdown\n```",
            ),
            ("code", f"solution-{k}", f'answer = 1 + {k}\ncheck("99-{k}", answer)'),
            ("markdown", f"solution-{k}-end", "```{solution-end}\n```"),
        ]
    return found


def write(path: Path, found: list[tuple[str, str, str]]) -> Path:
    notebook = nbformat.v4.new_notebook()
    for kind, name, source in found:
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = make(source, id=name)
        tags = ["solution"] if kind == "code" and name.startswith("solution") else TAGS.get(name)
        if tags:
            cell.metadata.tags = tags
        notebook.cells.append(cell)
    nbformat.write(notebook, path)
    return path
