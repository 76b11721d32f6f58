import io
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.system.log_file import RotatingFile
from trust_runtime.adapters.system.logs import FILE_NAME, RuntimeLog, adopt_library_logs
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import MonotonicNs, WallNs
from trust_runtime.ports.log import Log


class NoonClock:
    def monotonic_ns(self) -> MonotonicNs:
        return MonotonicNs(0)

    def wall_ns(self) -> WallNs:
        return WallNs(1_790_000_000_123_456_789)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, text)


def open_log(stream: io.TextIOBase | None, **options: Any) -> RuntimeLog:
    return RuntimeLog(runtime_id="runtime-a", clock=NoonClock(), stream=stream, **options)  # type: ignore[arg-type]  # StringIO is a TextIO in all but name


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]


def test_a_line_has_the_members_of_the_contract() -> None:
    stream = io.StringIO()
    journal: Log = open_log(stream)

    journal.info("ready", "It runs.", port=8080, request_id="r-1", audit_id="audit-1")

    assert lines(stream) == [
        {
            "ts": "2026-09-21T14:13:20.123456Z",
            "level": "info",
            "event": "ready",
            "runtime_id": "runtime-a",
            "message": "It runs.",
            "data": {"port": 8080},
            "request_id": "r-1",
            "audit_id": "audit-1",
        }
    ]


@pytest.mark.parametrize("level", list(LogLevel))
def test_the_level_leaves_out_what_matters_less(level: LogLevel) -> None:
    stream = io.StringIO()
    journal = open_log(stream)

    journal.level = level
    for say in (journal.error, journal.warn, journal.info, journal.debug, journal.trace):
        say("event", "Something.")

    shown = [line["level"] for line in lines(stream)]
    assert shown == [one.value for one in list(LogLevel)[: list(LogLevel).index(level) + 1]]


def test_the_file_gets_the_same_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    journal = open_log(stream, folder=tmp_path)

    journal.warn("clock_skew", "Two clocks differ.", peer="b")
    journal.close()
    journal.warn("clock_skew", "They still do.")

    assert (tmp_path / FILE_NAME).read_text() == stream.getvalue()
    assert journal.lost == 0


def test_a_terminal_gets_one_readable_line() -> None:
    stream = Terminal()

    open_log(stream).warn("peer_stale", "No beacon.\n\x1b[2J", peer="b", request_id="r-1")

    expected = '14:13:20.123 WARN  peer_stale  No beacon.\\n\\x1b[2J  peer="b"  request_id="r-1"\n'
    assert stream.getvalue() == expected


def test_secrets_do_not_appear() -> None:
    stream = io.StringIO()

    open_log(stream).info("event", "Something.", auth_token="xyzzy", token="xyzzy")  # noqa: S106 - a made-up secret

    assert "xyzzy" not in stream.getvalue()


@pytest.mark.parametrize("broken", ["closed", "full"])
def test_a_bad_stream_is_counted_and_the_file_still_written(tmp_path: Path, broken: str) -> None:
    stream = io.StringIO() if broken == "closed" else Broken()
    if broken == "closed":
        stream.close()
    journal = open_log(stream, folder=tmp_path)

    journal.error("runtime_fault", "It broke.")

    assert journal.lost == 1
    assert "It broke." in (tmp_path / FILE_NAME).read_text()


def test_a_bad_folder_is_counted(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    journal = open_log(None, folder=tmp_path / "logs")

    journal.error("runtime_fault", "It broke.")

    assert journal.lost == 1


def test_a_reader_that_stopped_reading_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w") as stream:
        os.set_blocking(writing, False)
        while True:
            try:
                os.write(writing, b"x" * 4_096)
            except BlockingIOError:
                break
        os.set_blocking(writing, True)  # From here on a write would wait for ever.
        journal = RuntimeLog(runtime_id="runtime-a", clock=NoonClock(), stream=stream)

        journal.info("event", "Something.")

        assert journal.lost == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers())
    ),
)
TEXTS = st.text(st.characters(exclude_categories=[]))


@given(message=TEXTS, value=ANYTHING | TEXTS, terminal=st.booleans())
def test_whatever_is_logged_is_one_line(*, message: str, value: object, terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    journal = open_log(stream)

    journal.info("event", message, value=value)

    assert journal.lost == 0
    assert stream.getvalue().count("\n") == 1
    if not terminal:
        assert lines(stream)[0]["event"] == "event"


def test_a_value_that_refers_to_itself_is_shown_as_text() -> None:
    loop: list[Any] = []
    loop.append(loop)
    stream = io.StringIO()

    open_log(stream).info("event", "Something.", loop=loop, thing=object)

    assert lines(stream)[0]["data"]["loop"] == "[[...]]"


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_logger")
def test_libraries_speak_through_our_lines() -> None:
    stream = io.StringIO()
    adopt_library_logs(open_log(stream))

    logging.getLogger("a.library").warning("port %d is %s", 1, "taken")
    logging.getLogger("a.library").error("wrong %d", "arguments")
    logging.getLogger("a.library").info("not worth a line")

    assert [(line["level"], line["message"], line["data"]) for line in lines(stream)] == [
        ("warn", "port 1 is taken", {"logger": "a.library"}),
        ("error", "wrong %d", {"logger": "a.library"}),
    ]


def test_an_exception_that_a_library_met_is_in_its_line() -> None:
    stream = io.StringIO()
    adopt_library_logs(open_log(stream))

    library = logging.getLogger("a.library")
    library.error("it broke", exc_info=OSError(107, "not connected"))
    library.error("none now", exc_info=(None, None, None))

    first, second = lines(stream)
    assert first["message"] == "it broke"
    assert first["data"]["exception"].endswith("OSError: [Errno 107] not connected\n")
    assert "exception" not in second["data"]


def test_under_load_from_many_threads_every_line_is_whole_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(RotatingFile, bytes_max=20_000, kept=100)
    monkeypatch.setattr("trust_runtime.adapters.system.logs.RotatingFile", small)
    journal = open_log(None, folder=tmp_path)

    def write(thread: int) -> None:
        for number in range(500):
            journal.info("load", "x" * (number % 90), name=f"{thread}-{number}")
            if number % 100 == 0:
                journal.reopen()

    with ThreadPoolExecutor(max_workers=6) as pool:
        list(pool.map(write, range(6)))

    files = list(tmp_path.iterdir())
    written = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(files) > 10
    assert all(file.stat().st_size <= 20_000 for file in files)
    assert journal.lost == 0
    assert sorted(line["data"]["name"] for line in written) == sorted(
        f"{thread}-{number}" for thread in range(6) for number in range(500)
    )
