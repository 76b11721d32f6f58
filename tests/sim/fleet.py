"""A fleet of runtimes in one thread: the product's services on ports in memory.

Each process is built by `app.wiring.build`, recovers and runs as `app` does it, and belongs to a
`Host` of its own, so that it can be frozen and killed like a process. What a `Machine` has, its
disk, its clocks and its key, outlives the process.
"""

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from fakes.clock import FakeClock
from fakes.disk import Disk
from fakes.network import Network, Weather
from fakes.reach import Post
from fakes.signer import FakeSigner
from sim.history import Effect, History
from sim.loop import Host, SimLoop, make_loop, wait_s
from sim.process import Process
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import RuntimeId, parse_runtime_id
from trust_runtime.contracts.settings import Settings
from trust_runtime.contracts.units import NS_PER_MS, NS_PER_S
from trust_runtime.core.config.check import check_values
from trust_runtime.services.peer import Peer

CALM: Final = Weather(latency_ms=(0.2, 2.0))
NAMES: Final = ("press-1", "press-2", "site-b/oven-1", "site-b/oven-2", "press-3", "press-4")
SEEDS: Final = 2
"""How many of the first machines everybody connects to; the others are found by introduction."""
ALLOWED_ACROSS: Final = (("press-1", "site-b/oven-1"), ("site-b/oven-1", "press-1"))
"""Origin and target of the writes that cross sites with a rule at both ends."""
_RESTART_S: Final = 0.1
_FAIR_MS: Final = 50.0


