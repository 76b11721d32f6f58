"""The wires between members of a mesh, and what can go wrong with them.

It behaves like Zenoh peers over TCP: members that configured each other's address link and link
again, whoever is linked introduces the others to each other, and a link on which one side hears
nothing for a lease ends for both. What a link carries waits while that way is cut and is lost
with the link. Loss, duplicates and reordering are worse than TCP; tokens never suffer them.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any, Final, Protocol

from trust_runtime.contracts.units import MS_PER_S

LEASE_MS: Final = 1_000
_RETRY_MS: Final = 1_000

Way = tuple[str, str]
"""From one address to another."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How one way behaves."""

    latency_ms: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest."""
    loss: float = 0.0
    """Share of messages that never arrive."""
    duplicates: float = 0.0
    """Share of messages that arrive twice."""
    reordered: float = 0.0
    """Share of messages that others may overtake."""
    cut: bool = False
    """Nothing arrives."""


FAIR: Final = Weather()


class Station(Protocol):
    """What the network knows of a member."""

    address: str
    connect: tuple[str, ...] | None
    """Addresses to stay linked with; None: everybody's."""
    context: Context
    """Whatever happens at this member happens in this context."""

    def linked(self, other: Any) -> None:
        """Hear that there is a link to `other` now."""
        ...

    def unlinked(self, other: Any) -> None:
        """Hear that the link to `other` ended."""
        ...


