"""Follows the own certificate and whom this runtime trusts while it runs (contract 2.3, 2.4)."""

import asyncio
from collections.abc import Callable
from typing import Final

from trust_runtime.contracts.identity import Distrust, IdentityChange, IdentityFacts
from trust_runtime.contracts.units import NS_PER_S, MonotonicNs
from trust_runtime.core.trust import days_left, ends_soon
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.identity_files import IdentityFiles
from trust_runtime.ports.log import Log
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing

_LOOK_S: Final = 1.0
"""Changes are noticed within 2 s (2.4)."""

_WARN_NS: Final = 86_400 * NS_PER_S


class IdentityWatch:
    """Looks at the files once a second, and says when the certificate ends.

    `on_change` is called after each change, when signatures follow it already: HTTPS and the mesh
    have their own copies. `on_expiry` is called once a day with the days left, below 0 when it
    ended.
    """

    def __init__(
        self,
        *,
        running: Running,
        signing: Signing,
        peers: Peers,
        files: IdentityFiles,
        clock: Clock,
        log: Log,
    ) -> None:
        self._running = running
        self._signing = signing
        self._peers = peers
        self._files = files
        self._clock = clock
        self._log = log
        self._warned_ns: MonotonicNs | None = None
        self._noted: tuple[str, ...] = ()
        self.on_change: Callable[[IdentityChange], None] = lambda _change: None
        self.on_expiry: Callable[[int], None] = lambda _days: None

    @property
    def facts(self) -> IdentityFacts:
        """The own identity pair in use."""
        return self._signing.own_identity

    @property
    def distrust(self) -> Distrust | None:
        """Why the own identity is unfit for the profile in force, or None."""
        return self._signing.own_distrust(self._running.settings.profile)

    @property
    def expires_in_s(self) -> int | None:
        """Seconds until the own certificate ends, below 0 when it did; None without one."""
        ends_s = self.facts.not_after_s
        return None if ends_s is None else ends_s - self._now_s()

    def reasons(self) -> tuple[str, ...]:
        """Return why this runtime is not healthy for its certificates, each naming its part."""
        found = list(self.facts.notes)
        facts, now_s = self.facts, self._now_s()
        if ends_soon(facts, now_s=now_s):
            found.append(f"the certificate {_ending(days_left(facts, now_s=now_s) or 0)}")
        return tuple(f"identity: {reason}" for reason in found)

    async def run(self) -> None:
        """Look and warn, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Take what changed on disk, and warn of the end when a day has passed."""
        change = await self._files.look()
        if change is not None:
            self._took(change)
        self._warn()

    def _took(self, change: IdentityChange) -> None:
        if change.own or change.trust:
            what = ", ".join((*(("the own identity",) if change.own else ()), *change.trust))
            self._log.info("identity_changed", f"certificates changed: {what}")
        if self.facts.notes != self._noted:
            self._noted = self.facts.notes
            for note in self._noted:
                self._log.warn("identity_file", note)
        self._peers.evaluate()
        self.on_change(change)

    def _warn(self) -> None:
        facts, now_s, now_ns = self.facts, self._now_s(), self._clock.monotonic_ns()
        days = days_left(facts, now_s=now_s)
        if days is None or not ends_soon(facts, now_s=now_s):
            self._warned_ns = None
            return
        if self._warned_ns is not None and now_ns - self._warned_ns < _WARN_NS:
            return
        self._warned_ns = now_ns
        self._log.warn("certificate_ends", f"the own certificate {_ending(days)}")
        self.on_expiry(days)

    def _now_s(self) -> int:
        return self._clock.wall_ns() // NS_PER_S


def _ending(days: int) -> str:
    if days < 0:
        return f"ended {-days} days ago"
    return "ends in less than a day" if days == 0 else f"ends in {days} days"
