"""Certificates that must never be accepted, and how each is refused (T22, T37, S09, S10).

For whoever takes certificates: signatures on messages, links of the mesh, HTTPS.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki_samples import DAY_S, NAME_CONSTRAINTS, NOW_S, ca_form, leaf_form, make
from trust_runtime.contracts.presence import TrustReason

PRESS = "site-b/press-2"
LONG = "site-b/" + "n" * 100
CA_A, CA_B = ca_form("site-a"), ca_form("site-b")
ROOT_B = ca_form("site-b", path_length=1, key="root site-b", name="site-b root")
MIDDLE_B = ca_form("site-b", uris=(), key="line 1", name="line 1")

Chain = tuple[x509.Certificate, ...]


class Wrong(NamedTuple):
    """One wrong certificate, with what is sent along."""

    chain: Callable[[], Chain]
    """Makes it; the first certificate claims to be `PRESS`."""
    bundle: Callable[[], Chain]
    """The bundle of site-b that is installed."""
    reason: TrustReason | None
    """Why it is refused; None: it is not even read as the certificate of one runtime."""


def _leaf(**changes: Any) -> Callable[[], Chain]:
    return lambda: (make(leaf_form(PRESS, **changes), CA_B),)


def _by(issuer: Any, *along: Any, **changes: Any) -> Callable[[], Chain]:
    return lambda: (make(leaf_form(PRESS, **changes), issuer), *(make(*one) for one in along))


def _bundle(*forms: Any) -> Callable[[], Chain]:
    return lambda: tuple(make(*form) if isinstance(form, tuple) else make(form) for form in forms)


GOOD_BUNDLE = _bundle(CA_B)
INVALID = TrustReason.CHAIN_INVALID

WRONG: dict[str, Wrong] = {
    name: Wrong(chain=chain, bundle=GOOD_BUNDLE, reason=reason)
    for name, chain, reason in (
        ("no URI SAN", _leaf(uris=()), None),
        ("two URI SANs", _leaf(uris=(f"spiffe://trust/{PRESS}", "spiffe://trust/site-a/x")), None),
        ("the same URI SAN twice", _leaf(uris=(f"spiffe://trust/{PRESS}",) * 2), None),
        ("a URI SAN of a site", _leaf(uris=("spiffe://trust/site-b",)), None),
        ("a URI SAN of another trust domain", _leaf(uris=("spiffe://evil/site-b/press-2",)), None),
        ("a URI SAN that is no SPIFFE id", _leaf(uris=("https://site-b/press-2",)), None),
        ("a URI SAN with a path", _leaf(uris=(f"spiffe://trust/{PRESS}/x",)), None),
        ("a URI SAN that is too long", _leaf(uris=("spiffe://trust/site-b/" + "n" * 200,)), None),
        ("P-384", _leaf(key="P-384"), None),
        ("P-521", _leaf(key="P-521"), None),
        ("secp256k1", _leaf(key="K-256"), None),
        ("RSA 1024", _leaf(key="RSA-1024"), None),
        ("RSA 3072", _leaf(key="RSA-3072"), None),
        ("Ed25519", _leaf(key="Ed25519"), None),
        ("expired", _leaf(starts_s=NOW_S - 9, ends_s=NOW_S - 1), TrustReason.EXPIRED),
        ("not yet valid", _leaf(starts_s=NOW_S + 1), TrustReason.EXPIRED),
        ("self-signed", lambda: (make(leaf_form(PRESS)),), INVALID),
        ("by another site's CA", _by(CA_A), INVALID),
        ("by another site's CA, sent along", _by(CA_A, (CA_A,)), INVALID),
        (
            "by a CA of the same name and another key",
            _by(ca_form("site-b", key="forged")),
            TrustReason.SIGNATURE_INVALID,
        ),
        (
            "by such a CA, sent along",
            _by(ca_form("site-b", key="forged"), (ca_form("site-b", key="forged"),)),
            TrustReason.SIGNATURE_INVALID,
        ),
        ("by another runtime of the site", _by(
            leaf_form("site-b/press-3", key="other"),
            (leaf_form("site-b/press-3", key="other"), CA_B),
        ), INVALID),
        ("below a CA that may have none below it", _by(MIDDLE_B, (MIDDLE_B, CA_B)), INVALID),
        ("a CA's", _leaf(is_ca=True, signs_certificates=True), INVALID),
        ("with CA constraints", _leaf(is_ca=True), INVALID),
        ("that may sign certificates", _leaf(signs_certificates=True), INVALID),
        ("without digital signature", _leaf(signs_messages=False), INVALID),
        ("without key usage", _leaf(usage=False), INVALID),
        ("without extended key usage", _leaf(uses=()), INVALID),
        ("for servers alone", _leaf(uses=(ExtendedKeyUsageOID.SERVER_AUTH,)), INVALID),
        ("for clients alone", _leaf(uses=(ExtendedKeyUsageOID.CLIENT_AUTH,)), INVALID),
        ("for code", _leaf(uses=(ExtendedKeyUsageOID.CODE_SIGNING,)), INVALID),
        ("for any use", _leaf(uses=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), INVALID),
        ("with the CN of another runtime", _leaf(name="site-b/press-3"), INVALID),
        ("with the CN of another site", _leaf(name="site-a/press-2"), INVALID),
        ("without CN", _leaf(name=None), INVALID),
        ("signed with SHA-384", _leaf(digest=hashes.SHA384()), INVALID),
        ("signed with SHA-224", _leaf(digest=hashes.SHA224()), INVALID),
        ("with critical name constraints", _leaf(more=((NAME_CONSTRAINTS, True),)), INVALID),
        (
            "with an unknown critical extension",
            _leaf(more=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"),
                         True),)),
            INVALID,
        ),
    )
}  # fmt: skip

WRONG |= {
    name: Wrong(chain=chain, bundle=bundle, reason=reason)
    for name, chain, bundle, reason in (
        ("no bundle", _leaf(), _bundle(), INVALID),
        ("an expired CA", _leaf(), _bundle(ca_form("site-b", ends_s=NOW_S - 1)),
         TrustReason.EXPIRED),
        ("a CA that is not yet valid", _leaf(), _bundle(ca_form("site-b", starts_s=NOW_S + 1)),
         TrustReason.EXPIRED),
        ("a bundle of another site", _by(CA_A), _bundle(CA_A), INVALID),
        ("a CA of two sites", _leaf(), _bundle(
            ca_form("site-b", uris=("spiffe://trust/site-b", "spiffe://trust/site-a"))), INVALID),
        ("a CA of no site", _leaf(), _bundle(ca_form("site-b", uris=())), INVALID),
        ("a CA named as a runtime", _leaf(),
         _bundle(ca_form("site-b", uris=("spiffe://trust/site-b/press-2",))), INVALID),
        ("an anchor that is no CA", _leaf(), _bundle(ca_form("site-b", is_ca=False,
         path_length=None)), INVALID),
        ("an anchor without constraints", _leaf(), _bundle(ca_form("site-b", constraints=False)),
         INVALID),
        ("an anchor that may not sign", _leaf(), _bundle(ca_form("site-b",
         signs_certificates=False, signs_messages=True)), INVALID),
        ("the certificate itself as anchor", lambda: (make(leaf_form(PRESS)),),
         lambda: (make(leaf_form(PRESS)),), INVALID),
        ("an intermediate that expired", _by(MIDDLE_B, (
            ca_form("site-b", uris=(), key="line 1", name="line 1", ends_s=NOW_S - 1), ROOT_B)),
         _bundle(ROOT_B), TrustReason.EXPIRED),
        ("an intermediate of another site", _by(MIDDLE_B, (
            ca_form("site-a", key="line 1", name="line 1"), ROOT_B)), _bundle(ROOT_B), INVALID),
        ("an intermediate that is no CA", _by(MIDDLE_B, (
            leaf_form("site-b/press-3", key="line 1", name="line 1"), ROOT_B)),
         _bundle(ROOT_B), INVALID),
        ("an intermediate with P-384", _by(
            ca_form("site-b", uris=(), key="P-384", name="line 1"),
            (ca_form("site-b", uris=(), key="P-384", name="line 1"), ROOT_B)),
         _bundle(ROOT_B), INVALID),
        ("two CAs below one that may have one", _by(
            ca_form("site-b", uris=(), key="line 2", name="line 2"),
            (ca_form("site-b", uris=(), key="line 2", name="line 2"), MIDDLE_B),
            (MIDDLE_B, ROOT_B)), _bundle(ROOT_B), INVALID),
    )
}  # fmt: skip

GOOD: dict[str, Wrong] = {
    "by the CA of its site": Wrong(_leaf(), GOOD_BUNDLE, None),
    "by the second CA of its site": Wrong(
        _leaf(), _bundle(ca_form("site-b", key="old", name="site-b CA"), CA_B), None
    ),
    "by an intermediate": Wrong(_by(MIDDLE_B, (MIDDLE_B, ROOT_B)), _bundle(ROOT_B), None),
    "with strangers sent along": Wrong(
        _by(CA_B, (CA_A,), (leaf_form("site-a/x", key="x"), CA_A)), GOOD_BUNDLE, None
    ),
    "with an unknown extension that is not critical": Wrong(
        _leaf(
            more=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), False),)
        ),
        GOOD_BUNDLE,
        None,
    ),
    "on its last second": Wrong(_leaf(starts_s=NOW_S - DAY_S, ends_s=NOW_S), GOOD_BUNDLE, None),
}
