"""`io set`: a FILE that cannot be meant is refused before anybody is asked."""

from pathlib import Path

import pytest

from command_line import CommandLine
from trust_runtime.contracts.errors import ExitCode


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "io.json: "),
        (b"[]", "io.json: "),
        (b'{"a": 1, "a": 2}', "io.json: "),
        (b" " * (2**20 + 1), "larger than 1 MiB"),
        (
            b'{"use_system_io": true, "drivers": [], "safe_state": []}',
            "drivers, safe_state cannot stand beside it; leave out one or the other",
        ),
    ],
)
def test_the_file_is_named_with_what_is_wrong(
    command: CommandLine, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "io.json"
    file.write_bytes(content)
    ran = command("io", "set", file, "--endpoint", "http://127.0.0.1:1")
    assert ran.code == ExitCode.USAGE
    assert said in ran.err


def test_a_file_that_is_not_there(command: CommandLine) -> None:
    ran = command("io", "set", "nowhere.json", "--endpoint", "http://127.0.0.1:1")
    assert ran.code == ExitCode.USAGE
    assert "cannot read nowhere.json: No such file" in ran.err
