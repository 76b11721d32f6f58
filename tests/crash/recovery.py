"""What the product does at its start with the records that a crash left open."""

from fakes.clock import FakeClock
from fakes.entropy import FakeEntropy
from fakes.log import FakeLog
from trust_runtime.adapters.sqlite import SqliteStore
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.services.audit import Audit
from trust_runtime.services.store_health import StoreHealth


async def recover(store: SqliteStore) -> int:
    """Close what was left open by the product's own service; return how many decisions that were.

    Raises:
        StoreFailed: the store cannot be read or written.
    """
    waiting = await store.audit.open_decisions()
    clock, log = FakeClock(), FakeLog()
    audit = Audit(
        own=RuntimeId("press-1"),
        store=store.audit,
        health=StoreHealth(log),
        clock=clock,
        entropy=FakeEntropy(clock),
        log=log,
    )
    await audit.recover(store.ledger)
    return len(waiting)
