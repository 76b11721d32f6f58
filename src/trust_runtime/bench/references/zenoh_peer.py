"""Two plain processes on Zenoh, callbacks on its own threads: the mesh without the product.

    python -m trust_runtime.bench.references.zenoh_peer serve PORT NUMBER
    python -m trust_runtime.bench.references.zenoh_peer ask PORT...
    python -m trust_runtime.bench.references.zenoh_peer watch PORT

`serve` answers queries on `bench/get/NUMBER`, sends back what it hears on `bench/ping`, holds the
token `bench/token` and prints `up` once it does. `ask` and `watch` connect to those ports. `ask`
takes one order a line and answers in one line of JSON, times in ns:

    get COUNT BYTES             [time of one query, ...]
    gets COUNT BYTES NUMBERS    [time until all of NUMBERS serving processes answered, ...]
    ping COUNT BYTES            [time of one round trip, ...]

`watch` prints `up` or `down` and the monotonic clock in ns whenever the token comes or goes.
"""

import json
import queue
import sys
import threading
import time

import zenoh
from zenoh.handlers import Callback

TIMEOUT_S = 10.0


def open_session(*, listen: int | None = None, connect: tuple[int, ...] = ()) -> zenoh.Session:
    """Return a session on loopback that finds nobody by itself."""
    config = zenoh.Config()
    values = {
        "mode": "peer",
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": False,
        "transport/shared_memory/enabled": False,
        "listen/endpoints": [] if listen is None else [f"tcp/127.0.0.1:{listen}"],
        "connect/endpoints": [f"tcp/127.0.0.1:{port}" for port in connect],
    }
    for key, value in values.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


def serve(port: int, number: int) -> None:
    """Answer until standard input ends."""
    session = open_session(listen=port)
    pong = session.declare_publisher("bench/pong", express=True)

    def answer(query: zenoh.Query) -> None:
        with query:
            payload = query.payload
            query.reply(
                query.key_expr, b"" if payload is None else payload.to_bytes(), express=True
            )

    def send_back(sample: zenoh.Sample) -> None:
        pong.put(sample.payload)

    kept = [
        session.declare_queryable(f"bench/get/{number}", Callback(answer, indirect=False)),
        session.declare_subscriber("bench/ping", Callback(send_back, indirect=False)),
        session.liveliness().declare_token("bench/token"),
    ]
    say("up")
    sys.stdin.read()
    del kept
    session.close()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks the return type.


def ask(ports: tuple[int, ...]) -> None:
    """Obey one order a line until standard input ends."""
    asker = Asker(ports)
    say("up")
    for line in sys.stdin:
        what, *numbers = line.split()
        count, size, *more = map(int, numbers)
        payload = b"x" * size
        if what == "ping":
            times = [asker.ping(payload) for _ in range(count)]
        else:
            targets = range(*more) if more else range(1)
            times = [asker.get(payload, targets) for _ in range(count)]
        say(json.dumps(times))


class Asker:
    """Measures from one session."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._session = open_session(connect=ports)
        self._pongs: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ping = self._session.declare_publisher("bench/ping", express=True)
        self._kept = self._session.declare_subscriber(
            "bench/pong",
            Callback(self._on_pong, indirect=False),
        )

    def _on_pong(self, _: zenoh.Sample) -> None:
        self._pongs.put(time.perf_counter_ns())

    def get(self, payload: bytes, targets: range) -> int:
        """Return how long it takes until every target answered one query."""
        started = time.perf_counter_ns()
        waiting = [
            self._session.get(f"bench/get/{number}", payload=payload, timeout=TIMEOUT_S)
            for number in targets
        ]
        for replies in waiting:
            if not any(reply.ok is not None for reply in replies):
                raise SystemExit("no answer to a plain query")
        return time.perf_counter_ns() - started

    def ping(self, payload: bytes) -> int:
        """Return how long a message takes there and back."""
        started = time.perf_counter_ns()
        self._ping.put(payload)
        return self._pongs.get(timeout=TIMEOUT_S) - started


def watch(port: int) -> None:
    """Tell of the token until standard input ends."""
    session = open_session(connect=(port,))

    def tell(sample: zenoh.Sample) -> None:
        is_up = sample.kind == zenoh.SampleKind.PUT
        say(f"{'up' if is_up else 'down'} {time.monotonic_ns()}")

    kept = session.liveliness().declare_subscriber(
        "bench/token", Callback(tell, indirect=False), history=True
    )
    sys.stdin.read()
    del kept


def say(text: str) -> None:
    """Print one line at once, from any thread."""
    with _SAYING:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


_SAYING = threading.Lock()


def main() -> None:
    """Do what the command line says."""
    what, *ports = sys.argv[1:]
    if what == "serve":
        serve(*map(int, ports))
    elif what == "ask":
        ask(tuple(map(int, ports)))
    else:
        watch(int(ports[0]))


if __name__ == "__main__":
    main()
