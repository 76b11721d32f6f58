import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from control_talk import ANOTHER, NOBODY, Echo, acting_as, dead_socket, open_folder
from trust_runtime.adapters.control_socket import ControlSocket, NobodyAnswers, ask
from trust_runtime.adapters.control_socket.asking import REPLY_BYTES_MAX
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.results import ControlReply

SERVING = Path(__file__).with_name("serving_process.py")
CALL = ControlCall(id=7, type="status", params={"keys": ["log.level"]})
ENOUGH_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


@contextmanager
def scripted(path: Path, script: Callable[[socket.socket], None]) -> Iterator[None]:
    """Let `script` talk to the one client that comes; what it does afterwards is its own end."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(ENOUGH_S)
            assert not thread.is_alive()


def says(answer: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    return script


def silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


@contextmanager
def serving_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SERVING), str(path)]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def refusal(path: Path, *, timeout_s: float = ENOUGH_S) -> StartRefused:
    with pytest.raises(StartRefused) as refused:
        ask(path, CALL, timeout_s)
    assert str(path) in refused.value.reason
    assert refused.value.remedy
    return refused.value


def test_nobody_answers_where_nothing_is(path: Path) -> None:
    with pytest.raises(NobodyAnswers, match=str(path)):
        ask(path, CALL, ENOUGH_S)
    path.write_text("no folder")
    with pytest.raises(NobodyAnswers):
        ask(path / "below", CALL, ENOUGH_S)


def test_nobody_answers_on_what_the_dead_have_left(path: Path) -> None:
    dead_socket(path)

    with pytest.raises(NobodyAnswers):
        ask(path, CALL, ENOUGH_S)


@pytest.mark.anyio
async def test_our_own_server_answers(path: Path) -> None:
    control = ControlSocket(path, Echo())
    await control.open()
    try:
        reply = await asyncio.to_thread(ask, path, CALL, ENOUGH_S)
    finally:
        await control.close()

    assert reply == ControlReply(id=7, ok=True, result={"keys": ["log.level"]})


@pytest.mark.anyio
async def test_a_large_answer_comes_whole(path: Path) -> None:
    control = ControlSocket(path, Echo())
    await control.open()
    big = ControlCall(id=7, type="big", params={"bytes": 8_000_000})
    try:
        reply = await asyncio.to_thread(ask, path, big, ENOUGH_S)
    finally:
        await control.close()

    assert reply.result == "x" * 8_000_000


@pytest.mark.anyio
async def test_a_call_beyond_the_limit_gets_its_refusal(path: Path) -> None:
    control = ControlSocket(path, Echo())
    await control.open()
    big = ControlCall(id=7, type="status", params={"text": "x" * 8_000_000})
    try:
        reply = await asyncio.to_thread(ask, path, big, ENOUGH_S)
    finally:
        await control.close()

    assert (reply.id, reply.ok, reply.denial_code) == (0, False, DenialCode.CONTRACT_VIOLATION)


def test_one_turned_away_while_it_still_speaks_hears_why(path: Path) -> None:
    line = b'{"id":0,"ok":false,"error":"full","denial_code":"overloaded"}\n'
    long = ControlCall(id=7, type="status", params={"text": "x" * 8_000_000})
    with scripted(path, lambda connection: connection.sendall(line)):
        reply = ask(path, long, ENOUGH_S)

    assert (reply.ok, reply.denial_code) == (False, DenialCode.OVERLOADED)


def test_silence_is_a_timeout(path: Path) -> None:
    began = time.monotonic()
    with scripted(path, silent):
        refused = refusal(path, timeout_s=0.2)

    assert time.monotonic() - began < ENOUGH_S / 2
    assert refused.exit_code is ExitCode.TIMEOUT
    assert "0.2 s" in refused.reason


def test_the_time_is_for_all_of_it_together(path: Path) -> None:
    def wait_dripping(connection: socket.socket) -> None:
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    began = time.monotonic()
    with scripted(path, wait_dripping):
        refused = refusal(path, timeout_s=0.3)

    assert refused.exit_code is ExitCode.TIMEOUT
    assert time.monotonic() - began < ENOUGH_S / 2


def hangs_up(connection: socket.socket) -> None:
    select.select([connection], [], [])  # Our end comes with the call unread: a reset.


@pytest.mark.parametrize("script", [hangs_up, says(b""), says(b'{"id":7,"ok":true')])
def test_an_end_without_an_answer_is_told(
    path: Path, script: Callable[[socket.socket], None]
) -> None:
    with scripted(path, script):
        refused = refusal(path)

    assert refused.exit_code is ExitCode.ERROR
    assert "ended" in refused.reason


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"hello\n", id="no JSON"),
        pytest.param(b"\xff\n", id="no UTF-8"),
        pytest.param(b'{"id":7}\n', id="no reply"),
        pytest.param(b'{"id":8,"ok":true}\n', id="to another call"),
        pytest.param(b'{"id":8,"ok":false}\n', id="a refusal of another call"),
        pytest.param(b'{"id":0,"ok":true}\n', id="a success of no call"),
        pytest.param(b"[" * 100_000 + b"\n", id="too deep"),
    ],
)
def test_what_is_no_answer_is_never_taken_for_one(path: Path, answer: bytes) -> None:
    with scripted(path, says(answer)):
        refused = refusal(path)

    assert "gave an answer that is none" in refused.reason


def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(path: Path) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        while True:
            sent += connection.send(b"x" * 65_536)

    with scripted(path, flood):
        assert "gave an answer that is none" in refusal(path).reason

    assert sent < REPLY_BYTES_MAX + 1_048_576


def test_a_path_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    assert "too long" in refusal(tmp_path / ("x" * 200)).reason


def test_another_users_socket_is_not_believed() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can act as another user")
    with open_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / "c.sock"
        folder.chmod(0o777)
        with acting_as(NOBODY):
            listener.bind(str(path))
            listener.listen()
        path.chmod(0o666)

        with acting_as(ANOTHER):
            assert f"user {NOBODY}" in refusal(path).reason

        path.chmod(0o600)
        with acting_as(ANOTHER):
            assert "Permission denied" in refusal(path).reason


def test_a_frozen_process_is_a_timeout_and_a_killed_one_nobody(path: Path) -> None:
    with serving_process(path) as process:
        assert ask(path, CALL, ENOUGH_S).ok

        process.send_signal(signal.SIGSTOP)
        assert refusal(path, timeout_s=0.2).exit_code is ExitCode.TIMEOUT
        process.send_signal(signal.SIGCONT)
        assert ask(path, CALL, ENOUGH_S).ok

        process.kill()
        process.wait(ENOUGH_S)
        with pytest.raises(NobodyAnswers):
            ask(path, CALL, ENOUGH_S)

    assert path.is_socket()
    with serving_process(path) as successor:
        assert ask(path, CALL, ENOUGH_S).ok
        successor.communicate(timeout=ENOUGH_S)
        assert successor.returncode == 0
    assert not path.exists()
