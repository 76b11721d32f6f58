"""One of the two processes of `mesh-zenoh`: the product's mesh on an event loop of its own.

    python -m trust_runtime.bench.mesh_peer serve PORT
    python -m trust_runtime.bench.mesh_peer ask PORT

`serve` prints `up`. `ask` takes one order a line and answers in one line of JSON:

    ping COUNT BYTES    [time of one message there and back in ns, ...]
    get COUNT BYTES     [time of one query in ns, ...]
    count               [messages lost, messages out of order]
"""

import asyncio
import json
import sys
import time
from typing import Final

from trust_runtime.app.bench_parts import mesh_peer
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.ports.mesh import Mesh

PING: Final = "truST/bench/a/mesh/data/sample"
PONG: Final = "truST/bench/b/mesh/data/sample"
GET: Final = "truST/bench/b/cmd/action"
_TIMEOUT_S: Final = 5.0
_READY_S: Final = 20.0
_NUMBER_BYTES: Final = 8


class Asker:
    """Measures from one session; every message carries its number."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._number = 0
        self._awaited: asyncio.Future[int] | None = None
        self.lost = 0
        self.reordered = 0
        mesh.subscribe(PONG, self._on_pong)

    def _on_pong(self, message: MeshMessage) -> None:
        now_ns = time.perf_counter_ns()
        number = int.from_bytes(message.body[:_NUMBER_BYTES], "big")
        if number != self._number:
            self.reordered += 1
        elif self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(now_ns)

    def _message(self, key: str, size: int) -> MeshMessage:
        self._number += 1
        number = self._number.to_bytes(_NUMBER_BYTES, "big")
        return MeshMessage(key=key, body=number.ljust(size, b"x"), token=b"")

    async def ping(self, size: int) -> int | None:
        """Return how long a message takes there and back, in ns; None: it was lost."""
        message = self._message(PING, size)
        self._awaited = asyncio.get_running_loop().create_future()
        started = time.perf_counter_ns()
        self._mesh.put(message)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._awaited - started
        except TimeoutError:
            self.lost += 1
            return None

    async def get(self, size: int) -> int | None:
        """Return how long a query takes, in ns; None: nobody answered."""
        message = self._message(GET, size)
        started = time.perf_counter_ns()
        answer = await self._mesh.query(message, timeout_ms=int(_TIMEOUT_S * 1_000))
        return time.perf_counter_ns() - started if isinstance(answer, MeshMessage) else None

    async def until_connected(self) -> None:
        """Wait until the other process answers both ways.

        Raises:
            StartRefused: it does not.
        """
        deadline = time.monotonic() + _READY_S
        while await self.get(_NUMBER_BYTES) is None:
            if time.monotonic() > deadline:
                raise StartRefused("the two mesh processes do not hear each other", "try again")
            await asyncio.sleep(0.01)
        await self.ping(_NUMBER_BYTES)
        self.lost = self.reordered = 0


async def serve(port: int) -> None:
    """Answer and send back until standard input ends."""
    async with mesh_peer("bench/b", listen=port) as mesh:

        async def answer(message: MeshMessage) -> MeshMessage:
            return message

        def send_back(message: MeshMessage) -> None:
            mesh.put(MeshMessage(key=PONG, body=message.body, token=b""))

        mesh.serve(GET, answer, waiting_max=16)
        mesh.subscribe(PING, send_back)
        _say("up")
        await asyncio.to_thread(sys.stdin.read)


async def ask(port: int) -> None:
    """Obey one order a line until standard input ends."""
    async with mesh_peer("bench/a", connect=port) as mesh:
        asker = Asker(mesh)
        await asker.until_connected()
        _say("up")
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(json.dumps(await _obey(asker, line.split())))


async def _obey(asker: Asker, order: list[str]) -> list[int]:
    if order[0] == "count":
        return [asker.lost, asker.reordered]
    measure = asker.ping if order[0] == "ping" else asker.get
    count, size = map(int, order[1:])
    times = [await measure(size) for _ in range(count)]
    return [one for one in times if one is not None]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do what the command line says."""
    what, port = sys.argv[1:]
    asyncio.run(serve(int(port)) if what == "serve" else ask(int(port)))


if __name__ == "__main__":
    main()
