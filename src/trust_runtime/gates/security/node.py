"""One runtime as a process of its own, and what it answers over HTTP."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trust_runtime.gates.cases import CaseFailed
from trust_runtime.gates.security.probing import (
    ANSWER_S,
    CLOUD,
    LOOPBACK,
    READY_S,
    Answer,
    NotStarted,
    as_bytes,
    as_toml,
    free_port,
    until,
)

_STOP_S: Final = 10.0


class Node:
    """A project folder and, while it runs, its process.

    Args:
        folder: of the project; made.
        name: of the runtime.
        site: of the runtime.
        token: what `ask` shows by default; None: nothing.
        secure: whether the web listener speaks HTTPS.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        site: str = "site-a",
        token: str | None = None,
        secure: bool = False,
        connect: Sequence[int] = (),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.folder, self.name, self.site = folder, name, site
        self.token, self.secure = token, secure
        self.web_port, self.mesh_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.answers: list[Answer] = []
        self.source = LOOPBACK
        self._settings: dict[str, object] = {
            "bundle.version": 1,
            "resource.name": name,
            "resource.cycle_interval_ms": 100,
            "runtime.control.endpoint": f"unix://{folder / 'c.sock'}",
            "runtime.web.listen": f"{LOOPBACK}:{self.web_port}",
            "runtime.discovery.enabled": False,
            "runtime.mesh.enabled": True,
            "runtime.mesh.listen": f"{LOOPBACK}:{self.mesh_port}",
            "runtime.mesh.connect": [f"{LOOPBACK}:{port}" for port in connect],
            "runtime.cloud.site": site,
            **(settings or {}),
        }
        folder.mkdir(parents=True)
        (folder / "io.toml").write_text('io.driver = "loopback"\n')
        self.configure()

    @property
    def id(self) -> str:
        """Canonical id."""
        return f"{self.site}/{self.name}"

    @property
    def identity(self) -> Path:
        """Folder of key, certificate and bundle."""
        return self.folder / ".trust" / "identity"

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None, f"{self.id} does not run"  # noqa: S101 - a mistake here
        return self.process.pid

    def configure(self, **changes: object) -> None:
        """Write `runtime.toml`; names in `changes` have `__` for a dot."""
        self._settings |= {name.replace("__", "."): value for name, value in changes.items()}
        lines = [f"{key} = {as_toml(value)}" for key, value in self._settings.items()]
        (self.folder / "runtime.toml").write_text("\n".join(lines) + "\n")

    def cli(self, *words: str, project: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the product, by default on this project."""
        return self.cli_at(self.folder if project else None, *words)

    @staticmethod
    def cli_at(folder: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the product on a project, or on none."""
        last = () if folder is None else ("--project", str(folder))
        return subprocess.run(
            [sys.executable, "-m", "trust_runtime", *words, *last],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> "Node":
        """Start the process and wait until it answers."""
        self.launch()
        try:
            until(self._answers, within_s=READY_S, otherwise=self.output)
        except CaseFailed as failed:
            raise NotStarted(str(failed)) from failed
        return self

    def launch(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "trust_runtime", "run", "--project", str(self.folder)]
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def _answers(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise NotStarted(f"{self.id} ended:\n{self.output()}")
        try:
            return self.ask("GET", "/healthz").status == http.client.OK
        except OSError:
            return False

    def output(self) -> str:
        """Return what the process printed."""
        return (self.folder / "out.log").read_text(errors="replace")

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_STOP_S)
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def open(self) -> http.client.HTTPConnection:
        """Return a connection that is proved by the bundle of the project."""
        if not self.secure:
            return http.client.HTTPConnection(
                LOOPBACK, self.web_port, timeout=ANSWER_S, source_address=(self.source, 0)
            )
        proof = ssl.create_default_context(cafile=self.identity / "ca.pem")
        return http.client.HTTPSConnection(
            LOOPBACK,
            self.web_port,
            timeout=ANSWER_S,
            source_address=(self.source, 0),
            context=proof,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request.

        Args:
            method: of the request.
            path: with its query.
            body: sent as JSON; bytes and texts as they are.
            token: None: none; empty: the node's own.
            headers: further ones; one of an own header takes its place.
        """
        sent: dict[str, str] = {}
        shown = self.token if token == "" else token
        if shown is not None:
            sent["x-trust-token"] = shown
        if body is not None:
            sent["content-type"] = "application/json"
        for name, value in (headers or {}).items():
            sent[name.lower()] = value
        connection = self.open()
        try:
            connection.putrequest(method, path, skip_host="host" in sent)
            raw = None if body is None else as_bytes(body)
            if raw is not None:
                sent["content-length"] = str(len(raw))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(raw)
            found = connection.getresponse()
            lower = {name.lower(): value for name, value in found.getheaders()}
            answer = Answer(
                status=found.status, headers=lower, text=found.read().decode(errors="replace")
            )
        finally:
            connection.close()
        self.answers.append(answer)
        return answer

    def raw(self, content: bytes, *, within_s: float = ANSWER_S) -> bytes:
        """Send bytes as they are and return all that comes back until the other end closes."""
        with socket.create_connection((LOOPBACK, self.web_port), within_s) as plain:
            link: socket.socket = plain
            if self.secure:
                proof = ssl.create_default_context(cafile=self.identity / "ca.pem")
                link = proof.wrap_socket(plain, server_hostname=LOOPBACK)
            link.sendall(content)
            found = b""
            try:
                while more := link.recv(65_536):
                    found += more
            except (TimeoutError, ConnectionError, ssl.SSLError):
                pass
            return found

    def body(self, action: str, targets: Sequence[str], **members: Any) -> dict[str, Any]:
        """Return the body of an action at this origin."""
        return {
            "api_version": "1.0",
            "request_id": f"req-{os.urandom(8).hex()}",
            "connected_via": self.id,
            "target_runtimes": list(targets),
            "actor": f"spiffe://trust/{self.site}/tester",
            "action_type": action,
            **members,
        }

    def desired(
        self, patch: Mapping[str, Any], *, target: str | None = None, token: str | None = ""
    ) -> Answer:
        """Write the desired configuration."""
        body = {
            "api_version": "1.0",
            "actor": f"spiffe://trust/{self.site}/tester",
            "desired": patch,
        }
        query = "" if target is None else f"?target={target}"
        return self.ask("POST", f"{CLOUD}/config/desired{query}", body, token=token)

    def dispatch(self, action: str, targets: Sequence[str], **members: Any) -> Answer:
        """Dispatch an action."""
        return self.ask("POST", f"{CLOUD}/actions/dispatch", self.body(action, targets, **members))

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the nodes of the state document by id."""
        found = self.ask("GET", f"{CLOUD}/state").json
        return {one["runtime_id"]: one for one in found["topology"]["nodes"]}

    def until_online(self, other: "Node") -> None:
        """Wait until this runtime shows the other one online."""

        def online() -> bool:
            shown = self.nodes().get(other.id, {})
            return bool(shown.get("lifecycle_state") == "online")

        until(
            online,
            within_s=READY_S,
            otherwise=lambda: f"{self.id} does not see {other.id}\n{self.output()}",
        )

    def revision(self) -> int:
        """Return the revision of the desired configuration."""
        revision: int = self.ask("GET", f"{CLOUD}/config").json["meta"]["desired_revision"]
        return revision
