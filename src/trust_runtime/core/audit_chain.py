"""Link audit records into a hash chain, and find the first place where a chain is damaged.

Every record holds the hash of the one before it and its own hash over everything else it says,
so a change, a cut, a swap or an insertion anywhere shows at one sequence number (contract 10.1).
"""

from collections.abc import Iterable
from typing import Any

from trust_runtime.contracts.audit import AuditDraft, AuditRecord, ChainHead, ChainProblem
from trust_runtime.contracts.codec import canonical_json, convert, sha256_hex, to_plain


def link(head: ChainHead, draft: AuditDraft) -> AuditRecord:
    """Return `draft` as the record that follows `head`."""
    members = {**to_plain(draft), "seq": head.seq + 1, "prev_hash": head.hash}
    return convert({**members, "hash": _hash(members)}, AuditRecord)


def record_hash(record: AuditRecord) -> str:
    """Return what `hash` of `record` must be: SHA-256 over its canonical JSON without `hash`."""
    members = to_plain(record)
    del members["hash"]
    return _hash(members)


def verify_records(
    head_before: ChainHead, records: Iterable[AuditRecord]
) -> tuple[ChainHead, ChainProblem | None]:
    """Return the newest record that is intact, and the first problem after it.

    Args:
        head_before: what the first of `records` must follow.
        records: in the order of their sequence numbers.
    """
    head = head_before
    for record in records:
        problem = _problem(head, record)
        if problem is not None:
            return head, problem
        head = ChainHead(seq=record.seq, hash=record.hash)
    return head, None


def _problem(head: ChainHead, record: AuditRecord) -> ChainProblem | None:
    due = head.seq + 1
    if record.seq != due:
        return ChainProblem(seq=due, detail=f"record {due} is missing, {record.seq} stands there")
    if record.prev_hash != head.hash:
        return ChainProblem(seq=due, detail=f"prev_hash is not the hash of record {head.seq}")
    if record.hash != record_hash(record):
        return ChainProblem(seq=due, detail="hash does not fit what the record says")
    return None


def _hash(members: dict[str, Any]) -> str:
    return sha256_hex(canonical_json(members))
