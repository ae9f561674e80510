"""Plain Markdown for the notebooks that readers download.

The book is written in MyST: roles such as ``{eq}`label` `` and directives such as
```` ```{exercise} ````. Jupyter, Colab and an editor show those raw, so the downloads are
rewritten: every reference is replaced by what the page prints for it, every directive by the
nearest Markdown.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

ADMONITIONS = {
    "attention", "caution", "danger", "error", "hint", "important", "note", "seealso", "tip",
    "warning",
}  # fmt: skip
SILENT = {"exercise-end", "solution-end", "index", "contents", "tableofcontents", "tab-set"}
ROLE = re.compile(r"\{([A-Za-z][\w:-]*)\}(`+)([^`]+)\2")
DIRECTIVE = re.compile(r"^ {0,3}(`{3,}|:{3,}|~{3,})\{([\w:-]+)\}[ \t]*(.*)$")
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
MATH = re.compile(r"\$\$(?P<body>.+?)\$\$[ \t]*\((?P<label>[\w:.-]+)\)", re.DOTALL)
CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


@dataclass(frozen=True)
class Target:
    """What the page prints for a label: its title, the kind of thing, and its number."""

    title: str = ""
    kind: str = ""
    number: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}".strip() if self.number else self.title or self.kind


@dataclass(frozen=True)
class Citation:
    """One entry of the bibliography, as cited and in full."""

    authors: str
    year: str
    full: str


@dataclass(frozen=True)
class References:
    """What each label of the book stands for.

    `equations` maps a label to its number, `targets` any other label, `citations` a key of the
    bibliography, `pages` a document name to its title, `glue` a glued name to its text.
    """

    equations: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    citations: Mapping[str, Citation] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    glue: Mapping[str, str] = field(default_factory=dict)
    cited: tuple[str, ...] = ()

    def in_notebook(self, sources: list[str], glue: Mapping[str, str]) -> "References":
        """Return these references with what one notebook glues and cites."""
        keys = {key.strip() for s in sources for m in CITED.findall(s) for key in m.split(",")}
        return replace(self, glue=glue, cited=tuple(sorted(keys & set(self.citations))))

    def target(self, label: str) -> Target:
        """Return the target of a label; Sphinx lower-cases some of them."""
        return self.targets.get(label) or self.targets.get(label.lower()) or Target(label)


def plain_markdown(text: str, references: References) -> str:
    """Return MyST `text` as the Markdown that every notebook viewer understands."""
    return "\n".join(_blocks(text.split("\n"), references)).strip("\n")


def _blocks(lines: list[str], references: References) -> list[str]:
    out: list[str] = []
    prose: list[str] = []

    def flush() -> None:
        if prose:
            out.extend(_prose("\n".join(prose), references).split("\n"))
            prose.clear()

    i = 0
    while i < len(lines):
        if match := DIRECTIVE.match(lines[i]):
            flush()
            end = _closing(lines, i, match[1])
            out.extend(_directive(match[2], match[3].strip(), lines[i + 1 : end], references))
            i = end
        elif match := FENCE.match(lines[i]):
            flush()
            end = _closing(lines, i, match[1])
            out.extend(lines[i : end + 1])
            i = end
        else:
            prose.append(lines[i])
        i += 1
    flush()
    return out


def _closing(lines: list[str], start: int, fence: str) -> int:
    """Return the index of the line that closes the fence opened at `start` (or the last one)."""
    closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    inside = (i for i in range(start + 1, len(lines)) if closing.match(lines[i]))
    return next(inside, len(lines))


def _options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    """Split a directive's body into its `:key: value` lines and the rest."""
    options = {}
    i = 0
    while i < len(body) and (match := re.match(r"^\s*:([\w-]+):\s*(.*)$", body[i])):
        options[match[1]] = match[2].strip()
        i += 1
    rest = body[i:]
    while rest and not rest[0].strip():
        rest = rest[1:]
    while rest and not rest[-1].strip():
        rest = rest[:-1]
    return options, rest


