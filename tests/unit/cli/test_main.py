"""`cli.main`: contract 3.3, 3.5."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from command_line import CommandLine
from trust_runtime import __version__
from trust_runtime.app import play as app
from trust_runtime.cli import commands
from trust_runtime.cli.commands import cli
from trust_runtime.cli.main import main
from trust_runtime.contracts.errors import (
    ContractViolation,
    ExitCode,
    MeshUnavailable,
    StartRefused,
    StoreFailed,
)

NAMED = [
    *("play", "run", "validate", "wizard", "ctl", "bench", "deploy", "rollback", "pki", "audit"),
    "completions",
]
"""The commands of the contract."""
BUILT = sorted(commands._COMMANDS)
LATER = sorted({*NAMED, *commands._LATER} - set(BUILT))


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


USE_UTF_8 = "remedy: use a UTF-8 locale, for example LC_ALL=C.UTF-8\n"
REPORT_IT = "remedy: run again with --verbose and report what it prints\n"


def test_version_names_product_api_and_zenoh(command: CommandLine) -> None:
    zenoh = importlib.metadata.version("eclipse-zenoh")
    told = f"trust-runtime {__version__}, API 1.0, Zenoh {zenoh}\n"
    assert command("--version") == (0, told, "")
    # It answers before anything else is looked at.
    assert command("--version", "wizard") == (0, told, "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_what_is_built_and_nothing_else(command: CommandLine, flag: str) -> None:
    ran = command(flag)
    assert (ran.code, ran.err) == (0, "")
    assert all(f"\n  {name} " in ran.out for name in BUILT)
    assert not any(f"\n  {name} " in ran.out for name in LATER)


def test_every_command_has_help_with_an_example(command: CommandLine) -> None:
    for path in leaves(cli):
        ran = command(*path, "-h")
        assert ran.code == 0
        assert f"Example: trust-runtime {' '.join(path)} " in " ".join(ran.out.split())


def test_every_option_says_what_it_is_for() -> None:
    def silent(group: click.Group, path: tuple[str, ...]) -> list[str]:
        found: click.Command | None = group
        for name in path:
            assert isinstance(found, click.Group)
            found = found.get_command(click.Context(found), name)
        assert found is not None
        options = [one for one in found.params if isinstance(one, click.Option)]
        return [one.opts[0] for one in options if not one.help]

    assert {path: said for path in leaves(cli) if (said := silent(cli, path))} == {}


def test_the_commands_that_are_here_are_not_called_later_ones() -> None:
    assert {"audit", "pki", "play", "run", "validate"} <= set(BUILT)
    assert not set(BUILT) & set(commands._LATER)


@pytest.mark.parametrize("name", LATER)
def test_a_command_of_a_later_version_is_refused_and_not_ignored(
    command: CommandLine, name: str
) -> None:
    for arguments in ([name], [name, "--json", "x"], ["--project", "x", name]):
        assert command(*arguments) == (2, "", f"Error: '{name}' is not in this version.\n")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("plai", " (did you mean 'play'?)"),
        ("validat", " (did you mean 'validate'?)"),
        ("audits", " (did you mean 'audit'?)"),
        ("Play", " (did you mean 'play'?)"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_command_gets_a_suggestion(command: CommandLine, name: str, hint: str) -> None:
    assert command(name) == (2, "", f"Error: No such command '{name}'{hint}.\n")


@pytest.mark.parametrize(
    "arguments",
    [["--bogus"], ["play", "--bogus"], ["audit", "lst"], ["audit", "show"], ["run", "x"], ["pki"]],
)
def test_wrong_usage_is_exit_two(command: CommandLine, arguments: list[str]) -> None:
    ran = command(*arguments)
    assert ran.code == 2
    assert "trust-runtime" in ran.err + ran.out


def test_without_a_command_and_without_a_project_it_prints_usage(command: CommandLine) -> None:
    ran = command()
    assert ran.code == 2
    assert ran.out.startswith("Usage: trust-runtime [OPTIONS] [COMMAND]")
    assert not list(Path().iterdir())


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.ERROR])
def test_without_a_command_a_project_is_played_and_its_exit_code_is_ours(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    played: list[Path] = []

    def play(folder: Path, **_: object) -> ExitCode:
        played.append(folder)
        return code

    monkeypatch.setattr(app, "play", play)
    assert command("--project", tmp_path / "p").code == code
    Path("runtime.toml").touch()
    assert command().code == code
    assert played == [tmp_path / "p", Path.cwd()]


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (
            StartRefused("port 8080 is taken", "use 8081"),
            1,
            "error: port 8080 is taken\nremedy: use 8081\n",
        ),
        (StartRefused("bad", "mend it", ExitCode.CONFIG), 10, "error: bad\nremedy: mend it\n"),
        (StartRefused("no remedy", ""), 1, "error: no remedy\n"),
        (StoreFailed("disk full", "free it"), 1, "error: disk full\nremedy: free it\n"),
        (
            ContractViolation("$.a", 5, "a text"),
            2,
            "error: $.a: got 5; allowed: a text\nremedy: correct it and try again\n",
        ),
        (click.Abort(), 1, ""),
        # click ends the line in which Ctrl+C was typed.
        (KeyboardInterrupt(), 130, "\n"),
        (EOFError(), 1, "\n"),
        (BrokenPipeError(), 1, ""),
        (click.ClickException("no"), 2, "Error: no\n"),
        (
            UnicodeEncodeError("ascii", "\udcc3\xe4", 0, 2, "ordinal not in range(128)"),
            2,
            f"error: '\\udcc3\\xe4' is no text in the encoding of this terminal\n{USE_UTF_8}",
        ),
        (
            ZeroDivisionError("division by zero"),
            20,
            f"error: internal error: ZeroDivisionError('division by zero')\n{REPORT_IT}",
        ),
        (
            MeshUnavailable("closed"),
            20,
            f"error: internal error: MeshUnavailable('closed')\n{REPORT_IT}",
        ),
    ],
)
def test_every_fault_has_its_exit_code_and_names_its_remedy(
    command: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    code: int,
    told: str,
) -> None:
    def play(*_: object, **__: object) -> ExitCode:
        raise fault

    monkeypatch.setattr(app, "play", play)
    assert command("play", "--project", "p") == (code, "", told)


def test_only_verbose_shows_where_an_internal_error_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(*_: object, **__: object) -> ExitCode:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "play", play)
    with pytest.raises(SystemExit) as ended:
        main(["--verbose", "play", "--project", "p"])
    assert ended.value.code == 20
    assert "in play" in capsys.readouterr().err


@pytest.mark.parametrize("code", ExitCode)
def test_the_code_a_command_returns_is_the_exit_code(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    monkeypatch.setattr(app, "play", lambda *_, **__: code)
    assert command("play", "--project", "p").code == code


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 2,
        "CONFIG": 10,
        "BUILD": 11,
        "TEST": 12,
        "TIMEOUT": 13,
        "INTERNAL": 20,
    }


def test_the_module_is_the_command_and_a_closed_pipe_gives_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "trust_runtime", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, b"")


HEAVY = ("zenoh", "sqlite3", "httpx", "cryptography", "msgspec", "asyncio", "importlib.metadata")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["xyzzy"], []])
def test_what_needs_no_runtime_loads_none(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from trust_runtime.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    loaded = set(ran.stderr.split())
    assert "click" in loaded, ran.stderr
    needed = {"--version": {"importlib.metadata", "msgspec"}, "xyzzy": {"msgspec"}}
    wanted = needed.get("".join(arguments), set())
    assert loaded & set(HEAVY) == wanted


def test_the_help_of_every_command_fits_beside_its_name(command: CommandLine) -> None:
    told = command("--help").out
    for name, (_, text) in commands._COMMANDS.items():
        assert f"  {name}" in told
        assert text in told, f"{name} is cut or wrapped"
