"""The mesh: who gets a link, whose messages count, and for how long (S08-S11, S14, S15, S26)."""

import time
from collections.abc import Callable
from typing import Final

import zenoh
from cryptography.hazmat.primitives.asymmetric import rsa

from trust_runtime.gates.cases import Bench
from trust_runtime.gates.security.keys import (
    Pair,
    Sending,
    action,
    authority_pair,
    leaf,
    new_key,
    pair_of,
)
from trust_runtime.gates.security.node import Node
from trust_runtime.gates.security.probing import until
from trust_runtime.gates.security.stranger import (
    Badge,
    gets_link,
    hears,
    is_linked,
    query,
    stranger,
)
from trust_runtime.gates.security.world import World, set_rules

PATCH: Final = {"log.level": "trace"}
_EXECUTED: Final = b'"executed"'


def _badge(world: World, node: Node, pair: Pair | None, *, password: str | None = None) -> Badge:
    folder = world.folder / "badges"
    roots = node.identity / "ca.pem"
    if pair is None:
        return Badge(roots=roots, password=password)
    crt, key = pair.write(folder, f"{id(pair)}-{time.monotonic_ns()}")
    return Badge(roots=roots, certificate=crt, key=key, password=password)


def _member(world: World, node: Node) -> Badge:
    """Return what a good member of the site shows; wan fleets here have no mesh token."""
    return _badge(world, node, leaf(authority_pair(world.authority(node.site)), "site-a/ghost"))


def plain_client_refused(world: World, bench: Bench) -> None:
    """Without TLS, and without a certificate, there is no link."""
    node = world.wan[0]
    bench.demand(gets_link(node, _member(world, node)), "a good certificate gets no link")
    bench.demand(not gets_link(node, Badge()), "a plain client is in")
    bench.demand(not gets_link(node, _badge(world, node, None)), "one without certificate is in")


def wrong_ca_refused(world: World, bench: Bench) -> None:
    """A certificate of a CA nobody believes in, and a self-signed one, get no link."""
    node = world.wan[0]
    stray = leaf(None, "site-a", uris=["spiffe://trust/site-a"])
    for name, pair in {
        "another CA": leaf(stray, "site-a/runtime-b"),
        "self-signed": leaf(None, "site-a/runtime-b"),
    }.items():
        bench.demand(not gets_link(node, _badge(world, node, pair)), f"{name} is in")
    bench.demand(gets_link(node, _member(world, node)), "a good certificate gets no link")


def expired_cert_refused(world: World, bench: Bench) -> None:
    """A certificate that has ended, or has not begun, gets no link."""
    node = world.wan[0]
    issuer = authority_pair(world.authority("site-a"))
    for name, pair in {
        "expired": leaf(issuer, "site-a/ghost", starts_in_s=-90, ends_in_s=-60),
        "future": leaf(issuer, "site-a/ghost", starts_in_s=3_600),
    }.items():
        bench.demand(not gets_link(node, _badge(world, node, pair)), f"{name} is in")
    bench.demand(gets_link(node, _member(world, node)), "a good certificate gets no link")


def wrong_token_refused(world: World, bench: Bench) -> None:
    """Without the mesh token a good certificate gets no link."""
    node = world.plant[0]
    good = leaf(authority_pair(world.authority("site-a")), "site-a/ghost")
    for password in (None, "wrong", world.mesh_token):
        found = gets_link(node, _badge(world, node, good, password=password))
        bench.demand(not found, f"password {'none' if password is None else 'wrong'} is in")
    bench.demand(world.plant[1].id in node.nodes(), "the fleet itself has no link")


def mesh_limits(world: World, bench: Bench) -> None:
    """S26: messages over 4 MiB are dropped, and the link of others lives."""
    first, second = world.wan
    with stranger(second, _member_of(world, second)) as session:
        bench.demand(hears(session), "a good certificate gets no link")
        session.put(f"truST/{first.id}/mesh/data/x", b"x" * (5 * 2**20))
        time.sleep(0.5)
    first.until_online(second)
    second.until_online(first)


def _member_of(world: World, node: Node) -> Badge:
    issuer = authority_pair(world.authority(node.site))
    return _badge(world, node, leaf(issuer, f"{node.site}/ghost"))


def expiry_closes_link(world: World, bench: Bench) -> None:
    """S11: a link ends within 5 s after the certificate of the other end does."""
    node = world.wan[0]
    issuer = authority_pair(world.authority("site-a"))
    short = leaf(issuer, "site-a/ghost", ends_in_s=6)
    ends_s = time.monotonic() + 6
    with stranger(node, _badge(world, node, short)) as session:
        bench.demand(hears(session), "a certificate that holds for 6 s gets no link")
        until(
            lambda: not is_linked(session) and time.monotonic() > ends_s - 1,
            within_s=11,
            otherwise=lambda: "the link of an expired certificate lives",
        )
        bench.say(f"closed {time.monotonic() - ends_s:.1f} s after the end")


