"""`services.refusing_store`: every promise of every store port is answered with the fault found."""

import inspect

import pytest

from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.ports.store import AuditLog, ConfigStore, LedgerStore, PeerStore
from trust_runtime.services.refusing_store import RefusingStore

FAULT = StoreFailed("state.db is damaged: row 3", "trust-runtime run --reset-state")

PROMISES = sorted(
    {
        name
        for port in (AuditLog, LedgerStore, ConfigStore, PeerStore)
        for name, member in vars(port).items()
        if inspect.iscoroutinefunction(member) and not name.startswith("_")
    }
)


def test_it_can_stand_for_every_port() -> None:
    refusing = RefusingStore(FAULT)
    audit: AuditLog = refusing
    ledger: LedgerStore = refusing
    config: ConfigStore = refusing
    peers: PeerStore = refusing
    assert [audit, ledger, config, peers] == [refusing] * 4
    assert {"append", "begin", "commit", "save"} <= set(PROMISES)


@pytest.mark.anyio
@pytest.mark.parametrize("promise", PROMISES)
async def test_every_call_raises_the_fault_with_its_repair(promise: str) -> None:
    with pytest.raises(StoreFailed) as raised:
        await getattr(RefusingStore(FAULT), promise)("anything", named=1)
    assert (raised.value.reason, raised.value.remedy) == (FAULT.reason, FAULT.remedy)
    assert raised.value is not FAULT  # An exception raised twice would chain to its first time.


def test_nothing_of_the_damaged_file_is_vouched_for() -> None:
    assert RefusingStore(FAULT).head() == EMPTY_CHAIN
