"""A running part that changed under its runtime, as the rest of the fleet learns of it (11.3)."""

from collections.abc import Callable
from typing import Any

from sim.fleet import Fleet, run_fleet
from sim.loop import wait_s
from trust_runtime.contracts.config import ConfigState, DesiredWrite
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.contracts.units import NS_PER_MS

ENGINEER = Caller(identity="uid:1", role=Role.ENGINEER)
WRITE = DesiredWrite(api_version="1.0", actor="anna", desired={"log.level": "debug"})


async def until(holds: Callable[[], bool], *, within_s: float) -> None:
    for _ in range(round(within_s * 100)):
        if holds():
            return
        await wait_s(0.01)
    assert holds()


def test_drift_is_told_within_two_seconds_by_beacon_stream_and_timeline() -> None:
    fleet = Fleet(7, 2)

    async def play() -> None:
        assert await fleet.wait_ready(30)
        one, two = fleet.machines
        process = one.process
        assert process is not None
        assert process.services is not None
        services = process.services

        def heard() -> str | None:
            peer = two.peer(one.id)
            status = None if peer is None else peer.record.status
            return None if status is None else status.config.state

        def told() -> list[str]:
            newest = services.timeline.newest()
            return [str((event.data or {}).get("config_state")) for event in newest]

        async def write() -> None:
            await services.desired.write_desired(WRITE, ENGINEER, if_match=None)

        process.spawn(write(), "writer")
        await until(lambda: process.log.level is LogLevel.DEBUG, within_s=5)
        await until(lambda: heard() == "in_sync", within_s=5)
        streamed: list[Any] = []
        send = services.stream.send

        def noted(kind: str, content: object) -> None:
            streamed.append((kind, content))
            send(kind, content)

        services.stream.send = noted  # type: ignore[method-assign]  # To see, not to change.
        began_ns = fleet.now_ns
        process.log.level = LogLevel.ERROR
        await until(lambda: heard() == "error" and "error" in told(), within_s=2)
        assert (fleet.now_ns - began_ns) // NS_PER_MS <= 2_000
        configs = [data["status"].state for kind, data in streamed if kind == "config"]
        assert configs == [ConfigState.ERROR]
        # And it does not stay so: the part is set again.
        await until(lambda: process.log.level is LogLevel.DEBUG, within_s=2)
        await until(lambda: heard() == "in_sync", within_s=2)

    try:
        run_fleet(fleet, play())
    finally:
        fleet.close()
