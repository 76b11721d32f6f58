"""A member of a mesh in memory. Implements `ports.mesh.Mesh`."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from fakes.network import Network
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import MeshUnavailable
from trust_runtime.contracts.units import MS_PER_S
from trust_runtime.ports.mesh import MessageHandler, QueryHandler, Silence, TokenHandler

Item = TypeVar("Item")

ITEMS_MAX: Final = 4_096
_BURST: Final = 256
_PAIRS_KEPT: Final = 16_384
_FAREWELL_S: Final = 1.0

Answer = MeshMessage | Silence
Settle = Callable[[Answer], None]


@lru_cache(maxsize=_PAIRS_KEPT)
def matches(pattern: str, key: str) -> bool:
    """Tell whether a key expression with `*` parts covers `key`, which may have some too."""
    ours, theirs = pattern.split("/"), key.split("/")
    return len(ours) == len(theirs) and all(
        "*" in (one, two) or one == two for one, two in zip(ours, theirs, strict=True)
    )


class FakeMesh:
    """One member of `network`. `on_problem` is told of handlers that raised."""

    def __init__(
        self,
        network: Network,
        address: str,
        *,
        connect: tuple[str, ...] | None = None,
        on_problem: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = address
        self.connect = connect
        self.context: Context = copy_context()
        self.is_open = False
        self.on_problem = on_problem
        self._network = network
        self._listeners: list[_Listener] = []
        self._watchers: list[_Watcher] = []
        self._responders: list[_Responder] = []
        self._held: list[str] = []
        self._asked: list[_Question] = []

    async def open(self) -> None:
        """See `Mesh.open`."""
        if self.is_open:
            return
        if self._network.is_taken(self.address):
            raise MeshUnavailable(f"cannot open the mesh session ({self.address}): in use")
        self.context = copy_context()
        self.is_open = True
        for watcher in self._watchers:
            self._show_all(watcher, self)
        self._network.enter(self)
        await asyncio.sleep(0)

    async def close(self) -> None:
        """See `Mesh.close`; handlers that still run are cancelled."""
        if not self.is_open:
            return
        self.is_open = False
        for listener in self._listeners:
            listener.inbox.clear()
        for watcher in self._watchers:
            watcher.lose_all()
        for question in list(self._asked):
            question.settle(Silence.NOBODY)
        try:
            for responder in self._responders:
                await responder.close()
        finally:
            self._network.leave(self)

    def die(self, *, silently: bool = False) -> None:
        """Vanish like a killed process; `silently` like one whose machine lost its power."""
        self.is_open = False
        self._network.leave(self, silently=silently)

    def subscribe(self, key: str, handler: MessageHandler) -> None:
        """See `Mesh.subscribe`."""
        self._listeners.append(_Listener(self, key, handler))

    def watch_tokens(self, key: str, handler: TokenHandler) -> None:
        """See `Mesh.watch_tokens`."""
        watcher = _Watcher(self, key, handler)
        self._watchers.append(watcher)
        if self.is_open:
            for member in (self, *self._network.neighbours(self.address)):
                self._show_all(watcher, member)

    def serve(self, key: str, handler: QueryHandler, *, waiting_max: int) -> None:
        """See `Mesh.serve`."""
        self._responders.append(_Responder(self, key, handler, waiting_max=waiting_max))

    def hold_token(self, key: str) -> None:
        """See `Mesh.hold_token`."""
        if key not in self._held:
            self._held.append(key)
            self._tell_token(key, alive=True)

    def release_token(self, key: str) -> None:
        """See `Mesh.release_token`."""
        if key in self._held:
            self._held.remove(key)
            self._tell_token(key, alive=False)

    def put(self, message: MeshMessage) -> None:
        """See `Mesh.put`."""
        if not self.is_open:
            return
        self._take_message(message)
        for other in self._network.neighbours(self.address):
            self._network.send((self.address, other.address), other._take_message, message)

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> Answer:
        """See `Mesh.query`."""
        if not self.is_open:
            return Silence.NOBODY
        if timeout_ms <= 0:
            return Silence.TIMEOUT
        question = _Question(message)
        self._asked.append(question)
        try:
            self._ask(question)
            async with asyncio.timeout(timeout_ms / MS_PER_S):
                return await question.answered
        except TimeoutError:
            return Silence.TIMEOUT
        finally:
            self._asked.remove(question)

    async def dial(self, address: str) -> bool:
        """See `Mesh.dial`."""
        if not self.is_open:
            return False
        if address == self.address:
            return True
        await asyncio.sleep(0)
        self._network.link(self.address, address)
        return any(other.address == address for other in self._network.neighbours(self.address))

    def dropped(self) -> dict[str, int]:
        """See `Mesh.dropped`."""
        counts: Counter[str] = Counter()
        for listener in self._listeners:
            counts[listener.key] += listener.inbox.dropped
        for watcher in self._watchers:
            counts[watcher.key] += watcher.inbox.dropped
        for responder in self._responders:
            counts[responder.key] += responder.dropped
        return dict(counts)

    # What the network calls.

    def linked(self, other: "FakeMesh") -> None:
        """See `network.Station.linked`; those already held come first."""
        if self.is_open and other in self._network.neighbours(self.address):
            for watcher in self._watchers:
                self._show_all(watcher, other)

    def unlinked(self, other: "FakeMesh") -> None:
        """See `network.Station.unlinked`; who was asked over that link answers no more."""
        if self.is_open and other not in self._network.neighbours(self.address):
            for watcher in self._watchers:
                watcher.lose(other)
            for question in list(self._asked):
                question.end(other)

    def _ask(self, question: "_Question") -> None:
        key = question.message.key
        others = self._network.neighbours(self.address)
        asked = [member for member in (self, *others) if member._serving(key)]
        question.waits_for(asked)
        for member in asked:
            if member is self:
                self._take_question(self, question)
            else:
                way = (self.address, member.address)
                self._network.send(way, member._take_question, self, question)

    def _serving(self, key: str) -> list["_Responder"]:
        return [one for one in self._responders if matches(one.key, key)]

    def _take_message(self, message: MeshMessage) -> None:
        for listener in self._listeners:
            if self.is_open and matches(listener.key, message.key):
                listener.inbox.offer(message)

    def _take_question(self, asker: "FakeMesh", question: "_Question") -> None:
        if question.has_reached(self):
            # Replayed on the way: over TCP it can only have come from somebody else.
            for responder in self._serving(question.message.key):
                responder.take(question.message, lambda _: None)
            return
        for responder in self._serving(question.message.key):
            responder.take(question.message, lambda answer: self._reply(asker, question, answer))

    def _reply(self, asker: "FakeMesh", question: "_Question", answer: Answer) -> None:
        """Say an answer, that there was a fault or no place, or that there is none (NOBODY)."""
        if asker is self:
            question.take(self, answer)
        elif self.is_open or answer in (Silence.TIMEOUT, Silence.OVERLOADED):
            way = (self.address, asker.address)
            self._network.send(way, question.take, self, answer)

    def _show_all(self, watcher: "_Watcher", member: "FakeMesh") -> None:
        for key in member._held:
            watcher.offer(member, key, alive=True)

    def _tell_token(self, key: str, *, alive: bool) -> None:
        if not self.is_open:
            return
        self._take_token(self, key, alive)
        for other in self._network.neighbours(self.address):
            way = (self.address, other.address)
            self._network.send_surely(way, other._take_token, self, key, alive)

    def _take_token(self, member: "FakeMesh", key: str, alive: bool) -> None:  # noqa: FBT001 - carried by position
        for watcher in self._watchers:
            watcher.offer(member, key, alive=alive)


class _Inbox(Generic[Item]):
    """Holds items until the loop takes them; the oldest give way and are counted."""

    def __init__(self, mesh: FakeMesh, take: Callable[[Item], None]) -> None:
        self.dropped = 0
        self._mesh = mesh
        self._take = take
        self._items: deque[Item] = deque()
        self._awake = False

    def offer(self, item: Item) -> None:
        """Queue `item`."""
        self._items.append(item)
        if len(self._items) > ITEMS_MAX:
            self._items.popleft()
            self.dropped += 1
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._drain, context=self._mesh.context)

    def clear(self) -> None:
        """Forget what waits."""
        self._items.clear()

    def _drain(self) -> None:
        for _ in range(min(_BURST, len(self._items))):
            try:
                self._take(self._items.popleft())
            except Exception as error:  # noqa: BLE001 - one handler's bug must not silence others
                self._mesh.on_problem(f"handler failed: {error!r}")
        self._awake = bool(self._items)
        if self._awake:
            asyncio.get_running_loop().call_soon(self._drain, context=self._mesh.context)


class _Listener:
    def __init__(self, mesh: FakeMesh, key: str, handler: MessageHandler) -> None:
        self.key = key
        self.inbox: _Inbox[MeshMessage] = _Inbox(mesh, handler)


class _Watcher:
    """Tells of tokens, each once however many hold it."""

    def __init__(self, mesh: FakeMesh, key: str, handler: TokenHandler) -> None:
        self.key = key
        self.inbox: _Inbox[tuple[str, bool]] = _Inbox(mesh, self._take)
        self._handler = handler
        self._seen: list[tuple[FakeMesh, str]] = []
        self._told: list[str] = []

    def offer(self, member: FakeMesh, key: str, *, alive: bool) -> None:
        """Hear that a member holds a token, or no longer does."""
        if not matches(self.key, key) or alive == ((member, key) in self._seen):
            return
        if alive:
            self._seen.append((member, key))
        else:
            self._seen.remove((member, key))
        self.inbox.offer((key, any(key == held for _, held in self._seen)))

    def lose(self, member: FakeMesh) -> None:
        """Hear that a member is not linked any more."""
        for holder, key in list(self._seen):
            if holder is member:
                self.offer(holder, key, alive=False)

    def lose_all(self) -> None:
        """Tell at once that every token vanished."""
        self.inbox.clear()
        self._seen.clear()
        for key in sorted(self._told):
            self._take((key, False))

    def _take(self, change: tuple[str, bool]) -> None:
        key, alive = change
        if alive == (key in self._told):
            return
        if alive:
            self._told.append(key)
        else:
            self._told.remove(key)
        self._handler(key, alive)


class _Question:
    """A query under way, at the asker."""

    def __init__(self, message: MeshMessage) -> None:
        self.message = message
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open: list[FakeMesh] = []
        self._reached: list[FakeMesh] = []

    def has_reached(self, member: FakeMesh) -> bool:
        """Tell whether it arrived there before."""
        before = member in self._reached
        self._reached.append(member)
        return before

    def waits_for(self, asked: list[FakeMesh]) -> None:
        """Wait for these; nobody has answered when none of them is left."""
        self._open = list(asked)
        if not asked:
            self.settle(Silence.NOBODY)

    def take(self, member: FakeMesh, answer: Answer) -> None:
        """Take what one of them said."""
        if answer is Silence.NOBODY:
            self.end(member)
        else:
            self.settle(answer)

    def end(self, member: FakeMesh) -> None:
        """Hear that one of them will say nothing."""
        if member in self._open:
            self._open.remove(member)
            if not self._open:
                self.settle(Silence.NOBODY)

    def settle(self, answer: Answer) -> None:
        """End the query; the first answer counts."""
        if not self.answered.done():
            self.answered.set_result(answer)


class _Responder:
    """Answers the queries on one key, each in its own task."""

    def __init__(
        self, mesh: FakeMesh, key: str, handler: QueryHandler, *, waiting_max: int
    ) -> None:
        self.key = key
        self.dropped = 0
        self._mesh = mesh
        self._handler = handler
        self._waiting_max = waiting_max
        self._tasks: dict[asyncio.Task[None], None] = {}

    def take(self, message: MeshMessage, reply: Settle) -> None:
        """Answer one query, or refuse it when too many wait."""
        if not self._mesh.is_open:
            return
        if len(self._tasks) >= self._waiting_max:
            self.dropped += 1
            reply(Silence.OVERLOADED)
            return
        loop = asyncio.get_running_loop()
        work: Any = self._answer(message, reply)
        context = self._mesh.context.copy()
        task = loop.create_task(work, name=f"answer {self.key}", context=context)
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._tasks.pop(task, None))

    async def close(self) -> None:
        """Cancel what still runs, and wait a second for it at most."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL_S)

    async def _answer(self, message: MeshMessage, reply: Settle) -> None:
        try:
            answer = await self._handler(message)
        except asyncio.CancelledError:
            # It may have had its effect: the asker must not read silence as "nobody was there".
            reply(Silence.TIMEOUT)
            raise
        except Exception as error:  # noqa: BLE001 - the asker must hear that it failed
            self._mesh.on_problem(f"handler of queries on {self.key} failed: {error!r}")
            reply(Silence.TIMEOUT)
        else:
            reply(Silence.NOBODY if answer is None else answer)
