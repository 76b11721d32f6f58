"""`adapters.mesh.access`: what passes a link and what does not, on real sessions."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zenoh

from port_contracts.mesh import BEACON, PROBE, ROOT, TOKENS, echo, until
from port_contracts.mesh_members import PRESS, Meshes, free_address
from trust_runtime.adapters.mesh.access import access_control
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import BootId, parse_runtime_id
from trust_runtime.contracts.keyspace import (
    ALL_BEACONS,
    ALL_EDGES,
    ALL_TIMELINES,
    ALL_TOKENS,
    ALL_VIEWS,
    action_key,
    audit_key,
    beacon_key,
    config_key,
    edges_key,
    held_views_key,
    probe_key,
    timeline_key,
    token_key,
    view_key,
)

pytestmark = pytest.mark.anyio

OTHER = parse_runtime_id("site-b/press-9")


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(access_control(PRESS)))["rules"]
    return found


def passes(flow: str, message: str, key: str) -> bool:
    """Whether a message passes, as Zenoh judges: a denial wins, a rule must cover the whole key."""

    def covers(rule: dict[str, Any]) -> bool:
        fits = flow in rule["flows"] and message in rule["messages"]
        asked = zenoh.KeyExpr(key)
        return fits and any(zenoh.KeyExpr(one).includes(asked) for one in rule["key_exprs"])

    found = {rule["permission"] for rule in rules() if covers(rule)}
    return found == {"allow"}


@pytest.mark.parametrize("key_of", [beacon_key, edges_key, view_key, timeline_key])
def test_what_is_put_passes_from_its_owner_alone(key_of: Callable[[Any], str]) -> None:
    assert passes("egress", "put", key_of(PRESS))
    assert passes("ingress", "put", key_of(OTHER))
    assert not passes("egress", "put", key_of(OTHER))


@pytest.mark.parametrize("key_of", [edges_key, view_key, timeline_key, probe_key, action_key])
@pytest.mark.parametrize("message", ["put", "delete"])
def test_nothing_is_put_under_the_own_prefix_from_outside(
    key_of: Callable[[Any], str], message: str
) -> None:
    assert not passes("ingress", message, key_of(PRESS))


@pytest.mark.parametrize("key", [ALL_BEACONS, ALL_EDGES, ALL_VIEWS, ALL_TIMELINES])
def test_what_is_put_may_be_subscribed(key: str) -> None:
    assert passes("egress", "declare_subscriber", key)
    assert passes("ingress", "declare_subscriber", key)


@pytest.mark.parametrize("key_of", [probe_key, action_key, config_key, audit_key, held_views_key])
def test_what_is_asked_is_answered_by_its_owner_alone(key_of: Callable[[Any], str]) -> None:
    assert passes("egress", "query", key_of(OTHER))
    assert passes("ingress", "reply", key_of(OTHER))
    assert passes("ingress", "declare_queryable", key_of(OTHER))
    assert passes("ingress", "query", key_of(PRESS))
    assert passes("egress", "reply", key_of(PRESS))
    assert passes("egress", "declare_queryable", key_of(PRESS))
    assert not passes("ingress", "query", key_of(OTHER))
    assert not passes("egress", "reply", key_of(OTHER))
    assert not passes("egress", "declare_queryable", key_of(OTHER))


def test_tokens_are_seen_everywhere_and_held_by_their_owner_alone() -> None:
    assert passes("ingress", "liveliness_token", token_key(OTHER, BootId("b")))
    assert passes("egress", "liveliness_token", token_key(PRESS, BootId("b")))
    assert not passes("egress", "liveliness_token", token_key(OTHER, BootId("b")))
    assert passes("egress", "declare_liveliness_subscriber", ALL_TOKENS)


@pytest.mark.parametrize("flow", ["ingress", "egress"])
@pytest.mark.parametrize(
    "key",
    ["**", "truST/**", "@/**", "@/abc/peer/**", "other/key", f"{ROOT}/press-9/program/main",
     f"{ROOT}/press-9/cmd/action/more", f"{ROOT}/active/io/line-1/speed"],
)  # fmt: skip
@pytest.mark.parametrize(
    "message",
    ["put", "delete", "query", "reply", "declare_subscriber", "declare_queryable",
     "liveliness_token", "liveliness_query", "declare_liveliness_subscriber"],
)  # fmt: skip
def test_no_other_key_passes(flow: str, key: str, message: str) -> None:
    assert not passes(flow, message, key)


def test_every_key_of_the_product_has_its_rule() -> None:
    # A service that puts or serves a new key must list it, or it is never heard.
    source = (Path(__file__).parents[4] / "src/trust_runtime/contracts/keyspace.py").read_text()
    zones = set(re.findall(r'own_prefix\(owner\) \+ "/([a-z/]+)"', source))
    listed = {key.removeprefix("truST/*/*/") for rule in rules() for key in rule["key_exprs"]}
    assert zones <= listed
    assert zones


@contextlib.contextmanager
def attacker(address: str) -> Iterator[zenoh.Session]:
    """A bare session of nobody's, without any access control of its own."""
    config = zenoh.Config()
    for key, value in {
        "mode": "peer",
        "listen/endpoints": [],
        "connect/endpoints": [f"tcp/{address}"],
        "connect/exit_on_failure": True,
        "connect/timeout_ms": 3_000,
        "scouting/multicast/enabled": False,
        "open/return_conditions/connect_scouted": False,
    }.items():
        config.insert_json5(key, json.dumps(value))
    with zenoh.open(config) as session:
        yield session


