"""`adapters.mesh.inbox`: a bounded way from other threads to the loop."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from port_contracts.mesh import until
from trust_runtime.adapters.mesh.inbox import Inbox, wake


@pytest.mark.anyio
async def test_items_of_another_thread_arrive_in_order_on_the_loop() -> None:
    got: list[int] = []
    threads: set[int] = set()

    def take(item: int) -> None:
        got.append(item)
        threads.add(threading.get_ident())

    inbox: Inbox[int] = Inbox(take, items_max=100_000)
    inbox.open(asyncio.get_running_loop())

    def flood() -> None:
        for item in range(20_000):
            inbox.offer(item, 1)

    await asyncio.to_thread(flood)
    await until(lambda: len(got) == 20_000)
    assert got == list(range(20_000))
    assert threads == {threading.get_ident()}
    assert inbox.dropped == 0


@pytest.mark.anyio
async def test_one_burst_wakes_the_loop_once_and_lets_others_run() -> None:
    order: list[object] = []
    inbox: Inbox[int] = Inbox(order.append)
    loop = asyncio.get_running_loop()
    inbox.open(loop)
    for item in range(1_000):
        inbox.offer(item, 1)
    loop.call_soon(order.append, "another")
    await until(lambda: 999 in order)
    assert order.index("another") == 256  # After one burst, not after all of them.


@pytest.mark.anyio
async def test_a_closed_inbox_forgets_and_accepts_nothing_until_it_opens_again() -> None:
    got: list[int] = []
    inbox: Inbox[int] = Inbox(got.append)
    inbox.offer(1, 1)
    loop = asyncio.get_running_loop()
    inbox.open(loop)
    inbox.offer(2, 1)
    inbox.close()
    inbox.offer(3, 1)
    inbox.open(loop)
    inbox.offer(4, 1)
    await until(lambda: got)
    assert got == [4]


@given(
    sizes=st.lists(st.integers(0, 12), max_size=40),
    items_max=st.integers(1, 10),
    bytes_max=st.integers(12, 40),
)
def test_what_is_kept_is_the_newest_that_fits(
    sizes: list[int], items_max: int, bytes_max: int
) -> None:
    got: list[int] = []
    inbox: Inbox[int] = Inbox(got.append, items_max=items_max, bytes_max=bytes_max)

    async def run() -> None:
        inbox.open(asyncio.get_running_loop())
        for number, size in enumerate(sizes):
            inbox.offer(number, size)
        await asyncio.sleep(0)  # One turn of the loop takes out what was kept.

    asyncio.run(run())
    first = next(
        n for n in range(len(sizes) + 1)
        if len(sizes) - n <= items_max and sum(sizes[n:]) <= bytes_max
    )  # fmt: skip
    assert got == list(range(first, len(sizes)))
    assert inbox.dropped == first


def test_a_closed_loop_is_no_fault() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    assert not wake(loop, print)
