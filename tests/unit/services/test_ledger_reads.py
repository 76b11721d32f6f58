"""`services.ledger_reads`: what the own ledger holds of a request (contract 5.4)."""

from port_contracts.store_samples import DECISION, KEY, OUTCOME, REPLY, RUNNING
from service_world import Scene, virtual
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerAnswer, LedgerState
from trust_runtime.services.ledger_reads import LedgerReads

ORIGIN = RuntimeId("press-1")


@virtual
async def test_it_says_whether_a_request_is_unknown_running_or_done(scene: Scene) -> None:
    one = await scene.node("press-2")
    reads, ledger = LedgerReads(one.store.ledger), one.store.ledger
    assert await reads.read(ORIGIN, "request-1") == LedgerAnswer(low_water_s=0)
    await ledger.begin(RUNNING, DECISION)
    running = LedgerAnswer(state=LedgerState.RUNNING, digest=RUNNING.digest, low_water_s=0)
    assert await reads.read(ORIGIN, "request-1") == running
    await ledger.finish(KEY, REPLY, OUTCOME)
    done = LedgerAnswer(state=LedgerState.DONE, digest=RUNNING.digest, reply=REPLY, low_water_s=0)
    assert await reads.read(ORIGIN, "request-1") == done


@virtual
async def test_a_request_belongs_to_its_origin_and_is_forgotten_with_a_mark(scene: Scene) -> None:
    one = await scene.node("press-2")
    reads, ledger = LedgerReads(one.store.ledger), one.store.ledger
    await ledger.begin(RUNNING, DECISION)
    await ledger.finish(KEY, REPLY, OUTCOME)
    assert (await reads.read(RuntimeId("press-3"), "request-1")).state is None
    await ledger.prune(created_before_ns=RUNNING.created_at_ns + 1, entries_max=10)
    forgotten = LedgerAnswer(low_water_s=RUNNING.iat_s + 1)
    assert await reads.read(ORIGIN, "request-1") == forgotten
