"""The fleets of the gate: each started when a check first asks for it, and shared from then on."""

import os
import secrets
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import CLOUD, NotStarted, wipe

ROLES: Final = ("viewer", "operator", "engineer")
SITES: Final = ("site-a", "site-b")


class World:
    """Everything real the checks are made on; `close` ends all of it."""

    def __init__(self) -> None:
        self.token = f"canary-{secrets.token_hex(24)}"
        self.mesh_token = f"canary-mesh-{secrets.token_hex(16)}"
        self.secrets = [self.token, self.mesh_token]
        self._nodes: list[Node] = []
        self._made = 0

    @cached_property
    def folder(self) -> Path:
        """Where everything is; short, as the path of a control socket may have 107 bytes."""
        return Path(tempfile.mkdtemp(prefix="trust-gate-"))

    def close(self) -> None:
        """End every process and remove what they wrote."""
        for node in self._nodes:
            node.kill()
        if self._nodes:
            wipe(self.folder)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All there are so far."""
        return tuple(self._nodes)

    def node(self, name: str, **options: Any) -> Node:
        """Return a new project, not started."""
        self._made += 1
        node = Node(self.folder / f"{self._made}", name, **options)
        self._nodes.append(node)
        return node

    def authority(self, site: str) -> Path:
        """Return the CA of a site, made by the product's own command."""
        folder = self.folder / f"ca-{site}"
        if not folder.exists():
            made = self.node("ca-maker").cli(
                "pki", "init", "--site", site, "--ca", str(folder), project=False
            )
            if made.returncode:
                raise NotStarted(f"pki init: {made.stderr}")
        return folder

    def issue(self, node: Node) -> Node:
        """Give a runtime a certificate of its site."""
        done = node.cli("pki", "issue", "--ca", str(self.authority(node.site)))
        if done.returncode:
            raise NotStarted(f"pki issue: {done.stderr}")
        return node

    @cached_property
    def dev(self) -> tuple[Node, Node]:
        """Two runtimes of profile `dev`, without any authentication."""
        first = self.node("runtime-a").start()
        second = self.node("runtime-b", connect=[first.mesh_port]).start()
        return _acquainted(first, second)

    @cached_property
    def plant(self) -> tuple[Node, Node]:
        """Two runtimes of profile `plant`: tokens, HTTPS, a mesh of TLS with a shared secret."""
        extra = {"runtime.mesh.auth_token": self.mesh_token}
        first = self.secured("plant", "runtime-a", settings=extra).start()
        second = self.secured(
            "plant", "runtime-b", connect=[first.mesh_port], settings=extra
        ).start()
        return _acquainted(first, second)

    @cached_property
    def wan(self) -> tuple[Node, Node]:
        """One runtime of profile `wan` in each of two sites that know each other's bundle."""
        first = self.secured("wan", "runtime-a")
        second = self.secured("wan", "runtime-b", site="site-b", connect=[first.mesh_port])
        for one, other in ((first, second), (second, first)):
            bundle = self.authority(other.site) / "ca.crt"
            done = one.cli("pki", "import-bundle", "--site", other.site, str(bundle))
            if done.returncode:
                raise NotStarted(f"pki import-bundle: {done.stderr}")
        return _acquainted(first.start(), second.start())

    def secured(self, profile: str, name: str, **options: Any) -> Node:
        """Return a runtime that has all its profile demands, not started."""
        settings = {
            "runtime.cloud.profile": profile,
            "runtime.web.auth": "token",
            "runtime.control.auth_token": self.token,
            "runtime.web.tls": True,
            "runtime.tls.mode": "self-managed",
            "runtime.mesh.tls": True,
            **options.pop("settings", {}),
        }
        node = self.node(name, token=self.token, secure=True, settings=settings, **options)
        return self.issue(node)

    def bare(self, profile: str, **settings: object) -> Node:
        """Return a runtime of a profile that has nothing but `settings`, started."""
        without_mesh = {"runtime.mesh.enabled": False}
        return self.node(
            "runtime-a",
            settings={"runtime.cloud.profile": profile, **without_mesh, **settings},
        ).start()

    @cached_property
    def bare_plant(self) -> Node:
        """A runtime of profile `plant` without anything it demands."""
        return self.bare("plant")

    @cached_property
    def bare_wan(self) -> Node:
        """A runtime of profile `wan` without anything it demands."""
        return self.bare("wan")

    @cached_property
    def role_tokens(self) -> dict[str, str]:
        """A token of each role at the first runtime of `plant`."""
        node = self.plant[0]
        return {role: self.pair(node, f"{role}-{os.urandom(3).hex()}", role) for role in ROLES} | {
            "admin": self.token
        }

    def pair(self, node: Node, owner: str, role: str) -> str:
        """Return a token given out by pairing."""
        started = node.ask("POST", "/api/pair/start", {"owner": owner, "role": role})
        code = started.json.get("code")
        claimed = node.ask("POST", "/api/pair/claim", {"code": code}, token=None)
        token = claimed.json.get("token")
        if not isinstance(token, str):
            raise NotStarted(f"pairing: {started.text} {claimed.text}")
        self.secrets.append(token)
        return token


def rules_of(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    """Return rules as the configuration has them: action, target, origin."""
    return [{"action": a, "target": t, "from": f} for a, t, f in rows]


def set_rules(node: Node, *rows: tuple[str, str, str]) -> None:
    """Put rules in force at a runtime.

    Raises:
        NotStarted: it does not take them.
    """
    done = node.desired({"runtime_cloud.wan.allow_write": rules_of(*rows)})
    if not done.json.get("ok"):
        raise NotStarted(f"{node.id} does not take rules: {done.text}")


def preflight(node: Node, action: str, target: str, **members: Any) -> Any:
    """Return the decision on one target."""
    body = node.body(action, [target], **members)
    return node.ask("POST", f"{CLOUD}/actions/preflight", body).json


def _acquainted(first: Node, second: Node) -> tuple[Node, Node]:
    first.until_online(second)
    second.until_online(first)
    return first, second
