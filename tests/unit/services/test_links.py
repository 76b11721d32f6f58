"""`services.links`: preferences kept, merged, shown and audited (contract 6.13, 14.1)."""

from typing import Any

import pytest
from msgspec import structs

from fakes.links import FakeLinks
from service_world import ACTOR, ADMIN, HOST_KEY, Node, Scene, virtual
from trust_runtime.contracts.audit import Outcome, Phase, Verdict
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.links import (
    LinkEntry,
    LinkOrigin,
    LinkPreference,
    Transport,
    TransportWrite,
)
from trust_runtime.contracts.presence import LinkState
from trust_runtime.services.links import Links

P2 = "press-2"
KINDS = ("action_type", "phase", "outcome", "decision", "target", "actor")
MESH = {"source": "press-1", "target": P2, "transport": "mesh"}


def write(transport: str = "mesh", target: str = P2, **changes: str) -> TransportWrite:
    made = TransportWrite(
        api_version="1.0", actor=ACTOR, source="press-1", target=target, transport=transport
    )
    return structs.replace(made, **changes)


def links_of(node: Node) -> Links:
    return node.services.links


def edge(target: str = P2) -> Edge:
    return Edge(
        source="press-1",
        target=target,
        channel_type="mesh_t2_ops",
        state=LinkState.HEALTHY,
        stale=False,
        latency_ms_p95=0.5,
        loss_pct=0.0,
        last_ok_ns=7,
    )


def channels(node: Node) -> list[str]:
    return [shown.channel_type for shown in links_of(node).show(edge())]


async def reborn(node: Node) -> Links:
    """Return what a process finds that starts after this one."""
    services = node.services
    store = FakeLinks(node.store)
    links = Links(
        own=node.id,
        host_key=HOST_KEY,
        running=services.running,
        peers=services.peers,
        audit=services.audit,
        store=store,
        health=services.health,
        clock=node.clock,
    )
    links.load(await store.load())
    return links


@virtual
async def test_a_preference_is_kept_shown_and_audited(scene: Scene) -> None:
    one, _ = await scene.pair()
    changed: list[int] = []
    links_of(one).on_change = lambda: changed.append(1)
    answer = await links_of(one).set(write(), ADMIN)
    assert answer.preference == LinkPreference(
        source="press-1",
        target=P2,
        transport=Transport.MESH,
        actor=ACTOR,
        updated_at_ns=one.clock.wall_ns(),
        origin=LinkOrigin.API,
    )
    assert links_of(one).list() == (answer.preference,)
    assert channels(one) == ["mesh_t1_fast"]
    assert changed
    assert one.records(*KINDS) == [
        ("link.set", Phase.DECISION, None, Verdict.ALLOWED, P2, ACTOR),
        ("link.set", Phase.OUTCOME, Outcome.EXECUTED, Verdict.ALLOWED, P2, ACTOR),
    ]
    assert {r.audit_id for r in one.records()} == {answer.audit_id}
    assert (await reborn(one)).list() == (answer.preference,)


@virtual
async def test_a_target_that_was_never_heard_is_a_warning(scene: Scene) -> None:
    one, _ = await scene.pair()
    assert (await links_of(one).set(write(), ADMIN)).warnings == ()
    answer = await links_of(one).set(write(target="press-22"), ADMIN)
    assert answer.preference is not None
    (warning,) = answer.warnings
    assert "press-22 was never heard by press-1 (did you mean 'press-2'?)" in warning


@virtual
async def test_a_refusal_changes_nothing_and_is_audited(scene: Scene) -> None:
    one, _ = await scene.pair()
    answer = await links_of(one).set(write(actor="\n"), ADMIN)
    assert answer.denial is not None
    assert answer.denial.code is DenialCode.CONTRACT_VIOLATION
    assert links_of(one).list() == ()
    assert one.records(*KINDS) == [
        ("link.set", Phase.SINGLE, Outcome.DENIED, Verdict.DENIED, "press-1", "unknown")
    ]
    gone = await links_of(one).remove("press-1", P2, ADMIN)
    assert gone.denial is not None
    assert gone.denial.code is DenialCode.PEER_NOT_AVAILABLE
    assert one.records("action_type")[-1] == ("link.delete",)


