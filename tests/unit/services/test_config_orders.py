"""`services.config_orders`: read, history, write, rollback at the runtime they are about (11)."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from service_world import ACTOR, SECRET, Node, Scene, virtual
from signed_fleet import NOW_S
from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.audit import Outcome, Phase
from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.config import ConfigHistory, ConfigView
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import ResultStatus, TargetReply
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.core.config.merge import merge_patch
from trust_runtime.services.order import Order
from virtual_time import wait_ms

FROM = RuntimeId("press-2")
CALLER = Caller(identity="spiffe://trust/default-site/press-2", role=Role.ADMIN)
RECORD = ("phase", "outcome", "action_type", "denial_code")
WRITTEN = [
    (Phase.DECISION, None, "config.write", None),
    (Phase.OUTCOME, Outcome.EXECUTED, "config.write", None),
]


class Asking:
    """Orders as the mesh brings them, one after the other."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.number = 0

    async def ask(self, op: ConfigOp, payload: Any, **changes: Any) -> TargetReply:
        self.number += 1
        reads = op in (ConfigOp.READ, ConfigOp.HISTORY)
        order = Order(
            origin=FROM,
            caller=CALLER,
            actor=ACTOR,
            action_type=ActionType.STATUS_READ if reads else ActionType.CFG_APPLY,
            op=op,
            payload=payload,
            request_id=f"r-{self.number}",
            audit_id=f"audit-{self.number}",
            iat_s=NOW_S,
            deadline_ns=MonotonicNs(self.node.clock.monotonic_ns() + 1_500 * NS_PER_MS),
        )
        return await self.node.services.orders.execute(structs.replace(order, **changes))

    async def write(self, params: Any, **more: Any) -> TargetReply:
        changes = {n: more.pop(n) for n in ("request_id", "audit_id", "caller") if n in more}
        return await self.ask(ConfigOp.WRITE, {"params": params, **more}, **changes)

    async def roll_back(self, revision: Any, **more: Any) -> TargetReply:
        changes = {n: more.pop(n) for n in ("request_id", "audit_id", "caller") if n in more}
        return await self.ask(ConfigOp.ROLLBACK, {"revision": revision, **more}, **changes)


async def asking(scene: Scene) -> Asking:
    node = await scene.node()
    scene.tasks.create_task(node.services.config.run(), name="configuration")
    return Asking(node)


def told(reply: TargetReply) -> ConfigAnswer:
    """Return the endpoint's answer inside a reply."""
    assert reply.response is not None
    answer = convert(reply.response.result, ConfigAnswer)
    denial = answer.denial
    assert reply.response.ok == (denial is None)
    assert reply.audit_id == answer.audit_id
    assert reply.status is (ResultStatus.EXECUTED if denial is None else ResultStatus.DENIED)
    if denial is not None:
        assert (reply.denial_code, reply.denial_reason) == (denial.code, denial.reason)
        assert reply.remedy == denial.remedy
    return answer


@virtual
async def test_a_read_shows_what_the_endpoint_shows_and_is_recorded_as_a_read(scene: Scene) -> None:
    asks = await asking(scene)
    reply = await asks.ask(ConfigOp.READ, {})
    assert reply.status is ResultStatus.EXECUTED
    assert reply.response is not None
    assert convert(reply.response.result, ConfigView) == await asks.node.services.config.view()
    assert asks.node.records(*RECORD) == [(Phase.SINGLE, Outcome.EXECUTED, "status_read", None)]
    assert asks.node.store.disk.synced.entries == {}


@virtual
async def test_the_history_takes_its_limits(scene: Scene) -> None:
    asks = await asking(scene)
    for level in ("warn", "error", "debug"):
        await asks.write({"log.level": level})
    reply = await asks.ask(ConfigOp.HISTORY, {"limit": 1, "before": 3})
    assert reply.response is not None
    shown = convert(reply.response.result, ConfigHistory)
    assert [item.revision for item in shown.items] == [2]
    assert shown.items[0].patch == {"log.level": "error"}


