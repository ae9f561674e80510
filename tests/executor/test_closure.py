"""The static import closure."""

import pytest

from promo_repro.book.closure import closure, imported_names


@pytest.mark.parametrize(
    ("code", "package", "names"),
    [
        ("import a.b as c, d", "", {"a.b", "d"}),
        ("from a.b import c", "", {"a.b", "a.b.c"}),
        ("from . import c", "a.b", {"a.b", "a.b.c"}),
        ("from .c import d", "a.b", {"a.b.c", "a.b.c.d"}),
        ("from .. import c", "a.b", {"a", "a.c"}),
        ("from ..c import d", "a.b", {"a.c", "a.c.d"}),
        ("def f():\n    import a.late", "", {"a.late"}),
        ("x = 'import a'", "", set()),
    ],
)
def test_imported_names(code, package, names):
    assert set(imported_names(code, package)) == names


def test_closure_follows_packages_cycles_and_nothing_else(tmp_path):
    files = {
        "shop/__init__.py": "",
        "shop/one.py": "from . import two\nimport numpy, elsewhere",
        "shop/two.py": "import shop.one",
        "shop/deep/__init__.py": "from .inner import x",
        "shop/deep/inner.py": "from ..three import *\nx = 1",
        "shop/three.py": "",
        "shop/four.py": "",
        "elsewhere.py": "",
    }
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)

    def found(*names):
        paths = closure(names, tmp_path, "shop")
        return {path.relative_to(tmp_path / "shop").as_posix() for path in paths}

    assert found("shop.one") == {"__init__.py", "one.py", "two.py"}
    assert found("shop.deep.inner.x") == {
        "__init__.py",
        "deep/__init__.py",
        "deep/inner.py",
        "three.py",
    }
    assert found("shopping", "elsewhere") == set()
