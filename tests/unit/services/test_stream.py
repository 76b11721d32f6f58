"""Events for whoever listens: numbered, resumable, bounded; who is slow is dropped."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signed_fleet import Listener, boot
from trust_runtime.services.stream import (
    QUEUE_BYTES_MAX,
    QUEUE_MAX,
    READERS_MAX,
    RING_MAX,
    Reader,
    Stream,
    StreamEvent,
)
from virtual_time import run_virtual, wait_ms

PAST = "00000001"
"""The random end of the boot id of these streams."""


def stream() -> Stream:
    return Stream(boot(1))


def join(made: Stream, last_event_id: str | None = None) -> tuple[Reader, bool]:
    joined = made.join(last_event_id)
    assert joined is not None
    return joined


async def waiting(reader: Reader) -> list[StreamEvent]:
    """Return everything that waits for a reader."""
    found: list[StreamEvent] = []
    while (event := await reader.next(0)) is not None:
        found.append(event)
    return found


async def numbers(reader: Reader) -> list[int]:
    return [int(event.event_id.partition("-")[2]) for event in await waiting(reader)]


@pytest.mark.anyio
async def test_everybody_gets_every_event_from_joining_on() -> None:
    made = stream()
    made.send("audit", {"n": 0})
    one, goes_on = join(made)
    made.send("state", {"n": 1})
    other, _ = join(made)
    made.send("timeline", {"n": 2})
    assert not goes_on
    assert await waiting(one) == [
        StreamEvent(event_id=f"{PAST}-2", kind="state", data=b'{"n":1}'),
        StreamEvent(event_id=f"{PAST}-3", kind="timeline", data=b'{"n":2}'),
    ]
    assert await numbers(other) == [3]
    assert made.last_id == f"{PAST}-3"
    made.leave(one)
    made.leave(one)
    made.send("state", {})
    assert (await numbers(one), await numbers(other), made.readers) == ([], [4], 1)


def test_events_of_two_boots_have_other_ids() -> None:
    assert Stream(boot(1)).last_id != Stream(boot(2)).last_id


@pytest.mark.anyio
@given(sent=st.integers(0, RING_MAX + 50), behind=st.integers(0, RING_MAX + 50))
async def test_a_reader_goes_on_exactly_where_it_ended_or_begins_anew(
    sent: int, behind: int
) -> None:
    made = stream()
    for _ in range(sent):
        made.send("state", 0)
    last = sent - behind
    reader, goes_on = join(made, f"{PAST}-{last}")
    made.send("state", 0)
    assert goes_on is (last >= 0 and behind <= RING_MAX)
    expected = list(range(last + 1, sent + 2)) if goes_on else [sent + 1]
    # A full queue and one more is a reader that is too slow.
    assert await numbers(reader) == ([] if len(expected) > QUEUE_MAX else expected)


@pytest.mark.parametrize("behind", [RING_MAX, RING_MAX + 1])
def test_the_oldest_event_that_is_kept(behind: int) -> None:
    made = stream()
    for _ in range(RING_MAX + 1):
        made.send("state", 0)
    _, goes_on = join(made, f"{PAST}-{RING_MAX + 1 - behind}")
    assert goes_on is (behind == RING_MAX)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "event_id",
    [
        "00000002-3",
        f"{PAST}-6",
        f"{PAST}--1",
        f"{PAST}-",
        f"{PAST}",
        f"{PAST}-x",
        f"{PAST}-\u0663",
        f"{PAST}-{'9' * 5_000}",
        "",
        "-",
    ],
)
async def test_an_id_of_another_boot_or_of_no_event_begins_anew(event_id: str) -> None:
    made = stream()
    for _ in range(5):
        made.send("state", 0)
    reader, goes_on = join(made, event_id)
    assert not goes_on
    assert await numbers(reader) == []


@pytest.mark.anyio
async def test_a_reader_too_far_behind_is_dropped_and_nobody_else() -> None:
    made = stream()
    slow, _ = join(made)
    quick, _ = join(made)
    for _ in range(QUEUE_MAX):
        made.send("state", 0)
    assert len(await waiting(quick)) == QUEUE_MAX
    assert (slow.is_dropped, quick.is_dropped) == (False, False)
    made.send("state", 0)
    assert (slow.is_dropped, quick.is_dropped) == (True, False)
    assert await waiting(slow) == []
    assert await numbers(quick) == [QUEUE_MAX + 1]
    assert (made.readers, made.dropped_readers) == (1, 1)


@pytest.mark.anyio
async def test_bytes_count_as_well_and_what_was_read_does_not() -> None:
    made = stream()
    slow, _ = join(made)
    quick, _ = join(made)
    half = "x" * (QUEUE_BYTES_MAX // 2 - 2)  # and two quotes
    for _ in range(2):
        made.send("state", half)
        assert len(await waiting(quick)) == 1
    assert (slow.is_dropped, quick.is_dropped) == (False, False)
    made.send("state", "")
    assert (slow.is_dropped, quick.is_dropped) == (True, False)
    assert [event.data for event in await waiting(quick)] == [b'""']


@pytest.mark.anyio
async def test_who_missed_more_than_a_queue_holds_begins_anew_and_stays() -> None:
    made = stream()
    for _ in range(3):
        made.send("state", "x" * (QUEUE_BYTES_MAX // 2))
    reader, goes_on = join(made, f"{PAST}-0")
    assert (goes_on, reader.is_dropped) == (False, False)
    made.send("state", 1)
    assert await numbers(reader) == [4]
    assert made.dropped_readers == 0


def test_the_65th_is_refused_until_one_leaves() -> None:
    made = stream()
    readers = [join(made)[0] for _ in range(READERS_MAX)]
    assert READERS_MAX == 64
    assert made.join(None) is None
    assert made.readers == READERS_MAX
    made.leave(readers[0])
    join(made)


def test_waiting_ends_with_an_event_with_the_time_or_with_the_stream() -> None:
    made = stream()
    told: list[str] = []
    listener = Listener()

    async def listen(name: str, timeout_s: float) -> None:
        event = await join(made)[0].next(timeout_s)
        told.append(f"{name} {None if event is None else event.kind} after {now_ms()}")

    def now_ms() -> int:
        return listener.clock.time.now_ns // 1_000_000

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen("short", 0.05))
            tasks.create_task(listen("long", 100))
            await wait_ms(60)
            made.send("state", 0)
            await wait_ms(10)
            tasks.create_task(listen("last", 100))
            await wait_ms(10)
            made.close()

    run_virtual(listener.clock, main)
    assert told == ["short None after 50", "long state after 60", "last None after 80"]
    assert made.readers == 0
