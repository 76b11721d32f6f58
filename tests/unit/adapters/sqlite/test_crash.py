"""`adapters.sqlite` under kill -9: what was acknowledged is there, and nothing is broken."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from trust_runtime.adapters.sqlite import SqliteStore, open_store
from trust_runtime.contracts.ledger import LedgerKey, LedgerState

pytestmark = pytest.mark.anyio

KILLS = 20
PROCESS = Path(__file__).with_name("appending_process.py")
FOLDERS = [str(folder) for folder in (PROCESS.parents[3], PROCESS.parents[4] / "src")]


def acknowledged_before_a_kill(path: Path, start: int, lines: int) -> list[str]:
    """Let a process write until it has acknowledged `lines` ids; kill it; return all of them."""
    command = [sys.executable, str(PROCESS), str(path), str(start)]
    environment = {"PYTHONPATH": ":".join(FOLDERS)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        try:
            told = [process.stdout.readline() for _ in range(lines)]
        finally:
            process.kill()
        told += process.stdout.readlines()
    # The kill may cut the last line; what was cut was not told.
    return [line.decode().strip() for line in told if line.endswith(b"\n")]


async def require_kept(store: SqliteStore, told: list[str]) -> None:
    for audit_id in told:
        records = await store.audit.find(audit_id)
        effect = audit_id.startswith("write")
        assert len(records) == (2 if effect else 1), audit_id
        if effect:
            entry = await store.ledger.find(LedgerKey(origin="press-1", request_id=audit_id))
            assert entry is not None
            assert entry.state is LedgerState.DONE


async def test_no_acknowledged_record_is_lost(path: Path) -> None:
    chance = random.Random(27)  # noqa: S311 - a sample, no secret
    told: list[str] = []
    for kill in range(KILLS):
        told += acknowledged_before_a_kill(path, 1_000_000 * kill, chance.randrange(1, 300))
        store = await open_store(path)
        assert (await store.audit.verify()).problem is None
        await store.close()
    assert len(told) == len(set(told)) > KILLS
    store = await open_store(path)
    await require_kept(store, told)
    # A decision without outcome is one that ran when the process died, with its ledger entry.
    for record in await store.audit.open_decisions():
        entry = await store.ledger.find(LedgerKey(origin="press-1", request_id=record.audit_id))
        assert entry is not None
        assert entry.state is LedgerState.RUNNING
    await store.close()
