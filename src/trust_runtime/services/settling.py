"""Asks the ledgers of targets for outcomes that are not known here (contract 6.9)."""

import asyncio
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.ledger import (
    LEDGER_READ,
    LedgerAnswer,
    LedgerQuestion,
)
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S, MonotonicNs
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Entropy
from trust_runtime.ports.log import Log
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.calls import Call, Calls
from trust_runtime.services.ledger_reads import LedgerReads
from trust_runtime.services.peers import Peers

FIRST_PAUSE_S: Final = 1
PAUSE_S_MAX: Final = 60
NEVER_BEGINS_AFTER_S: Final = 15
"""So long after an outcome became unknown here nothing of the request can begin anywhere.

Every deadline had passed when it became unknown, or passes within the 10 s a dispatch may take
when the origin was restarted meanwhile; the rest is for clocks that differ by up to 5 s.
"""

_LOOK_PERIOD_S: Final = 1.0
_BUDGET_MS: Final = 1_500
_IN_FLIGHT_MAX: Final = 16


class _Chase(Struct):
    """One outcome that is asked for."""

    since_ns: MonotonicNs
    due_ns: MonotonicNs
    begun_at_ns: int | None
    """Of which dispatch; what is heard says nothing of one that has begun since."""
    pause_s: int = FIRST_PAUSE_S


class Settling:
    """Goes on asking until every outcome is known, ever more rarely, also after a restart."""

    def __init__(
        self,
        *,
        own: RuntimeId,
        rows: ActionRows,
        reads: LedgerReads,
        calls: Calls,
        peers: Peers,
        clock: Clock,
        entropy: Entropy,
        log: Log,
    ) -> None:
        self._own = own
        self._rows = rows
        self._reads = reads
        self._calls = calls
        self._peers = peers
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._chases: dict[tuple[str, str], _Chase] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        slots = asyncio.Semaphore(_IN_FLIGHT_MAX)

        async def one(request_id: str, target: str) -> None:
            async with slots:
                await self._ask(request_id, target)

        while True:
            async with asyncio.TaskGroup() as tasks:
                for request_id, target in self._due():
                    tasks.create_task(one(request_id, target), name=f"settle {request_id}")
            await asyncio.sleep(_LOOK_PERIOD_S)

    def _due(self) -> list[tuple[str, str]]:
        """Return what is to be asked for now, and forget what is known."""
        now_ns = self._clock.monotonic_ns()
        wanted = self._rows.unsettled()
        known = self._chases
        self._chases = {
            pair: self._chase(pair[0], known.get(pair), now_ns=now_ns) for pair in wanted
        }
        return [
            pair
            for pair, chase in self._chases.items()
            if chase.due_ns <= now_ns and self._can_answer(pair[1])
        ]

    def _chase(self, request_id: str, known: _Chase | None, *, now_ns: MonotonicNs) -> _Chase:
        begun_at_ns = self._rows.begun_at_ns(request_id)
        if known is not None and known.begun_at_ns == begun_at_ns:
            return known
        due_ns = MonotonicNs(now_ns + FIRST_PAUSE_S * NS_PER_S)
        return _Chase(since_ns=now_ns, due_ns=due_ns, begun_at_ns=begun_at_ns)

    def _can_answer(self, target: str) -> bool:
        peer = self._peers.get(RuntimeId(target))
        return target == self._own or (peer is not None and peer.lifecycle is Lifecycle.ONLINE)

    async def _ask(self, request_id: str, target: str) -> None:
        chase = self._chases[request_id, target]
        asked_ns = self._clock.monotonic_ns()
        try:
            told = await self._told(request_id, RuntimeId(target))
            is_same = self._rows.begun_at_ns(request_id) == chase.begun_at_ns
            if told is not None and await self._rows.settle(
                request_id,
                target,
                told,
                may_still_begin=not is_same
                or asked_ns - chase.since_ns < NEVER_BEGINS_AFTER_S * NS_PER_S,
            ):
                self._log.info(
                    "action_settled",
                    f"what became of {request_id} at {target} is known now",
                    request_id=request_id,
                    target=target,
                )
        except StoreFailed as error:
            self._log.warn("action_unsettled", error.reason, request_id=request_id, target=target)
        chase.pause_s = min(2 * chase.pause_s, PAUSE_S_MAX)
        chase.due_ns = MonotonicNs(asked_ns + chase.pause_s * NS_PER_S)

    async def _told(self, request_id: str, target: RuntimeId) -> LedgerAnswer | None:
        """Return what the ledger of a target says, or None when it does not answer now."""
        if target == self._own:
            return await self._reads.read(self._own, request_id)
        spiffe = spiffe_id(self._own)
        answer = await self._calls.call(
            Call(
                target=target,
                action_type=LEDGER_READ,
                payload=to_plain(LedgerQuestion(request_id=request_id)),
                actor=spiffe,
                caller=Caller(identity=spiffe, role=Role.VIEWER),
                request_id=request_id,
                audit_id=f"audit-{self._entropy.uuid7()}",
                deadline_ns=MonotonicNs(self._clock.monotonic_ns() + _BUDGET_MS * NS_PER_MS),
            )
        )
        executed = isinstance(answer, TargetReply) and answer.status is ResultStatus.EXECUTED
        if not executed or answer.response is None:
            return None
        try:
            return convert(answer.response.result, LedgerAnswer, known_only=False)
        except ContractViolation as error:
            self._log.warn("action_unsettled", f"{target}: {error}", request_id=request_id)
            return None