class Attack:
    """Sends bent messages to a runtime and looks whether one is executed."""

    def __init__(self, node: Node, session: zenoh.Session, bench: Bench) -> None:
        self._node, self._session, self._bench = node, session, bench
        self._before = node.revision()
        self.sent = 0

    def refused(self, name: str, sending: Sending, *, key: str = "cmd/action") -> None:
        """Demand that it changes nothing and is not said to be executed."""
        found = query(self._session, self._node.id, sending, key=key)
        self.sent += 1
        self._bench.say(f"{name}: {found!r}")
        self._bench.demand(
            found is None or _EXECUTED not in found, f"{name} is executed: {found!r}"
        )
        now = self._node.revision()
        self._bench.demand(now == self._before, f"{name} wrote: {self._before} -> {now}")

    def repeated(self, name: str, sending: Sending) -> None:
        """Demand that a sending that was executed is answered from memory, and not done again."""
        found = query(self._session, self._node.id, sending)
        self._bench.say(f"{name}: {found!r}")
        remembered = found is None or _EXECUTED not in found or b'"replayed":true' in found
        self._bench.demand(remembered, f"{name} is executed anew: {found!r}")
        self._bench.demand(self._node.revision() == self._before, f"{name} wrote")

    def accepted(self, name: str, sending: Sending) -> None:
        """Demand that it is executed: else the check sees nothing."""
        found = query(self._session, self._node.id, sending)
        self._bench.say(f"{name}: {found!r}")
        self._bench.demand(
            found is not None and _EXECUTED in found, f"{name} is not executed: {found!r}"
        )
        self._before = self._node.revision()


def envelope(world: World, bench: Bench) -> None:
    """S15: what is not signed, addressed, dated and used exactly as it should be does nothing."""
    origin, node = world.dev
    own = pair_of(origin)

    def made(**bent: object) -> Sending:
        return action(origin, own, target=node.id, patch=PATCH, **bent)  # type: ignore[arg-type]  # claims are bent on purpose

    with stranger(node, Badge()) as session:
        attack = Attack(node, session, bench)
        good = action(origin, own, target=node.id, patch={"log.level": "debug"})
        attack.accepted("a good one", good)
        attack.repeated("the same again", good)
        now_s = time.time_ns() // 1_000_000_000
        bent: dict[str, Callable[[], Sending]] = {
            "other audience": lambda: made(aud="spiffe://trust/site-a/runtime-c"),
            "other issuer": lambda: made(iss="spiffe://trust/site-a/runtime-c"),
            "other digest": lambda: made(digest="sha256:" + "0" * 64),
            "expired": lambda: made(
                iat=now_s - 60, exp=now_s - 50, deadline_ns=(now_s - 50) * 10**9,
                deadline_uptime_ns=1,
            ),
            "of the future": lambda: made(iat=now_s + 3_600, exp=now_s + 3_605,
                                          deadline_ns=(now_s + 3_605) * 10**9),
            "valid for ever": lambda: made(deadline_ns=(now_s + 10**6) * 10**9, exp=now_s + 10**6),
            "alg none": lambda: made(header={"alg": "none"}),
            "alg HS256": lambda: made(header={"alg": "HS256"}),
            "crit": lambda: made(header={"crit": ["exp"]}),
            "jku": lambda: made(header={"jku": "https://evil.test"}),
            "other type": lambda: made(header={"typ": "trust-beacon+jwt"}),
            "no certificate": lambda: made(header={"x5c": []}),
            "foreign key": lambda: action(
                origin,
                Pair(certificate=own.certificate, key=new_key()),
                target=node.id,
                patch=PATCH,
            ),
            "pinned name, other key": lambda: action(
                origin, leaf(None, origin.id), target=node.id, patch=PATCH
            ),
            "other incarnation": lambda: made(boot_id="01990000-0000-7000-8000-000000000001"),
            "viewer": lambda: made(role="viewer"),
            "actor of elsewhere": lambda: made(op="cmd_invoke"),
        }  # fmt: skip
        for name, make in bent.items():
            attack.refused(name, make())
        whole = made()
        attack.refused("no signature", Sending(body=whole.body, token=b""))
        cut = whole.token.rpartition(b".")[0] + b"."
        attack.refused("an empty signature", Sending(body=whole.body, token=cut))
        attack.refused("another body", Sending(body=whole.body.replace(b"trace", b"error"),
                                               token=whole.token))  # fmt: skip
        attack.accepted("the untouched one", whole)
        attack.repeated("the untouched one again", whole)
        bench.say(f"{attack.sent} sent")