@pytest.mark.parametrize(
    ("op", "payload"),
    [
        (ConfigOp.HISTORY, {"revision": 0}),
        (ConfigOp.HISTORY, {"revision": 99}),
        (ConfigOp.HISTORY, {"limit": 0}),
        (ConfigOp.HISTORY, {"limit": 501}),
        (ConfigOp.HISTORY, {"before": 0}),
        (ConfigOp.HISTORY, {"before": 2**63}),
        (ConfigOp.HISTORY, {"limit": True}),
        (ConfigOp.HISTORY, {"lmit": 1}),
        (ConfigOp.HISTORY, []),
        (ConfigOp.WRITE, {}),
        (ConfigOp.WRITE, {"log.level": "warn"}),
        (ConfigOp.WRITE, {"params": [SECRET]}),
        (ConfigOp.WRITE, {"params": {}, "expected_revision": "1"}),
        (ConfigOp.ROLLBACK, {}),
        (ConfigOp.ROLLBACK, {"revision": "1"}),
        (ConfigOp.ROLLBACK, None),
    ],
)
@virtual
async def test_what_does_not_fit_its_operation_is_refused_and_recorded(
    scene: Scene, op: ConfigOp, payload: Any
) -> None:
    asks = await asking(scene)
    reply = await asks.ask(op, payload)
    assert (reply.status, reply.denial_code) == (
        ResultStatus.DENIED,
        DenialCode.CONTRACT_VIOLATION,
    )
    assert reply.denial_reason
    assert SECRET not in repr(reply)
    ((phase, outcome, _, code),) = asks.node.records(*RECORD)
    assert (phase, outcome, code) == (Phase.SINGLE, Outcome.DENIED, reply.denial_code)
    assert asks.node.store.disk.synced.revisions == {}


@virtual
async def test_a_write_answers_with_the_state_it_led_to(scene: Scene) -> None:
    asks = await asking(scene)
    answer = told(await asks.write({"log.level": "warn"}))
    assert (answer.changed, answer.audit_id) == (True, "audit-1")
    assert answer.desired == answer.reported == {"log.level": "warn"}
    assert answer.meta is not None
    assert answer.meta.desired_revision == answer.meta.reported_revision == 1
    assert asks.node.records(*RECORD) == WRITTEN
    kept = asks.node.store.disk.synced.revisions[1]
    assert (kept.actor, kept.identity, kept.kind) == (ACTOR, CALLER.identity, "write")


@virtual
async def test_a_write_that_comes_again_is_answered_from_the_ledger(scene: Scene) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn"}, request_id="r")
    again = told(await asks.write({"log.level": "warn"}, request_id="r"))
    assert (again.replayed, again.audit_id, again.denial) == (True, "audit-1", None)
    assert sorted(asks.node.store.disk.synced.revisions) == [1]
    other = told(await asks.roll_back(1, request_id="r"))
    assert other.denial is not None
    assert other.denial.code is DenialCode.CONFLICT


@virtual
async def test_a_loser_is_shown_the_present_documents_and_what_changed(scene: Scene) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn"})
    before = await asks.node.services.config.view()
    for refused in (
        await asks.write({"log.level": "error"}, expected_revision=0),
        await asks.roll_back(1, expected_revision=7),
    ):
        answer = told(refused)
        assert answer.denial is not None
        assert answer.denial.code is DenialCode.REVISION_CONFLICT
        assert (answer.desired, answer.reported) == (before.desired, before.reported)
        assert (answer.meta, answer.status) == (before.meta, before.status)
        assert not answer.if_match_failed
    first = told(await asks.write({"log.level": "error"}, expected_revision=0))
    assert first.denial is not None
    assert "changed since then: log.level" in first.denial.reason
    header = told(await asks.write({"log.level": "error"}, if_match="sha256:0"))
    assert header.if_match_failed
    assert await asks.node.services.config.view() == before


@virtual
async def test_a_rollback_is_a_new_revision_of_its_own_kind(scene: Scene) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn", "mesh.auth_token": SECRET})
    await asks.write({"log.level": "error", "mesh.auth_token": None})
    answer = told(await asks.roll_back(1, expected_revision=2))
    assert answer.changed
    assert answer.desired == {"log.level": "warn", "mesh.auth_token": "<redacted>"}
    kept = asks.node.store.disk.synced.revisions
    assert kept[3].document == kept[1].document == {"log.level": "warn", "mesh.auth_token": SECRET}
    assert (kept[3].kind, kept[3].patch) == ("rollback", kept[1].document)
    assert asks.node.log.level == "warn"
    assert asks.node.records(*RECORD)[-2:] == [
        (Phase.DECISION, None, "config.rollback", None),
        (Phase.OUTCOME, Outcome.EXECUTED, "config.rollback", None),
    ]
    assert SECRET not in repr(answer)
    assert SECRET not in asks.node.everything_kept()


@virtual
async def test_a_rollback_that_comes_again_is_answered_though_its_revision_is_gone(
    scene: Scene,
) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn"})
    await asks.write({"log.level": "error"})
    first = told(await asks.roll_back(1, request_id="r", audit_id="audit-r"))
    assert first.changed
    del asks.node.store.disk.synced.revisions[1]  # What a thousand later writes do.
    again = told(await asks.roll_back(1, request_id="r"))
    assert (again.replayed, again.audit_id, again.denial) == (True, "audit-r", None)
    assert asks.node.records(*RECORD)[-1] == (
        Phase.SINGLE,
        Outcome.REPLAYED,
        "config.rollback",
        None,
    )
    other = told(await asks.roll_back(9, request_id="r"))
    assert other.denial is not None
    assert other.denial.code is DenialCode.CONFLICT
    anew = told(await asks.roll_back(1))
    assert anew.denial is not None
    assert anew.denial.code is DenialCode.CONTRACT_VIOLATION
    assert sorted(asks.node.store.disk.synced.revisions) == [2, 3]


