"""What MyST becomes in the notebooks that readers download."""

import pytest

from promo_repro.book.plain import Citation, References, Target, myst_leaks, plain_markdown

REFERENCES = References(
    equations={"eq-07-softmax": "7.2"},
    targets={
        "fig-07-regret": Target("Regret grows.", "Figure", "7.1"),
        "ex-07-1": Target("", "Exercise", "7.1"),
        "lemma-shift": Target("", "Lemma", "7.3"),
        "a-section": Target("As printed"),
    },
    citations={
        "auer2002": Citation("Auer et al.", "2002", "Auer, Cesa-Bianchi, Fischer (2002). UCB1"),
        "rubin1976": Citation("Rubin", "1976", "Rubin (1976). Missing"),
    },
    pages={"glossary": "Glossary", "chapters/01_data": "The data"},
    glue={"lines": "1,439,203", "share": "0.25"},
)


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("see {eq}`eq-07-softmax`", "see (7.2)"),
        ("{numref}`fig-07-regret` rises", "Figure 7.1 rises"),
        ("{numref}`Picture %s <fig-07-regret>`", "Picture 7.1"),
        ("{ref}`ex-07-1`", "Exercise 7.1"),
        ("{ref}`a-section`", "As printed"),
        ("{ref}`above <a-section>`", "above"),
        ("{prf:ref}`lemma-shift`", "Lemma 7.3"),
        ("a {term}`click share`", "a *click share*"),
        ("{term}`shares <click share>`", "*shares*"),
        ("{cite:t}`auer2002` show", "Auer et al. (2002) show"),
        ("known {cite:p}`auer2002,rubin1976`", "known (Auer et al., 2002; Rubin, 1976)"),
        ("{glue:text}`lines` lines", "1,439,203 lines"),
        ("{glue:text}`share:.1f`", "0.2"),
        ("{doc}`../glossary`", "*Glossary*"),
        ("{math}`x^2`", "$x^2$"),
        ("`{not: a role}`", "`{not: a role}`"),
        ("a `code` span and $x_{a}$", "a `code` span and $x_{a}$"),
        ("(a-section)=\n## As printed", "## As printed"),
        ("% a comment\ntext", "text"),
        ("$$\nx = 1\n$$ (eq-07-softmax)", "$$\nx = 1 \\tag{7.2}\n$$"),
        ("```{math}\n:label: eq-07-softmax\nx\n```", "$$\nx\n\\tag{7.2}\n$$"),
        ("```{note}\nMind {eq}`eq-07-softmax`.\n```", "> **Note**\n>\n> Mind (7.2)."),
        (":::{admonition} Simulated\n:class: tip\nText\n:::", "> **Simulated**\n>\n> Text"),
        (
            "```{exercise} Add up\n:label: ex-07-1\n\nAdd. (5 minutes)\n```",
            "**Exercise 7.1 (Add up)**\n\nAdd. (5 minutes)",
        ),
        ("```{solution-start} ex-07-1\n:class: dropdown\n```", "**Solution to Exercise 7.1**"),
        ("```{solution-end}\n```", ""),
        (
            "```{prf:lemma} Shift\n:label: lemma-shift\n$x$\n```",
            "**Lemma 7.3 (Shift)**\n\n$x$",
        ),
        ("```{prf:proof}\nClear.\n```", "*Proof.*\n\nClear.\n\n∎"),
        ("```python\nx = {1}\n```", "```python\nx = {1}\n```"),
        (
            "````{note}\n```python\nx = 1\n```\n````",
            "> **Note**\n>\n> ```python\n> x = 1\n> ```",
        ),
        (
            "::::{note}\n:::{tip}\nInner\n:::\n::::",
            "> **Note**\n>\n> > **Tip**\n> >\n> > Inner",
        ),
    ],
)
def test_conversion(myst, plain):
    converted = plain_markdown(myst, REFERENCES)
    assert converted.strip() == plain
    assert myst_leaks(converted) == []


def test_bibliography_lists_what_the_notebook_cites():
    sources = ["see {cite:t}`auer2002`", "```{bibliography}\n:filter: docname in docnames\n```"]
    here = REFERENCES.in_notebook(sources, {})
    assert plain_markdown(sources[1], here) == "- Auer, Cesa-Bianchi, Fischer (2002). UCB1"


@pytest.mark.parametrize(
    "leak",
    [
        "see {eq}`eq-x`",
        "{prf:ref}`lemma`",
        "```{note}\ntext\n```",
        ":::{tip}\ntext\n:::",
        "(label)=\n# Title",
        "$$ x $$ (eq-x)",
        ":label: ex-1",
    ],
)
def test_leaks_are_found(leak):
    assert myst_leaks(f"Some prose.\n\n{leak}")


def test_code_is_not_a_leak():
    assert myst_leaks("```python\nx = {eq}`a`\n:label: x\n```\n`{a}`") == []
