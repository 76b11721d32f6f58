"""Listeners, TLS, limits and slow clients (S01, S08, S24, S25, S27)."""

import json
import socket
import ssl
import time
from pathlib import Path
from typing import Final

from trust_runtime.gates.cases import Bench
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD, LOOPBACK
from trust_runtime.gates.security.world import World

STATE: Final = f"{CLOUD}/state"
_LISTENING: Final = "0A"


_RECEIPT_S: Final = 25.0


def loopback_only(world: World, bench: Bench) -> None:
    """S01: nothing listens beyond loopback, TCP or UDP."""
    for node in (*world.dev, *world.plant, *world.wan):
        found = _sockets(node)
        bench.say(f"{node.id}: {found}")
        bench.demand(found["tcp"], f"{node.id} listens nowhere: the check sees nothing")
        far = [at for kind in found.values() for at in kind if not at.startswith(("127.", "::1"))]
        bench.demand(not far, f"{node.id} listens beyond loopback: {far}")


def web_tls(world: World, bench: Bench) -> None:
    """S08: TLS 1.2 and newer with forward secrecy, and nothing but TLS on that port."""
    node = world.plant[0]
    good = {
        "TLS 1.2": _handshake(node, ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM"),
        "TLS 1.3": _handshake(node, ssl.TLSVersion.TLSv1_3, None),
    }
    bad = {
        "TLS 1.0": _handshake(node, ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
        "TLS 1.1": _handshake(node, ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        "CBC": _handshake(node, ssl.TLSVersion.TLSv1_2, "ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0"),
        "without forward secrecy": _handshake(
            node, ssl.TLSVersion.TLSv1_2, "kRSA:DHE:!ECDHE:@SECLEVEL=0"
        ),
    }
    bench.say(f"{good} {bad}")
    bench.demand(all(good.values()), f"not spoken: {good}")
    bench.demand(not any(bad.values()), f"spoken: {bad}")
    with socket.create_connection((LOOPBACK, node.web_port), 5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            found = plain.recv(1_000)
        except OSError:
            found = b""
    bench.demand(not found.startswith(b"HTTP"), f"plain HTTP is answered: {found[:60]!r}")


def limits(world: World, bench: Bench) -> None:
    """S24: at each limit a request is read, one beyond it is refused."""
    node = world.plant[0]
    path = f"{CLOUD}/actions/preflight"

    def asked(targets: int, **more: object) -> int:
        ids = [f"site-a/x{number}" for number in range(targets)]
        return node.ask("POST", path, node.body("status_read", ids, **more)).status

    def nested(depth: int) -> int:
        payload = '{"a":' * depth + "1" + "}" * depth
        body = json.dumps(node.body("status_read", [node.id]))[:-1] + f',"payload":{payload}}}'
        return node.ask("POST", path, body).status

    def padded(length: int) -> int:
        body = json.dumps(node.body("status_read", [node.id]))
        return node.ask("POST", path, body + " " * (length - len(body))).status

    mebibyte = 1_048_576
    found = {
        "256 targets": (asked(256), 200),
        "depth 31": (nested(31), 200),
        "depth 33": (nested(33), 400),
        "1 MiB": (padded(mebibyte), 200),
        "1 MiB and 1": (padded(mebibyte + 1), 413),
        "long header": (node.ask("GET", STATE, headers={"x-a": "a" * 70_000}).status, 431),
    }
    over = node.ask("POST", path, node.body("status_read", [f"x{n}" for n in range(257)]))
    bench.demand(over.json.get("allowed") is not True, f"257 targets: {over.text[:200]}")
    bench.say(f"{found}; 257 targets: {over.status} {over.code}")
    # Too long a header may be refused by closing or by 400: it is not answered as if it were none.
    wrong = {
        name: one
        for name, one in found.items()
        if one[0] != one[1] and not (name == "long header" and one[0] in (400, 431))
    }
    bench.demand(not wrong, f"answered, wanted: {wrong}")
    for text in ('{"a":1,"a":2}', '{"a":NaN}', '{"a":1e400}', '{"a":"\\ud800"}', "\ufeff{}", "[]"):
        status = node.ask("POST", path, text).status
        bench.demand(status == 400, f"{text!r}: {status}")


def slow_clients(world: World, bench: Bench) -> None:
    """S25: whoever sends byte by byte is cut at the deadline, and nobody else waits for it."""
    node = world.dev[0]
    slow = [socket.create_connection((LOOPBACK, node.web_port), _RECEIPT_S) for _ in range(50)]
    try:
        for one in slow:
            one.sendall(b"POST /api/control HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % node.web_port)
            one.settimeout(0.0)
        start_s, worst_s, left = time.monotonic(), 0.0, list(slow)
        while left and time.monotonic() - start_s < _RECEIPT_S:
            asked_s = time.monotonic()
            bench.demand(node.ask("GET", STATE).status == 200, "an honest client is refused")
            worst_s = max(worst_s, time.monotonic() - asked_s)
            left = [one for one in left if _trickles(one)]
            time.sleep(0.2)
        bench.say(f"cut after {time.monotonic() - start_s:.1f} s, honest at worst {worst_s:.3f} s")
        bench.demand(not left, f"{len(left)} of 50 slow connections live after {_RECEIPT_S} s")
    finally:
        for one in slow:
            one.close()


def _trickles(link: socket.socket) -> bool:
    try:
        link.send(b"x")
        return link.recv(1_000) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def no_forged_requests(world: World, bench: Bench) -> None:
    """S27: no member of a request makes a runtime connect anywhere."""
    node = world.plant[0]
    with socket.create_server((LOOPBACK, 0)) as canary:
        canary.settimeout(0.0)
        at = f"{LOOPBACK}:{canary.getsockname()[1]}"
        for text in (at, f"http://{at}/", f"tcp/{at}", f"//{at}/x", f"site-a/x@{at}", f"tls/{at}"):
            node.dispatch("status_read", [text])
            node.dispatch("status_read", [node.id], connected_via=text, actor=text)
            node.ask("GET", f"{CLOUD}/config?target={text}")
            proxied = {
                "api_version": "1.0",
                "actor": text,
                "target_runtime": text,
                "control_request": {"type": "status", "params": {"url": f"http://{at}"}},
            }
            node.ask("POST", f"{CLOUD}/control/proxy", proxied)
            node.ask("GET", STATE, headers={"x-forwarded-host": at, "referer": f"http://{at}"})
            node.ask("POST", "/api/control", {"type": "config.get", "params": {"keys": [text]}})
        time.sleep(1.0)
        try:
            canary.accept()
        except BlockingIOError:
            return
    bench.demand(None, "a runtime connected to an address that a request named")


def _handshake(node: Node, version: ssl.TLSVersion, ciphers: str | None) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # What is asked here is what is spoken, not who speaks.
    try:
        if ciphers is not None:
            context.set_ciphers(ciphers)
        context.minimum_version = context.maximum_version = version
        plain = socket.create_connection((LOOPBACK, node.web_port), 5)
        with plain, context.wrap_socket(plain):
            return True
    except (ssl.SSLError, OSError, ValueError):
        return False


def _sockets(node: Node) -> dict[str, list[str]]:
    """Return the addresses a process listens on, by protocol."""
    base = Path(f"/proc/{node.pid}")
    own: set[str] = set()
    for one in (base / "fd").iterdir():
        target = str(one.readlink())
        if target.startswith("socket:["):
            own.add(target[8:-1])
    found: dict[str, list[str]] = {"tcp": [], "udp": []}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in (base / "net" / name).read_text().splitlines()[1:]:
            parts = line.split()
            if parts[9] in own and (name.startswith("udp") or parts[3] == _LISTENING):
                found[name[:3]].append(_address(parts[1]))
    return found


def _address(text: str) -> str:
    host = bytes.fromhex(text.partition(":")[0])
    # Groups of four bytes, each as the machine keeps a number.
    ordered = b"".join(host[at : at + 4][::-1] for at in range(0, len(host), 4))
    family = socket.AF_INET if len(ordered) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, ordered)
