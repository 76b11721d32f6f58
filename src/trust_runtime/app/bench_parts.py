"""The parts that a benchmark measures by themselves, as the product wires them.

`bench` may not name an adapter, as nobody but `app` may: what it needs of them is opened here.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.session_config import MeshOptions
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.app.projects import STATE_FILE
from trust_runtime.contracts.ids import parse_runtime_id
from trust_runtime.contracts.presence import PeerRecord
from trust_runtime.ports.mesh import Mesh
from trust_runtime.ports.store import AuditLog


@asynccontextmanager
async def audit_log(folder: Path) -> AsyncIterator[AuditLog]:
    """Open a state file of its own in `folder`, and close it."""
    store = await open_store(folder / STATE_FILE)
    try:
        yield store.audit
    finally:
        await store.close()


async def remember_peers(project: Path, records: Sequence[PeerRecord]) -> None:
    """Let a project that does not run know those runtimes when it starts."""
    folder = project / ".trust"
    folder.mkdir(mode=0o700, exist_ok=True)
    store = await open_store(folder / STATE_FILE)
    try:
        await store.peers.save(records, ())
    finally:
        await store.close()


@asynccontextmanager
async def mesh_peer(
    name: str, *, listen: int | None = None, connect: int | None = None
) -> AsyncIterator[Mesh]:
    """Open the mesh session of a runtime on loopback, and close it."""
    mesh = ZenohMesh(
        MeshOptions(
            owner=parse_runtime_id(name),
            role="peer",
            listen=() if listen is None else (f"tcp/127.0.0.1:{listen}",),
            connect=() if connect is None else (f"tcp/127.0.0.1:{connect}",),
        )
    )
    await mesh.open()
    try:
        yield mesh
    finally:
        await mesh.close()
