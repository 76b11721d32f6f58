"""Bugs to be found: each is planted by changing the product while a simulation runs.

What finds none of them proves nothing when it finds nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

from msgspec import structs

from fakes import disk as fake_disk
from fakes.disk import Disk, State
from fakes.signer import _members
from fakes.store import FakeLedger, FakeStore
from trust_runtime.contracts.audit import AuditDraft, AuditRecord, ChainHead
from trust_runtime.contracts.codec import convert, decode_json
from trust_runtime.contracts.config import ConfigRevision
from trust_runtime.contracts.envelope import BroadcastClaims, MeshMessage, SignerFacts, TokenType
from trust_runtime.contracts.keyspace import owner_of
from trust_runtime.contracts.ledger import LedgerEntry, LedgerState, LedgerVerdict
from trust_runtime.contracts.results import ResultStatus, TargetResult
from trust_runtime.core import dispatch as core_dispatch
from trust_runtime.core import envelope as core_envelope
from trust_runtime.core.audit_chain import link
from trust_runtime.core.policy import access, inbound, preflight
from trust_runtime.core.policy.case import Case, Finding, passed
from trust_runtime.services.audit import Audit
from trust_runtime.services.peer import Peer
from trust_runtime.services.peers import Peers
from trust_runtime.services.signing import Signing
from trust_runtime.services.target import Target

Patches = list[Any]


def _ledger_forgets_on_restart() -> Patches:
    made = FakeStore.__init__

    def forgetful(self: FakeStore, disk: Disk | None = None, **more: Any) -> None:
        if disk is not None:
            disk.synced.entries.clear()
        made(self, disk, **more)

    return [mock.patch.object(FakeStore, "__init__", forgetful)]


def _answer_before_audit() -> Patches:
    append = Audit.append

    async def later(self: Audit, drafts: Any) -> tuple[AuditRecord, ...]:
        _begin(append(self, drafts))
        return ()

    return [mock.patch.object(Audit, "append", later)]


def _begin(work: Coroutine[Any, Any, Any]) -> None:
    """Start what nobody waits for; the loop of the simulator keeps it."""
    asyncio.ensure_future(work)  # noqa: RUF006 - see above


def _deadline_ignored_at_target() -> Patches:
    order = Target._order

    def patient(self: Target, *arguments: Any, **more: Any) -> Any:
        made = order(self, *arguments, **more)
        return structs.replace(made, deadline_ns=made.deadline_ns + 10**15)

    return [
        mock.patch.object(core_envelope, "time_left_ns", return_value=10**15),
        mock.patch.object(Target, "_order", patient),
    ]


def _replay_executes_again() -> Patches:
    begin = State.begin

    def eager(self: State, entry: LedgerEntry, decision: AuditDraft) -> Any:
        known = self.entries.get(entry.key)
        if known is not None and known.state is LedgerState.DONE:
            del self.entries[entry.key]
        return begin(self, entry, decision)

    return [mock.patch.object(State, "begin", eager)]


def _sendings_and_ledger_unchecked() -> Patches:
    """Neither the id of a sending, nor the ledger, nor the uniqueness of records stops a replay."""
    begin, finish = State.begin, State.finish

    def careless(self: State, entry: LedgerEntry, decision: AuditDraft) -> Any:
        self.entries.pop(entry.key, None)
        return begin(self, entry, _renamed(self, decision))

    def careless_end(self: State, key: Any, reply: Any, outcome: AuditDraft) -> Any:
        if self.entries[key].state is LedgerState.DONE:
            return ()
        return finish(self, key, reply, _renamed(self, outcome))

    return [
        mock.patch.object(State, "begin", careless),
        mock.patch.object(State, "finish", careless_end),
        mock.patch.object(core_envelope, "judge_receipt", return_value=None),
        mock.patch("trust_runtime.services.target.judge_receipt", return_value=None),
    ]


def _renamed(state: State, draft: AuditDraft) -> AuditDraft:
    if (draft.audit_id, draft.phase) not in state.phases:
        return draft
    return structs.replace(draft, audit_id=f"{draft.audit_id}-{len(state.records)}")


def _beacon_signature_unchecked() -> Patches:
    def trusting(
        _self: Signing, _kind: TokenType, message: MeshMessage
    ) -> tuple[SignerFacts, BroadcastClaims]:
        header, claims, _ = message.token.split(b".")
        facts = convert(_members(header)["signer"], SignerFacts)
        told = decode_json(message.body, dict)
        read = convert(_members(claims), BroadcastClaims)
        read = structs.replace(read, boot_id=told.get("boot_id", read.boot_id))
        return structs.replace(facts, runtime_id=owner_of(message.key)), read

    return [mock.patch.object(Signing, "read_broadcast", trusting)]


def _token_loss_ignored() -> Patches:
    take = Peers.take_token

    def deaf(self: Peers, key: str, *, alive: bool) -> None:
        if alive:
            take(self, key, alive=alive)

    return [mock.patch.object(Peers, "take_token", deaf)]


def _chain_skips_a_record() -> Patches:
    def skipping(head: ChainHead, draft: AuditDraft) -> AuditRecord:
        if head.seq % 20 == 19:
            head = structs.replace(head, seq=head.seq + 1)
        return link(head, draft)

    return [mock.patch.object(fake_disk, "link", skipping)]


def _silence_becomes_success() -> Patches:
    def invented(runtime_id: str) -> TargetResult:
        return TargetResult(runtime_id=runtime_id, status=ResultStatus.EXECUTED, ok=True)

    return [mock.patch.object(core_dispatch, "out_of_time", invented)]


def _revision_number_reused() -> Patches:
    def reuse(self: State, revision: ConfigRevision) -> None:
        number = revision.revision - (revision.revision % 3 == 2)
        self.revisions[number] = structs.replace(revision, revision=number)

    return [mock.patch.object(State, "revise", reuse)]


def _old_incarnation_believed() -> Patches:
    return [
        mock.patch.object(Peer, "is_superseded", return_value=False),
        mock.patch.object(Peer, "is_new", return_value=True),
    ]


def _acknowledged_before_sync() -> Patches:
    begin = FakeStore._commit

    def early(self: FakeStore) -> None:
        jobs = list(self._waiting)
        begin(self)
        for job in jobs:
            if not job.future.done() and self.disk.unsynced is not None:
                job.future.set_result(job.work(self.disk.synced.copy()))

    return [mock.patch.object(FakeStore, "_commit", early)]


def _effect_before_its_decision() -> Patches:
    begin = FakeLedger.begin

    async def hasty(self: FakeLedger, entry: LedgerEntry, decision: AuditDraft) -> Any:
        if await self.find(entry.key) is not None:
            return await begin(self, entry, decision)
        _begin(begin(self, entry, decision))
        return LedgerVerdict.FIRST, None

    return [mock.patch.object(FakeLedger, "begin", hasty)]


def _open_decisions_forgotten() -> Patches:
    async def nothing(_self: Audit, _ledger: Any) -> None:
        return

    return [mock.patch.object(Audit, "recover", nothing)]


def _sites_unchecked() -> Patches:
    rules = tuple(rule for rule in preflight.RULES if rule is not access.check_target_policy)

    def pass_inbound(_case: Case, _origin: str) -> Finding:
        return passed("cross_site", "planted")

    return [
        mock.patch.object(preflight, "RULES", rules),
        mock.patch.object(inbound, "_check_inbound_rule", pass_inbound),
    ]


def _target_dropped() -> Patches:
    report = core_dispatch.report

    def short(*arguments: Any) -> Any:
        made = report(*arguments)
        return structs.replace(made, results=made.results[:3])

    return [mock.patch.object(core_dispatch, "report", short)]


def _disk_lies() -> Patches:
    """A crash takes back the last commit, although its sync had returned."""
    commit = FakeStore._commit

    def remember(self: FakeStore) -> None:
        vars(self.disk)["before"] = self.disk.synced
        commit(self)

    def crash(self: Disk, *, keep_unsynced: bool) -> None:
        del keep_unsynced
        self.synced = vars(self).get("before", self.synced)
        self.unsynced = None

    return [
        mock.patch.object(FakeStore, "_commit", remember),
        mock.patch.object(Disk, "crash", crash),
    ]


BUGS: Final[dict[str, Callable[[], Patches]]] = {
    "ledger forgets on restart": _ledger_forgets_on_restart,
    "answer before audit": _answer_before_audit,
    "deadline ignored at target": _deadline_ignored_at_target,
    "replay executes again": _replay_executes_again,
    "sendings and ledger unchecked": _sendings_and_ledger_unchecked,
    "beacon signature unchecked": _beacon_signature_unchecked,
    "token loss ignored": _token_loss_ignored,
    "chain skips a record": _chain_skips_a_record,
    "silence becomes success": _silence_becomes_success,
    "revision number reused": _revision_number_reused,
    "old incarnation believed": _old_incarnation_believed,
    "acknowledged before sync": _acknowledged_before_sync,
    "effect before its decision": _effect_before_its_decision,
    "open decisions forgotten": _open_decisions_forgotten,
    "sites unchecked": _sites_unchecked,
    "target dropped": _target_dropped,
    "disk lies": _disk_lies,
}
"""Name of each bug, and the patches that plant it."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have the bug of this name in the product meanwhile."""
    patches = BUGS[name]()
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
