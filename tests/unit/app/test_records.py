"""Records of a project whose process does not run; the file, the lock and the keys are real."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from port_contracts.store_samples import PEER, draft
from signed_fleet import NOW_S, OTHER, OWN
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.adapters.pki.identity import load_or_create_identity
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.app.records import ProjectRecords
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.presence import PeerRecord, TrustReason

PINNED = structs.replace(
    PEER, runtime_id=OTHER, pin="0" * 64, trust_reason=TrustReason.IDENTITY_CHANGED
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path, ProjectTemplate(name=OWN))
    resource = f'resource = {{ name = "{OWN}", cycle_interval_ms = 100 }}'
    control = f'runtime.control.endpoint = "unix://{tmp_path / "c.sock"}"'
    (tmp_path / "runtime.toml").write_text(f"bundle.version = 1\n{resource}\n{control}\n")
    return tmp_path


@pytest.fixture
def filled(folder: Path) -> Path:
    async def fill() -> None:
        store = await open_store(folder / ".trust" / "state.db")
        await store.audit.append([draft(n) for n in range(3)])
        await store.peers.save([PINNED], [])
        await store.close()

    asyncio.run(fill())
    return folder


def kept_peers(folder: Path) -> dict[str, PeerRecord]:
    async def load() -> dict[str, PeerRecord]:
        store = await open_store(folder / ".trust" / "state.db", read_only=True)
        try:
            return {record.runtime_id: record for record in await store.peers.load()}
        finally:
            await store.close()

    return asyncio.run(load())


def test_records_are_read_from_the_file(filled: Path) -> None:
    records = ProjectRecords(filled)

    assert [record.seq for record in records.list(AuditFilter(limit=2))] == [3, 2]
    (found,) = records.find(draft(1).audit_id)
    assert (found["held_by"], found["audit_id"]) == (OWN, draft(1).audit_id)
    assert records.find("audit-unknown") == ()
    report = records.verify()
    assert (report.runtime_id, report.records, report.problem) == (OWN, 3, None)


def test_before_the_first_start_there_are_no_records(folder: Path) -> None:
    records = ProjectRecords(folder)

    with pytest.raises(StartRefused, match=r"state\.db does not exist") as refused:
        records.list(AuditFilter())
    assert refused.value.exit_code is ExitCode.CONFIG
    assert "trust-runtime play" in refused.value.remedy
    assert not (folder / ".trust" / "state.db").exists()
    shown = records.identity()
    assert (shown["runtime_id"], shown["peers"]) == (OWN, [])
    assert "pin" not in shown


def test_the_identity_is_shown_with_the_peers_and_without_the_key(filled: Path) -> None:
    identity = load_or_create_identity(filled, OWN, now_s=NOW_S)

    shown = ProjectRecords(filled).identity()

    assert (shown["pin"], shown["fingerprint"]) == (identity.pin, identity.fingerprint)
    assert (shown["not_before_s"], shown["not_after_s"]) == (
        identity.not_before_s,
        identity.not_after_s,
    )
    assert shown["spiffe_id"] == f"spiffe://trust/default-site/{OWN}"
    assert shown["peers"] == [
        {
            "runtime_id": OTHER,
            "pin": "0" * 64,
            "trust_reason": "identity_changed",
            "last_seen_ns": PINNED.last_seen_ns,
        }
    ]
    assert "PRIVATE" not in str(shown)


def test_a_pin_is_replaced_and_removed_and_each_is_recorded(
    filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    identity = load_or_create_identity(elsewhere, OTHER, now_s=NOW_S)
    certificate = elsewhere / ".trust" / "identity" / "runtime.crt"
    records = ProjectRecords(filled)

    assert records.pin(OTHER, certificate) == identity.pin
    kept = kept_peers(filled)[OTHER]
    assert (kept.pin, kept.trust_reason) == (identity.pin, None)
    assert kept.status == PINNED.status

    assert records.pin(OTHER, None) is None
    assert kept_peers(filled)[OTHER].pin is None
    newest = records.list(AuditFilter(limit=2))
    assert [record.action_type for record in newest] == ["trust.changed", "trust.changed"]
    assert {(record.target, record.identity) for record in newest} == {(OWN, "local://admin")}
    assert records.verify().problem is None


def test_the_file_is_not_opened_while_somebody_holds_the_project(filled: Path) -> None:
    records = ProjectRecords(filled)
    with hold_lock(filled), pytest.raises(StartRefused):
        records.list(AuditFilter())


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"has no runtime\.toml"):
        ProjectRecords(tmp_path)