@virtual
async def test_what_is_removed_is_gone_after_a_restart_too(scene: Scene) -> None:
    one, _ = await scene.pair()
    kept = (await links_of(one).set(write(), ADMIN)).preference
    answer = await links_of(one).remove("press-1", "default-site/press-2", ADMIN)
    assert answer.preference == kept
    assert links_of(one).list() == ()
    assert (await reborn(one)).list() == ()
    assert channels(one) == ["mesh_t2_ops"]
    assert one.records("action_type", "phase")[2:] == [
        ("link.delete", Phase.DECISION),
        ("link.delete", Phase.OUTCOME),
    ]


@virtual
async def test_a_change_that_cannot_be_kept_is_none(scene: Scene) -> None:
    one, _ = await scene.pair()
    first = (await links_of(one).set(write(), ADMIN)).preference
    one.store.is_full = True
    with pytest.raises(StoreFailed):
        await links_of(one).set(write("web"), ADMIN)
    with pytest.raises(StoreFailed):
        await links_of(one).remove("press-1", P2, ADMIN)
    assert links_of(one).list() == (first,)
    assert one.services.health.fault is not None


@virtual
async def test_the_api_wins_over_the_configuration_until_it_is_deleted(scene: Scene) -> None:
    one = await scene.node(runtime__cloud__links__transports=[MESH])
    [configured] = links_of(one).list()
    assert (configured.origin, configured.actor) == (LinkOrigin.CONFIG, "config")
    refused = await links_of(one).remove("press-1", P2, ADMIN)
    assert refused.denial is not None
    assert refused.denial.code is DenialCode.CONFLICT
    await links_of(one).set(write("web"), ADMIN)
    assert [p.transport for p in links_of(one).list()] == [Transport.WEB]
    assert [p.transport for p in (await reborn(one)).list()] == [Transport.WEB]
    await links_of(one).remove("press-1", P2, ADMIN)
    assert links_of(one).list() == (configured,)


@virtual
async def test_a_live_configuration_is_followed(scene: Scene) -> None:
    one = await scene.node(runtime__cloud__links__transports=[MESH])
    links, running = links_of(one), one.services.running
    [first] = links.list()
    changed: list[int] = []
    links.on_change = lambda: changed.append(1)
    one.clock.advance_ms(1_000)
    other = LinkEntry(target=running.settings.runtime_id, transport=Transport.WEB)
    entries = (*running.settings.links, structs.replace(other, target="press-3"))
    running.settings = structs.replace(running.settings, links=entries)
    links.look()
    assert [(p.target, p.updated_at_ns) for p in links.list()] == [
        (P2, first.updated_at_ns),
        ("press-3", one.clock.wall_ns()),
    ]
    assert changed == [1]
    running.settings = structs.replace(running.settings, links=())
    assert links.list() == ()


@virtual
async def test_realtime_is_applied_only_where_both_are_on_one_host(scene: Scene) -> None:
    one, two = await scene.pair()
    unfit: list[Any] = []
    links_of(one).on_unfit = unfit.append
    assert (await links_of(one).set(write("realtime"), ADMIN)).denial is None
    assert channels(one) == ["mesh_t2_ops", "t0_hard_rt"]
    peer = one.services.peers.get(two.id)
    assert peer is not None
    assert peer.record.status is not None
    here = peer.record
    moved = structs.replace(peer.record.status, host_key="host:another")
    peer.record = structs.replace(peer.record, status=moved)
    links_of(one).look()
    links_of(one).look()
    # Kept, not applied, and told once.
    assert channels(one) == ["mesh_t2_ops"]
    assert [p.transport for p in links_of(one).list()] == [Transport.REALTIME]
    assert [p.target for p in unfit] == [P2]
    peer.record = here
    links_of(one).look()
    assert channels(one) == ["mesh_t2_ops", "t0_hard_rt"]
    peer.record = structs.replace(here, status=moved)
    links_of(one).look()
    assert len(unfit) == 2


@virtual
async def test_realtime_to_a_runtime_that_never_spoke_is_not_told_as_moved(scene: Scene) -> None:
    one = await scene.node(
        runtime__cloud__links__transports=[{**MESH, "target": "press-9", "transport": "realtime"}]
    )
    unfit: list[Any] = []
    links_of(one).on_unfit = unfit.append
    links_of(one).look()
    assert unfit == []
    assert [p.transport for p in links_of(one).list()] == [Transport.REALTIME]