class Machine:
    """Where one runtime runs, again and again."""

    def __init__(self, fleet: "Fleet", number: int) -> None:
        chance = fleet.chance
        self.fleet = fleet
        self.id: RuntimeId = parse_runtime_id(NAMES[number])
        self.address = address_of(number)
        self.connect = tuple(address_of(one) for one in range(SEEDS) if one != number)
        self.clock = FakeClock(
            fleet.loop.true_time,
            booted_ns=chance.randrange(10**15),
            wall_error_ms=chance.randint(-90, 90),
            drift_ppm=chance.randint(-200, 200),
        )
        self.disk = Disk()
        self.signer = FakeSigner(self.id)
        self.slow_disk = False
        self._slow_until_ns = 0
        self.boots = 0
        self.process: Process | None = None
        self.parted_from: tuple[str, ...] = ()
        """Who was well linked with it when its process last died; they hear of it at once."""
        self._started_ns = 0
        self.changed_ns = 0
        """True time at which it last started, died, froze or woke."""

    @property
    def file_values(self) -> dict[str, Any]:
        """What its `runtime.toml` has."""
        site, _, name = self.id.rpartition("/")
        return {
            "bundle.version": 1,
            "resource.name": name,
            "resource.cycle_interval_ms": 100,
            "runtime.control.endpoint": f"unix:///tmp/{name}.sock",
            "runtime.web.enabled": False,
            "runtime.discovery.enabled": False,
            "runtime.mesh.enabled": True,
            "runtime.mesh.listen": self.address,
            "runtime.mesh.connect": list(self.connect),
            "runtime.mesh.allow_open": True,
            "runtime.cloud.wan.allow_write": self._rules(),
            **({"runtime.cloud.site": site} if site else {}),
        }

    def _rules(self) -> list[dict[str, str]]:
        """Return its rules: press-2 would write everywhere, but nobody takes it."""
        pairs = [pair for pair in ALLOWED_ACROSS if self.id in pair]
        rules = [
            {"action": "*", "target": _in_full(target), "from": _in_full(origin)}
            for origin, target in pairs
        ]
        if self.id == "press-2":
            rules.append({"action": "*", "target": "*", "from": "press-2"})
        return rules

    def settings(self, values: dict[str, Any]) -> Settings:
        """Return what these values mean."""
        settings = check_values(values)
        assert isinstance(settings, Settings), settings
        return settings

    @property
    def is_up(self) -> bool:
        """Whether its process runs and is not frozen."""
        return self.process is not None and not self.process.host.stands_still

    @property
    def is_slow(self) -> bool:
        """Whether its disk keeps callers waiting, or those before them."""
        return self.slow_disk or self.fleet.now_ns < self._slow_until_ns

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked."""
        return self.is_up and self.process is not None and self.process.is_ready

    def start(self) -> None:
        """Start a process unless one runs."""
        if self.process is not None:
            return
        self.boots += 1
        self._changed("start")
        self._started_ns = self.changed_ns
        self.process = Process(self)
        self.process.start()

    def kill(self, *, power: bool) -> None:
        """End the process at once; with `power` the whole machine loses it."""
        if self.process is None:
            return
        self._changed("power off" if power else "kill")
        self._forget(self.process, silently=power)

    def pause(self) -> None:
        """Freeze the process."""
        if self.is_up and self.process is not None:
            self._changed("pause")
            self.process.host.is_paused = True
            self.fleet.network.freeze(self.address)
            self._disturb()

    def resume(self) -> None:
        """Let a frozen process go on."""
        if self.process is not None and self.process.host.is_paused:
            self._changed("resume")
            self.fleet.network.thaw(self.address)
            self.fleet.loop.resume(self.process.host)

    def stop(self) -> None:
        """Ask the process to stop in order."""
        if self.process is not None and self.is_up:
            self.fleet.history.tell("stop", self.id)
            self.process.stop()

    def step_clock(self, step_ms: int | None) -> None:
        """Set the wall clock away from where it is; None: right."""
        self.fleet.history.tell("clock", f"{self.id} {step_ms}")
        self.fleet.clocks_changed_ns = self.fleet.now_ns
        if step_ms is None:
            self.clock.undo_wall_steps()
        else:
            self.clock.step_wall_ms(step_ms)

    def trouble_disk(self, kind: str) -> None:
        """Make the disk `slow`, `full`, `failing` at its next sync, or `fine`."""
        self.fleet.history.tell("disk", f"{self.id} {kind}")
        if self.slow_disk:
            self._slow_until_ns = self.fleet.now_ns + 2 * NS_PER_S
        self.slow_disk = kind == "slow"
        if self.slow_disk:
            self._disturb()
        if self.process is not None:
            self.process.store.is_full = kind == "full"
            if kind == "failing":
                self.process.store.fail_sync()

    def ended(self, process: Process, *, again: bool) -> None:
        """Hear that the process ended by itself; `again`: it wants to start anew from disk."""
        if self.process is process:
            self._changed("ended")
            self._forget(process, silently=False)
            if process.failure is not None and not again:
                self.fleet.failures.append(f"{process.host.name}: {process.failure!r}")
            if again:
                self.fleet.later(_RESTART_S, self.start)

    def peer(self, other: RuntimeId) -> Peer | None:
        """Return how this runtime sees another one."""
        assert self.process is not None
        services = self.process.services
        return None if services is None else services.peers.get(other)

    def _disturb(self) -> None:
        for dispatch in self.fleet.history.dispatches:
            if dispatch.origin == self.id and dispatch.report is None:
                dispatch.disturbed = True

    def _forget(self, process: Process, *, silently: bool) -> None:
        self.parted_from = tuple(
            other.id
            for other in self.fleet
            if not silently
            and self._has_linked(other, since_ns=self._started_ns)
            and not self.fleet.is_foul(self, other)
        )
        process.host.is_dead = True
        process.vanish(silently=silently)
        self.disk.crash(keep_unsynced=self.fleet.chance.random() < 0.5)
        self.process = None

    def _has_linked(self, other: "Machine", *, since_ns: int) -> bool:
        """Tell whether there is a link that this process made, not one before it."""
        since_s = self.fleet.network.linked_since_s(self.address, other.address)
        return since_s is not None and since_s * NS_PER_S >= since_ns

    def _changed(self, what: str) -> None:
        self.changed_ns = self.fleet.now_ns
        self.fleet.history.tell(what, f"{self.id} #{self.boots}")


class Fleet:
    """Some machines and the network between them."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed = seed
        self.loop: SimLoop = make_loop()
        self.chance = Random(f"fleet {seed}")  # noqa: S311 - repeatable is what it is for
        self.history = History(self.loop.true_time)
        self.network = Network(f"network {seed}", weather=CALM)
        self.network.on_event = lambda text: self.history.tell("network", text)
        self.post = Post(self.network)
        self.root = Host("simulator")
        self.machines = [Machine(self, number) for number in range(size)]
        self.effect_watchers: list[Callable[[Effect], None]] = []
        self.overheard: list[MeshMessage] = []
        """Some of the actions that were sent, for whoever replays them."""
        self.failures: list[str] = []
        """Processes that ended although nobody told them to."""
        self.weather_changed_ns = 0
        """True time at which anything last changed between the machines."""
        self.clocks_changed_ns = 0
        """True time at which a clock was last set."""

    def __iter__(self) -> Iterator[Machine]:
        """Iterate over the machines."""
        return iter(self.machines)

    @property
    def now_ns(self) -> int:
        """The true time."""
        return self.loop.true_time.now_ns

    def machine(self, runtime_id: str) -> Machine:
        """Return the machine of a runtime."""
        return next(one for one in self.machines if one.id == runtime_id)

    def later(self, delay_s: float, call: Any) -> None:
        """Have the simulator itself do something."""
        self.loop.call_later(delay_s, call, context=self.root.context())

    def set_weather(self, one: Machine, two: Machine, **changes: Any) -> None:
        """Change the way from one machine to another."""
        self.weather_changed_ns = self.now_ns
        self.history.tell("weather", f"{one.id} -> {two.id} {changes}")
        self.network.set_weather((one.address, two.address), **changes)

    def is_foul(self, one: Machine, two: Machine) -> bool:
        """Tell whether either way between two machines loses or delays what it carries."""
        ways = ((one.address, two.address), (two.address, one.address))
        weathers = [self.network.weather(way) for way in ways]
        return any(w.cut or w.loss or w.latency_ms[1] > _FAIR_MS for w in weathers)

    def make_fair(self, one: Machine, two: Machine) -> None:
        """Make the way from one machine to another what it was at the start."""
        self.set_weather(one, two, **vars(CALM))

    def heal(self) -> None:
        """Repair everything: links, clocks, disks, and whoever is down or frozen."""
        self.history.tell("heal")
        self.weather_changed_ns = self.now_ns
        self.network.heal()
        for machine in self.machines:
            machine.clock.undo_wall_steps()
            machine.slow_disk = False
            if machine.process is not None:
                machine.process.store.is_full = False
            machine.resume()
            machine.start()

    async def wait_ready(self, within_s: float) -> bool:
        """Start whoever is down and wait until all can be asked; tell whether it was in time."""
        due_ns = self.now_ns + round(within_s * 1_000 * NS_PER_MS)
        while not all(machine.is_ready for machine in self.machines):
            if self.now_ns > due_ns:
                return False
            for machine in self.machines:
                machine.start()
            await wait_s(0.05)
        return True

    def close(self) -> None:
        """End everything."""
        self.loop.close()


def _in_full(runtime_id: str) -> str:
    """Return an id with its site, as rules name runtimes of other sites."""
    return runtime_id if "/" in runtime_id else f"default-site/{runtime_id}"


def address_of(number: int) -> str:
    """Return where the mesh of a machine listens."""
    return f"10.0.0.{number + 1}:5200"


def run_fleet(fleet: Fleet, work: Any) -> None:
    """Run `work` in the simulator's own context until it ends."""
    task: asyncio.Task[None] = fleet.loop.create_task(work, context=fleet.root.context())
    fleet.loop.run_until_complete(task)
