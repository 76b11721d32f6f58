"""A process that answers on a control socket what a test says, for commands that ask one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trust_runtime.adapters.control_socket import ControlSocket
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.results import ControlReply

START_S = 20.0


class Answers:
    """Gives each verb its result; one that is missing is refused."""

    def __init__(self, results: dict[str, object]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._results = results

    async def handle(self, call: ControlCall, _caller: Caller) -> ControlReply:
        self.calls.append((call.type, dict(call.params)))
        if call.type not in self._results:
            return ControlReply(
                id=call.id, ok=False, error=f"{call.type} is refused", remedy="see the log"
            )
        return ControlReply(id=call.id, ok=True, result=to_plain(self._results[call.type]))


@contextmanager
def answering(path: Path, **results: object) -> Iterator[Answers]:
    """Answer at `path`, from another thread; verbs are named with `__` for a dot."""
    answers = Answers({name.replace("__", "."): result for name, result in results.items()})
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        control = ControlSocket(path, answers)
        await control.open()
        started.set()
        try:
            await stop.wait()
        finally:
            await control.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(START_S)
        yield answers
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_S)
        loop.close()
