import asyncio
import os
import select
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from control_talk import NOBODY, Echo, Talker, acting_as, dead_socket, open_folder, talking
from trust_runtime.adapters.control_socket.lines import LINE_BYTES_MAX
from trust_runtime.adapters.control_socket.server import CONNECTIONS_MAX, IDLE_S, ControlSocket
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.policy import Caller, Role

pytestmark = pytest.mark.anyio

SOON_S = 0.2
VIEWER = Caller(identity="token://anna", role=Role.VIEWER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


def mode_of(path: Path) -> int | None:
    """Return the mode of the socket at `path`; None when there is none."""
    return stat.S_IMODE(path.stat().st_mode) if path.is_socket() else None


@asynccontextmanager
async def serving(path: Path, *, idle_s: float = IDLE_S, **more: Any) -> AsyncIterator[Echo]:
    echo = Echo()
    control = ControlSocket(path, echo, idle_s=idle_s, **more)
    await control.open()
    try:
        yield echo
    finally:
        async with asyncio.timeout(10):
            await control.close()


async def test_a_line_in_is_a_line_out_for_the_user_the_kernel_names(path: Path) -> None:
    async with serving(path) as echo, talking(path) as talker:
        answer = await talker.ask(id=1, type="status", params={"a": [1]}, request_id="r-1")

    assert answer == {"id": 1, "ok": True, "result": {"a": [1]}}
    assert echo.callers == [Caller(identity=f"uid://{os.geteuid()}", role=Role.ADMIN)]
    assert echo.calls[0].request_id == "r-1"


async def test_only_its_owner_can_reach_it(path: Path) -> None:
    mask = os.umask(0)
    try:
        async with serving(path):
            assert mode_of(path) == 0o600
    finally:
        os.umask(mask)


async def test_a_process_of_another_user_is_refused_whatever_the_mode_says() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can act as another user")
    with open_folder() as folder:
        path = folder / "c.sock"
        async with serving(path) as echo:
            path.chmod(0o666)
            client = socket.socket(socket.AF_UNIX)
            with acting_as(NOBODY):
                client.connect(str(path))
            reader, writer = await asyncio.open_unix_connection(sock=client)
            answer = await Talker(reader, writer).ask(id=7, type="status")
            writer.close()

    assert (answer["id"], answer["ok"], answer["denial_code"]) == (7, False, "permission_denied")
    assert echo.calls == []


async def test_the_own_user_is_admin_with_any_token_and_without(path: Path) -> None:
    async with serving(path) as echo, talking(path) as talker:
        for auth in ({}, {"auth": "a-viewers-token"}, {"auth": "wrong"}):
            assert (await talker.ask(id=7, type="status", **auth))["ok"]

    assert {caller.role for caller in echo.callers} == {Role.ADMIN}


@pytest.mark.parametrize(
    ("auth", "verb", "caller"),
    [
        ({"auth": "a-viewers-token"}, "status", VIEWER),
        ({"auth": "wrong"}, "status", None),
        ({"auth": ""}, "status", None),
        ({}, "status", None),
        ({}, "pair.claim", Caller(identity=f"uid://{NOBODY}", role=Role.VIEWER)),
        ({"auth": "wrong"}, "pair.claim", None),
    ],
)
async def test_another_user_needs_a_token_but_for_claiming_one(
    auth: dict[str, str], verb: str, caller: Caller | None
) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can act as another user")
    asked: list[str] = []

    def admit(token: str, who: str) -> Caller | Denial:
        asked.append(who)
        refused = deny(DenialCode.PERMISSION_DENIED, "auth: this is no valid token")
        return VIEWER if token == "a-viewers-token" else refused  # noqa: S105 - made up here

    with open_folder() as folder:
        path = folder / "c.sock"
        async with serving(path, admit=admit) as echo:
            path.chmod(0o666)
            client = socket.socket(socket.AF_UNIX)
            with acting_as(NOBODY):
                client.connect(str(path))
            reader, writer = await asyncio.open_unix_connection(sock=client)
            answer = await Talker(reader, writer).ask(id=7, type=verb, **auth)
            writer.close()

    assert answer["ok"] is (caller is not None)
    assert echo.callers == ([] if caller is None else [caller])
    assert asked == ([f"uid://{NOBODY}"] if auth else [])
    if caller is None:
        assert (answer["id"], answer["denial_code"]) == (7, "permission_denied")


async def test_garbage_is_answered_and_the_next_line_served(path: Path) -> None:
    async with serving(path) as echo, talking(path) as talker:
        await talker.say(b'\xff\x00 garbage\n\n{"id":3,"type":"status","parms":{}}\n')
        answers = [await talker.hear() for _ in range(3)]
        good = await talker.ask(id=4, type="status")

    assert [answer["id"] for answer in answers] == [0, 0, 3]
    assert {answer["denial_code"] for answer in answers} == {"contract_violation"}
    assert good["ok"]
    assert [call.id for call in echo.calls] == [4]


async def test_lines_sent_at_once_are_answered_in_order(path: Path) -> None:
    async with serving(path), talking(path) as talker:
        await talker.say(b"".join(b'{"id":%d,"type":"status"}\n' % n for n in range(50)))

        assert [(await talker.hear())["id"] for _ in range(50)] == list(range(50))


async def test_a_line_of_the_limit_is_served_and_one_byte_more_is_not(path: Path) -> None:
    frame = len(b'{"id":7,"type":"status","request_id":""}')
    line = b'{"id":7,"type":"status","request_id":"%s"}' % (b"x" * (LINE_BYTES_MAX - frame))
    async with serving(path) as echo:
        async with talking(path) as talker:
            await talker.say(line + b"\n")
            assert (await talker.hear())["id"] == 7
        async with talking(path) as talker:
            await talker.say(line + b" \n")
            refused = await talker.hear()
            assert await talker.wait_end() == b""

    assert (refused["id"], refused["denial_code"]) == (0, "contract_violation")
    assert len(echo.calls) == 1


async def test_a_line_far_too_long_is_taken_in_so_that_its_sender_hears_why(path: Path) -> None:
    async with serving(path), talking(path) as talker:
        await talker.say(b"x" * 8 * LINE_BYTES_MAX + b"\n")

        assert (await talker.hear())["denial_code"] == "contract_violation"


async def test_a_line_without_end_is_refused_before_it_fills_the_memory(path: Path) -> None:
    async with serving(path), talking(path) as talker:
        with pytest.raises(ConnectionError):
            await say_for_ever(talker)

        async with talking(path) as other:
            assert (await other.ask(id=1, type="status"))["ok"]


async def say_for_ever(talker: Talker) -> None:
    for _ in range(64):
        await talker.say(b"x" * LINE_BYTES_MAX)


async def test_half_a_line_is_never_carried_out(path: Path) -> None:
    async with serving(path) as echo, talking(path) as talker:
        await talker.say(b'{"id":7,"type":"status"}')
        talker.writer.write_eof()
        refused = await talker.hear()

        assert await talker.wait_end() == b""
    assert (refused["id"], refused["denial_code"]) == (0, "contract_violation")
    assert echo.calls == []


async def test_a_client_that_stops_sending_still_gets_its_answer(path: Path) -> None:
    async with serving(path), talking(path) as talker:
        await talker.say(b'{"id":7,"type":"status"}\n')
        talker.writer.write_eof()

        assert (await talker.hear())["id"] == 7
        assert await talker.wait_end() == b""


@pytest.mark.parametrize("size", range(190_000, 290_000, 20_000))
async def test_an_answer_that_does_not_fit_the_kernels_buffer_is_not_cut(
    path: Path, size: int
) -> None:
    async with serving(path), talking(path) as other:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(str(path))
            slow.sendall(b'{"id":7,"type":"big","params":{"bytes":%d}}\n' % size)
            slow.shutdown(socket.SHUT_WR)
            for _ in range(3):
                assert (await other.ask(id=1, type="status"))["ok"]

            assert await asyncio.to_thread(slow.makefile("rb").read) == (
                b'{"id":7,"ok":true,"result":"' + b"x" * size + b'"}\n'
            )


@pytest.mark.parametrize("begun", [b"", b'{"id":7,"ty'])
async def test_who_sends_no_whole_line_in_time_is_dropped(path: Path, begun: bytes) -> None:
    async with serving(path, idle_s=SOON_S), talking(path) as talker:
        await talker.say(begun)

        assert await talker.wait_end() == b""


async def test_dripping_bytes_keep_nobody_connected(path: Path) -> None:
    async with serving(path, idle_s=SOON_S), talking(path) as talker:
        ended = asyncio.ensure_future(talker.wait_end())
        await wait_dripping(talker, ended)

        assert ended.result() == b""


async def wait_dripping(talker: Talker, ended: "asyncio.Future[bytes]") -> None:
    async with asyncio.timeout(10):
        while not ended.done():
            talker.writer.write(b" ")
            await asyncio.sleep(SOON_S / 10)


async def test_who_does_not_take_its_answer_is_dropped_and_holds_up_nobody(path: Path) -> None:
    big = b'{"id":7,"type":"big","params":{"bytes":16000000}}\n'
    async with serving(path, idle_s=SOON_S) as echo:
        with socket.socket(socket.AF_UNIX) as greedy:
            greedy.connect(str(path))
            greedy.sendall(big * 2)
            async with talking(path) as other:
                assert (await other.ask(id=1, type="status"))["ok"]

            hung_up = select.poll()
            hung_up.register(greedy, 0)
            assert await asyncio.to_thread(hung_up.poll, 10_000), "it is still served"
    assert [call.type for call in echo.calls].count("big") == 1


async def test_the_connection_after_the_last_is_told_so(path: Path) -> None:
    async with serving(path) as echo, AsyncExitStack() as stack:
        talkers = [await stack.enter_async_context(talking(path)) for _ in range(CONNECTIONS_MAX)]
        for talker in talkers:
            assert (await talker.ask(id=1, type="status"))["ok"]
        async with talking(path) as late:
            refused = await late.hear()
            assert await late.wait_end() == b""
        for talker in talkers:
            assert (await talker.ask(id=2, type="status"))["ok"]

        talkers[0].writer.close()
        await wait_welcome(path)

    assert (refused["id"], refused["denial_code"]) == (0, "overloaded")
    assert len(echo.calls) == 2 * CONNECTIONS_MAX + 1


async def wait_welcome(path: Path) -> None:
    async with asyncio.timeout(10):
        while not await is_welcome(path):  # noqa: ASYNC110 - a socket announces no free place
            await asyncio.sleep(0.01)


async def is_welcome(path: Path) -> bool:
    async with talking(path) as talker:
        try:
            answer = await talker.ask(id=3, type="status")
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        return bool(answer["ok"])


async def test_a_client_that_leaves_does_not_disturb(path: Path) -> None:
    async with serving(path) as echo:
        async with talking(path) as talker:
            await talker.say(b'{"id":7,"type":"big","params":{"bytes":3000000}}\n' * 3)
        async with talking(path) as other:
            assert (await other.ask(id=1, type="status"))["ok"]
    assert echo.cancelled == 0


async def test_a_bug_in_an_answer_ends_that_connection_and_is_told(path: Path) -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    async with serving(path):
        loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
        async with talking(path) as talker, talking(path) as other:
            await talker.say(b'{"id":7,"type":"break"}\n')
            assert await talker.wait_end() == b""
            assert (await other.ask(id=1, type="status"))["ok"]
        loop.set_exception_handler(before)

    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_closing_removes_it_and_ends_every_connection(path: Path) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    echo = Echo()
    control = ControlSocket(path, echo)
    await control.open()
    async with talking(path) as idle, talking(path) as hanging:
        assert (await idle.ask(id=1, type="status"))["ok"]
        await hanging.say(b'{"id":7,"type":"hang"}\n')
        async with asyncio.timeout(10):
            await echo.hanging.wait()
            await control.close()

        assert mode_of(path) is None
        assert echo.cancelled == 1
        assert await idle.wait_end() == b""
        assert await hanging.wait_end() == b""
    await control.close()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "control connection" not in names
    assert told == []


async def test_closing_what_was_never_opened_is_fine(path: Path) -> None:
    dead_socket(path)
    await ControlSocket(path, Echo()).close()

    assert mode_of(path) is not None


def replace_by_another(path: Path) -> None:
    path.unlink()
    dead_socket(path)  # It may well get the inode number of the one that was removed.
    os.utime(path, (1, 1))


async def test_what_somebody_else_put_in_its_place_stays(path: Path) -> None:
    async with serving(path):
        replace_by_another(path)

    assert mode_of(path) is not None


async def test_it_can_be_opened_again_after_it_was_closed(path: Path) -> None:
    for _ in range(2):
        async with serving(path), talking(path) as talker:
            assert (await talker.ask(id=1, type="status"))["ok"]


async def test_a_second_one_is_refused_and_the_first_serves_on(path: Path) -> None:
    async with serving(path):
        second = ControlSocket(path, Echo())
        with pytest.raises(StartRefused, match=str(path)):
            await second.open()
        await second.close()

        async with talking(path) as talker:
            assert (await talker.ask(id=1, type="status"))["ok"]


async def test_what_a_dead_process_left_is_replaced(path: Path) -> None:
    dead_socket(path)

    async with serving(path), talking(path) as talker:
        assert (await talker.ask(id=1, type="status"))["ok"]
