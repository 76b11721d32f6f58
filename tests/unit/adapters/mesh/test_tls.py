"""Links with TLS between real Zenoh sessions: who gets one, who does not, and how they end."""

import asyncio
import signal
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from certificates import HERE, Pair, federate, install, make_authority, make_leaf
from port_contracts.mesh import MeshContract, until
from port_contracts.mesh_members import Members, Meshes, free_address, tls_of
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.tls_material import MeshTls
from trust_runtime.contracts.errors import MeshUnavailable
from trust_runtime.contracts.ids import BootId, parse_runtime_id
from trust_runtime.contracts.keyspace import ALL_TOKENS, token_key
from trust_runtime.contracts.link_refusals import LinkFault, LinkRefusal

pytestmark = pytest.mark.anyio

SITE_A = make_authority("site-a")
SITE_B = make_authority("site-b")
OTHER_A = make_authority("site-a")
TWO = parse_runtime_id("site-a/two")
SHARED = "for tests"
NOTHING_HAPPENS_S = 1.5
"""Long enough for a link that would be made: a good one takes 0.05 s."""


def identity(folder: Path, leaf: Pair, authority: Pair = SITE_A, **changes: Any) -> MeshTls:
    install(folder, leaf, authority)
    return tls_of(folder, **changes)


class TestZenohMeshWithTls(MeshContract):
    """Everything a mesh promises, over TLS."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncGenerator[Meshes, None]:
        meshes = Meshes(tmp_path, identity(tmp_path / "id", make_leaf(SITE_A, "site-a/press-1")))
        yield meshes
        await meshes.close()


class Listener:
    """An open member, and which tokens of others it was told of."""

    def __init__(self, mesh: ZenohMesh, address: str) -> None:
        self.mesh = mesh
        self.address = address
        self.told: list[tuple[str, bool]] = []
        mesh.watch_tokens(ALL_TOKENS, lambda key, alive: self.told.append((key, alive)))


async def listener(world: Meshes, tls: MeshTls, **changes: Any) -> Listener:
    address = free_address()
    found = Listener(world.alone(address, tls=tls, **changes), address)
    await found.mesh.open()
    return found


def token_of(name: str) -> str:
    return token_key(parse_runtime_id(name), BootId("boot"))


async def stays_empty(told: list[tuple[str, bool]]) -> None:
    """Wait as long as a link would surely take; nothing may be told meanwhile."""
    end = time.monotonic() + NOTHING_HAPPENS_S
    await until(lambda: told or time.monotonic() > end)
    assert told == []


async def test_runtimes_of_one_site_are_linked(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    two = world.alone(
        owner=TWO,
        tls=identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two")),
        connect=(f"tls/{one.address}",),
    )
    two.hold_token(token_of("site-a/two"))
    await two.open()
    await until(lambda: (token_of("site-a/two"), True) in one.told)


async def test_runtimes_of_federated_sites_are_linked(world: Meshes, tmp_path: Path) -> None:
    one = identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one"))
    federate(tmp_path / "1", "site-b", SITE_B)
    two = identity(tmp_path / "2", make_leaf(SITE_B, "site-b/two"), SITE_B)
    federate(tmp_path / "2", "site-a", SITE_A)
    here = await listener(world, one)
    there = world.alone(
        owner=parse_runtime_id("site-b/two"), tls=two, connect=(f"tls/{here.address}",)
    )
    there.hold_token(token_of("site-b/two"))
    await there.open()
    await until(lambda: (token_of("site-b/two"), True) in here.told)


WRONG: dict[str, tuple[Callable[[], Pair], Pair]] = {
    "expired": (lambda: make_leaf(SITE_A, "site-a/two", starts_in_s=-90, ends_in_s=-60), SITE_A),
    "not yet valid": (lambda: make_leaf(SITE_A, "site-a/two", starts_in_s=900), SITE_A),
    "of a CA nobody here knows": (lambda: make_leaf(OTHER_A, "site-a/two"), SITE_A),
    "of a site that is not federated": (lambda: make_leaf(SITE_B, "site-b/two"), SITE_A),
    "believing another CA": (lambda: make_leaf(SITE_A, "site-a/two"), OTHER_A),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
async def test_a_wrong_certificate_gets_no_link(world: Meshes, tmp_path: Path, wrong: str) -> None:
    make, believes = WRONG[wrong]
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    two = world.alone(
        owner=TWO, tls=identity(tmp_path / "2", make(), believes), connect=(f"tls/{one.address}",)
    )
    two.hold_token(token_of("site-a/two"))
    await two.open()
    await stays_empty(one.told)


async def test_a_wrong_listener_is_not_dialled(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    for number, (make, believes) in enumerate(WRONG.values()):
        two = await listener(world, identity(tmp_path / f"w{number}", make(), believes), owner=TWO)
        two.mesh.hold_token(token_of("site-a/two"))
        assert not await one.mesh.dial(two.address)
    assert one.told == []


async def test_a_plaintext_runtime_gets_no_link(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    plain = world.alone(owner=TWO, tls=None, connect=(f"tcp/{one.address}",))
    plain.hold_token(token_of("site-a/two"))
    await plain.open()
    await stays_empty(one.told)


async def test_a_client_without_certificate_is_told_to_show_one(
    world: Meshes, tmp_path: Path
) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    context = ssl.create_default_context(cadata=SITE_A.certificate_pem.decode())
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        await asyncio.to_thread(_say_hello, context, one.address)


async def test_nothing_older_than_tls_1_3_is_spoken(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    context = ssl.create_default_context(cadata=SITE_A.certificate_pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        await asyncio.to_thread(_say_hello, context, one.address)


async def test_a_name_that_is_not_in_the_certificate_is_refused_unless_told_otherwise(
    world: Meshes, tmp_path: Path
) -> None:
    nameless = make_leaf(SITE_A, "site-a/two", hosts=("elsewhere.example",))
    two = await listener(world, identity(tmp_path / "2", nameless))
    strict = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    refused: list[LinkRefusal] = []
    strict.mesh.on_refused = refused.append
    assert not await strict.mesh.dial(two.address)
    assert [(one.fault, one.address) for one in refused] == [(LinkFault.NAME_MISMATCH, two.address)]
    loose = await listener(
        world, identity(tmp_path / "3", make_leaf(SITE_A, "site-a/three"), verify_names=False)
    )
    assert await loose.mesh.dial(two.address)


async def test_strangers_that_are_dialled_become_neighbours(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    two = await listener(
        world, identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two")), owner=TWO
    )
    two.mesh.hold_token(token_of("site-a/two"))
    assert await one.mesh.dial(two.address)
    await until(lambda: (token_of("site-a/two"), True) in one.told)


async def test_a_link_ends_with_the_certificate(world: Meshes, tmp_path: Path) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    short = identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two", ends_in_s=3))
    two = world.alone(owner=TWO, tls=short, connect=(f"tls/{one.address}",))
    two.hold_token(token_of("site-a/two"))
    await two.open()
    await until(lambda: (token_of("site-a/two"), True) in one.told)
    await until(lambda: one.told[-1] == (token_of("site-a/two"), False))


async def test_a_session_knows_when_its_files_are_others(world: Meshes, tmp_path: Path) -> None:
    tls = identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one"))
    one = await listener(world, tls)
    assert not await one.mesh.files_changed()
    federate(tmp_path / "1", "site-b", SITE_B)
    assert await one.mesh.files_changed()
    await one.mesh.close()
    assert not await one.mesh.files_changed()
    await one.mesh.open()
    assert not await one.mesh.files_changed()
    tls.certificate.unlink()
    assert await one.mesh.files_changed()


async def test_without_an_identity_there_is_no_session(world: Meshes, tmp_path: Path) -> None:
    mesh = world.alone(tls=tls_of(tmp_path / "nobody"))
    with pytest.raises(MeshUnavailable, match="pki issue"):
        await mesh.open()
    assert not mesh.is_open


async def test_a_damaged_bundle_is_told(world: Meshes, tmp_path: Path) -> None:
    tls = identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one"))
    federate(tmp_path / "1", "site-b", SITE_B)
    (tmp_path / "1/.trust/federation/site-b.pem").write_text("nonsense")
    await world.alone(tls=tls).open()
    assert any("site-b.pem" in text for text in world.problems)


async def test_a_killed_process_is_seen_over_tls(
    world: Meshes, processes: Members, tmp_path: Path
) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    two = identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two"))
    member = await processes.start("site-a/two", tls=two, connect=[f"tls/{one.address}"])
    await until(lambda: any(alive for _, alive in one.told))
    await member.kill()
    await until(lambda: not one.told[-1][1])


async def test_a_frozen_process_is_seen_over_tls(
    world: Meshes, processes: Members, tmp_path: Path
) -> None:
    one = await listener(world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")))
    two = identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two"))
    member = await processes.start(
        "site-a/two", tls=two, connect=[f"tls/{one.address}"], lease_ms=1_000
    )
    await until(lambda: any(alive for _, alive in one.told))
    member.signal(signal.SIGSTOP)
    await until(lambda: not one.told[-1][1])
    member.signal(signal.SIGCONT)


def _say_hello(context: ssl.SSLContext, address: str) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as bare:
        with context.wrap_socket(bare, server_hostname=HERE[1]) as link:
            return link.recv(1)


@pytest.mark.parametrize("theirs", ["other", None, "REPLACE_ME"])
async def test_a_good_certificate_without_the_token_gets_no_link(
    world: Meshes, tmp_path: Path, theirs: str | None
) -> None:
    one = await listener(
        world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")), auth_token=SHARED
    )
    two = world.alone(
        owner=TWO,
        tls=identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two")),
        connect=(f"tls/{one.address}",),
        auth_token=theirs,
    )
    two.hold_token(token_of("site-a/two"))
    await two.open()
    await stays_empty(one.told)


async def test_a_good_certificate_with_the_token_gets_one(world: Meshes, tmp_path: Path) -> None:
    one = await listener(
        world, identity(tmp_path / "1", make_leaf(SITE_A, "site-a/one")), auth_token=SHARED
    )
    two = world.alone(
        owner=TWO,
        tls=identity(tmp_path / "2", make_leaf(SITE_A, "site-a/two")),
        connect=(f"tls/{one.address}",),
        auth_token=SHARED,
    )
    two.hold_token(token_of("site-a/two"))
    await two.open()
    await until(lambda: (token_of("site-a/two"), True) in one.told)
