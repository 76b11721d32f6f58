"""Actions between sites in plant and wan, with real certificates (5.5, 5.6; S09, S10, T20, T22)."""

import pytest
from cryptography import x509

from certificate_matrix import GOOD, GOOD_BUNDLE, PRESS, WRONG, Wrong
from pki_samples import DAY_S, NOW_S, ca_form, key_of, leaf_form, make
from service_world import Node, Scene, virtual
from trust_runtime.adapters.pki.bundles import usable_anchors
from trust_runtime.adapters.pki.identity import Identity
from trust_runtime.adapters.pki.identity_state import IdentityState
from trust_runtime.adapters.pki.signer import JwsSigner
from trust_runtime.adapters.pki.trust_store import SiteTrust, TrustSnapshot
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.contracts.units import NS_PER_S
from unit.services.test_target import CFG, Sender

SITE_A, SITE_B = SiteName("site-a"), SiteName("site-b")
CA_A = ca_form("site-a")
RULE = [{"action": "*", "target": "site-a/press-1", "from": "site-b/*"}]
READ = {"op": "status_read", "payload": {}}


def trusting(bundle: tuple[x509.Certificate, ...]) -> TrustSnapshot:
    """Return trust in site-a, and in site-b by a bundle as it is installed."""
    anchors, _ = usable_anchors(bundle, site=SITE_B)
    return TrustSnapshot(
        sites={SITE_A: SiteTrust(anchors=(make(CA_A),)), SITE_B: SiteTrust(anchors=anchors)}
    )


def speak_as(node: Node, chain: tuple[x509.Certificate, ...], trust: TrustSnapshot) -> None:
    """Let a runtime sign with a certificate, and trust others."""
    identity = Identity(runtime_id=node.id, key=key_of("leaf"), chain=chain)
    node.services.signing._signer = JwsSigner(
        IdentityState(own=node.id, identity=identity, trust=trust)
    )


async def across(scene: Scene, case: Wrong, profile: str = "plant") -> Sender:
    """Return a sender of site-b whose target, of site-a, has a rule that lets it do everything."""
    origin = await scene.node(PRESS, runtime__cloud__profile=profile)
    target = await scene.node(
        "site-a/press-1",
        runtime__cloud__profile=profile,
        runtime__cloud__wan__allow_write=RULE,
    )
    trust = trusting(case.bundle())
    speak_as(origin, case.chain(), trust)
    speak_as(target, (make(leaf_form("site-a/press-1"), CA_A),), trust)
    target.hears(origin)
    return Sender(origin, target)


@pytest.mark.parametrize("profile", ["plant", "wan"])
@pytest.mark.parametrize("name", GOOD)
@virtual
async def test_a_right_certificate_may_write_as_an_engineer_at_most(
    scene: Scene, name: str, profile: str
) -> None:
    sends = await across(scene, GOOD[name], profile)
    message, claims = sends.action(role=Role.ADMIN, **CFG)
    reply = await sends.give(message, claims)
    assert reply.status is ResultStatus.EXECUTED, reply.denial_reason
    assert {record.role for record in sends.target.records()} == {Role.ENGINEER}


@pytest.mark.parametrize("name", WRONG)
@virtual
async def test_a_wrong_certificate_may_nothing(scene: Scene, name: str) -> None:
    sends = await across(scene, WRONG[name])
    for action in (CFG, READ):
        message, _ = sends.action(**action)
        said = await sends.target.services.target.answer(message)
        if said is None:
            continue  # Nobody it can be shown to have signed this: counted, not answered.
        reply = await sends.give(*sends.action(**action))
        assert reply.status is ResultStatus.DENIED
        assert reply.denial_code is DenialCode.PERMISSION_DENIED
        assert f"{PRESS} is untrusted here" in (reply.denial_reason or "")
    assert sends.effects() == 0
    peer = sends.target.services.peers.get(RuntimeId(PRESS))
    assert peer is None or peer.trust_reason is WRONG[name].reason


@virtual
async def test_a_bundle_that_is_removed_denies_the_very_next_action(scene: Scene) -> None:
    sends = await across(scene, GOOD["by the CA of its site"])
    assert (await sends.send(**CFG)).status is ResultStatus.EXECUTED
    effects = sends.effects()
    chain = (make(leaf_form("site-a/press-1"), CA_A),)
    speak_as(sends.target, chain, trusting(()))
    refused = await sends.send(**{**CFG, "payload": {"params": {"log.level": "error"}}})
    assert refused.denial_code is DenialCode.PERMISSION_DENIED
    assert (await sends.send(**READ)).denial_code is DenialCode.PERMISSION_DENIED
    assert sends.effects() == effects
    speak_as(sends.target, chain, trusting(GOOD_BUNDLE()))
    assert (await sends.send(**READ)).status is ResultStatus.EXECUTED


@virtual
async def test_a_certificate_that_ends_denies_the_very_next_action(scene: Scene) -> None:
    sends = await across(scene, GOOD["by the CA of its site"])
    assert (await sends.send(**READ)).status is ResultStatus.EXECUTED
    scene.time.now_ns += (DAY_S + 1) * NS_PER_S
    reply = await sends.send(**READ)
    assert "expired" in (reply.denial_reason or "")
    assert sends.target.clock.wall_ns() // NS_PER_S > NOW_S + DAY_S
