"""The fleet of the simulator behaves like processes: started, killed, frozen, stopped, cut off."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from sim.fleet import Fleet, Machine, run_fleet
from sim.loop import wait_s
from trust_runtime.contracts.presence import Lifecycle

Scenario = Callable[[Fleet], Coroutine[Any, Any, None]]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(1, 4)
    yield fleet
    failures = [*fleet.failures, *fleet.loop.failures]
    fleet.close()
    assert failures == []


def see(observers: list[Machine], target: Machine) -> list[Lifecycle | None]:
    """Return how each of `observers` sees `target`."""
    peers = [one.peer(target.id) for one in observers]
    return [None if peer is None else peer.lifecycle for peer in peers]


async def until_together(fleet: Fleet) -> None:
    """Start everybody; return when all see all."""
    assert await fleet.wait_ready(5)
    await wait_s(2)
    for machine in fleet:
        others = [one for one in fleet if one is not machine]
        assert see(others, machine) == [Lifecycle.ONLINE] * 3


def test_a_killed_process_is_seen_at_once_and_comes_back_as_itself(fleet: Fleet) -> None:
    async def work() -> None:
        await until_together(fleet)
        victim, *others = fleet
        kept = victim.disk.synced.head
        victim.kill(power=False)
        await wait_s(0.3)
        assert see(others, victim) == [Lifecycle.STALE] * 3
        assert victim.disk.synced.head.seq >= kept.seq
        victim.start()
        await wait_s(2)
        assert see(others, victim) == [Lifecycle.ONLINE] * 3
        assert victim.disk.synced.head.seq > kept.seq

    run_fleet(fleet, work())


def test_a_lost_machine_is_seen_after_a_lease(fleet: Fleet) -> None:
    async def work() -> None:
        await until_together(fleet)
        victim, *others = fleet
        victim.kill(power=True)
        await wait_s(0.3)
        assert see(others, victim) == [Lifecycle.ONLINE] * 3
        await wait_s(2.2)
        assert see(others, victim) == [Lifecycle.STALE] * 3

    run_fleet(fleet, work())


def test_a_frozen_process_is_stale_and_accuses_nobody_when_it_wakes(fleet: Fleet) -> None:
    async def work() -> None:
        await until_together(fleet)
        frozen, *others = fleet
        frozen.pause()
        await wait_s(2.5)
        assert see(others, frozen) == [Lifecycle.STALE] * 3
        frozen.resume()
        await wait_s(3)
        assert see(others, frozen) == [Lifecycle.ONLINE] * 3
        assert [see([frozen], one) for one in others] == [[Lifecycle.ONLINE]] * 3

    run_fleet(fleet, work())


def test_an_orderly_stop_is_a_goodbye(fleet: Fleet) -> None:
    async def work() -> None:
        await until_together(fleet)
        leaver, *others = fleet
        leaver.stop()
        await wait_s(1)
        assert leaver.process is None
        assert see(others, leaver) == [Lifecycle.OFFLINE] * 3

    run_fleet(fleet, work())


def test_a_failed_sync_restarts_the_process_from_disk(fleet: Fleet) -> None:
    async def work() -> None:
        await until_together(fleet)
        machine = fleet.machines[0]
        before = machine.process
        machine.trouble_disk("failing")
        await wait_s(8)
        assert machine.boots == 2
        assert machine.process is not before
        assert machine.is_ready

    run_fleet(fleet, work())


@pytest.mark.parametrize("numbers", [(0, 1), (0, 3)])
def test_a_cut_ends_and_so_does_the_partition(fleet: Fleet, numbers: tuple[int, int]) -> None:
    run_fleet(fleet, cut_and_heal(fleet, numbers))


def test_a_cut_between_two_that_others_introduced_ends_too(fleet: Fleet) -> None:
    run_fleet(fleet, cut_and_heal(fleet, (2, 3)))


async def cut_and_heal(fleet: Fleet, numbers: tuple[int, int]) -> None:
    """Cut the way between two machines for a while; both must see each other again."""
    await until_together(fleet)
    one, two = (fleet.machines[number] for number in numbers)
    fleet.set_weather(one, two, cut=True)
    await wait_s(5)
    assert (see([one], two), see([two], one)) == ([Lifecycle.STALE], [Lifecycle.STALE])
    fleet.heal()
    await wait_s(45)
    assert (see([one], two), see([two], one)) == ([Lifecycle.ONLINE], [Lifecycle.ONLINE])
