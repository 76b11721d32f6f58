"""`core.audit_chain`: contract 10.1, 10.2."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.audit import (
    EMPTY_CHAIN,
    GENESIS_HASH,
    AuditDraft,
    AuditRecord,
    ChainHead,
    Outcome,
    Phase,
    Verdict,
)
from trust_runtime.contracts.codec import canonical_json, sha256_hex
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Role
from trust_runtime.core.audit_chain import link, record_hash, verify_records

DRAFT = AuditDraft(
    audit_id="audit-1",
    phase=Phase.SINGLE,
    timestamp_ns=7,
    origin="press-1",
    actor="anna",
    identity="uid:1000",
    role=Role.VIEWER,
    action_type="status_read",
    request_id="request-1",
    decision=Verdict.ALLOWED,
    payload_digest="sha256:00",
)
OTHER_VALUES: dict[str, Any] = {
    "audit_id": "audit-x",
    "phase": Phase.OUTCOME,
    "timestamp_ns": 8,
    "origin": "press-9",
    "target": "press-9",
    "actor": "otto",
    "identity": "uid:0",
    "role": Role.ADMIN,
    "action_type": "cmd_invoke",
    "verb": "shutdown",
    "request_id": "request-x",
    "decision": Verdict.DENIED,
    "denial_code": DenialCode.CONFLICT,
    "outcome": Outcome.FAILED,
    "replay_of": "audit-y",
    "count": 3,
    "payload_digest": "sha256:11",
    "prev_hash": "f" * 64,
    "hash": "f" * 64,
}


def chain(length: int) -> list[AuditRecord]:
    head, records = EMPTY_CHAIN, []
    for number in range(1, length + 1):
        record = link(head, structs.replace(DRAFT, audit_id=f"audit-{number}"))
        records.append(record)
        head = ChainHead(seq=record.seq, hash=record.hash)
    return records


def first_bad(records: list[AuditRecord]) -> int | None:
    problem = verify_records(EMPTY_CHAIN, records)[1]
    return None if problem is None else problem.seq


def test_the_first_record_follows_sixty_four_zeros() -> None:
    record = link(EMPTY_CHAIN, DRAFT)
    assert (record.seq, record.prev_hash) == (1, GENESIS_HASH)
    for name in AuditDraft.__struct_fields__:
        assert getattr(record, name) == getattr(DRAFT, name)


def test_the_hash_covers_the_canonical_json_without_the_hash() -> None:
    record = link(EMPTY_CHAIN, DRAFT)
    own = b'"hash":"' + record.hash.encode() + b'",'
    text = canonical_json(record)
    assert own in text
    assert record.hash == sha256_hex(text.replace(own, b"")) == record_hash(record)


@given(length=st.integers(0, 12))
def test_an_intact_chain_has_no_problem(length: int) -> None:
    records = chain(length)
    last = ChainHead(seq=length, hash=records[-1].hash) if records else EMPTY_CHAIN
    assert verify_records(EMPTY_CHAIN, records) == (last, None)


@given(at=st.integers(0, 7))
def test_verification_goes_on_from_any_place(at: int) -> None:
    records = chain(8)
    before = EMPTY_CHAIN if at == 0 else ChainHead(seq=at, hash=records[at - 1].hash)
    assert verify_records(before, records[at:])[1] is None
    assert verify_records(structs.replace(before, hash="f" * 64), records[at:])[1] is not None


def test_every_member_can_be_changed_in_the_next_test() -> None:
    assert {*OTHER_VALUES, "seq"} == set(AuditRecord.__struct_fields__)


@pytest.mark.parametrize("name", sorted(OTHER_VALUES))
@given(at=st.integers(0, 4))
def test_a_changed_member_is_found_where_it_is(name: str, at: int) -> None:
    records = chain(5)
    records[at] = structs.replace(records[at], **{name: OTHER_VALUES[name]})
    head, problem = verify_records(EMPTY_CHAIN, records)
    assert problem is not None
    assert (head.seq, problem.seq) == (at, at + 1)


@given(at=st.integers(0, 4), seq=st.integers(-1, 7))
def test_a_changed_number_is_found_where_it_is(at: int, seq: int) -> None:
    records = chain(5)
    records[at] = structs.replace(records[at], seq=seq)
    assert first_bad(records) == (None if seq == at + 1 else at + 1)


@given(at=st.integers(0, 3))
def test_a_record_that_was_rehashed_breaks_the_next_one(at: int) -> None:
    records = chain(5)
    forged = structs.replace(records[at], actor="otto")
    records[at] = structs.replace(forged, hash=record_hash(forged))
    assert first_bad(records) == at + 2


@given(at=st.integers(0, 3))
def test_a_cut_is_found_at_the_missing_record(at: int) -> None:
    records = chain(5)
    del records[at]
    assert first_bad(records) == at + 1


@given(at=st.integers(0, 4), other=st.integers(0, 4))
def test_a_swap_is_found_at_the_first_of_the_two(at: int, other: int) -> None:
    records = chain(5)
    records[at], records[other] = records[other], records[at]
    assert first_bad(records) == (None if at == other else min(at, other) + 1)


@given(at=st.integers(0, 5), source=st.integers(0, 4))
def test_an_insertion_is_found_at_or_right_after_it(at: int, source: int) -> None:
    records = chain(5)
    records.insert(at, records[source])
    # A second copy beside the first: the place after the two is where it does not fit.
    beside = at in (source, source + 1)
    assert first_bad(records) == (source + 2 if beside else at + 1)
