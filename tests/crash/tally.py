"""What a programme counts, and the table it prints."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from crash.checking import Findings

_EXAMPLES: Final = 3


@dataclass(slots=True, kw_only=True)
class Tally:
    """One line of the table."""

    name: str
    points: int = 0
    """Crashes, faults or losses that came, each with a check of its own."""
    acknowledged: int = 0
    """Calls answered before them."""
    refused: int = 0
    """Calls refused, and files not opened."""
    lost: int = 0
    """Acknowledged calls of which something is missing."""
    doubled: int = 0
    """Calls of which something is there twice."""
    broken: int = 0
    """Whatever else is not as it must be."""
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.broken)

    def add(self, label: str, findings: Findings) -> None:
        """Count one check; `label` says how to see it again."""
        self.points += 1
        self.acknowledged += findings.acknowledged
        self.refused += findings.refused
        self.lost += len(findings.lost)
        self.doubled += len(findings.doubled)
        self.broken += len(findings.broken)
        wrong = [*findings.lost, *findings.doubled, *findings.broken]
        if wrong and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{label}: {'; '.join(wrong[:3])}")


@dataclass(slots=True)
class Tallies:
    """The lines of a table, in the order of their first point."""

    lines: dict[str, Tally] = field(default_factory=dict)

    def line(self, name: str) -> Tally:
        return self.lines.setdefault(name, Tally(name=name))

    def total(self, name: str) -> Tally:
        """Return the sum of all lines."""
        total = Tally(name=name)
        for line in self.lines.values():
            for member in ("points", "acknowledged", "refused", "lost", "doubled", "broken"):
                setattr(total, member, getattr(total, member) + getattr(line, member))
            total.examples += line.examples
        return total


def table(lines: Iterable[Tally]) -> str:
    """Return the lines as text, with examples of what is wrong below them."""
    lines = list(lines)
    columns = ("points", "acknowledged", "refused", "lost", "doubled", "broken")
    rows: list[tuple[str, ...]] = [("", *columns)]
    rows += [(one.name, *(str(getattr(one, column)) for column in columns)) for one in lines]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    printed = [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])
        for name, *numbers in rows
    ]
    printed += [f"! {one.name}: {example}" for one in lines for example in one.examples]
    return "\n".join(printed)
