"""`cli.asking`: what cannot be asked is the fault of who typed it, never an internal error."""

from pathlib import Path

import pytest

from command_line import CommandLine
from runtimes import free_port
from trust_runtime.contracts.errors import ExitCode

ENDPOINTS = ("", "garbage", "127.0.0.1:1", "http://", "http://x:abc", "http://x:99999", "http://[")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("asked", [("fleet", "status"), ("ctl", "status"), ("audit", "list")])
def test_what_is_no_address_is_a_usage_error(
    command: CommandLine, asked: tuple[str, str], endpoint: str
) -> None:
    ran = command(*asked, "--endpoint", endpoint)
    assert ran.code == ExitCode.USAGE
    assert "write http://HOST:PORT" in ran.err


@pytest.mark.parametrize("more", [("--token", "\u00fc"), ("--token", "a\nb"), ("--timeout", "nan")])
def test_what_cannot_be_sent_is_a_usage_error(command: CommandLine, more: tuple[str, str]) -> None:
    ran = command("fleet", "status", "--endpoint", "http://127.0.0.1:1", *more)
    assert ran.code == ExitCode.USAGE


def test_a_blank_id_is_a_usage_error(command: CommandLine) -> None:
    for asked in ("actions", "audit"):
        ran = command(asked, "show", " ", "--endpoint", "http://127.0.0.1:1")
        assert (ran.code, "is blank" in ran.err) == (ExitCode.USAGE, True)


EVERY = (
    ("fleet", "status"),
    ("actions", "show", "r-1"),
    ("actions", "preflight", "status_read", "--target", "b"),
    ("timeline",),
    ("config", "get"),
    ("links", "list"),
    ("io", "get"),
    ("api", "ready"),
)


@pytest.mark.parametrize("asked", EVERY)
def test_a_project_that_does_not_run_is_named_with_what_starts_it(
    command: CommandLine, project: Path, asked: tuple[str, ...]
) -> None:
    file = project / "runtime.toml"
    file.write_text(file.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}"))
    ran = command(*asked, "--project", project)
    assert (ran.code, ran.out) == (ExitCode.ERROR, "")
    assert ran.err == (
        f"error: no runtime runs on {project}\n"
        f"remedy: start it: trust-runtime play --project {project}\n"
    )


@pytest.mark.parametrize("asked", EVERY)
def test_where_nothing_is_named_both_ways_to_name_it_are_told(
    command: CommandLine, asked: tuple[str, ...]
) -> None:
    ran = command(*asked)
    assert (ran.code, ran.out) == (ExitCode.CONFIG, "")
    assert "give --project FOLDER, or --endpoint http://HOST:PORT" in ran.err


def test_an_address_nobody_answers_at_is_told_as_given(command: CommandLine) -> None:
    ran = command("timeline", "--endpoint", f"http://127.0.0.1:{free_port()}")
    assert ran.code == ExitCode.ERROR
    assert "nobody answers at http://127.0.0.1" in ran.err
    assert "start the runtime there, or give the address of another one" in ran.err


def test_a_huge_io_file_is_a_usage_error(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "io.json"
    file.write_bytes(b" " * (2**20 + 1))
    ran = command("io", "set", str(file), "--endpoint", "http://127.0.0.1:1")
    assert (ran.code, "larger than 1 MiB" in ran.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
def test_a_token_file_without_a_token_is_a_usage_error(
    command: CommandLine, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    asked = ("--endpoint", "http://127.0.0.1:1", "--token-file", str(file))
    for words in (("fleet", "status"), ("ctl", "status"), ("pair", "list")):
        ran = command(*words, *asked)
        assert (ran.code, str(file) in ran.err) == (ExitCode.USAGE, True)


def test_the_token_of_a_file_is_sent_and_not_shown(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary-of-this-test\n")
    ran = command("fleet", "status", "--endpoint", "http://127.0.0.1:1", "--token-file", str(file))
    assert ran.code == ExitCode.ERROR
    assert "canary" not in ran.out + ran.err
