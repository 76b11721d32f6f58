"""The answers of `fleet/matrix` as a mapping, and what in them accuses somebody."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from runtimes import Runtime
from trust_runtime.contracts.sight import Sight

ACCUSING: Final = frozenset({Sight.DEAD, Sight.FROZEN, Sight.CUT, Sight.ONE_WAY, Sight.LEFT})
"""Conclusions that say something is wrong with the target or the way to it."""

Pair = tuple[str, str]
"""Observer and target."""


class Seen(NamedTuple):
    """One answer of `fleet/matrix`."""

    sights: Mapping[Pair, Sight]
    """Conclusion of each observer on each other runtime."""
    stalled_ms: Mapping[str, int]
    """How long each observer says it stood still lately."""

    def accusations(self, healthy: Iterable[Pair]) -> dict[Pair, Sight]:
        """Return every accusation among pairs that nothing was done to."""
        found = {pair: self.sights.get(pair) for pair in sorted(healthy)}
        return {pair: sight for pair, sight in found.items() if sight in ACCUSING and sight}


def matrix_at(runtime: Runtime) -> Seen:
    """Return who sees whom, as this runtime answers."""
    status, answer = runtime.get("/api/runtime-cloud/fleet/matrix")
    assert status == 200, answer
    rows: list[dict[str, Any]] = answer["rows"]
    return Seen(
        sights={
            (row["observer"], cell["target"]): Sight(cell["sight"])
            for row in rows
            for cell in row["cells"]
            if row["observer"] != cell["target"]
        },
        stalled_ms={row["observer"]: row.get("stalled_ms", 0) for row in rows},
    )


def all_pairs(ids: Iterable[str]) -> list[Pair]:
    """Return every observer with every other runtime."""
    names = sorted(ids)
    return [(observer, target) for observer in names for target in names if observer != target]


def all_heard(runtimes: Iterable[Runtime]) -> bool:
    """Tell whether everybody answers that everybody hears everybody."""
    fleet = list(runtimes)
    pairs = all_pairs(runtime.id for runtime in fleet)
    return all(
        all(seen.sights.get(pair) is Sight.HEARD for pair in pairs)
        for seen in map(matrix_at, fleet)
    )
