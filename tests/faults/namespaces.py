"""Network namespaces joined by one bridge; nothing of the machine's own network is touched.

Every namespace is named by this process's id, and the bridge stands in a namespace of its own.
Whatever this process made goes when `Network.close` is called; what a killed process left behind
goes when the next one begins.
"""

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TypeVar

T = TypeVar("T")

TOOLS: Final = ("ip", "nft")
"""What has to be installed: packages iproute2 and nftables."""

_PREFIX: Final = "trust-fault-"
_NAMED: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000
_SUBNET: Final = "10.87.0"
"""Private, and known inside the namespaces alone."""
_TABLE: Final = "inet faults"
_NFT_TABLE: Final = f"""
table {_TABLE} {{
  chain arriving {{ type filter hook input priority 0; }}
  chain leaving {{ type filter hook output priority 0; }}
}}
"""


def command(*words: str, text: str | None = None) -> str:
    """Run one command as it stands and return what it printed.

    Raises:
        OSError: it failed; the message is the command's own.
    """
    ran = subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=30)
    if ran.returncode != 0:
        raise OSError(f"{' '.join(words)}: {ran.stderr.strip()}")
    return ran.stdout


def inside(namespace: str, work: Callable[[], T]) -> T:
    """Return what `work` returns on a thread of its own that has entered the namespace.

    What it opens there stays there: sockets may be used from any thread afterwards.
    """

    def enter_and_work() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        place = os.open(_NAMED / namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(place, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        finally:
            os.close(place)
        return work()

    with ThreadPoolExecutor(max_workers=1) as one:
        return one.submit(enter_and_work).result()


class House:
    """One namespace with one address: where one runtime lives."""

    def __init__(self, namespace: str, address: str) -> None:
        self.namespace = namespace
        self.address = address
        self.prefix = ("ip", "netns", "exec", namespace)

    def connection(self, port: int, *, timeout_s: float) -> socket.socket:
        """Return a connection to that port of the namespace's loopback."""
        return inside(
            self.namespace, lambda: socket.create_connection(("127.0.0.1", port), timeout_s)
        )

    def drop_arriving(self, *sources: str) -> None:
        """Lose silently whatever comes from these addresses."""
        self._rule(f"add rule {_TABLE} arriving ip saddr {{ {', '.join(sources)} }} drop")

    def drop_leaving(self, *targets: str) -> None:
        """Refuse to send anything to these addresses, as a wrong rule of the host would."""
        self._rule(f"add rule {_TABLE} leaving ip daddr {{ {', '.join(targets)} }} drop")

    def heal(self) -> None:
        """Let everything through again."""
        self._rule(f"flush table {_TABLE}")

    def _rule(self, rule: str) -> None:
        command(*self.prefix, "nft", "-f", "-", text=rule + "\n")


class Network:
    """A bridge and the houses at it."""

    def __init__(self) -> None:
        self._tag = f"{_PREFIX}{os.getpid()}-"
        self._names: list[str] = []
        self._numbers = 0
        self.hub = f"{self._tag}hub"

    def __enter__(self) -> Self:
        """Make the bridge; what dead processes left behind is removed first."""
        remove_leftovers()
        try:
            self._namespace(self.hub)
            command("ip", "-n", self.hub, "link", "add", "hub", "type", "bridge")
            command("ip", "-n", self.hub, "link", "set", "hub", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def house(self) -> House:
        """Return a new namespace, joined to the bridge by a pair of virtual cables."""
        house = self.bare_house()
        port = f"port{self._numbers}"
        peer = ("peer", "name", "eth0", "netns", house.namespace)
        command("ip", "-n", self.hub, "link", "add", port, "type", "veth", *peer)
        command("ip", "-n", self.hub, "link", "set", port, "master", "hub", "up")
        self.address(house)
        return house

    def bare_house(self) -> House:
        """Return a new namespace without any cable; `address` follows once it has an `eth0`."""
        self._numbers += 1
        house = House(f"{self._tag}{self._numbers}", f"{_SUBNET}.{self._numbers}")
        self._namespace(house.namespace)
        command(*house.prefix, "nft", "-f", "-", text=_NFT_TABLE)
        return house

    def address(self, house: House) -> None:
        """Give the house's `eth0` its address."""
        command("ip", "-n", house.namespace, "addr", "add", f"{house.address}/24", "dev", "eth0")
        command("ip", "-n", house.namespace, "link", "set", "eth0", "up")

    def close(self) -> None:
        """Remove every namespace of this process, and with them all that is in them."""
        while self._names:
            with suppress(OSError):
                command("ip", "netns", "del", self._names.pop())

    def _namespace(self, name: str) -> None:
        command("ip", "netns", "add", name)
        self._names.append(name)
        command("ip", "-n", name, "link", "set", "lo", "up")


def remove_leftovers() -> None:
    """Remove namespaces of processes of this programme that are gone."""
    for place in sorted(_NAMED.glob(f"{_PREFIX}*")):
        pid = place.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            with suppress(OSError):
                command("ip", "netns", "del", place.name)


def cut(side: Sequence[House], other: Sequence[House]) -> None:
    """Lose everything between two groups, both ways and silently."""
    for near, far in ((side, other), (other, side)):
        for house in near:
            house.drop_arriving(*(one.address for one in far))
