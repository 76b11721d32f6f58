"""`cli.asking`: what cannot be asked is the fault of who typed it, never an internal error."""

import pytest

from command_line import CommandLine
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