class Network:
    """Carries between the members that are open; everything happens on one event loop."""

    def __init__(self, seed: int | str = 0, *, weather: Weather = FAIR) -> None:
        self.on_event: Callable[[str], None] = lambda _: None
        """Told of every link that comes and goes."""
        self._random = Random(seed)  # noqa: S311 - repeatable is what it is for
        self._weather = weather
        self._ways: dict[Way, Weather] = {}
        self._open: dict[str, Station] = {}
        self._links: dict[Way, float] = {}
        """Both ways of each link, with the time at which what was sent last arrives."""
        self._neighbours: dict[str, list[Any]] = {}
        """What `neighbours` found, until a link or a member comes or goes."""
        self._held: dict[Way, list[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        self._since_s: dict[Way, float] = {}
        self._frozen: set[str] = set()
        self._gone: set[str] = set()
        """Addresses of members that lost their power; the others do not know yet."""
        self._numbers = count(1)
        self._generation: dict[Way, int] = {}
        self._retry_due = False
        self._context = Context()

    def weather(self, way: Way) -> Weather:
        """Return how one way behaves now."""
        return self._ways.get(way, self._weather)

    def set_weather(self, way: Way, **changes: Any) -> None:
        """Change how one way behaves; a way that is open again carries what waited."""
        self._ways[way] = replace(self.weather(way), **changes)
        if self._ways[way].cut:
            self._watch_lease(way)
            return
        for call, arguments in self._held.pop(way, []):
            self._carry(way, call, arguments)
        self._soon_retry(self._delay_s(way))

    def heal(self) -> None:
        """Make every way what it was at the start."""
        for way in list(self._ways):
            self.set_weather(way, **vars(self._weather))
        self._ways.clear()

    def freeze(self, address: str) -> None:
        """Stop a member's process: it says nothing, so its links end with the lease."""
        self._frozen.add(address)
        self._watch_leases_of(address)

    def thaw(self, address: str) -> None:
        """Let a member's process go on."""
        self._frozen.discard(address)
        self._soon_retry(0)

    def enter(self, station: Station) -> None:
        """Take a member that opens; the caller checked that its address is free."""
        if station.address in self._gone:
            self.leave(self._open[station.address])
        self._open[station.address] = station
        self._neighbours.clear()
        self._link_wanted()

    def leave(self, station: Station, *, silently: bool = False) -> None:
        """Lose a member: its links end at once, or when their lease is over."""
        self._frozen.discard(station.address)
        if self._open.get(station.address) is not station:
            return
        if silently:
            self._gone.add(station.address)
            self._watch_leases_of(station.address)
            return
        del self._open[station.address]
        self._gone.discard(station.address)
        for other in [two for one, two in self._links if one == station.address]:
            way = (station.address, other)
            delay_s = LEASE_MS / MS_PER_S if self.weather(way).cut else self._delay_s(way)
            self._forget(way)
            survivor = self._open[other]
            self._later(delay_s, survivor, survivor.unlinked, station)
        self._soon_retry(_RETRY_MS / MS_PER_S)

    def is_taken(self, address: str) -> bool:
        """Tell whether a member listens there."""
        return address in self._open and address not in self._gone

    def neighbours(self, address: str) -> list[Any]:
        """Return the members linked to `address`, in order of their addresses."""
        found = self._neighbours.get(address)
        if found is None:
            found = [self._open[two] for one, two in sorted(self._links) if one == address]
            self._neighbours[address] = found
        return found

    def linked_since_s(self, one: str, two: str) -> float | None:
        """Return when the link between two addresses was made; None: there is none."""
        return self._since_s.get((one, two))

    def can_link(self, one: str, two: str) -> bool:
        """Tell whether a handshake between two addresses would succeed."""
        reachable = one != two and {one, two} <= self._open.keys()
        clear = not (self.weather((one, two)).cut or self.weather((two, one)).cut)
        return reachable and clear and not {one, two} & (self._frozen | self._gone)

    def link(self, one: str, two: str) -> None:
        """Make a link, and introduce each side to those the other is linked with."""
        if (one, two) in self._links or not self.can_link(one, two):
            return
        self.on_event(f"link {one} {two}")
        self._neighbours.clear()
        now_s = asyncio.get_running_loop().time()
        for here, there in ((one, two), (two, one)):
            self._links[here, there] = now_s
            self._generation[here, there] = next(self._numbers)
            self._since_s[here, there] = now_s
            station = self._open[here]
            self._later(self._delay_s((there, here)), station, station.linked, self._open[there])
        for middle, end in ((one, two), (two, one)):
            for other in self.neighbours(middle):
                self.link(other.address, end)

    def post(self, way: Way, call: Callable[..., None], *arguments: Any) -> None:
        """Carry a datagram, which needs no link and may be lost, doubled or overtaken."""
        weather = self.weather(way)
        for share in (1.0, weather.duplicates):
            lost = weather.cut or self._random.random() < weather.loss
            if self._random.random() < share and not lost and self.is_taken(way[1]):
                station = self._open[way[1]]
                self._later(self._delay_s(way), station, call, *arguments)

    def there_and_back_s(self, one: str, two: str) -> float | None:
        """Return how long a packet from `one` and its answer take; None: one of them is lost."""
        ways = ((one, two), (two, one))
        if two in self._gone or any(self.weather(way).cut for way in ways):
            return None
        if any(self._random.random() < self.weather(way).loss for way in ways):
            return None
        return sum(self._delay_s(way) for way in ways)

    def send(self, way: Way, call: Callable[..., None], *arguments: Any) -> None:
        """Carry a message that may be lost, doubled or overtaken, and have `call` take it."""
        if way not in self._links:
            return
        weather = self.weather(way)
        if self._random.random() < weather.loss:
            self.on_event(f"lost {way[0]} {way[1]}")
            return
        self._carry(way, call, arguments)
        if self._random.random() < weather.duplicates:
            self._carry(way, call, arguments)

    def send_surely(self, way: Way, call: Callable[..., None], *arguments: Any) -> None:
        """Carry a message that arrives in order unless its link ends."""
        if way in self._links:
            self._carry(way, call, arguments, may_overtake=False)

    def _carry(
        self,
        way: Way,
        call: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        may_overtake: bool = True,
    ) -> None:
        weather = self.weather(way)
        if weather.cut:
            self._held.setdefault(way, []).append((call, arguments))
            return
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        arrives_s = now_s + self._random.uniform(*weather.latency_ms) / MS_PER_S
        if not (may_overtake and self._random.random() < weather.reordered):
            arrives_s = max(arrives_s, self._links[way])
            self._links[way] = arrives_s
        arrival = (way, self._generation[way], call, arguments)
        loop.call_later(arrives_s - now_s, self._arrive, *arrival, context=self._context)

    def _arrive(
        self, way: Way, generation: int, call: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        """Hand over to the member's machine, which keeps it while its process stands still."""
        if self._generation.get(way) != generation:
            return
        if self.weather(way).cut:
            self._held.setdefault(way, []).append((call, arguments))
            return
        context = self._open[way[1]].context
        asyncio.get_running_loop().call_soon(call, *arguments, context=context)

    def _delay_s(self, way: Way) -> float:
        return self._random.uniform(*self.weather(way).latency_ms) / MS_PER_S

    def _later(
        self, delay_s: float, station: Station, call: Callable[..., None], *arguments: Any
    ) -> None:
        loop = asyncio.get_running_loop()
        if delay_s <= 0:
            loop.call_soon(call, *arguments, context=station.context)
        else:
            loop.call_later(delay_s, call, *arguments, context=station.context)

    def _watch_leases_of(self, address: str) -> None:
        for way in list(self._links):
            if way[0] == address:
                self._watch_lease(way)

    def _watch_lease(self, way: Way) -> None:
        """End the link of `way` when nothing gets through for a lease."""
        if way in self._links:
            loop = asyncio.get_running_loop()
            generation = self._generation[way]
            lease_s = LEASE_MS / MS_PER_S
            loop.call_later(lease_s, self._expire, way, generation, context=self._context)

    def _expire(self, way: Way, generation: int) -> None:
        silent = self.weather(way).cut or way[0] in self._frozen | self._gone
        if self._generation.get(way) != generation or not silent:
            return
        self._forget(way)
        for here, there in (way, way[::-1]):
            station = self._open[here]
            self._later(0, station, station.unlinked, self._open[there])
        self._soon_retry(_RETRY_MS / MS_PER_S)

    def _forget(self, way: Way) -> None:
        self.on_event(f"unlink {way[0]} {way[1]}")
        self._neighbours.clear()
        for one in (way, (way[1], way[0])):
            self._links.pop(one, None)
            self._generation.pop(one, None)
            self._since_s.pop(one, None)
            self._held.pop(one, None)

    def _soon_retry(self, delay_s: float) -> None:
        if not self._retry_due:
            self._retry_due = True
            loop = asyncio.get_running_loop()
            loop.call_later(delay_s, self._retry, context=self._context)

    def _retry(self) -> None:
        self._retry_due = False
        if self._link_wanted():
            self._soon_retry(_RETRY_MS / MS_PER_S)

    def _link_wanted(self) -> bool:
        """Make the links that members configured; return whether some cannot be made yet."""
        missing = False
        for one in sorted(self._open):
            connect = self._open[one].connect
            for two in sorted(self._open) if connect is None else connect:
                if one != two and (one, two) not in self._links:
                    self.link(one, two)
                    missing = missing or (one, two) not in self._links
        return missing
