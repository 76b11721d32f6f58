"""Somebody on the mesh without a key: hears beacons, replays what it overheard, and forges."""

from random import Random
from typing import Any, Final

from fakes.mesh import FakeMesh
from sim.fleet import Fleet
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.keyspace import ALL_BEACONS, beacon_key, token_key

ADDRESS: Final = "10.0.9.9:5200"


class Attacker:
    """One more member of the mesh, linked with everybody it can reach."""

    def __init__(self, fleet: Fleet, chance: Random) -> None:
        self._fleet = fleet
        self._chance = chance
        self._mesh = FakeMesh(fleet.network, ADDRESS)
        self._mesh.subscribe(ALL_BEACONS, self._hear)
        self._beacons: dict[str, MeshMessage] = {}
        """The newest one of each incarnation, of those that are gone too."""
        self._forged = 0

    @property
    def is_open(self) -> bool:
        """Whether it is at work."""
        return self._mesh.is_open

    async def open(self) -> None:
        """Join the mesh."""
        await self._mesh.open()

    async def close(self) -> None:
        """Leave for good."""
        await self._mesh.close()

    def act(self) -> None:
        """Do one of its tricks."""
        trick = self._chance.choice((self._replay_action, self._replay_beacon, self._forge_beacon))
        trick()

    def _hear(self, message: MeshMessage) -> None:
        boot = str(decode_json(message.body, dict).get("boot_id"))
        self._beacons[boot] = message

    def _replay_action(self) -> None:
        if self._fleet.overheard:
            message = self._chance.choice(self._fleet.overheard)
            self._tell("replays", message.key)
            self._run(self._mesh.query(message, timeout_ms=1_000))

    def _replay_beacon(self) -> None:
        if self._beacons:
            message = self._chance.choice(list(self._beacons.values()))
            self._tell("replays", message.key)
            self._mesh.put(message)

    def _forge_beacon(self) -> None:
        """Say that somebody lives, under a token of its own, with a signature that is none."""
        if not self._beacons:
            return
        overheard = self._chance.choice(list(self._beacons.values()))
        victim = self._chance.choice(self._fleet.machines).id
        self._forged += 1
        boot = BootId(f"ffffffff-0000-7000-8000-{self._forged:012d}")
        members: dict[str, Any] = decode_json(overheard.body, dict)
        body = canonical_json({**members, "boot_id": boot, "seq": 1})
        self._tell("forges", beacon_key(victim))
        token = token_key(victim, boot)
        self._mesh.hold_token(token)
        self._mesh.put(MeshMessage(key=beacon_key(victim), body=body, token=overheard.token))
        self._fleet.later(self._chance.uniform(1, 6), lambda: self._mesh.release_token(token))

    def _tell(self, what: str, key: str) -> None:
        self._fleet.history.tell("attacker", f"{what} {key}")

    def _run(self, work: Any) -> None:
        self._fleet.loop.create_task(work, name="attacker")
