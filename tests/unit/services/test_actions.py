"""`services.actions`: decided and recorded first, one result per target whatever happens (8.6)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from service_world import ADMIN, SECRET, Node, Scene, configure, request, shut_down, virtual
from signed_fleet import Speaker
from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.codec import digest
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import action_key, owner_of
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.results import DispatchReport, ResultStatus, TargetResult
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.calls import GRACE_MS
from virtual_time import run_for_ms, wait_ms

VIEWER = Caller(identity="uid:1001", role=Role.VIEWER)
KINDS = ("phase", "outcome", "target")
EXECUTED, FAILED = ResultStatus.EXECUTED, ResultStatus.FAILED


async def dispatch(node: Node, asked: ActionRequest, caller: Caller = ADMIN) -> DispatchReport:
    return await node.services.actions.dispatch(asked, caller)


def the(report: DispatchReport) -> TargetResult:
    """Return the one result of a report."""
    (result,) = report.results
    return result


def is_consistent(report: DispatchReport) -> bool:
    """Tell whether there is one result per target, in order, and `ok` means all are."""
    return (
        tuple(result.runtime_id for result in report.results) == report.acting_on
        and len(set(report.acting_on)) == len(report.acting_on)
        and report.ok == (bool(report.results) and all(r.ok for r in report.results))
        and all(r.status in (EXECUTED, ResultStatus.SKIPPED) for r in report.results if r.ok)
        and all(
            r.denial_reason and (r.denial_code or r.status is ResultStatus.SKIPPED)
            for r in report.results
            if not r.ok
        )
    )


def _settled_first(result: TargetResult) -> bool:
    return result.status is EXECUTED


@virtual
async def test_a_preflight_records_each_target_and_does_nothing(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.sync_ms = 20
    asking = scene.tasks.create_task(
        one.services.actions.preflight(shut_down("r", "press-1", "press-2", "press-9"), ADMIN)
    )
    await wait_ms(19)
    assert not asking.done()
    preflight = await asking
    assert [d.allowed for d in preflight.decisions] == [True, True, False]
    assert one.records("action_type", "phase", "outcome", "target", "decision", "denial_code") == [
        ("preflight", Phase.SINGLE, Outcome.DECIDED, "press-1", Verdict.ALLOWED, None),
        ("preflight", Phase.SINGLE, Outcome.DECIDED, "press-2", Verdict.ALLOWED, None),
        (
            *("preflight", Phase.SINGLE, Outcome.DECIDED, "press-9", Verdict.DENIED),
            DenialCode.TARGET_UNREACHABLE,
        ),
    ]
    assert (one.stopped, two.stopped, one.line.asked, two.store.durable) == ([], [], [], [])
    assert {r.identity for r in one.store.durable} == {ADMIN.identity}


@virtual
async def test_a_preflight_without_targets_makes_one_record_without_target(scene: Scene) -> None:
    one = await scene.node()
    preflight = await one.services.actions.preflight(shut_down("r"), ADMIN)
    assert not preflight.allowed
    assert one.records("target", "decision", "denial_code") == [
        (None, Verdict.DENIED, DenialCode.CONTRACT_VIOLATION)
    ]


@virtual
async def test_a_preflight_that_cannot_be_recorded_says_so_and_allows_nothing(scene: Scene) -> None:
    one = await scene.node()
    one.store.fail_write(1)
    preflight = await one.services.actions.preflight(shut_down("r", "press-1"), ADMIN)
    assert not preflight.allowed
    assert preflight.denial_code is DenialCode.TRANSPORT_FAILURE
    assert "disk is full" in (preflight.denial_reason or "")


@virtual
async def test_both_ends_decide_durably_before_and_record_after_the_effect(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.sync_ms = two.store.sync_ms = 10
    at_sending: list[Any] = []

    async def look(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        at_sending.append(one.records(*KINDS))
        return await one.line.pass_on(message, timeout_ms)

    one.line.ask = look
    report = await dispatch(one, shut_down("r", "press-1", "press-2"))
    assert report.ok
    assert is_consistent(report)
    assert (Phase.DECISION, None, "press-2") in at_sending[0]
    assert [record.phase for record in two.stopped[0]] == [Phase.DECISION]
    assert (Phase.OUTCOME, Outcome.EXECUTED, "press-2") in one.records(*KINDS)
    assert two.records(*KINDS) == [
        (Phase.DECISION, None, "press-2"),
        (Phase.OUTCOME, Outcome.EXECUTED, "press-2"),
    ]
    # The same id names the records at the origin and at the target.
    by_target = {result.runtime_id: result.audit_id for result in report.results}
    assert {r.audit_id for r in two.store.durable} == {by_target["press-2"]}
    assert {r.target: r.audit_id for r in one.store.durable} == by_target
    assert len(one.store.durable) == 4


@virtual
async def test_a_read_makes_one_record_per_target_at_each_end(scene: Scene) -> None:
    one, two = await scene.pair()
    report = await dispatch(one, request("r", "status_read", "press-1", "press-2"), VIEWER)
    assert report.ok
    single = Phase.SINGLE, Outcome.EXECUTED
    assert sorted(one.records(*KINDS)) == [(*single, "press-1"), (*single, "press-2")]
    assert two.records(*KINDS) == [(*single, "press-2")]
    assert [r.response.result["runtime_id"] for r in report.results if r.response] == [
        "press-1",
        "press-2",
    ]


@virtual
async def test_without_a_durable_decision_nothing_is_sent(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.fail_write(1)
    report = await dispatch(one, shut_down("r", "press-2"))
    assert (one.line.asked, two.stopped, one.store.durable) == ([], [], [])
    assert is_consistent(report)
    assert the(report).denial_code is DenialCode.TRANSPORT_FAILURE
    assert "disk is full" in (the(report).denial_reason or "")
    assert the(report).audit_id is None
    assert one.services.health.fault is not None


@virtual
async def test_a_record_of_a_denial_that_fails_stops_the_allowed_ones_too(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.fail_write(1)  # That of press-9, which is not reachable.
    asked = shut_down("r", "press-2", "press-9", on_denied=OnDenied.CONTINUE)
    report = await dispatch(one, asked)
    assert (one.line.asked, two.stopped) == ([], [])
    assert is_consistent(report)
    assert [r.denial_code for r in report.results] == [DenialCode.TRANSPORT_FAILURE] * 2


@virtual
async def test_an_outcome_that_cannot_be_recorded_is_not_acknowledged(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.fail_write(2)
    report = await dispatch(one, shut_down("r", "press-2"))
    assert len(two.stopped) == 1
    assert is_consistent(report)
    assert (the(report).status, the(report).ok) == (FAILED, False)
    assert the(report).denial_code is DenialCode.TRANSPORT_FAILURE
    assert "answered executed" in (the(report).denial_reason or "")
    assert one.records(*KINDS) == [(Phase.DECISION, None, "press-2")]


@virtual
async def test_an_outcome_has_the_time_at_which_it_was_known(scene: Scene) -> None:
    one, _ = await scene.pair()

    async def slow(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        await wait_ms(500)
        return await one.line.pass_on(message, timeout_ms)

    one.line.ask = slow
    await dispatch(one, shut_down("r", "press-2"))
    [(decided_ns,), (known_ns,)] = one.records("timestamp_ns", request_id="r")
    assert known_ns - decided_ns >= 500 * NS_PER_MS


@virtual
async def test_an_outcome_that_could_not_be_recorded_is_once_the_store_works(scene: Scene) -> None:
    one, _ = await scene.pair()
    one.store.fail_write(2)
    await dispatch(one, shut_down("r", "press-2"))
    await run_for_ms(1_500, one.services.audit.watch())
    kept = one.records("phase", "outcome", request_id="r")
    assert kept == [(Phase.DECISION, None), (Phase.OUTCOME, Outcome.EXECUTED)]


@pytest.mark.parametrize(
    ("kind", "write", "status"),
    [
        pytest.param("shut down", 1, ResultStatus.DENIED, id="the row"),
        pytest.param("shut down", 2, FAILED, id="the decision"),
        pytest.param("read", 1, FAILED, id="a read"),
    ],
)
@virtual
async def test_what_happens_here_needs_a_durable_record_too(
    scene: Scene, kind: str, write: int, status: ResultStatus
) -> None:
    one = await scene.node()
    one.store.fail_write(write)
    asked = shut_down("r", "press-1")
    if kind == "read":
        asked = request("r", "status_read", "press-1")
    report = await dispatch(one, asked)
    assert (one.stopped, one.store.durable) == ([], [])
    assert is_consistent(report)
    assert (the(report).status, the(report).response) == (status, None)
    assert the(report).denial_code is DenialCode.TRANSPORT_FAILURE
    assert the(report).audit_id is None  # It would name a record that does not exist.


@virtual
async def test_a_target_whose_queue_is_full_is_overloaded_in_answer_record_and_row(
    scene: Scene,
) -> None:
    one, two = await scene.pair()

    async def full(_: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        return Silence.OVERLOADED

    one.line.ask = full
    report = await dispatch(one, shut_down("r", "press-2"))
    assert is_consistent(report)
    assert (the(report).status, the(report).denial_code) == (
        ResultStatus.DENIED,
        DenialCode.OVERLOADED,
    )
    assert the(report).retry_after_ms == 1_000
    record = one.records(request_id="r")[-1]
    assert (record.phase, record.outcome) == (Phase.OUTCOME, Outcome.DENIED)
    assert record.denial_code is DenialCode.OVERLOADED
    row = await one.services.rows.find("r")
    assert row is not None
    assert row.report.denial_code is DenialCode.OVERLOADED
    assert row.report.results[0].retry_after_ms == 1_000
    # Nobody signed that it was not taken: its ledger is asked.
    assert list(one.services.rows.unsettled()) == [("r", "press-2")]
    assert two.stopped == []


@virtual
async def test_a_read_whose_record_fails_is_not_acknowledged(scene: Scene) -> None:
    one, two = await scene.pair()
    one.store.fail_write(1)

    async def silent(_: MeshMessage, _timeout_ms: int) -> MeshMessage | Silence:
        return Silence.TIMEOUT

    report = await dispatch(one, request("r", "status_read", "press-2"))
    assert is_consistent(report)
    assert the(report).status is FAILED
    assert the(report).audit_id == two.store.durable[0].audit_id  # Its own record is there.
    one.services.health.works()
    one.store.fail_write(1)
    one.line.ask = silent
    report = await dispatch(one, request("r2", "status_read", "press-2"))
    assert the(report).audit_id is None


@pytest.mark.parametrize(
    ("changes", "statuses", "codes", "sent"),
    [
        pytest.param(
            {},
            ["skipped", "denied"],
            [None, DenialCode.TARGET_UNREACHABLE],
            0,
            id="one denied aborts",
        ),
        pytest.param(
            {"on_denied": OnDenied.CONTINUE},
            ["executed", "denied"],
            [None, DenialCode.TARGET_UNREACHABLE],
            1,
            id="unless told to go on",
        ),
        pytest.param(
            {"on_denied": OnDenied.CONTINUE, "actor": " "},
            ["denied", "denied"],
            [DenialCode.CONTRACT_VIOLATION] * 2,
            0,
            id="a denial of the whole request",
        ),
        pytest.param(
            {"dry_run": True},
            ["skipped", "denied"],
            [None, DenialCode.TARGET_UNREACHABLE],
            0,
            id="a dry run",
        ),
        pytest.param(
            {"query_budget_ms": 0, "on_denied": OnDenied.CONTINUE},
            ["timeout", "denied"],
            [DenialCode.TIMEOUT, DenialCode.TARGET_UNREACHABLE],
            0,
            id="no time at all",
        ),
        pytest.param(
            {"expected_decision_digest": "sha256:0", "on_denied": OnDenied.CONTINUE},
            ["denied", "denied"],
            [DenialCode.CONFLICT] * 2,
            0,
            id="decided otherwise than expected",
        ),
    ],
)
@virtual
async def test_who_is_sent_to_and_what_the_others_are_told(
    scene: Scene, changes: dict[str, Any], statuses: list[str], codes: list[Any], sent: int
) -> None:
    one, two = await scene.pair()
    report = await dispatch(one, configure("r", "press-2", "press-9", **changes))
    assert [r.status for r in report.results] == statuses
    assert [r.denial_code for r in report.results] == codes
    assert is_consistent(report) or changes.get("dry_run")
    assert not report.ok
    assert (len(one.line.asked), len(two.store.disk.synced.revisions)) == (sent, sent)
    # Every target has its record, and its result names it.
    for result in report.results:
        assert result.audit_id in [r.audit_id for r in one.store.durable]
    ended = [r for r in one.store.durable if r.phase is not Phase.DECISION]
    for record, result in zip(ended, sorted(report.results, key=_settled_first), strict=True):
        denied = result.status is ResultStatus.DENIED
        assert record.decision is (Verdict.DENIED if denied else Verdict.ALLOWED)
        assert record.denial_code is result.denial_code
    outcomes = {r.target: r.outcome for r in ended}
    expected: dict[str, Any] = dict(zip(report.acting_on, statuses, strict=True))
    if changes.get("dry_run"):
        expected["press-2"] = Outcome.DECIDED
    assert outcomes == expected


@virtual
async def test_an_allowed_dry_run_is_ok_and_has_no_effect(scene: Scene) -> None:
    one, two = await scene.pair()
    report = await dispatch(one, shut_down("r", "press-1", "press-2", dry_run=True))
    assert report.ok
    assert report.dry_run
    assert (one.stopped, two.stopped, one.line.asked) == ([], [], [])
    assert [r.outcome for r in one.store.durable] == [Outcome.DECIDED] * 2


@virtual
async def test_the_digest_of_a_preflight_lets_its_dispatch_pass(scene: Scene) -> None:
    one, _ = await scene.pair()
    asked = shut_down("r", "press-2")
    decided = await one.services.actions.preflight(asked, ADMIN)
    asked = structs.replace(asked, expected_decision_digest=decided.decision_digest)
    assert (await dispatch(one, asked)).ok


@virtual
async def test_a_dispatch_to_nobody_is_refused_and_recorded(scene: Scene) -> None:
    one = await scene.node()
    report = await dispatch(one, shut_down("r"))
    assert (report.results, report.ok) == ((), False)
    assert report.denial_code is DenialCode.CONTRACT_VIOLATION
    assert report.denial_reason
    assert one.records("target", "outcome", "denial_code") == [
        (None, Outcome.DENIED, DenialCode.CONTRACT_VIOLATION)
    ]


@virtual
async def test_asking_again_is_answered_by_the_first_execution(scene: Scene) -> None:
    one, two = await scene.pair()
    asked = shut_down("r", "press-1", "press-2")
    first, again = await dispatch(one, asked), await dispatch(one, asked)
    assert (len(one.stopped), len(two.stopped)) == (1, 1)
    assert again.ok
    assert [r.replayed for r in again.results] == [True, True]
    assert [r.audit_id for r in again.results] == [r.audit_id for r in first.results]
    outcomes = [r for r in one.store.durable if r.outcome is Outcome.REPLAYED]
    assert sorted((r.target or "", r.replay_of) for r in outcomes) == sorted(
        (r.runtime_id, r.audit_id) for r in first.results
    )
    assert await one.store.audit.open_decisions() == ()


@virtual
async def test_an_answer_that_comes_too_late_is_a_timeout_and_found_by_asking_again(
    scene: Scene,
) -> None:
    one, two = await scene.pair()
    two.store.sync_ms = 300  # The effect begins in time; its answer comes after 600 ms.
    asked = shut_down("r", "press-2", query_budget_ms=500)
    began_ns = one.clock.monotonic_ns()
    late = await dispatch(one, asked)
    assert (one.clock.monotonic_ns() - began_ns) // NS_PER_MS == 500 + GRACE_MS
    assert (the(late).status, the(late).denial_code) == (ResultStatus.TIMEOUT, DenialCode.TIMEOUT)
    assert one.records(*KINDS)[-1] == (Phase.OUTCOME, Outcome.TIMEOUT, "press-2")
    await wait_ms(300)
    two.store.sync_ms = 0
    again = await dispatch(one, asked)
    assert (again.ok, the(again).replayed, len(two.stopped)) == (True, True, 1)


@virtual
async def test_what_the_target_refuses_is_denied_with_its_word(scene: Scene) -> None:
    one, two = await scene.pair()
    payload = {"params": {"log.level": "warn"}, "expected_revision": 7}
    report = await dispatch(one, configure("r", "press-2", payload=payload))
    assert the(report).status is ResultStatus.DENIED
    assert the(report).denial_code is DenialCode.REVISION_CONFLICT
    assert "not 7" in (the(report).denial_reason or "")
    assert one.records("phase", "outcome", "denial_code")[-1] == (
        Phase.OUTCOME,
        Outcome.DENIED,
        DenialCode.REVISION_CONFLICT,
    )
    assert two.records("outcome", "audit_id") == [(Outcome.DENIED, the(report).audit_id)]


@pytest.mark.parametrize(
    ("budget_ms", "waited_ms"), [(None, 1_500), (700, 700), (10_000, 10_000), (99_999, 10_000)]
)
@virtual
async def test_one_deadline_for_all_targets(
    scene: Scene, budget_ms: int | None, waited_ms: int
) -> None:
    one, _ = await scene.pair()

    async def silent(_: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        await wait_ms(timeout_ms)
        return Silence.TIMEOUT

    one.line.ask = silent
    began_ns = one.clock.monotonic_ns()
    report = await dispatch(
        one, request("r", "status_read", "press-2", "press-1", query_budget_ms=budget_ms)
    )
    assert (one.clock.monotonic_ns() - began_ns) // NS_PER_MS == waited_ms + GRACE_MS
    assert [r.status for r in report.results] == [ResultStatus.TIMEOUT, EXECUTED]


@virtual
async def test_at_most_sixty_four_questions_are_under_way(scene: Scene) -> None:
    one = await scene.node()
    names = [RuntimeId(f"far-{number}") for number in range(100)]
    for number, name in enumerate(names):
        speaker = Speaker(one.clock, name, number=number + 1)
        one.services.peers.take_token(speaker.token, alive=True)
        one.services.peers.take_beacon(speaker.beacon())
    under_way: set[str] = set()
    most = 0

    async def slow(message: MeshMessage, _: int) -> MeshMessage | Silence:
        nonlocal most
        under_way.add(message.key)
        most = max(most, len(under_way))
        await wait_ms(10)
        under_way.discard(message.key)
        return Silence.TIMEOUT

    one.line.ask = slow
    report = await dispatch(one, request("r", "status_read", *names))
    assert len(report.results) == len(one.line.asked) == 100
    assert most == 64


@virtual
async def test_what_was_sent_is_concluded_though_the_caller_hangs_up(scene: Scene) -> None:
    one, two = await scene.pair()
    two.store.sync_ms = 50
    asking = scene.tasks.create_task(dispatch(one, shut_down("r", "press-2")))
    await wait_ms(20)
    assert len(one.line.asked) == 1
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
    # An orderly stop still waits for the outcome's record.
    assert await one.services.running.in_flight.wait_idle(1)
    assert one.records(*KINDS)[-1] == (Phase.OUTCOME, Outcome.EXECUTED, "press-2")


@virtual
async def test_a_stop_waits_for_a_dispatch(scene: Scene) -> None:
    one, two = await scene.pair()
    two.store.sync_ms = 50
    scene.tasks.create_task(dispatch(one, shut_down("r", "press-2")))
    await wait_ms(20)
    assert not await one.services.running.in_flight.wait_idle(0.05)
    assert await one.services.running.in_flight.wait_idle(1)


@virtual
async def test_a_secret_stands_in_no_record_no_log_and_no_report(scene: Scene) -> None:
    one, two = await scene.pair()
    payload = {"params": {"mesh.auth_token": SECRET}}
    asked = configure("r", "press-1", "press-2", payload=payload)
    reports = [
        await dispatch(one, asked),
        await dispatch(one, asked),
        await dispatch(one, structs.replace(asked, request_id="r2"), VIEWER),
    ]
    preflight = await one.services.actions.preflight(asked, ADMIN)
    assert [report.ok for report in reports] == [True, True, False]
    assert SECRET not in repr((reports, preflight))
    assert SECRET not in one.everything_kept() + two.everything_kept()
    redacted = {"params": {"mesh.auth_token": "<redacted>"}}
    for node in (one, two):
        assert {r.payload_digest for r in node.store.durable} == {digest(redacted)}


def _read(request_id: str, *targets: str, **changes: Any) -> ActionRequest:
    return request(request_id, "status_read", *targets, **changes)


Behaviour = Callable[[Node, Scene], Awaitable[None]]


async def _answers(_node: Node, _scene: Scene) -> None:
    """Nothing is wrong with it."""


async def _is_late(node: Node, _scene: Scene) -> None:
    node.store.sync_ms = 2_000


async def _cannot_record(node: Node, _scene: Scene) -> None:
    node.store.is_full = True


async def _cannot_conclude(node: Node, _scene: Scene) -> None:
    node.store.fail_write(2)


async def _dies(node: Node, _scene: Scene) -> None:
    node.line.die()


async def _falls_silent(node: Node, _scene: Scene) -> None:
    async def hang(_: MeshMessage) -> MeshMessage | None:
        await asyncio.Event().wait()
        return None

    node.line._responders.clear()
    node.line.serve(action_key(node.id), hang, waiting_max=9)


async def _lies(node: Node, _scene: Scene) -> None:
    async def echo(message: MeshMessage) -> MeshMessage | None:
        return structs.replace(message, body=b'{"status":"executed"}')

    node.line._responders.clear()
    node.line.serve(action_key(node.id), echo, waiting_max=9)


BEHAVIOURS: dict[str, tuple[Behaviour, set[ResultStatus]]] = {
    "answers": (_answers, {EXECUTED}),
    "is late": (_is_late, {ResultStatus.TIMEOUT}),
    "cannot record": (_cannot_record, {FAILED, ResultStatus.DENIED}),
    "cannot conclude": (_cannot_conclude, {FAILED, EXECUTED}),
    "dies": (_dies, {FAILED}),
    "falls silent": (_falls_silent, {ResultStatus.TIMEOUT}),
    "lies": (_lies, {FAILED}),
}


@settings(max_examples=40, deadline=None)
@given(
    behaviours=st.lists(st.sampled_from(sorted(BEHAVIOURS)), min_size=1, max_size=5),
    kind=st.sampled_from(["shut down", "configure", "read"]),
    extra=st.lists(
        st.sampled_from(["press-1", "press-9", "default-site/press-2", "a b", "press-2"]),
        max_size=3,
    ),
    on_denied=st.sampled_from(OnDenied),
)
def test_whatever_targets_do_there_is_one_honest_result_for_each(
    behaviours: list[str], kind: str, extra: list[str], on_denied: OnDenied
) -> None:
    @virtual
    async def play(scene: Scene) -> None:
        one = await scene.node()
        others = [await scene.node(f"press-{n}") for n in range(2, 2 + len(behaviours))]
        for node, behaviour in zip(others, behaviours, strict=True):
            one.hears(node)
            node.hears(one)
            await BEHAVIOURS[behaviour][0](node, scene)
        make = {"shut down": shut_down, "configure": configure, "read": _read}[kind]
        targets = [*(node.id for node in others), *extra]
        began_ns = one.clock.monotonic_ns()
        report = await dispatch(one, make("r", *targets, on_denied=on_denied))
        assert (one.clock.monotonic_ns() - began_ns) // NS_PER_MS <= 1_500 + GRACE_MS
        assert is_consistent(report)
        recorded = {(r.target, r.audit_id) for r in one.store.durable}
        by_id = {str(node.id): b for node, b in zip(others, behaviours, strict=True)}
        aborted = any(r.status is ResultStatus.SKIPPED for r in report.results)
        for result in report.results:
            assert (result.runtime_id, result.audit_id) in recorded
            if result.runtime_id in by_id and not aborted:
                assert result.status in BEHAVIOURS[by_id[result.runtime_id]][1]
        assert await one.store.audit.open_decisions() == ()
        asked = [owner_of(message.key) for message in one.line.asked]
        assert not aborted or asked == []
        assert set(asked) <= set(by_id)

    play()


@virtual
async def test_a_dispatch_is_timed_until_its_report(scene: Scene) -> None:
    one = await scene.node()
    one.store.sync_ms = 20
    await one.services.actions.dispatch(shut_down("r", "press-1"), ADMIN)
    timed = one.services.actions.dispatch_seconds.samples()
    values = {(s.suffix, s.labels): s.value for s in timed}
    assert values[("_count", ())] == 1
    assert values[("_bucket", (("le", "0.01"),))] == 0
    assert values[("_bucket", (("le", "0.25"),))] == 1
