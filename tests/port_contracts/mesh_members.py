"""Members of a mesh on the loopback interface, in this process and in others."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from port_contracts.mesh import DEADLINE_S
from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.session_config import MeshOptions
from trust_runtime.adapters.mesh.tls_material import MeshTls
from trust_runtime.contracts.ids import parse_runtime_id

PRESS = parse_runtime_id("press-1")
"""Whose session a member of a test is unless it says otherwise."""


def tls_of(project: Path, *, verify_names: bool = True) -> MeshTls:
    """Return where `certificates.install` and `certificates.federate` put the files."""
    home = project / ".trust" / "identity"
    return MeshTls(
        certificate=home / "runtime.crt",
        key=home / "runtime.key",
        own_bundle=home / "ca.pem",
        federation=project / ".trust" / "federation",
        verify_names=verify_names,
    )


PROCESS = Path(__file__).with_name("mesh_member_process.py")


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class Meshes:
    """Makes members; everything it made is closed at the end of the test."""

    def __init__(self, folder: Path, tls: MeshTls | None = None) -> None:
        self.problems: list[str] = []
        self._folder = folder
        self._tls = tls
        self._made: list[ZenohMesh] = []
        self._listen: list[str] = []

    def member(self) -> ZenohMesh:
        """Return a member that connects to all made before."""
        connect = tuple(self._listen)
        return self.alone(connect=connect)

    def alone(self, address: str | None = None, **changes: Any) -> ZenohMesh:
        """Return a peer that listens on `address` and knows nobody, unless changed."""
        scheme = "tls" if changes.get("tls", self._tls) else "tcp"
        locator = f"{scheme}/{address or free_address()}"
        self._listen.append(locator)
        users_file = self._folder / f"users-{len(self._made)}"
        options = MeshOptions(
            owner=PRESS,
            role="peer",
            listen=(locator,),
            users_file=users_file,
            tls=changes.pop("tls", self._tls),
        )
        mesh = ZenohMesh(
            msgspec.structs.replace(options, **changes), on_problem=self.problems.append
        )
        self._made.append(mesh)
        return mesh

    async def close(self) -> None:
        for mesh in self._made:
            await mesh.close()


class Member:
    """A member in a process of its own, which tells what it sees."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.address = address
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._dials = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    async def expect(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the first event, past or to come, that is `wanted`."""
        for event in self.events:
            if wanted(event):
                return event
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while True:
                line = await self._process.stdout.readline()
                assert line, f"the process ended; it told {self.events}"
                self.events.append(json.loads(line))
                if wanted(self.events[-1]):
                    return self.events[-1]

    async def dial(self, address: str) -> bool:
        """Have it dial, and return what it got."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{address}\n".encode())
        self._dials += 1
        event = await self.expect(
            lambda event: event["event"] == "dialled" and event["number"] == self._dials
        )
        return bool(event["linked"])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGKILL)
        await self._process.wait()

    async def leave(self) -> int:
        """Have it close its session and end; return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(DEADLINE_S):
            return await self._process.wait()


class Members:
    """Starts members in processes of their own and ends them with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Member] = []

    async def start(
        self,
        name: str,
        address: str | None = None,
        *,
        prefix: Sequence[str] = (),
        **changes: Any,
    ) -> Member:
        """Start a peer that holds a token and answers probes; return when it is open.

        `prefix` is a command that runs another one, for example in a namespace.
        """
        address = address or free_address()
        options = {
            "owner": name,
            "role": "peer",
            "listen": [f"{'tls' if 'tls' in changes else 'tcp'}/{address}"],
            "users_file": str(self._folder / f"process-users-{len(self._started)}"),
            **msgspec.to_builtins(changes, enc_hook=str),
        }
        process = await asyncio.create_subprocess_exec(
            *(*prefix, sys.executable, str(PROCESS), name, json.dumps(options)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        member = Member(process, address)
        self._started.append(member)
        await member.expect(lambda event: event["event"] == "open")
        return member

    async def close(self) -> None:
        for member in self._started:
            await member.kill()
