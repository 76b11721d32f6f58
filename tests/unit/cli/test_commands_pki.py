"""`pki show`, `pki import-bundle --pin`: contract 2.5."""

import json
from pathlib import Path

import pytest

from command_line import CommandLine
from trust_runtime.adapters.files.lock import hold_lock
from trust_runtime.adapters.pki.identity import Identity, load_or_create_identity
from trust_runtime.cli.times import moment
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.units import NS_PER_S

NOW_S = 1_790_000_000


@pytest.fixture
def other(tmp_path: Path) -> tuple[Path, Identity]:
    """Return the certificate of press-2, and whose it is."""
    folder = tmp_path / "press-2"
    folder.mkdir()
    identity = load_or_create_identity(folder, RuntimeId("press-2"), now_s=NOW_S)
    return folder / ".trust" / "identity" / "runtime.crt", identity


def pins(command: CommandLine, project: Path) -> dict[str, tuple[str | None, str | None]]:
    shown = json.loads(command("pki", "show", "--project", project, "--json").out)
    return {p["runtime_id"]: (p["pin"], p.get("trust_reason")) for p in shown["peers"]}


def test_show_of_a_project_that_never_ran(command: CommandLine, project: Path) -> None:
    ran = command("pki", "show", "--project", project)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "runtime_id    press-1",
        "spiffe_id     spiffe://trust/default-site/press-1",
    ]


def test_show_tells_own_identity_and_every_peer_and_no_key(
    command: CommandLine, recorded: Path
) -> None:
    identity = load_or_create_identity(recorded, RuntimeId("press-1"), now_s=NOW_S)
    ran = command("pki", "show", "--project", recorded)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert f"fingerprint   {identity.fingerprint}" in lines
    assert f"pin           {identity.pin}" in lines
    assert f"not_before    {moment(identity.not_before_s * NS_PER_S)}" in lines
    assert lines[-1] == f"peer          press-2  trusted  pin {'ab' * 32}"
    as_json = command("pki", "show", "--project", recorded, "--json").out
    assert json.loads(as_json)["spiffe_id"] == "spiffe://trust/default-site/press-1"
    assert "PRIVATE" not in ran.out + as_json


def test_a_pin_is_replaced_and_removed(
    command: CommandLine, recorded: Path, other: tuple[Path, Identity]
) -> None:
    file, identity = other
    at = ["pki", "import-bundle", "--project", recorded, "--pin"]
    ran = command(*at, "press-2", file)
    assert (ran.code, ran.out) == (0, f"press-2: pinned {identity.pin}\n")
    assert pins(command, recorded) == {"press-2": (identity.pin, None)}
    ran = command(*at, "default-site/press-2", "--remove")
    assert (ran.code, ran.out) == (0, "press-2: pin removed\n")
    assert pins(command, recorded) == {"press-2": (None, None)}
    shown = command("pki", "show", "--project", recorded).out
    assert "peer          press-2  trusted  pin none" in shown
    listed = command("audit", "list", "--project", recorded, "--limit", "2", "--json").out
    assert [one["action_type"] for one in json.loads(listed)["items"]] == ["trust.changed"] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["file.crt"], "Give either --site or --pin."),
        (["--remove"], "Give either --site or --pin."),
        (["--pin", "press-2"], "Give either FILE or --remove."),
        (["--pin", "press-2", "--remove", "file.crt"], "Give either FILE or --remove."),
        (["--pin", "press-2", "--site", "site-b", "file.crt"], "Give either --site or --pin."),
        (["--site", "site-b"], "Give either FILE or --remove."),
        (["--pin", "a/b/c", "file.crt"], "'a/b/c'; allowed: NAME or SITE/NAME"),
        (["--pin", "press-2", "missing.crt"], "missing.crt"),
    ],
)
def test_wrong_usage_changes_no_pin(
    command: CommandLine, recorded: Path, arguments: list[str], told: str
) -> None:
    ran = command("pki", "import-bundle", "--project", recorded, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert pins(command, recorded) == {"press-2": ("ab" * 32, None)}


def test_the_key_of_another_runtime_is_refused(
    command: CommandLine, recorded: Path, other: tuple[Path, Identity]
) -> None:
    ran = command("pki", "import-bundle", "--project", recorded, "--pin", "press-3", other[0])
    assert ran.code == 2
    assert "press-2" in ran.err
    assert "press-3" not in pins(command, recorded)


def test_a_pin_is_not_written_past_a_process_that_holds_the_project(
    command: CommandLine, recorded: Path, other: tuple[Path, Identity]
) -> None:
    with hold_lock(recorded):
        ran = command("pki", "import-bundle", "--project", recorded, "--pin", "press-2", other[0])
    assert ran.code == 1
    assert "already runs on the project" in ran.err


@pytest.mark.parametrize("arguments", [["show"], ["import-bundle", "--pin", "press-2", "--remove"]])
def test_what_is_no_project_is_refused(command: CommandLine, arguments: list[str]) -> None:
    ran = command("pki", *arguments)
    assert ran.code == 10
    assert "has no runtime.toml" in ran.err
