"""Tells of mesh links that were refused, so often as people can read (contract 5.2, 10.5)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.link_refusals import LinkFault, LinkRefusal, LinkSide
from trust_runtime.contracts.timeline import Category, Severity
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.log import Log
from trust_runtime.services.timeline import Timeline

_TOLD_EVERY_NS: Final = 60 * NS_PER_S
_LASTS_NS: Final = 15 * NS_PER_S
"""Longer than the pause between two tries of one address."""
_KINDS_MAX: Final = 128
_SHOWN_MAX: Final = 8

_WORDS: Final = {
    LinkFault.EXPIRED: "the certificate has expired",
    LinkFault.NOT_YET_VALID: "the certificate is not valid yet",
    LinkFault.UNKNOWN_CA: "the certificate is of no CA known here",
    LinkFault.NAME_MISMATCH: "the certificate does not name this address",
    LinkFault.NO_CERTIFICATE: "no certificate was shown",
    LinkFault.BAD_CERTIFICATE: "the certificate was not accepted",
    LinkFault.NOT_TLS: "it does not speak TLS",
    LinkFault.OLD_TLS: "it speaks no TLS 1.3",
    LinkFault.WRONG_TOKEN: "another mesh token, or none",
    LinkFault.CLOSED: "the other end refused us: another mesh token, or it is full",
    LinkFault.HANDSHAKE: "the handshake failed",
}


@dataclass(slots=True)
class _Kind:
    """Refusals that differ in nothing but their time."""

    newest: LinkRefusal
    seen_ns: int
    told_ns: int | None = None
    untold: int = 0


class LinkRefusals:
    """Counts all of them; logs and makes an event of the first of each kind a minute.

    Only links that this runtime itself wants make it degraded: a stranger who knocks must not be
    able to make a runtime unhealthy.
    """

    def __init__(self, *, own: RuntimeId, timeline: Timeline, clock: Clock, log: Log) -> None:
        self._own = own
        self._timeline = timeline
        self._clock = clock
        self._log = log
        self._kinds: dict[tuple[LinkSide, LinkFault, str | None], _Kind] = {}
        self._counts: Counter[str] = Counter()
        self.on_change: Callable[[], None] = lambda: None

    def take(self, refusal: LinkRefusal) -> None:
        """Take one refusal; quick, however many come."""
        now_ns = self._clock.monotonic_ns()
        self._counts[f"{refusal.side}:{refusal.fault}"] += 1
        name = (refusal.side, refusal.fault, refusal.address)
        kind = self._kinds.pop(name, None)
        if kind is None:
            kind = _Kind(newest=refusal, seen_ns=now_ns)
        self._kinds[name] = kind  # Newest last.
        if len(self._kinds) > _KINDS_MAX:
            del self._kinds[next(iter(self._kinds))]
        kind.newest, kind.seen_ns = refusal, now_ns
        kind.untold += 1
        if kind.told_ns is None or now_ns - kind.told_ns >= _TOLD_EVERY_NS:
            self._tell(kind, now_ns)

    def counts(self) -> dict[str, int]:
        """Return how often each kind was refused since the start, `SIDE:FAULT` to number."""
        return dict(sorted(self._counts.items()))

    def reasons(self) -> tuple[str, ...]:
        """Return why links this runtime wants are missing now."""
        now_ns = self._clock.monotonic_ns()
        found = sorted(
            _sentence(kind.newest)
            for kind in self._kinds.values()
            if kind.newest.side is LinkSide.CONNECT and now_ns - kind.seen_ns <= _LASTS_NS
        )
        more = len(found) - _SHOWN_MAX
        return (*found[:_SHOWN_MAX], *((f"{more} more links refused",) if more > 0 else ()))

    def own_certificate_expired(self) -> bool:
        """Tell whether others refuse our certificate now because it has expired."""
        now_ns = self._clock.monotonic_ns()
        return any(
            kind.newest.fault is LinkFault.EXPIRED
            and kind.newest.by_them
            and now_ns - kind.seen_ns <= _LASTS_NS
            for kind in self._kinds.values()
        )

    def _tell(self, kind: _Kind, now_ns: int) -> None:
        refusal, count = kind.newest, kind.untold
        kind.told_ns, kind.untold = now_ns, 0
        sentence = _sentence(refusal)
        data = {
            "side": refusal.side,
            "fault": refusal.fault,
            "address": refusal.address,
            "count": count,
        }
        self._log.warn("mesh_link_refused", f"{sentence} ({refusal.detail})", **data)
        self._timeline.tell(
            Category.SECURITY, Severity.WARNING, f"{self._own}: {sentence}", data=data
        )
        self.on_change()


def _sentence(refusal: LinkRefusal) -> str:
    if refusal.side is LinkSide.ACCEPT:
        whom = "link from a stranger"
    else:
        whom = f"link to {refusal.address}"
    by = "refused by the other end" if refusal.by_them else "refused"
    return f"{whom} {by}: {_WORDS[refusal.fault]}"
