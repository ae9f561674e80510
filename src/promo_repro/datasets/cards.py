"""Data cards: what a reader must know before using a data set."""

from pydantic import BaseModel, ConfigDict


class Field(BaseModel):
    """One column: its table, name, meaning and unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    name: str
    meaning: str
    unit: str = "–"


class DataCard(BaseModel):
    """Origin, terms, size, fields and traps of one data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    origin: str
    terms: str
    size: str
    randomised: str
    fields: tuple[Field, ...]
    traps: tuple[str, ...]
    citation: str

    def to_markdown(self) -> str:
        """Return the card as a Markdown section without heading."""
        facts = {
            "Origin": self.origin,
            "Terms": self.terms,
            "Size": self.size,
            "Randomised": self.randomised,
            "Cite as": self.citation,
        }
        lines = [f"**{self.title}** (`{self.name}`)", ""]
        lines += [f"- {label}: {text}" for label, text in facts.items()]
        lines += ["", "| table | field | meaning | unit |", "| --- | --- | --- | --- |"]
        lines += [f"| {f.table} | `{f.name}` | {f.meaning} | {f.unit} |" for f in self.fields]
        lines += ["", "Traps:", "", *(f"- {trap}" for trap in self.traps)]
        return "\n".join(lines) + "\n"


def fields(table: str, **meanings: str) -> tuple[Field, ...]:
    """Return fields of one table from `name="meaning [unit]"`; the unit may be left out."""
    made = []
    for name, text in meanings.items():
        meaning, _, unit = text.partition(" [")
        made.append(Field(table=table, name=name, meaning=meaning, unit=unit.rstrip("]") or "–"))
    return tuple(made)
