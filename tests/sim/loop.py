"""An asyncio event loop on virtual time: nothing waits, so an hour takes as long as its work.

When nothing is ready, time jumps to the next timer. There is no selector, no thread and no
operating system, so one seed gives one run. Every callback belongs to the `Host` that its context
names: callbacks of a paused host wait, and those of a dead one never run, as after SIGKILL.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple

from fakes.clock import TrueTime
from trust_runtime.contracts.units import NS_PER_S

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_CANCELS_MAX: Final = 10
STEPS_MAX: Final = 1_000_000
"""Callbacks in one instant; more means that something spins."""


class Host:
    """A process of the simulation; whatever runs in its context is its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stands_still = False
        """Whether its callbacks have to wait; kept, as each callback asks for it."""
        self.parked: list[_Handle] = []
        self._is_paused = False
        self._is_dead = False

    @property
    def is_paused(self) -> bool:
        """Whether it goes on later."""
        return self._is_paused

    @is_paused.setter
    def is_paused(self, value: bool) -> None:
        self._is_paused = value
        self.stands_still = value or self._is_dead

    @property
    def is_dead(self) -> bool:
        """Whether it never goes on."""
        return self._is_dead

    @is_dead.setter
    def is_dead(self, value: bool) -> None:
        self._is_dead = value
        self.stands_still = value or self._is_paused

    def context(self) -> Context:
        """Return a context whose callbacks belong to this host."""
        context = Context()
        context.run(HOST.set, self)
        return context


HOST: Final[ContextVar[Host | None]] = ContextVar("HOST", default=None)


class Stuck(Exception):
    """What the run waits for can never happen: nothing is ready and no timer is set."""


class _Handle(asyncio.TimerHandle):
    """A callback and whose it is. A run makes tens of thousands, so it has no more than is used."""

    __slots__ = ("arguments", "callback", "context", "host", "is_cancelled")

    def __init__(
        self, callback: Callable[..., object], arguments: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = copy_context() if context is None else context
        self.host = self.context.get(HOST)
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Tell whether it will never run."""
        return self.is_cancelled


class SimLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in the order of their times, and of their making within one instant."""

    def __init__(self, time: TrueTime | None = None) -> None:
        self.true_time = TrueTime() if time is None else time
        self.steps = 0
        """How many callbacks ran."""
        self.failures: list[dict[str, Any]] = []
        """What nobody caught."""
        self.tasks: list[asyncio.Task[Any]] = []
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._hosts: dict[Host, None] = {}
        """Those that ever stood still."""
        self._made = 0
        self._steps_before = 0
        """`steps` when this instant began."""
        self._running = False
        self._stopping = False
        self._is_closing = False
        self._closed = False

    # Time and callbacks.

    def time(self) -> float:
        """Return the true time in seconds."""
        return self.true_time.now_ns / NS_PER_S

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback in this instant, after all that are ready."""
        handle = _Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See `call_soon`; there are no other threads."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback `delay` seconds from now."""
        handle = _Handle(callback, args, context)
        self._made += 1
        when = self.true_time.now_ns / NS_PER_S + delay
        heapq.heappush(self._timers, (when, self._made, handle))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at a true time in seconds."""
        handle = _Handle(callback, args, context)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, handle))
        return handle

    def resume(self, host: Host) -> None:
        """Let a paused host go on with what had to wait."""
        host.is_paused = False
        self._ready.extend(host.parked)
        host.parked.clear()

    # Running.

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until `future` is done and return what it gives.

        Raises:
            Stuck: it can never be done.
        """
        assert not isinstance(future, Generator)
        task: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)
        self._run(task.done)
        return task.result()

    def run_forever(self) -> None:
        """Run until `stop`."""
        self._stopping = False
        self._run(lambda: self._stopping)

    def _run(self, ended: Callable[[], bool]) -> None:
        self._running = True
        asyncio.events._set_running_loop(self)
        try:
            while not ended():
                if not self._ready:
                    self._jump()
                self._run_ready()
        finally:
            asyncio.events._set_running_loop(None)
            self._running = False

    def _run_ready(self) -> None:
        """Run everything that is ready now; what it makes ready comes after it."""
        ready = self._ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            host = handle.host
            if host is not None and host.stands_still and not self._is_closing:
                self._hosts.setdefault(host)
                host.parked.append(handle)
                continue
            self.steps += 1
            try:
                handle.context.run(handle.callback, *handle.arguments)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - whoever looks at `failures` judges it
                self.call_exception_handler({"message": "a callback failed", "exception": error})
        if self.steps - self._steps_before > STEPS_MAX:
            raise Stuck(f"something spins at {self.time()} s")

    def _jump(self) -> None:
        """Make the next timers ready and let it be their time."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stuck("nothing is ready and no timer is set")
        self._steps_before = self.steps
        due = timers[0][0]
        self.true_time.now_ns = max(self.true_time.now_ns, round(due * NS_PER_S))
        while timers and timers[0][0] <= due:
            self._ready.append(heapq.heappop(timers)[2])

    def stop(self) -> None:
        """End `run_forever` after this round."""
        self._stopping = True

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed

    def close(self) -> None:
        """End every task, those of dead and paused hosts too, and forget the rest."""
        self._is_closing = True
        for host in self._hosts:
            self._ready.extend(host.parked)
            host.parked.clear()
        for _ in range(_CANCELS_MAX):
            waiting = [task for task in self.tasks if not task.done()]
            if not waiting:
                break
            for task in waiting:
                task.cancel()
            with suppress(Stuck):  # Somebody waits for what never comes: cancelled once more.
                self._run(partial(_are_done, waiting))
        self._ready.clear()
        self._timers.clear()
        self._closed = True

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: nobody here leaves an asynchronous generator behind."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature of asyncio
        """Do nothing: there are no threads."""

    # Futures and tasks.

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Return a new task that runs `coro`."""
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        if len(self.tasks) > 2 * 4_096:
            self.tasks = [one for one in self.tasks if not one.done()]
        return task

    get_debug = staticmethod(bool)
    """Gives False, as there is no debug mode; each future and each task asks, so it is no frame."""

    # Errors.

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught; a simulation looks at it."""
        self.failures.append(context)


def _are_done(tasks: Iterable[asyncio.Task[Any]]) -> bool:
    return all(task.done() for task in tasks)


async def wait_s(length_s: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(length_s)


def make_loop(time: TrueTime | None = None) -> SimLoop:
    """Return a new loop."""
    return SimLoop(time)  # type: ignore[abstract]  # Sockets and processes are what it must not have.


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a new loop, close that, and return what `work` gives.

    Raises:
        AssertionError: something failed that nobody caught.
    """
    loop = make_loop()
    try:
        result = loop.run_until_complete(work)
    finally:
        loop.close()
    assert loop.failures == []
    return result
