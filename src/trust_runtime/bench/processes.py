"""Processes a benchmark starts: real runtimes in temporary folders, and references."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from trust_runtime.bench.client import API, Client
from trust_runtime.contracts.errors import ExitCode, StartRefused

_READY_S: Final = 60.0
_STOP_S: Final = 10.0
_PAUSE_S: Final = 0.002
_OK: Final = 200


class Place:
    """A temporary folder with whatever runs in it; everything ends with it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def start(self, command: Sequence[str], name: str) -> subprocess.Popen[str]:
        """Start one process of this interpreter; what it says on stderr goes to `NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._stack.callback(_end, process)
        return process

    def client(self, port: int) -> Client:
        """Return a connection that is closed with the place."""
        client = Client(port)
        self._stack.callback(client.close)
        return client

    def runtime(self, name: str, *, connect: Sequence[int] = ()) -> "Runtime":
        """Return the project of one runtime, not started."""
        return Runtime(self, name, connect=connect)

    def reference(self, module: str, *arguments: object) -> "Talker":
        """Start a module of `bench.references`; it is not up yet."""
        command = ["-m", f"trust_runtime.bench.references.{module}", *map(str, arguments)]
        return Talker(self.start(command, module))

    def http_reference(self, content: bytes = b"{}") -> Client:
        """Start the plain HTTP server and return a connection to it."""
        port = free_port()
        file = self.folder / f"ready-{port}.json"
        file.write_bytes(content)
        self.reference("http_server", port, file)
        until(lambda: _listens(port), what=f"the plain HTTP server on port {port}")
        return self.client(port)


class Talker:
    """A process that takes an order a line and answers a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        """Return its next line.

        Raises:
            StartRefused: it has ended.
        """
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = self.process.stdout.readline()
        if not line:
            raise StartRefused("a process of the benchmark ended early", "see stderr above")
        return line.strip()

    def ask_ns(self, order: str) -> list[int]:
        """Return the times it answers to one order."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        times: list[int] = json.loads(self.hear())
        return times


class Runtime:
    """One project and, while it runs, its process."""

    def __init__(self, place: Place, name: str, *, connect: Sequence[int] = ()) -> None:
        self.id = name
        self.web_port = free_port()
        self.mesh_port = free_port()
        self.folder = place.folder / name
        self._place = place
        self.process: subprocess.Popen[str] | None = None
        self.folder.mkdir(mode=0o700)
        links = json.dumps([f"127.0.0.1:{port}" for port in connect])
        endpoint = json.dumps(f"unix://{self.folder / 'c.sock'}")
        lines = [
            "bundle.version = 1",
            f'resource = {{ name = "{name}", cycle_interval_ms = 100 }}',
            f"runtime.control.endpoint = {endpoint}",
            f'runtime.web.listen = "127.0.0.1:{self.web_port}"',
            "runtime.discovery.enabled = false",
            "runtime.mesh.enabled = true",
            f'runtime.mesh.listen = "127.0.0.1:{self.mesh_port}"',
            f"runtime.mesh.connect = {links}",
        ]
        (self.folder / "runtime.toml").write_text("\n".join(lines) + "\n")
        (self.folder / "io.toml").write_text('[io]\ndriver = "loopback"\nparams = {}\n')

    def start(self) -> "Runtime":
        """Start it as a service; it is not ready yet."""
        command = ["-m", "trust_runtime", "run", "--project", str(self.folder)]
        self.process = self._place.start(command, self.id)
        return self

    def until_ready(self) -> None:
        """Wait until `/readyz` answers 200."""
        until(self.is_ready, what=f"{self.id} to be ready")

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200 now.

        Raises:
            StartRefused: the process has ended.
        """
        if self.process is None or self.process.poll() is not None:
            log = (self._place.folder / f"{self.id}.log").read_text(errors="replace")
            raise StartRefused(f"{self.id} ended at its start: {log[-2000:]}", "see above")
        try:
            client = Client(self.web_port)
        except OSError:
            return False
        try:
            return client.get("/readyz")[0] == _OK
        except OSError:
            return False
        finally:
            client.close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to its process."""
        assert self.process is not None  # noqa: S101 - a mistake of the workload
        self.process.send_signal(number)

    def cpu_ns(self) -> int | None:
        """Return the processor time of all its threads so far; None where nobody tells it."""
        assert self.process is not None  # noqa: S101 - a mistake of the workload
        tasks = Path(f"/proc/{self.process.pid}/task")
        try:
            return sum(int((one / "schedstat").read_text().split()[0]) for one in tasks.iterdir())
        except OSError:
            return None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_STOP_S)
            self.process = None

    def body(
        self, action_type: str, targets: Sequence[str], number: int, **more: Any
    ) -> dict[str, Any]:
        """Return a request body; `number` makes its id."""
        return {
            "api_version": "1.0",
            "request_id": f"bench-{number}",
            "connected_via": self.id,
            "target_runtimes": list(targets),
            "actor": "spiffe://trust/default-site/bench",
            "action_type": action_type,
            **more,
        }


@contextmanager
def place() -> Iterator[Place]:
    """Yield a temporary place; afterwards its processes have ended and its files are gone."""
    with tempfile.TemporaryDirectory(prefix="trust-bench-") as folder, ExitStack() as stack:
        yield Place(Path(folder), stack)


def fleet(here: Place, count: int) -> list[Runtime]:
    """Return that many runtimes; the first one sees all others online.

    The others know the first one's address alone and find each other through it.
    """
    first = here.runtime("runtime-0").start()
    others = [here.runtime(f"runtime-{n}", connect=[first.mesh_port]) for n in range(1, count)]
    for runtime in others:
        runtime.start()
    for runtime in (first, *others):
        runtime.until_ready()
    client = here.client(first.web_port)
    expected = {runtime.id for runtime in (first, *others)}
    until(lambda: expected <= online(client), what="all runtimes to be online")
    return [first, *others]


def online(client: Client) -> set[str]:
    """Return the runtimes that the runtime behind `client` shows as online."""
    nodes = client.get(f"{API}/state")[1]["topology"]["nodes"]
    return {node["runtime_id"] for node in nodes if node["lifecycle_state"] == "online"}


def until(condition: Callable[[], bool], *, what: str, within_s: float = _READY_S) -> None:
    """Wait for a condition.

    Raises:
        StartRefused: it did not come true in time.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise StartRefused(
                f"waited {within_s:g} s for {what}",
                "try again on a machine that is less busy",
                ExitCode.TIMEOUT,
            )
        time.sleep(_PAUSE_S)


def free_port() -> int:
    """Return a TCP port of loopback nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
