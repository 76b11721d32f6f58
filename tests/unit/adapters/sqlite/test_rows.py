"""`adapters.sqlite.rows`: a row that changed is never taken for the one that was written."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from port_contracts.store_samples import DRAFT, PEER
from trust_runtime.adapters.sqlite.rows import (
    BOOT,
    RowDamaged,
    audit_record,
    read_fact,
    read_head,
    seal,
    sealed,
    to_row,
    write_fact,
)
from trust_runtime.adapters.sqlite.schema import create_schema
from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.config import BootRecord
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.core.audit_chain import link

RECORD = link(EMPTY_CHAIN, DRAFT)
AUDIT_TEXT = to_row(RECORD)
PEER_TEXT = to_row(PEER)


def test_what_was_written_is_read() -> None:
    assert audit_record((1, AUDIT_TEXT)) == RECORD
    assert sealed("peer", (PEER_TEXT, seal("peer", PEER_TEXT)), PeerRecord) == PEER


def test_a_record_in_another_place_is_damage() -> None:
    with pytest.raises(RowDamaged, match="record 2"):
        audit_record((2, AUDIT_TEXT))


@given(at=st.integers(0, len(PEER_TEXT) - 1), put=st.characters(codec="utf-8"))
def test_any_changed_character_of_a_sealed_row_is_damage(at: int, put: str) -> None:
    changed = PEER_TEXT[:at] + put + PEER_TEXT[at + 1 :]
    if changed == PEER_TEXT:
        return
    with pytest.raises(RowDamaged):
        sealed("peer", (changed, seal("peer", PEER_TEXT)), PeerRecord)


def test_a_row_of_another_table_is_damage() -> None:
    with pytest.raises(RowDamaged):
        sealed("peer", (PEER_TEXT, seal("ledger", PEER_TEXT)), PeerRecord)


def test_a_fact_is_what_was_written_last() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(connection)
    assert read_fact(connection, BOOT, BootRecord) is None
    assert read_head(connection) == EMPTY_CHAIN
    for number in (1, 2):
        write_fact(connection, BOOT, BootRecord(attempted_revision=number))
    assert read_fact(connection, BOOT, BootRecord) == BootRecord(attempted_revision=2)
    connection.execute("UPDATE fact SET record = replace(record, '2', '3')")
    with pytest.raises(RowDamaged, match="fact boot"):
        read_fact(connection, BOOT, BootRecord)
    connection.close()
