"""A command line, and projects it may look into; the files are real."""

import asyncio
import shutil
from pathlib import Path

import pytest

from command_line import CommandLine
from port_contracts.store_samples import PEER, draft
from trust_runtime.adapters.files.project import ProjectTemplate, create_project
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.contracts.audit import Outcome, Verdict
from trust_runtime.contracts.denial import DenialCode


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Return a command line that stands in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return CommandLine(capsys)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that never ran; its control socket is its own."""
    folder = tmp_path / "press-1"
    create_project(folder, ProjectTemplate(name="press-1"))
    file = folder / "runtime.toml"
    lines = [
        f'endpoint = "unix://{tmp_path}/c.sock"' if line.startswith("endpoint") else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines) + "\n")
    assert f"{tmp_path}/c.sock" in file.read_text()
    return folder


@pytest.fixture
def recorded(project: Path, filled_state: Path) -> Path:
    """Return a project that ran: three records, one of them refused, and one known peer."""
    shutil.copy(filled_state, project / ".trust" / "state.db")
    return project


@pytest.fixture(scope="session")
def filled_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state file that was closed; made once, as each needs a dozen syncs."""
    path = tmp_path_factory.mktemp("filled") / "state.db"
    refused = draft(
        2,
        request_id="=cmd|'/C'!A0",
        actor="@SUM(1)\x1b[2J\n     9  audit-9  forged",
        target=None,
        decision=Verdict.DENIED,
        outcome=Outcome.DENIED,
        denial_code=DenialCode.CONTRACT_VIOLATION,
    )
    command = draft(3, action_type="cmd_invoke", verb="health", request_id="r\n  audit-9")

    async def fill() -> None:
        store = await open_store(path)
        await store.audit.append([draft(1), refused, command])
        await store.peers.save([PEER], [])
        await store.close()

    asyncio.run(fill())
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
    return path
