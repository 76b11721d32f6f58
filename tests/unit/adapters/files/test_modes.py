import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.adapters.files.modes import require_private
from trust_runtime.contracts.errors import ExitCode, StartRefused

PEM_KEY = "-----BEGIN PRIVATE KEY-----\nMIG...\n-----END PRIVATE KEY-----\n"


def make(project: Path, name: str, mode: int, text: str = "content") -> Path:
    path = project / ".trust" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".trust").mkdir(mode=0o700)
    return tmp_path


def refusal(project: Path) -> StartRefused:
    with pytest.raises(StartRefused) as refused:
        require_private(project)
    assert refused.value.exit_code is ExitCode.CONFIG
    return refused.value


@pytest.mark.parametrize(
    "name",
    [
        "identity/runtime.key",
        "identity/.runtime.key.new",
        "identity/web.key",
        "state.db",
        "state.db-wal",
        "state.db-shm",
        "state.db.damaged-20261124",
        "mesh-users",
        "federation/link.token",
    ],
)
def test_a_secret_that_others_can_read_is_refused_until_it_is_mended(
    project: Path, name: str
) -> None:
    path = make(project, name, 0o644)

    refused = refusal(project)
    assert f"{path} has mode 0644" in refused.reason

    subprocess.run(refused.remedy, shell=True, check=True)  # noqa: S602 - what the operator does
    require_private(project)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o000])
def test_a_secret_of_its_owner_alone_is_fine(project: Path, mode: int) -> None:
    make(project, "identity/runtime.key", mode)

    require_private(project)


@settings(max_examples=64, deadline=None)
@given(mode=st.integers(0, 0o777))
def test_it_is_refused_exactly_when_group_or_others_have_any_right(
    tmp_path_factory: pytest.TempPathFactory, mode: int
) -> None:
    project = tmp_path_factory.mktemp("modes")
    (project / ".trust").mkdir(mode=0o700)
    make(project, "state.db", mode)
    try:
        require_private(project)
        refused = False
    except StartRefused:
        refused = True

    assert refused == bool(mode & 0o077)


@pytest.mark.parametrize(
    "name", ["identity/runtime.crt", "federation/site-b.pem", "logs/runtime.jsonl", "lock"]
)
def test_what_is_no_secret_may_be_read(project: Path, name: str) -> None:
    make(project, name, 0o644)

    require_private(project)


def test_a_private_key_under_any_name_is_refused(project: Path) -> None:
    path = make(project, "identity/both.pem", 0o640, "-----BEGIN CERTIFICATE-----\n" + PEM_KEY)

    assert f"{path} has mode 0640" in refusal(project).reason


def test_the_folder_itself_is_closed(project: Path) -> None:
    (project / ".trust").chmod(0o750)

    refused = refusal(project)
    assert f"{project / '.trust'} has mode 0750" in refused.reason

    subprocess.run(refused.remedy, shell=True, check=True)  # noqa: S602 - what the operator does
    require_private(project)
    assert (project / ".trust").stat().st_mode & 0o777 == 0o700


def test_everything_exposed_is_named_at_once_and_one_command_mends_it(tmp_path: Path) -> None:
    project = tmp_path / "my plant; true"
    (project / ".trust").mkdir(mode=0o700, parents=True)
    (project / ".trust").chmod(0o701)
    exposed = [
        make(project, "identity/runtime.key", 0o604),
        make(project, "state.db", 0o620),
    ]

    refused = refusal(project)
    for path in exposed:
        assert str(path) in refused.reason

    subprocess.run(refused.remedy, shell=True, check=True)  # noqa: S602 - what the operator does
    require_private(project)


def test_a_link_counts_as_what_it_leads_to(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(PEM_KEY)
    elsewhere.chmod(0o644)
    (project / ".trust" / "web.key").symlink_to(elsewhere)
    assert "web.key has mode 0644" in refusal(project).reason

    elsewhere.chmod(0o600)
    require_private(project)

    elsewhere.unlink()
    require_private(project)


def test_a_project_that_was_never_started_is_fine(tmp_path: Path) -> None:
    require_private(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".trust").write_text("")

    assert str(tmp_path / ".trust") in refusal(tmp_path).reason


def test_what_cannot_be_looked_at_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(place: str) -> None:
        raise PermissionError(13, "Permission denied", place)

    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", unreadable)
        refused = refusal(project)

    assert f"{project / '.trust'} cannot be read: Permission denied" in refused.reason