def _directive(name: str, argument: str, body: list[str], references: References) -> list[str]:
    options, content = _options(body)
    title = _inline(argument, references)
    if name in SILENT:
        return _blocks(content, references)
    if name == "math":
        tag = rf" \tag{{{references.equations[label]}}}" if (
            label := options.get("label")
        ) in references.equations else ""  # fmt: skip
        return ["$$", *content, *([tag.strip()] if tag else []), "$$"]
    if name in {"code", "code-block", "code-cell", "sourcecode"}:
        return [f"```{argument}", *content, "```"]
    if name in {"image", "figure"}:
        alt = _inline(options.get("alt", ""), references)
        return [f"![{alt}]({argument})", "", *_blocks(content, references)]
    if name == "bibliography":
        return [f"- {references.citations[key].full}" for key in references.cited]
    inner = _blocks(content, references)
    if name in ADMONITIONS or name in {"admonition", "dropdown", "margin", "sidebar", "topic"}:
        heading = title if name in {"admonition", "dropdown", "topic"} else name.capitalize()
        return _quote([f"**{heading or name.capitalize()}**", "", *inner])
    if name in {"solution", "solution-start"}:
        return [f"**Solution to {references.target(argument)}**", "", *inner]
    if name == "prf:proof":
        return ["*Proof.*", "", *inner, "", "∎"]
    if name.startswith(("prf:", "exercise")):
        kind = name.removeprefix("prf:").removesuffix("-start").capitalize()
        target = references.target(options.get("label", ""))
        heading = str(target) if target.number else kind
        return [f"**{heading}{f' ({title})' if title else ''}**", "", *inner]
    return [*([f"**{title}**", ""] if title else []), *inner]


def _quote(lines: list[str]) -> list[str]:
    return [f"> {line}".rstrip() for line in lines]


def _prose(text: str, references: References) -> str:
    text = re.sub(r"^\([\w:.-]+\)=[ \t]*\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\{[.#][^}\n]*\}[ \t]*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^%[^\n]*\n?", "", text, flags=re.MULTILINE)

    def tagged(match: re.Match[str]) -> str:
        body, number = match["body"].rstrip(), references.equations.get(match["label"])
        return f"$${body} \\tag{{{number}}}\n$$" if number else f"$${match['body']}$$"

    return _inline(MATH.sub(tagged, text), references)


def _inline(text: str, references: References) -> str:
    return ROLE.sub(lambda match: _role(match[1], match[3], references), text)


def _role(name: str, content: str, references: References) -> str:
    explicit = re.match(r"^(.*?)\s*<([^<>]+)>$", content, flags=re.DOTALL)
    shown, label = (explicit[1], explicit[2]) if explicit else ("", content)
    if name in {"eq", "math:numref"}:
        return f"({references.equations.get(label, label)})"
    if name == "math":
        return f"${content}$"
    if name in {"numref", "ref", "prf:ref"}:
        target = references.target(label)
        shown = shown.replace("%s", target.number).replace("{number}", target.number)
        return shown or (target.title if name == "ref" and target.title else str(target))
    if name == "doc":
        return f"*{shown or references.pages.get(label.strip('/').removeprefix('../'), label)}*"
    if name.startswith("glue"):
        return _glued(label, references.glue)
    if name.startswith("cite"):
        return _cite(name, content, references)
    if name == "abbr":
        return content
    return f"*{shown or label}*"


def _glued(content: str, glue: Mapping[str, str]) -> str:
    """Return the glued text, formatted when the role says how: `name:.2f`."""
    name, _, spec = content.partition(":")
    value = glue.get(name, name)
    return format(float(value), spec) if spec else value


def _cite(name: str, content: str, references: References) -> str:
    def each(show: Callable[[Citation], str]) -> list[str]:
        keys = [key.strip() for key in content.split(",")]
        known = references.citations
        return [show(known[key]) if key in known else key for key in keys]

    if name in {"cite:t", "cite:ts", "cite:ct"}:
        return ", ".join(each(lambda c: f"{c.authors} ({c.year})"))
    return "(" + "; ".join(each(lambda c: f"{c.authors}, {c.year}")) + ")"


LEAKS = (
    re.compile(r"(?<!`)\{[A-Za-z][\w:-]*\}`[^`\n]+`"),
    re.compile(r"^ {0,3}(?:`{3,}|:{3,}|~{3,})\{[\w:-]+\}.*$", re.MULTILINE),
    re.compile(r"^:{3,}\s*$", re.MULTILINE),
    re.compile(r"^\([\w:.-]+\)=\s*$", re.MULTILINE),
    re.compile(r"\$\$[ \t]*\([\w:.-]+\)"),
    re.compile(r"^:(?:label|class|name|nonumber|alt|filter):.*$", re.MULTILINE),
)


def myst_leaks(text: str) -> list[str]:
    """Return the pieces of MyST syntax left in Markdown `text`, outside its code blocks."""
    kept, lines, i = [], text.split("\n"), 0
    while i < len(lines):
        opening = FENCE.match(lines[i])
        if opening and not DIRECTIVE.match(lines[i]):
            i = _closing(lines, i, opening[1])
        else:
            kept.append(lines[i])
        i += 1
    prose = "\n".join(kept)
    return [match[0] for pattern in LEAKS for match in pattern.finditer(prose)]
