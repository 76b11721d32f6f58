"""A flood of connections on a mesh port, and honest runtimes that want to join meanwhile.

    python -m faults.mesh_flood [--without-rule]

Prints how many of eight joined within two seconds, for a mesh with TLS and one without.
"""

import asyncio
import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from certificates import install, make_authority, make_leaf
from faults.namespaces import House, Network, command, inside
from port_contracts.mesh import until
from port_contracts.mesh_members import Member, Members, tls_of

RULES: Final = Path(__file__).parents[2] / "deploy" / "nftables" / "trust-mesh.nft"
PORT: Final = 5200
A_SECOND: Final = 100
JOINS: Final = 8
JOIN_S: Final = 2.0
_HELD_MAX: Final = 4_000
_LATER: Final = 10
_WARM_UP: Final = 300


@contextlib.contextmanager
def flood(attacker: House, target: House, *, noisy: bool) -> Iterator[list[int]]:
    """Open so many connections a second; yields how many were begun.

    On a noisy one something is sent that is no handshake, which makes a TLS listener of Zenoh 1.7.2
    stop accepting for 0.1 s each.
    """
    ended = threading.Event()
    begun = [0]

    def attack() -> None:
        held: list[socket.socket] = []
        due_s = time.monotonic()
        while not ended.wait(max(0.0, due_s - time.monotonic())):
            due_s += 1 / A_SECOND
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            one.setblocking(False)  # noqa: FBT003 - the library's own way
            one.connect_ex((target.address, PORT))
            begun[0] += 1
            held.append(one)
            if noisy and len(held) > _LATER:
                with contextlib.suppress(OSError):  # Refused, or not connected yet.
                    held[-_LATER].send(b"no handshake of anything\n" * 4)
            if len(held) > _HELD_MAX:
                held.pop(0).close()
        for one in held:
            one.close()

    thread = threading.Thread(target=lambda: inside(attacker.namespace, attack), name="flood")
    thread.start()
    try:
        yield begun
    finally:
        ended.set()
        thread.join()


async def joined(members: Members, folder: Path, *, tls: bool, noisy: bool, rule: bool) -> int:
    """Return how many of eight honest runtimes joined in time while the port was flooded."""
    with Network() as network:
        target, attacker, honest = network.house(), network.house(), network.house()
        if rule:
            command(*target.prefix, "nft", "-f", str(RULES))
        authority = make_authority("site-a")

        async def start(house: House, name: str, **more: Any) -> Member:
            if tls:
                home = folder / name
                hosts = (house.address, "127.0.0.1")
                install(home, make_leaf(authority, f"site-a/{name}", hosts=hosts), authority)
                more["tls"] = tls_of(home)
            port = more.pop("port", PORT)
            return await members.start(
                f"site-a/{name}", f"{house.address}:{port}", prefix=house.prefix, **more
            )

        await start(target, "target")
        scheme = "tls" if tls else "tcp"
        count = 0
        with flood(attacker, target, noisy=noisy) as begun:
            await until(lambda: begun[0] >= _WARM_UP)
            for number in range(JOINS):
                name = f"honest-{number}"
                member = await start(
                    honest,
                    name,
                    port=PORT + 1 + number,
                    connect=[f"{scheme}/{target.address}:{PORT}"],
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(JOIN_S):
                        await member.expect(
                            lambda event: event["event"] == "token" and "/target/" in event["key"]
                        )
                        count += 1
                await member.kill()
        await members.close()
    return count


async def main() -> None:
    """Print how many joined, for each kind of mesh and of flood."""
    rule = "--without-rule" not in sys.argv
    for tls, noisy in ((False, False), (False, True), (True, False), (True, True)):
        with tempfile.TemporaryDirectory() as place:
            members = Members(Path(place))
            try:
                count = await joined(members, Path(place), tls=tls, noisy=noisy, rule=rule)
            finally:
                await members.close()
        what = f"{'TLS' if tls else 'TCP'}, {'noisy' if noisy else 'silent'} flood"
        sys.stdout.write(f"{what}, {'with' if rule else 'without'} the rule: {count}/{JOINS}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
