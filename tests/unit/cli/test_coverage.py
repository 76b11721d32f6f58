"""The command line reaches every endpoint: each of the client's calls is made by some command."""

from pathlib import Path

import pytest

import trust_runtime.cli
from trust_runtime.client import Client

SOURCES = "\n".join(
    path.read_text("utf-8") for path in sorted(Path(trust_runtime.cli.__path__[0]).glob("*.py"))
)
CALLS = sorted(name for name in vars(Client) if not name.startswith("_") and name != "send")


@pytest.mark.parametrize("name", CALLS)
def test_some_command_makes_the_call(name: str) -> None:
    assert f"client.{name}(" in SOURCES
