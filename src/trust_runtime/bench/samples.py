"""Made-up fleets for workloads that need many runtimes and measure something else."""

from trust_runtime.contracts.audit import ChainHead
from trust_runtime.contracts.ids import BootId, RuntimeId
from trust_runtime.contracts.presence import (
    BeaconStatus,
    ConfigReport,
    MeshReport,
    PeerRecord,
    WebReport,
)
from trust_runtime.contracts.units import API_VERSION

_WEB_PORT = 18_080
_MESH_PORT = 17_447


def peer_ids(count: int) -> list[RuntimeId]:
    """Return that many ids, `peer-0000` upwards."""
    return [RuntimeId(f"peer-{number:04}") for number in range(count)]


def peer_records(count: int, *, last_seen_ns: int) -> list[PeerRecord]:
    """Return what a runtime remembers of that many peers that left in order at that instant.

    Nobody asks why they are silent, so they cost nothing but their place in the state.
    """
    return [
        PeerRecord(
            runtime_id=runtime_id,
            pin=f"{number:064x}",
            left_cleanly=True,
            last_seen_ns=last_seen_ns,
            addresses=(f"192.0.2.{number % 250 + 1}:{_MESH_PORT}",),
            status=_status(number),
        )
        for number, runtime_id in enumerate(peer_ids(count))
    ]


def _status(number: int) -> BeaconStatus:
    return BeaconStatus(
        lifecycle="running",
        period_ms=1_000,
        seq=1 + number,
        boot_id=BootId(f"019a0000-0000-7000-8000-{number:012x}"),
        version="0.1.0",
        api_version=API_VERSION,
        uptime_ms=60_000 + number,
        health="healthy",
        engine_state="absent",
        profile="dev",
        control_mode="production",
        debug_enabled=False,
        config=ConfigReport(
            state="in_sync",
            desired_revision=0,
            reported_revision=0,
            desired_etag="sha256:" + "0" * 64,
            schema="sha256:" + "0" * 64,
        ),
        web=WebReport(port=_WEB_PORT, tls=False),
        mesh=MeshReport(port=_MESH_PORT, tls=False, role="peer"),
        host_key=f"host-{number:04}",
        audit_head=ChainHead(seq=1, hash="sha256:" + "0" * 64),
    )