def no_other_road(world: World, bench: Bench) -> None:
    """S14: an admitted peer that signs nothing writes nothing, on any key, by query or put."""
    first, node = world.wan
    with stranger(node, _member_of(world, node)) as session:
        bench.demand(hears(session), "a good certificate gets no link")
        attack = Attack(node, session, bench)
        signed = action(first, pair_of(first), target=node.id, patch=PATCH)
        for key in ("cmd/action", "cfg/agent", "diag/audit", "cfg/desired", "io/write", "cmd/x"):
            attack.refused(f"unsigned on {key}", Sending(body=signed.body, token=b""), key=key)
            session.put(f"truST/{node.id}/{key}", signed.body, attachment=signed.token)
        before = node.nodes()[first.id]["lifecycle_state"]
        session.put(f"truST/{first.id}/svc/beacon", b"{}", attachment=signed.token)
        session.put("truST/site-b/nobody/svc/beacon", b"{}", attachment=b"x.y.z")
        token = session.liveliness().declare_token("truST/site-b/nobody/svc/liveliness/b")
        time.sleep(1.0)
        nodes = node.nodes()
        token.undeclare()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks it.
        bench.demand(nodes[first.id]["lifecycle_state"] == before, "a forged beacon counted")
        ghost = nodes.get("site-b/nobody", {}).get("lifecycle_state")
        bench.demand(ghost != "online", "a forged token makes somebody online")
        admin = [r for r in session.get("@/**", timeout=1.0) if r.ok is not None]
        mine = [r for r in admin if str(session.zid()) not in str(r.ok.key_expr)]  # type: ignore[union-attr]  # those that failed are left out above
        bench.demand(not mine, "the admin space of Zenoh answers")
    audit = node.ask("GET", "/metrics").text
    bench.demand("trust_cloud" in audit, "no metrics")


def certificate_matrix(world: World, bench: Bench) -> None:
    """S09: a message signed by a bad certificate is not executed, whoever sends it."""
    first, node = world.wan
    set_rules(node, ("*", "*", "*"))
    issuer_a, issuer_b = (authority_pair(world.authority(site)) for site in ("site-a", "site-b"))
    stray = leaf(None, "site-a", uris=["spiffe://trust/site-a"])
    uri = f"spiffe://trust/{first.id}"
    wrong = {
        "expired": leaf(issuer_a, first.id, starts_in_s=-90, ends_in_s=-60),
        "future": leaf(issuer_a, first.id, starts_in_s=3_600),
        "of another CA": leaf(stray, first.id),
        "of the CA of another site": leaf(issuer_b, first.id),
        "self-signed": leaf(None, first.id),
        "of somebody else": leaf(issuer_a, "site-a/runtime-c"),
        "with two URIs": leaf(issuer_a, first.id, uris=[uri, "spiffe://trust/site-b/runtime-b"]),
        "without URI": leaf(issuer_a, first.id, uris=[]),
        "with an RSA key": leaf(issuer_a, first.id, key=rsa.generate_private_key(65_537, 2_048)),
        "issued by a leaf": leaf(pair_of(first), first.id),
    }
    with stranger(node, _member_of(world, node)) as session:
        attack = Attack(node, session, bench)
        good = action(first, pair_of(first), target=node.id, patch={"log.level": "debug"})
        attack.accepted("a good one", good)
        for name, pair in wrong.items():
            attack.refused(name, action(first, pair, target=node.id, patch=PATCH))
    set_rules(node)


def foreign_site_ca(world: World, bench: Bench) -> None:
    """S10: the CA of site-b signs for `site-a`: whoever it names is untrusted and does nothing."""
    first, node = world.wan
    issuer = authority_pair(world.authority("site-b"))
    set_rules(first, ("*", "*", "*"))
    with stranger(first, _member_of(world, first)) as session:
        attack = Attack(first, session, bench)
        for name in ("site-a/ghost", "site-a/runtime-a"):
            forged = leaf(issuer, name)
            for patch in (PATCH, None):
                sending = action(
                    node,
                    forged,
                    target=first.id,
                    patch=patch,
                    iss=f"spiffe://trust/{name}",
                    sub="spiffe://trust/site-a/tester",
                )
                attack.refused(f"{name} by site-b", sending)
    set_rules(first)


def signed_by_origin(world: World, patch: dict[str, str]) -> bytes | None:
    """Return what the far site says to a write that its origin signed without asking anybody."""
    first, far = world.wan
    with stranger(far, _member_of(world, far)) as session:
        hears(session)
        return query(session, far.id, action(first, pair_of(first), target=far.id, patch=patch))
