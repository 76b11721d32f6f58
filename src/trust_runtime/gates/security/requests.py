"""A request for every documented endpoint."""

from typing import Final

from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD

DESIRED: Final = f"{CLOUD}/config/desired"


def is_same(name: str, method: str, path: str) -> bool:
    """Tell whether a request is for the endpoint of that name."""
    wanted, pattern = name.split(" ")
    stem = pattern.partition("{")[0]
    path = path.partition("?")[0]
    return wanted == method and (path == pattern or ("{" in pattern and path.startswith(stem)))


def documented(node: Node) -> list[tuple[str, str]]:
    """Return method and path of every endpoint the API document has."""
    paths = node.ask("GET", "/api/openapi.json", token=None).json["paths"]
    return [(method.upper(), path) for path, found in paths.items() for method in found]


def requests_of(node: Node) -> list[tuple[str, str, object]]:
    """Return a request for each documented endpoint that would pass if nobody stopped it."""
    head = {"api_version": "1.0", "actor": f"spiffe://trust/{node.site}/tester"}
    action = node.body("status_read", [node.id])
    bodies: dict[str, object] = {
        f"{CLOUD}/actions/preflight": action,
        f"{CLOUD}/actions/dispatch": action,
        DESIRED: {**head, "desired": {"log.level": "info"}},
        f"{CLOUD}/config/rollback": {**head, "revision": 0},
        f"{CLOUD}/links/transport": {**head, "source": node.id, "target": "x", "transport": "x"},
        f"{CLOUD}/io/config": {**head, "target_runtime": node.id, "driver": "loopback"},
        f"{CLOUD}/control/proxy": {
            **head,
            "target_runtime": node.id,
            "control_request": {"type": "status"},
        },
        "/api/control": {"type": "status"},
        "/api/pair/start": {"owner": "nobody", "role": "viewer"},
        "/api/pair/claim": {"code": "AAAA-AAAA-AAAAA"},
    }
    made: list[tuple[str, str, object]] = []
    for method, path in documented(node):
        if path.endswith("/events"):
            continue  # It does not end; S06 and the tests of streams ask for it.
        named = path.replace("{request_id}", "r-1").replace("{audit_id}", "a-1")
        named = named.replace("{token_id}", "t-1")
        if method == "DELETE" and path.endswith("/links"):
            named += f"?source={node.id}&target=x"
        made.append((method, named, bodies.get(path, {}) if method == "POST" else None))
    return made


def raw_status(node: Node, head: str) -> int:
    """Return the status of a request whose head is sent as it is; 0: none."""
    token = "" if node.token is None else f"X-Trust-Token: {node.token}\r\n"
    found = node.raw(f"{head}{token}Connection: close\r\n\r\n".encode())
    parts = found.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
