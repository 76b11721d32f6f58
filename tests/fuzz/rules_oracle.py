"""A slow, obvious reading of the rules for crossing sites, made from contract 2.1, 2.2 and 9.2.

Shares no line with the product: ids are pairs here, characters are looked at one by one, and a
star is tried with every text it could stand for.
"""

from collections.abc import Collection, Iterable
from string import ascii_letters, digits
from typing import NamedTuple

DEFAULT = "default-site"
WRITES = ("cfg_apply", "cmd_invoke")


class Id(NamedTuple):
    """One runtime."""

    site: str
    name: str

    def canonical(self) -> str:
        """Return the id as every answer carries it."""
        return self.name if self.site == DEFAULT else self.site + "/" + self.name


class Rule(NamedTuple):
    """One rule as its owner wrote it."""

    action: str
    target: str
    origin: str


def read(text: str) -> Id | None:
    """Return the runtime a canonical or long spelling names; None when it is none."""
    parts = text.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            return None
        for character in part:
            if character not in ascii_letters + digits + "._-":
                return None
    if len(parts) == 1:
        found = Id(DEFAULT, parts[0])
    elif len(parts) == 2:
        found = Id(parts[0], parts[1])
    else:
        return None
    return found if len(found.canonical()) <= 128 else None


def meant(text: str, *, own: Id, known: Collection[Id]) -> Id | None:
    """Return which runtime a text means at `own` (2.2); None when none, or when two are meant."""
    found = read(text)
    if found is None or "/" in text or own.site == DEFAULT:
        return found
    here, there = Id(own.site, text), Id(DEFAULT, text)
    if here in known and there in known:
        return None
    return there if there in known else here


def matches(pattern: str, runtime: Id) -> bool:
    """Tell whether a pattern of a rule, as written, means a runtime."""
    text = runtime.canonical()
    if pattern.split("/", maxsplit=1)[0] == DEFAULT and runtime.site == DEFAULT:
        text = DEFAULT + "/" + runtime.name
    if pattern == "*":
        return True
    if pattern.count("*") > 1:
        return False
    for begin in range(len(text) + 1):
        for end in range(begin, len(text) + 1):
            stands_for = text[begin:end]
            if pattern[-1:] == "*" and "/" in stands_for:
                continue
            starred = pattern[:1] == "*" or pattern[-1:] == "*"
            if starred and pattern.replace("*", stands_for) == text and _fits(pattern, begin, end):
                return True
    return pattern == text


def _fits(pattern: str, begin: int, end: int) -> bool:
    """Tell whether the star stands where the pattern has it."""
    return begin == pattern.index("*") if pattern[-1] == "*" else begin == 0 and end >= 0


def _exact(pattern: str, owner: Id) -> str:
    """Return a pattern with a bare name read as its owner's own site (2.2)."""
    bare = "*" not in pattern and "/" not in pattern
    return f"{owner.site}/{pattern}" if bare and owner.site != DEFAULT else pattern


def is_granted(
    rules: Iterable[Rule], action: str, *, owner: Id, target: Id | None, origin: Id
) -> bool:
    """Tell whether rules of `owner`, at either end, allow a write."""
    return (
        action in WRITES
        and target is not None
        and any(
            rule.action in ("*", action)
            and matches(_exact(rule.target, owner), target)
            and matches(_exact(rule.origin, owner), origin)
            for rule in rules
        )
    )


def needs_rule(profile: str, *, target: Id, origin: Id) -> bool:
    """Tell whether a write needs a rule at the end that has this profile."""
    return origin != target and (origin.site != target.site or profile == "wan")
