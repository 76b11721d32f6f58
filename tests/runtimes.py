"""Real runtimes as processes on loopback, for system tests."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waiting import wait_until

READY_S = 20.0
STOP_S = 10.0


def free_port() -> int:
    """Return a loopback TCP port nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Runtime:
    """One project folder and, while it runs, its process."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        site: str | None = None,
        connect: Sequence[int] = (),
        discovery: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.site = site
        self.web_port = free_port()
        self.mesh_port = free_port()
        self.connect = list(connect)
        self.discovery = discovery
        self.extra = dict(extra or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.write_config()

    @property
    def id(self) -> str:
        """Canonical id."""
        return self.name if self.site is None else f"{self.site}/{self.name}"

    def write_config(self) -> None:
        """Write `runtime.toml` as `play` would find it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        connect = json.dumps([f"127.0.0.1:{port}" for port in self.connect])
        control = json.dumps(f"unix://{self.folder / 'c.sock'}")
        lines = [
            "bundle.version = 1",
            f'resource = {{ name = "{self.name}", cycle_interval_ms = 100 }}',
            f"runtime.control.endpoint = {control}",
            f'runtime.web.listen = "127.0.0.1:{self.web_port}"',
            f"runtime.discovery.enabled = {str(self.discovery).lower()}",
            'runtime.discovery.interfaces = ["lo"]',
            "runtime.mesh.enabled = true",
            f'runtime.mesh.listen = "127.0.0.1:{self.mesh_port}"',
            f"runtime.mesh.connect = {connect}",
        ]
        if self.site is not None:
            lines.append(f'runtime.cloud.site = "{self.site}"')
        lines += [f"{key} = {value}" for key, value in self.extra.items()]
        (self.folder / "runtime.toml").write_text("\n".join(lines) + "\n")

    def start(self, *arguments: str, wait: bool = True) -> "Runtime":
        """Start the process; by default wait until it is ready."""
        return self._start("play", *arguments, wait=wait)

    def start_as_service(self, *arguments: str) -> "Runtime":
        """Start the process with `run` and wait until it is ready."""
        return self._start("run", *arguments, wait=True)

    def _start(self, verb: str, *arguments: str, wait: bool) -> "Runtime":
        command = [sys.executable, "-m", "trust_runtime", verb, "--project", str(self.folder)]
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        if wait:
            ready = wait_until(self.is_ready, within_s=READY_S)
            assert ready, f"{self.id} is not ready:\n{self.output()}"
        return self

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200."""
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def output(self) -> str:
        """Everything the process printed so far."""
        return (self.folder / "out.log").read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process this object started."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_S)
            self.process = None

    def stop(self) -> int:
        """Stop orderly; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(STOP_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(STOP_S)
        self.process = None
        return code

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 15.0,
    ) -> tuple[int, Any]:
        """Return status and decoded JSON of one HTTP request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=timeout_s)
        try:
            payload = None if body is None else json.dumps(body)
            kind = {} if body is None else {"content-type": "application/json"}
            sent = {**kind, **(headers or {})}
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        """GET one path."""
        return self.request("GET", path)

    def state(self) -> dict[str, Any]:
        """Return the document of GET state."""
        status, document = self.get("/api/runtime-cloud/state")
        assert status == 200, document
        result: dict[str, Any] = document
        return result

    def lifecycle(self, runtime_id: str) -> str | None:
        """Return how alive another runtime looks from here; None if it is not shown."""
        for node in self.state()["topology"]["nodes"]:
            if node["runtime_id"] == runtime_id:
                return str(node["lifecycle_state"])
        return None

    def action(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST a preflight or dispatch and return its answer."""
        status, answer = self.request("POST", f"/api/runtime-cloud/actions/{kind}", body)
        assert status == 200, answer
        result: dict[str, Any] = answer
        return result

    def body(self, action_type: str, targets: Sequence[str], **members: Any) -> dict[str, Any]:
        """Return a request body for an action at this origin."""
        return {
            "api_version": "1.0",
            "request_id": f"req-{os.urandom(8).hex()}",
            "connected_via": self.id,
            "target_runtimes": list(targets),
            "actor": "spiffe://trust/default-site/tester",
            "action_type": action_type,
            **members,
        }

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the product on this project."""
        return subprocess.run(
            [sys.executable, "-m", "trust_runtime", *arguments, "--project", str(self.folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class Plant:
    """Makes runtimes and ends whatever is left of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtimes: list[Runtime] = []

    def runtime(self, name: str, **options: Any) -> Runtime:
        """Return a new project, not started; `folder_name` tells two of one name apart."""
        folder_name = options.pop("folder_name", name)
        runtime = Runtime(self._folder / folder_name, name=name, **options)
        self._runtimes.append(runtime)
        return runtime

    def pair(self, **options: Any) -> tuple[Runtime, Runtime]:
        """Return runtime-a and runtime-b, started and online for each other."""
        first = self.runtime("runtime-a", **options).start()
        second = self.runtime("runtime-b", connect=[first.mesh_port], **options).start()
        for one, other in ((first, second), (second, first)):
            until_lifecycle(one, other.id, "online")
        return first, second

    def close(self) -> None:
        """End every process that still runs."""
        for runtime in self._runtimes:
            if runtime.process is not None and runtime.process.poll() is None:
                runtime.signal(signal.SIGCONT)
                runtime.kill()


def until_lifecycle(
    observer: Runtime, runtime_id: str, state: str, *, within_s: float = 15.0
) -> None:
    """Wait until `observer` shows `runtime_id` in `state`."""
    seen = wait_until(lambda: observer.lifecycle(runtime_id) == state, within_s=within_s)
    assert seen, f"{observer.id} shows {observer.lifecycle(runtime_id)}\n{observer.output()}"


@contextmanager
def plant(folder: Path) -> Iterator[Plant]:
    """Yield a place to make runtimes in; everything is ended afterwards."""
    made = Plant(folder)
    try:
        yield made
    finally:
        made.close()