@pytest.mark.parametrize("revision", [0, 2, 2**70])
@virtual
async def test_a_revision_that_never_was_is_named_and_nothing_changes(
    scene: Scene, revision: int
) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn"})
    answer = told(await asks.roll_back(revision))
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.CONTRACT_VIOLATION
    assert str(revision) in answer.denial.reason
    assert sorted(asks.node.store.disk.synced.revisions) == [1]
    assert asks.node.records(*RECORD)[-1] == (
        Phase.SINGLE,
        Outcome.DENIED,
        "config.rollback",
        DenialCode.CONTRACT_VIOLATION,
    )


@virtual
async def test_a_rollback_needs_the_role_of_what_it_changes(scene: Scene) -> None:
    asks = await asking(scene)
    await asks.write({"web.allowed_hosts": ["a"]})
    await asks.write({"web.allowed_hosts": None})
    engineer = structs.replace(CALLER, role=Role.ENGINEER)
    answer = told(await asks.roll_back(1, caller=engineer))
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.ACL_DENIED_CFG_WRITE
    assert "requires role admin" in answer.denial.reason
    assert told(await asks.roll_back(1)).changed


@virtual
async def test_nothing_begins_after_the_deadline(scene: Scene) -> None:
    asks = await asking(scene)
    late = MonotonicNs(asks.node.clock.monotonic_ns())
    answer = told(
        await asks.ask(ConfigOp.WRITE, {"params": {"log.level": "warn"}}, deadline_ns=late)
    )
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.TIMEOUT
    assert asks.node.store.disk.synced.revisions == {}


@pytest.mark.parametrize("op", ["write", "read", "rollback", "refusal"])
@virtual
async def test_what_cannot_be_recorded_is_a_failure_without_effect(scene: Scene, op: str) -> None:
    asks = await asking(scene)
    await asks.write({"log.level": "warn"})
    await wait_ms(10)
    asks.node.store.fail_write(1)
    match op:
        case "write":
            failed = await asks.write({"log.level": "error"})
        case "read":
            failed = await asks.ask(ConfigOp.READ, {})
        case "rollback":
            failed = await asks.roll_back(1, expected_revision=1)
        case _:
            failed = await asks.roll_back(9)
    assert (failed.status, failed.denial_code) == (
        ResultStatus.FAILED,
        DenialCode.TRANSPORT_FAILURE,
    )
    assert (failed.audit_id, failed.response) == (None, None)
    assert failed.remedy
    assert sorted(asks.node.store.disk.synced.revisions) == [1]
    assert asks.node.services.health.fault is not None


LEVELS = ["trace", "debug", "info", "warn", "error"]
WRITERS = st.lists(
    st.tuples(
        st.integers(0, 40),  # When it begins, in ms.
        st.sampled_from(["write", "write", "rollback"]),
        st.sampled_from([*LEVELS, None, "loud"]),
        st.none() | st.integers(0, 6),  # The revision it expects, or goes back to.
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(writers=WRITERS, sync_ms=st.integers(0, 15), fails=st.integers(0, 6))
def test_whoever_writes_when_revisions_have_no_gap_and_losers_change_nothing(
    writers: list[tuple[int, str, str | None, int | None]], sync_ms: int, fails: int
) -> None:
    @virtual
    async def play(scene: Scene) -> None:
        asks = await asking(scene)
        asks.node.store.sync_ms = sync_ms
        asks.node.store.fail_write(fails)

        async def one(at_ms: int, kind: str, level: str | None, number: int | None) -> TargetReply:
            await wait_ms(at_ms)
            expected = {} if number is None else {"expected_revision": number}
            if kind == "rollback":
                return await asks.roll_back(number or 1)
            return await asks.write({"log.level": level}, **expected)

        replies = await asyncio.gather(*(one(*writer) for writer in writers))
        await wait_ms(2_000)
        kept = asks.node.store.disk.synced.revisions
        assert sorted(kept) == list(range(1, len(kept) + 1))
        winners = [r for r in replies if r.response is not None and r.response.ok]
        changed = [r.audit_id or "" for r in winners if told(r).changed]
        # Exactly the winners that changed something made a revision each.
        assert sorted(changed) == sorted(one.audit_id for one in kept.values())
        document: dict[str, Any] = {}
        for number in sorted(kept):
            document = merge_patch(document, kept[number].patch)
            assert kept[number].document == document
        agent = asks.node.services.config
        assert agent.document == document
        assert agent.meta().desired_revision == len(kept)
        assert agent.status().state == "in_sync"

    play()
