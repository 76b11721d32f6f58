"""`adapters.sqlite.ledger_rows`: what one transaction does to the ledger."""

import sqlite3
from collections.abc import Iterator

import pytest
from msgspec import structs

from port_contracts.store_samples import DONE, KEY, RUNNING, done_entry
from trust_runtime.adapters.sqlite.database import Access
from trust_runtime.adapters.sqlite.ledger_rows import (
    find_entry,
    insert_entry,
    low_water_s,
    prune_some,
    replace_entry,
    running_entries,
)
from trust_runtime.adapters.sqlite.rows import RowDamaged
from trust_runtime.adapters.sqlite.schema import create_schema
from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.errors import ContractViolation

DAY_NS = 24 * 3_600 * 1_000_000_000


@pytest.fixture
def access() -> Iterator[Access]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(connection)
    yield Access(connection, EMPTY_CHAIN)
    connection.close()


def test_an_entry_is_found_under_its_key_and_in_its_newest_state(access: Access) -> None:
    assert find_entry(access, KEY) is None
    insert_entry(access, RUNNING)
    assert running_entries(access) == (RUNNING,)
    replace_entry(access, DONE)
    assert find_entry(access, KEY) == DONE
    assert running_entries(access) == ()


def test_a_key_is_taken_once(access: Access) -> None:
    insert_entry(access, RUNNING)
    with pytest.raises(ContractViolation, match="request-1"):
        insert_entry(access, structs.replace(RUNNING, digest="sha256:bb"))


def test_a_changed_entry_is_damage(access: Access) -> None:
    insert_entry(access, RUNNING)
    access.connection.execute(
        "UPDATE ledger SET record = replace(record, 'sha256:aa', 'sha256:bb')"
    )
    with pytest.raises(RowDamaged):
        find_entry(access, KEY)


@pytest.mark.parametrize(("before_ns", "gone"), [(5, 0), (6, 1), (7, 2)])
def test_what_is_younger_than_the_limit_stays(access: Access, before_ns: int, gone: int) -> None:
    for number in (5, 6):
        insert_entry(access, done_entry(number, created_at_ns=number, iat_s=number))
    went = prune_some(access, created_before_ns=before_ns, entries_max=9, rows_max=9)
    assert went == gone
    assert low_water_s(access) == (before_ns if gone else 0)


@pytest.mark.parametrize(("newest_ns", "gone"), [(DAY_NS, 0), (DAY_NS + 1, 1)])
def test_by_number_only_what_is_a_day_older_than_the_newest_goes(
    access: Access, newest_ns: int, gone: int
) -> None:
    insert_entry(access, done_entry(1, created_at_ns=1))
    insert_entry(access, done_entry(2, created_at_ns=newest_ns))
    assert prune_some(access, created_before_ns=0, entries_max=1, rows_max=9) == gone


def test_what_runs_never_goes(access: Access) -> None:
    insert_entry(access, structs.replace(RUNNING, created_at_ns=0))
    assert prune_some(access, created_before_ns=9, entries_max=0, rows_max=9) == 0
