"""Plain text for people: tables, ages, and decisions as a tree. No colour is ever needed."""

from collections.abc import Sequence
from typing import Final

from trust_runtime.cli.options import printable
from trust_runtime.contracts.counterfactual import WouldAllow
from trust_runtime.contracts.decisions import Check, CheckOutcome, Preflight, TargetDecision
from trust_runtime.contracts.units import MS_PER_S, NS_PER_S

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_GAP: Final = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines; the head in capitals, texts from elsewhere made harmless."""
    lines = [[name.upper() for name in head], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        _GAP.join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def duration(milliseconds: int | None) -> str:
    """Return a length of time with two units at most; `-` when it is not known."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds // MS_PER_S
    if seconds < _MINUTE_S:
        return f"{milliseconds / MS_PER_S:.1f}s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S}m {seconds % _MINUTE_S}s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S}h {seconds % _HOUR_S // _MINUTE_S}m"
    return f"{seconds // _DAY_S}d {seconds % _DAY_S // _HOUR_S}h"


def ago(instant_ns: int, now_ns: int) -> str:
    """Return how long ago an instant was; `never` for 0."""
    if instant_ns == 0:
        return "never"
    return f"{duration(max(0, now_ns - instant_ns) * MS_PER_S // NS_PER_S)} ago"


def decision_lines(preflight: Preflight, *, every_check: bool = False) -> list[str]:
    """Return a decision as a tree: each target's verdict, what denies it, what would allow it."""
    verdict = "allowed" if preflight.allowed else f"denied: {preflight.denial_code}"
    lines = [f"{verdict} ({preflight.decision_digest[:19]})"]
    if not preflight.decisions and preflight.denial_reason:
        lines.append(f"  {printable(preflight.denial_reason)}")
    for decision in preflight.decisions:
        lines += _target_lines(decision, every_check=every_check)
    return [*lines, *_would_allow_lines(preflight.would_allow)]


def _would_allow_lines(found: WouldAllow | None) -> list[str]:
    """Return what would have to change, each on a line of its own; nothing when all is allowed."""
    if found is None:
        return []
    if not found.possible:
        about = [
            f"  {printable(o.runtime_id + ': ' if o.runtime_id else '')}{printable(o.reason)}"
            for o in found.never
        ]
        return ["no change allows it:", *about]
    steps = [f"  {n}. {printable(c.text)}" for n, c in enumerate(found.changes, start=1)]
    return ["allowed after:", *steps, *(f"  not known: {printable(t)}" for t in found.unknown)]


def _target_lines(decision: TargetDecision, *, every_check: bool) -> list[str]:
    verdict = "allowed" if decision.allowed else f"denied {decision.denial_code}"
    name = printable(decision.runtime_id)
    lines = [f"+- {name} ({decision.target_state}): {verdict}"]
    shown = [c for c in decision.checks if every_check or c.outcome is CheckOutcome.DENY]
    for check in shown:
        lines += _check_lines(check)
    return lines


def _check_lines(check: Check) -> list[str]:
    lines = [f"|  +- {check.outcome:<4} {check.check}: {printable(check.detail)}"]
    if check.remedy is not None:
        lines.append(f"|  |       remedy: {printable(check.remedy)}")
    return lines
