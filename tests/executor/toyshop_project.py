"""A small project with three chapters and a package that they import."""

from pathlib import Path

import nbformat

PARAMETERS = 'profile = "quick"\nseed = 0\ndevice = "cpu"\nrate = 0.5'
FIGURE = """\
from IPython.display import display

plot = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0L9 9"/></svg>'
described = {"alt": "A rising line.", "caption": "Clicks by day.", "name": "fig-01-clicks"}
display({"image/svg+xml": plot}, metadata={"image/svg+xml": described}, raw=True)"""
MODULES = {
    "__init__.py": '"""A toy package."""\n',
    "rewards.py": "def total(clicks):\n    return 2 * clicks\n",
    "policy/__init__.py": "from .greedy import best\n",
    "policy/greedy.py": "from ..tables import HEADER\n\nbest = max\n",
    "tables.py": 'HEADER = "arm"\n',
    "late.py": "VALUE = 3\n",
    "unused.py": "VALUE = 4\n",
}
CELLS = {
    "01_alpha": [
        ("alpha-reward", "from toyshop import rewards\n\nprint(rewards.total(5))"),
        ("alpha-data", 'from pathlib import Path\n\nprint(Path("data/log.csv").stat().st_size)'),
        ("alpha-figure", FIGURE),
        ("alpha-set", 'print({"red", "green", "blue"}, rate, profile, device)'),
    ],
    "02_beta": [("beta-best", "import toyshop.policy\n\nprint(toyshop.policy.best([1, 4]))")],
    "03_gamma": [
        (
            "gamma-late",
            'from importlib import import_module\n\nlate = import_module("toyshop.late")',
        ),
        ("gamma-open", 'with open("data/extra.txt") as file:\n    print(file.read())'),
    ],
}


def write_notebook(root: Path, name: str, cells: list[tuple[str, str]], data=(), prose="Prose."):
    parameters = nbformat.v4.new_code_cell(PARAMETERS, id="parameters")
    parameters.metadata.tags = ["parameters"]
    title = f"# Title\n\n{prose}\n\nRun time: <!-- run-time -->"
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(title, id="title"),
            parameters,
            *(nbformat.v4.new_code_cell(source, id=name) for name, source in cells),
        ]
    )
    notebook.metadata["promo_repro"] = {"data": list(data)}
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
