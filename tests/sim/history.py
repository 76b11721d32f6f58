"""What was seen of a run: a trace to read and compare, and facts to judge."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from fakes.clock import TrueTime
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.results import DispatchReport
from trust_runtime.contracts.units import NS_PER_MS

LINES_KEPT: Final = 4_000


@dataclass(kw_only=True)
class Dispatch:
    """One request of a client, and what it was told."""

    origin: str
    request: ActionRequest
    targets: tuple[str, ...]
    """Canonical and distinct, in the order of the request."""
    begun_ns: int
    """True time."""
    budget_ms: int
    disturbed: bool = False
    """Its origin stood still meanwhile, so how long it took says nothing."""
    report: DispatchReport | None = None
    ended_ns: int | None = None

    @property
    def deadline_ns(self) -> int:
        """The true time after which no effect may begin."""
        return self.begun_ns + self.budget_ms * NS_PER_MS


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Something a target did for a request."""

    target: str
    origin: str
    request_id: str
    audit_id: str
    digest: str
    kind: str
    """`verb` or `config`."""
    at_ns: int
    """True time."""


@dataclass(kw_only=True)
class Acked:
    """A revision of the configuration that a client was told of."""

    target: str
    revision: int
    audit_id: str


@dataclass
class History:
    """Collects; the newest lines are kept as text, all of them count in the digest."""

    time: TrueTime
    dispatches: list[Dispatch] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    revisions: list[Acked] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    """How often each kind of line was told: what a run has exercised."""
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def tell(self, kind: str, text: str = "") -> None:
        """Add a line to the trace."""
        line = f"{self.time.now_ns / NS_PER_MS:12.3f} ms  {kind:10} {text}"
        self._digest.update(line.encode() + b"\n")
        self.note(kind)
        self.lines.append(line)
        if len(self.lines) > 2 * LINES_KEPT:
            del self.lines[:LINES_KEPT]

    def note(self, kind: str) -> None:
        """Count that something happened."""
        self.seen[kind] = self.seen.get(kind, 0) + 1

    def fingerprint(self) -> str:
        """Return what equal runs have in common, and no others."""
        return self._digest.hexdigest()
