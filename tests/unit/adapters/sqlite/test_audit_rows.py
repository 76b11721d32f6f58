"""`adapters.sqlite.audit_rows`: what one transaction does to the log."""

import sqlite3
from collections.abc import Iterator

import pytest

from port_contracts.store_samples import DECISION, OUTCOME, draft
from trust_runtime.adapters.sqlite.audit_rows import (
    PAGE_ROWS,
    append_drafts,
    find_records,
    matches,
    open_decision_records,
    page,
)
from trust_runtime.adapters.sqlite.database import Access
from trust_runtime.adapters.sqlite.schema import create_schema
from trust_runtime.contracts.audit import EMPTY_CHAIN, AuditFilter
from trust_runtime.contracts.errors import ContractViolation


@pytest.fixture
def access() -> Iterator[Access]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(connection)
    yield Access(connection, EMPTY_CHAIN)
    connection.close()


def test_the_head_moves_with_each_record(access: Access) -> None:
    records = append_drafts(access, [draft(1), draft(2)])
    assert (access.head.seq, access.head.hash) == (2, records[1].hash)
    assert records[1].prev_hash == records[0].hash


def test_a_second_record_of_id_and_phase_is_refused(access: Access) -> None:
    append_drafts(access, [draft(1)])
    with pytest.raises(ContractViolation, match="audit-1"):
        append_drafts(access, [draft(1)])


def test_an_open_decision_is_closed_by_its_outcome_alone(access: Access) -> None:
    append_drafts(access, [DECISION, draft(2)])
    assert [record.audit_id for record in open_decision_records(access)] == [DECISION.audit_id]
    append_drafts(access, [OUTCOME])
    assert open_decision_records(access) == ()
    assert len(find_records(access, DECISION.audit_id)) == 2


def test_a_page_is_bounded_and_goes_on_before_its_last(access: Access) -> None:
    append_drafts(access, [draft(n) for n in range(PAGE_ROWS + 1)])
    first = page(access, AuditFilter())
    assert len(first) == PAGE_ROWS
    rest = page(access, AuditFilter(before_seq=first[-1].seq))
    assert [record.seq for record in rest] == [1]


def test_ids_that_differ_after_a_nul_are_told_apart(access: Access) -> None:
    append_drafts(access, [draft(1, audit_id="a\0b")])
    assert len(find_records(access, "a\0b")) == 1
    assert find_records(access, "a\0c") == ()
    (record,) = page(access, AuditFilter())
    assert matches(record, AuditFilter(actor=record.actor, runtime=record.target))
    assert not matches(record, AuditFilter(actor=record.actor, runtime="nobody"))
