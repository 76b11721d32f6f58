import asyncio
from contextlib import suppress

import pytest

from sim.loop import Host, Stuck, make_loop, run, wait_s


async def tick(period_s: float, heard: list[float]) -> None:
    while True:
        await wait_s(period_s)
        heard.append(asyncio.get_running_loop().time())


def test_an_hour_passes_at_once_and_in_order() -> None:
    async def work() -> list[str]:
        told: list[str] = []

        async def tell(after_s: float, text: str) -> None:
            await wait_s(after_s)
            told.append(text)

        async with asyncio.TaskGroup() as tasks:
            for after_s, text in [(3_600, "hour"), (60, "minute"), (0, "now"), (60, "then")]:
                tasks.create_task(tell(after_s, text))
        assert asyncio.get_running_loop().time() == 3_600
        return told

    assert run(work()) == ["now", "minute", "then", "hour"]


def test_a_deadline_passes() -> None:
    async def work() -> None:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(work())


def test_what_can_never_happen_is_told() -> None:
    with pytest.raises(Stuck):
        run(asyncio.Event().wait())


def test_what_spins_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - it is meant to spin
            await asyncio.sleep(0)

    monkeypatch.setattr("sim.loop.STEPS_MAX", 1_000)
    with pytest.raises(Stuck, match="spins"):
        run(spin())


def test_a_paused_host_stands_still_and_then_does_what_is_overdue() -> None:
    loop, heard = make_loop(), list[float]()
    host = Host("press-1")

    async def work() -> None:
        loop.create_task(tick(1.0, heard), context=host.context())
        await wait_s(2.5)
        host.is_paused = True
        await wait_s(10)
        assert heard == [1.0, 2.0]
        loop.resume(host)
        await wait_s(1.2)

    loop.run_until_complete(work())
    assert heard == [1.0, 2.0, 12.5, 13.5]
    loop.close()


def test_a_dead_host_does_nothing_any_more_not_even_clean_up() -> None:
    loop, heard = make_loop(), list[str]()
    host = Host("press-1")

    async def live() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            heard.append("cleaned")

    async def work() -> None:
        task = loop.create_task(live(), context=host.context())
        await wait_s(1)
        host.is_dead = True
        task.cancel()
        await wait_s(1)
        assert heard == []

    loop.run_until_complete(work())
    loop.close()


def test_what_a_host_starts_is_its_own() -> None:
    loop, heard = make_loop(), list[float]()
    host = Host("press-1")

    async def parent() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tick(1.0, heard))

    async def work() -> None:
        loop.create_task(parent(), context=host.context())
        await wait_s(1.5)
        host.is_dead = True
        await wait_s(5)

    loop.run_until_complete(work())
    assert heard == [1.0]
    loop.close()


def test_a_failure_that_nobody_catches_is_kept() -> None:
    loop = make_loop()

    async def work() -> None:
        loop.call_soon(lambda: 1 / 0)
        await wait_s(1)

    loop.run_until_complete(work())
    assert isinstance(loop.failures[0]["exception"], ZeroDivisionError)
    loop.close()


def test_closing_ends_what_runs() -> None:
    ended: list[str] = []

    async def live() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        ended.append("live")

    loop = make_loop()

    async def work() -> None:
        loop.create_task(live())
        await asyncio.sleep(0)

    loop.run_until_complete(work())
    loop.close()
    assert ended == ["live"]
    assert loop.is_closed()
