"""What changes anywhere becomes an event, once, and nobody waits for it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from fakes.timeline import FakeTimeline
from signed_fleet import OTHER, OWN
from store_that_fails import FailingStore
from trust_runtime.contracts.audit import AuditRecord, Outcome, Phase, Verdict
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.fleet import Topology, TrustState
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.sight import Sight
from trust_runtime.contracts.timeline import Category, Severity, TimelineEvent
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.services.chronicle import Chronicle
from trust_runtime.services.stream import Reader, Stream
from trust_runtime.services.timeline import Timeline
from virtual_time import run_for_ms, run_virtual, wait_ms
from whole_runtime import Whole


class Scene:
    """One runtime with a chronicle, wired as the process wires it."""

    def __init__(self) -> None:
        self.here = Whole()
        self.store = self.here.store
        self.stream = Stream(self.here.running.boot_id)
        self.timeline = Timeline(
            own=OWN,
            running=self.here.running,
            peers=self.here.peers,
            signing=self.here.signing,
            mesh=self.here.wire,
            store=FakeTimeline(self.store),
            health=self.here.health,
            clock=self.here.clock,
            entropy=self.here.chance,
        )
        self.chronicle = Chronicle(
            own=OWN,
            timeline=self.timeline,
            stream=self.stream,
            audit=self.here.audit,
            config=self.here.config,
        )
        self.made: list[TimelineEvent] = []
        self.timeline.on_event = self._note
        self.here.audit.on_records = self.chronicle.recorded
        joined = self.stream.join(None)
        assert joined is not None
        self.reader: Reader = joined[0]

    def _note(self, event: TimelineEvent) -> None:
        self.made.append(event)
        self.chronicle.event_made(event)

    def told(self) -> list[tuple[Category, Severity, str, str]]:
        return [(one.category, one.severity, one.runtime_id, one.summary) for one in self.made]

    async def streamed(self) -> list[tuple[str, Any]]:
        """Return kind and content of what the stream was given since the last call."""
        found = []
        while (event := await self.reader.next(0.001)) is not None:
            found.append((event.kind, json.loads(event.data)))
        return found

    def recorded(self) -> list[tuple[str, Outcome | None]]:
        return [(r.action_type, r.outcome) for r in self.store.disk.synced.records]

    def run(self, main: Callable[[], Awaitable[None]], *, length_ms: float = 10) -> None:
        async def work() -> None:
            async def beside() -> None:
                await main()

            await run_for_ms(length_ms, self.chronicle.run(), beside())

        run_virtual(self.here.clock, work)


def untrusted(topology: Topology, reason: TrustReason) -> Topology:
    """Return the state with everybody untrusted."""
    return structs.replace(
        topology,
        nodes=tuple(
            structs.replace(n, trust_state=TrustState.UNTRUSTED, trust_reason=reason)
            for n in topology.nodes
        ),
    )


def test_a_transition_becomes_an_event_of_the_timeline_and_the_stream() -> None:
    scene = Scene()

    async def main() -> None:
        before = scene.here.fleet.topology()
        scene.here.online()
        scene.here.fleet.changed()
        scene.here.clock.advance_ms(100)
        scene.chronicle.state_changed(before, scene.here.fleet.topology())
        ((kind, content),) = await scene.streamed()
        assert (kind, content) == ("timeline", to_plain(scene.made[0]))

    scene.run(main)
    ((category, severity, about, summary),) = scene.told()
    assert (category, severity, about) == (Category.COMMUNICATION, Severity.INFO, OTHER)
    assert summary == f"{OTHER} is online"
    assert scene.made[0].data == {"lifecycle_state": Lifecycle.ONLINE}
    assert scene.recorded() == []


def test_a_change_of_trust_is_recorded_as_well() -> None:
    scene = Scene()

    async def main() -> None:
        scene.here.online()
        before = scene.here.fleet.topology()
        after = untrusted(before, TrustReason.IDENTITY_CHANGED)
        scene.chronicle.state_changed(before, after)
        await wait_ms(100)
        kinds = [kind for kind, _ in await scene.streamed()]
        assert kinds == ["timeline", "timeline", "audit", "audit"]

    scene.run(main, length_ms=200)
    assert {about for _, _, about, _ in scene.told()} == {OWN, OTHER}
    assert all(told[:2] == (Category.SECURITY, Severity.CRITICAL) for told in scene.told())
    assert scene.recorded() == [("trust.changed", Outcome.EXECUTED)] * 2


def test_other_certificates_are_told_and_recorded() -> None:
    scene = Scene()
    change = IdentityChange(own=True, trust=(SiteName("site-b"),))

    async def main() -> None:
        scene.chronicle.identity_changed(IdentityChange())
        scene.chronicle.identity_changed(change)
        await wait_ms(100)

    scene.run(main, length_ms=200)
    ((category, severity, about, summary),) = scene.told()
    assert (category, severity, about) == (Category.SECURITY, Severity.WARNING, OWN)
    assert summary == f"{OWN} took up other certificates: its certificate, trust in site-b"
    assert scene.recorded() == [("identity.changed", Outcome.EXECUTED)]


def test_the_end_of_the_certificate_is_an_event() -> None:
    scene = Scene()
    scene.chronicle.certificate_ends(29)
    scene.chronicle.certificate_ends(-2)
    texts = [
        f"the certificate of {OWN} ends in 29 days",
        f"the certificate of {OWN} ended 2 days ago",
    ]
    assert scene.told() == [(Category.SECURITY, Severity.WARNING, OWN, text) for text in texts]
    assert [one.data for one in scene.made] == [{"days_left": 29}, {"days_left": -2}]


def test_changes_of_trust_wait_for_a_store_that_works_and_are_bounded() -> None:
    scene = Scene()
    scene.here.online()
    trusted = scene.here.fleet.topology()
    alone = structs.replace(trusted, nodes=trusted.nodes[:1])

    async def main() -> None:
        before, after = alone, untrusted(alone, TrustReason.DUPLICATE_INSTANCE)
        scene.store.is_full = True
        for _ in range(300):
            scene.chronicle.state_changed(before, after)
        await wait_ms(500)
        assert scene.recorded() == []
        scene.store.is_full = False
        await wait_ms(1_000)

    scene.run(main, length_ms=2_000)
    assert len(scene.recorded()) == 256


def test_one_that_comes_while_the_queue_is_full_pushes_out_no_newer_one() -> None:
    scene = Scene()
    slow = FailingStore()
    slow.sync_ms = 10
    vars(scene.here.audit)["_store"] = slow.audit
    scene.here.online()
    trusted = scene.here.fleet.topology()
    alone = structs.replace(trusted, nodes=trusted.nodes[:1])
    after = untrusted(alone, TrustReason.DUPLICATE_INSTANCE)

    async def main() -> None:
        for _ in range(256):
            scene.chronicle.state_changed(alone, after)
        await wait_ms(5)
        # The first one is being written, and is pushed out of the queue meanwhile.
        scene.chronicle.state_changed(alone, after)

    scene.run(main, length_ms=4_000)
    assert len(slow.durable) == 257


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        (Sight.DEAD, (Severity.WARNING, "press-2 is not heard: no process listens there")),
        (
            Sight.FROZEN,
            (Severity.WARNING, "press-2 is not heard: its host answers, the process does not"),
        ),
        (Sight.CUT, (Severity.WARNING, "press-2 is not heard: nothing comes back from its host")),
        (Sight.ONE_WAY, (Severity.WARNING, "press-2: messages arrive in one direction only")),
        (
            Sight.UNLINKED,
            (Severity.INFO, "press-2 is not heard: it lives, but there is no mesh link"),
        ),
        (Sight.HEARD, None),
        (Sight.LEFT, None),
        (Sight.LOST, None),
        (Sight.NEVER, None),
        (Sight.OBSERVER_STALLED, None),
    ],
)
def test_why_a_peer_is_not_heard_is_told_and_nobody_is_accused_by_who_stood_still(
    sight: Sight, expected: tuple[Severity, str] | None
) -> None:
    scene = Scene()
    scene.here.online()
    peer = scene.here.peers.get(OTHER)
    assert peer is not None
    scene.chronicle.sight_changed(peer, sight)
    found = [(severity, text.replace(OTHER, "press-2")) for _, severity, _, text in scene.told()]
    assert found == ([] if expected is None else [expected])
    assert all(about == OTHER for _, _, about, _ in scene.told())


@pytest.mark.parametrize(("length_ms", "is_told"), [(999, False), (1_000, True)])
def test_a_long_stall_is_the_own_fault_and_told_as_such(length_ms: int, is_told: bool) -> None:  # noqa: FBT001 - a column
    scene = Scene()
    scene.chronicle.stalled(length_ms * NS_PER_MS)
    expected = (Category.COMMUNICATION, Severity.WARNING, OWN, f"{OWN} stood still for 1000 ms")
    assert scene.told() == ([expected] if is_told else [])


def test_a_contradicted_log_is_critical() -> None:
    scene = Scene()
    scene.chronicle.contradicted(OTHER, "its audit log ends at record 1, it had 2")
    assert scene.told() == [
        (
            Category.SECURITY,
            Severity.CRITICAL,
            OTHER,
            f"{OTHER}: its audit log ends at record 1, it had 2",
        )
    ]


RECORD = AuditRecord(
    audit_id="audit-1",
    phase=Phase.SINGLE,
    seq=1,
    timestamp_ns=1,
    origin=OWN,
    target=OTHER,
    actor="anna",
    identity="uid:1000",
    role=Role.VIEWER,
    action_type="cfg_apply",
    request_id="request-1",
    decision=Verdict.DENIED,
    denial_code=DenialCode.PERMISSION_DENIED,
    outcome=Outcome.DENIED,
    payload_digest="sha256:0",
    prev_hash="0" * 64,
    hash="1" * 64,
)


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({}, True),
        ({"action_type": "cmd_invoke"}, True),
        ({"action_type": "config.write"}, True),
        ({"action_type": "config.rollback"}, True),
        ({"action_type": "status_read"}, False),
        ({"action_type": "preflight"}, False),
        ({"decision": Verdict.ALLOWED, "denial_code": None}, False),
        ({"phase": Phase.OUTCOME}, False),
    ],
)
def test_every_record_is_streamed_and_a_denied_write_is_an_event(
    changes: dict[str, Any],
    is_told: bool,  # noqa: FBT001 - a column
) -> None:
    scene = Scene()
    record = structs.replace(RECORD, **changes)

    async def main() -> None:
        scene.chronicle.recorded([record])
        streamed = await scene.streamed()
        assert streamed[0] == ("audit", to_plain(record))
        assert len(streamed) == 1 + is_told

    scene.run(main)
    assert len(scene.made) == is_told
    for event in scene.made:
        assert (event.category, event.severity) == (Category.AUDIT, Severity.WARNING)
        assert (event.request_id, event.audit_id) == ("request-1", "audit-1")
        assert event.summary.endswith(f"to {OTHER} by anna denied: permission_denied")


def test_the_configuration_is_streamed_when_it_differs_from_the_last_time() -> None:
    scene = Scene()

    async def main() -> None:
        scene.chronicle.config_changed()
        scene.chronicle.config_changed()
        ((kind, content),) = await scene.streamed()
        assert kind == "config"
        assert sorted(content) == ["meta", "runtime_id", "status"]
        assert content["meta"] == to_plain(scene.here.config.meta())

    scene.run(main)
