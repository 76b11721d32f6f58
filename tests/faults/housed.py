"""Runtimes that live in a namespace each."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faults.namespaces import House, Network
from runtimes import Runtime
from waiting import wait_until

TOKEN: Final = "fault-programme"  # noqa: S105 - a mesh beyond loopback needs one (decision 46)
MESH_PORT: Final = 5200
WEB_PORT: Final = 8080
JOIN_S: Final = 60.0


class HousedRuntime(Runtime):
    """A runtime whose mesh listens on its house's address and whose HTTP stays inside."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        house: House,
        neighbours: Sequence[House],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.house = house
        self._neighbours = tuple(neighbours)
        self._environment = dict(environment or {})
        super().__init__(folder, name=name)

    def write_config(self) -> None:
        """Write `runtime.toml`: mDNS off, the neighbours named."""
        self.web_port, self.mesh_port = WEB_PORT, MESH_PORT
        self.folder.mkdir(parents=True, exist_ok=True)
        connect = [f"{house.address}:{MESH_PORT}" for house in self._neighbours]
        lines = [
            "bundle.version = 1",
            f'resource = {{ name = "{self.name}", cycle_interval_ms = 100 }}',
            f"runtime.control.endpoint = {json.dumps(f'unix://{self.folder}/c.sock')}",
            f'runtime.web.listen = "127.0.0.1:{WEB_PORT}"',
            "runtime.discovery.enabled = false",
            "runtime.mesh.enabled = true",
            f'runtime.mesh.listen = "{self.house.address}:{MESH_PORT}"',
            f"runtime.mesh.connect = {json.dumps(connect)}",
            f'runtime.mesh.auth_token = "{TOKEN}"',
        ]
        (self.folder / "runtime.toml").write_text("\n".join(lines) + "\n")

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 15.0,
    ) -> tuple[int, Any]:
        """Return status and decoded JSON of one HTTP request, asked inside the house."""
        connection = _HousedConnection(self.house, timeout_s)
        try:
            payload = None if body is None else json.dumps(body)
            sent = {"content-type": "application/json", **(headers or {})} if body else {}
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _start(self, verb: str, *arguments: str, wait: bool) -> "Runtime":
        command = [sys.executable, "-m", "trust_runtime", verb, "--project", str(self.folder)]
        with (self.folder / "out.log").open("ab") as out:
            # `ip netns exec` becomes the program it runs, so the process id is the runtime's.
            self.process = subprocess.Popen(
                [*self.house.prefix, *command, *arguments],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=os.environ | self._environment,
            )
        if wait:
            assert wait_until(self.is_ready, within_s=JOIN_S), self.output()
        return self


class _HousedConnection(http.client.HTTPConnection):
    """HTTP to the loopback of a namespace."""

    def __init__(self, house: House, timeout_s: float) -> None:
        super().__init__("127.0.0.1", WEB_PORT, timeout=timeout_s)
        self._house = house
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Connect from inside the namespace."""
        self.sock: socket.socket = self._house.connection(WEB_PORT, timeout_s=self._timeout_s)


class HousedFleet:
    """Runtimes of one network, all linked with all."""

    def __init__(self, folder: Path, network: Network, houses: Sequence[House]) -> None:
        self.network = network
        self.runtimes: list[HousedRuntime] = []
        self._folder = folder
        for house in houses:
            self.add(house)

    def add(self, house: House, environment: Mapping[str, str] | None = None) -> HousedRuntime:
        """Return one more runtime, not started; it knows all before it."""
        number = len(self.runtimes)
        runtime = HousedRuntime(
            self._folder / f"r{number}",
            name=f"runtime-{number}",
            house=house,
            neighbours=[one.house for one in self.runtimes],
            environment=environment,
        )
        self.runtimes.append(runtime)
        return runtime

    def start(self) -> None:
        """Start whoever does not run, and wait until everybody hears everybody."""
        for runtime in self.runtimes:
            if runtime.process is None:
                runtime.start(wait=False)
        for runtime in self.runtimes:
            assert wait_until(runtime.is_ready, within_s=JOIN_S), runtime.output()

    def heal(self) -> None:
        """Let everything through everywhere."""
        for runtime in self.runtimes:
            runtime.house.heal()

    def close(self) -> None:
        """End every process that still runs."""
        for runtime in self.runtimes:
            runtime.kill()
