"""Things to be stored, as short as a test wants to say them."""

from typing import Any

from msgspec import structs

from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.config import ConfigRevision
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerEntry, LedgerKey, LedgerState
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply

DRAFT = AuditDraft(
    audit_id="audit-1",
    phase=Phase.SINGLE,
    timestamp_ns=1_700_000_000_000_000_000,
    origin="press-1",
    target="press-2",
    actor="spiffe://trust/default-site/operator",
    identity="uid:1000",
    role=Role.ENGINEER,
    action_type="cfg_apply",
    request_id="request-1",
    decision=Verdict.ALLOWED,
    outcome=Outcome.EXECUTED,
    payload_digest="sha256:" + "0" * 64,
)
DECISION = structs.replace(DRAFT, phase=Phase.DECISION, outcome=None)
OUTCOME = structs.replace(DRAFT, phase=Phase.OUTCOME)
REPLY = TargetReply(
    status=ResultStatus.EXECUTED,
    response=ControlReply(id=1, ok=True, result={"value": 2**64 - 1, "text": "ä\n\0"}),
)
KEY = LedgerKey(origin="press-1", request_id="request-1")
RUNNING = LedgerEntry(
    key=KEY,
    digest="sha256:aa",
    audit_id="audit-1",
    state=LedgerState.RUNNING,
    created_at_ns=1_700_000_000_000_000_000,
    iat_s=1_700_000_000,
)
DONE = structs.replace(RUNNING, state=LedgerState.DONE, reply=REPLY)
REVISION = ConfigRevision(
    revision=1,
    kind="write",
    document={"log.level": "warn", "limit": 2**64 - 1},
    patch={"log.level": "warn"},
    secret_revisions={},
    actor="spiffe://trust/default-site/operator",
    identity="uid:1000",
    audit_id="audit-1",
    created_at_ns=1_700_000_000_000_000_000,
)
PEER = PeerRecord(runtime_id=RuntimeId("press-2"), pin="ab" * 32, addresses=("127.0.0.1:5201",))


def draft(number: int, **changes: Any) -> AuditDraft:
    """Return a draft of its own audit id and request."""
    named = {"audit_id": f"audit-{number}", "request_id": f"request-{number}", **changes}
    return structs.replace(DRAFT, **named)


def done_entry(number: int, *, created_at_ns: int, iat_s: int = 0) -> LedgerEntry:
    """Return a finished entry under its own key."""
    key = LedgerKey(origin="press-1", request_id=f"request-{number}")
    return structs.replace(DONE, key=key, created_at_ns=created_at_ns, iat_s=iat_s)