async def victim(world: Meshes) -> tuple[ZenohMesh, str]:
    address = free_address()
    mesh = world.alone(address)
    mesh.serve(PROBE, echo, waiting_max=4)
    return mesh, address


def answers(session: zenoh.Session, key: str) -> list[zenoh.Sample]:
    return [reply.ok for reply in session.get(key, timeout=1.0) if reply.ok is not None]


async def test_an_attacker_in_the_mesh_is_not_heard_under_our_keys(world: Meshes) -> None:
    mesh, address = await victim(world)
    heard: list[str] = []
    for key in (ALL_BEACONS, ALL_TIMELINES, "truST/**", "other/**"):
        mesh.subscribe(key, lambda message: heard.append(message.key))
    await mesh.open()
    with attacker(address) as session:
        await asyncio.to_thread(until_answers, session)
        for key in (
            f"{ROOT}/press-1/diag/timeline",
            f"{ROOT}/press-1/cmd/action",
            f"{ROOT}/press-9/program/main",
            "other/key",
            f"{ROOT}/press-9/svc/beacon",
        ):
            await asyncio.to_thread(session.put, key, b"x")
        # What is sent in order arrives in order: once the last is here, the others are not coming.
        await until(lambda: f"{ROOT}/press-9/svc/beacon" in heard)
    assert set(heard) == {f"{ROOT}/press-9/svc/beacon"}


async def test_an_attacker_in_the_mesh_hears_nothing_but_what_is_listed(world: Meshes) -> None:
    mesh, address = await victim(world)
    await mesh.open()
    heard: list[str] = []
    with attacker(address) as session:
        await asyncio.to_thread(until_answers, session)
        subscribers = [
            session.declare_subscriber(key, lambda sample: heard.append(str(sample.key_expr)))
            for key in ("**", f"{ROOT}/press-1/**", ALL_BEACONS)
        ]

        def speak() -> bool:
            for key in (f"{ROOT}/press-1/cmd/action", f"{ROOT}/press-2/svc/beacon", BEACON):
                mesh.put(MeshMessage(key=key, body=b"x"))
            return bool(heard)

        await until(speak)
        assert set(heard) == {BEACON}
        assert len(subscribers) == 3


async def test_the_admin_space_is_closed(world: Meshes) -> None:
    mesh, address = await victim(world)
    await mesh.open()
    with attacker(address) as session:
        await asyncio.to_thread(until_answers, session)
        (other,) = session.info.peers_zid()
        for key in ("@/**", "**", "truST/**", f"@/{other}/**", f"@/{other}/peer"):
            found = await asyncio.to_thread(answers, session, key)
            own = f"@/{session.zid()}/"  # A session tells itself about itself.
            assert [one for one in found if not str(one.key_expr).startswith(own)] == []


async def test_a_token_under_another_key_is_not_seen(world: Meshes) -> None:
    mesh, address = await victim(world)
    seen: list[str] = []
    for key in (TOKENS, "truST/**"):
        mesh.watch_tokens(key, lambda key, alive: seen.append(key) if alive else None)
    await mesh.open()
    wanted = f"{ROOT}/press-9/svc/liveliness/boot"
    with attacker(address) as session:
        await asyncio.to_thread(until_answers, session)
        bad = session.liveliness().declare_token("truST/a/b/c")
        good = session.liveliness().declare_token(wanted)
        await until(lambda: wanted in seen)
        assert set(seen) == {wanted}
        assert bad is not good


def until_answers(session: zenoh.Session) -> None:
    """Wait until the link is there and knows who serves what."""
    for _ in range(50):
        if answers(session, PROBE):
            return
    raise AssertionError("nobody answers the probe")
