"""Is a certificate chain good for the runtime it names (contract 2.4, plant and wan). Pure."""

from collections.abc import Iterator
from typing import Final

from trust_runtime.contracts.identity import (
    ECDSA_SHA256,
    EXPIRY_WARNED_S,
    P256,
    CertificateFacts,
    ChainFacts,
    ChainFault,
    Distrust,
    IdentityFacts,
    common_name,
    site_spiffe_id,
)
from trust_runtime.contracts.ids import spiffe_id
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason

_DAY_S: Final = 86_400
_FAULTS: Final = {
    ChainFault.NO_BUNDLE: "no usable bundle of {site} is installed",
    ChainFault.UNKNOWN_ISSUER: "its issuer is not in the bundle of {site}",
    ChainFault.BAD_SIGNATURE: "it was not signed by the CA of {site} that it names",
    ChainFault.TOO_LONG: "its chain is too long",
    ChainFault.UNREADABLE: "a certificate of its chain cannot be read",
}


def judge_chain(chain: ChainFacts, *, now_s: int) -> Distrust | None:
    """Return why a chain does not make its runtime known, or None; first failing rule.

    Dates come last: what is forged stays so when it expires.

    Args:
        chain: as read; the signatures on it are facts.
        now_s: seconds since the epoch.
    """
    leaf = chain.leaf
    for flaw in (*_leaf_flaws(chain), *_path_flaws(chain)):
        return Distrust(reason=TrustReason.CHAIN_INVALID, detail=f"{_named(leaf)}: {flaw}")
    if chain.fault is not None:
        reason = (
            TrustReason.SIGNATURE_INVALID
            if chain.fault is ChainFault.BAD_SIGNATURE
            else TrustReason.CHAIN_INVALID
        )
        told = _FAULTS[chain.fault].format(site=chain.site)
        more = "" if chain.fault_detail is None else f": {chain.fault_detail}"
        return Distrust(reason=reason, detail=f"{_named(leaf)}: {told}{more}")
    if chain.revoked:
        return Distrust(
            reason=TrustReason.REVOKED,
            detail=f"{_named(leaf)}: serial {chain.revoked[0]} is revoked by the CA of its site",
        )
    if chain.crl_problem is not None:
        # Who was revoked cannot be told any more, so nobody of that site is let in.
        return Distrust(
            reason=TrustReason.CHAIN_INVALID, detail=f"{_named(leaf)}: {chain.crl_problem}"
        )
    for certificate in (leaf, *chain.issuers):
        late = _date_flaw(certificate, now_s=now_s)
        if late is not None:
            return Distrust(reason=TrustReason.EXPIRED, detail=f"{_named(certificate)}: {late}")
    return None


def judge_own(identity: IdentityFacts, *, now_s: int) -> Distrust | None:
    """Return why the own identity is unfit for `plant` and `wan`, or None when it is fit.

    Args:
        identity: as in use.
        now_s: seconds since the epoch.
    """
    if identity.problem is not None or identity.chain is None:
        return Distrust(
            reason=TrustReason.CHAIN_INVALID, detail=identity.problem or "there is no certificate"
        )
    named = identity.chain.runtime_id
    if named != identity.own:
        return Distrust(
            reason=TrustReason.CHAIN_INVALID,
            detail=f"the certificate names {named}, not {identity.own}",
        )
    return judge_chain(identity.chain, now_s=now_s)


def trust_remedy(profile: Profile) -> str:
    """Return what an operator does about an untrusted runtime."""
    if profile is Profile.DEV:
        return "check the identity, then trust-runtime pki import-bundle --pin"
    return (
        "see why in the log and with trust-runtime pki show; renew its certificate, or install the"
        " bundle of its site with trust-runtime pki import-bundle --site"
    )


def days_left(identity: IdentityFacts, *, now_s: int) -> int | None:
    """Return for how many whole days the own certificate is still valid, below 0 when it ended.

    None when there is no certificate.
    """
    ends_s = identity.not_after_s
    return None if ends_s is None else (ends_s - now_s) // _DAY_S


def ends_soon(identity: IdentityFacts, *, now_s: int) -> bool:
    """Tell whether the own certificate ends in less than 30 days, or has ended."""
    ends_s = identity.not_after_s
    return ends_s is not None and ends_s - now_s < EXPIRY_WARNED_S


def _leaf_flaws(chain: ChainFacts) -> Iterator[str]:
    leaf, runtime = chain.leaf, chain.runtime_id
    if leaf.uris != (spiffe_id(runtime),):
        yield f"it has not exactly the URI SAN {spiffe_id(runtime)}"
    if leaf.common_name != common_name(runtime):
        yield f"its CN is not {common_name(runtime)}"
    if leaf.is_ca or leaf.may_sign_certificates:
        yield "it is the certificate of a CA"
    if not leaf.may_sign_messages:
        yield "its key usage has no digital signature"
    if not (leaf.server_auth and leaf.client_auth):
        yield "its extended key usage is not for TLS server and client"
    yield from _form_flaws(leaf)


def _path_flaws(chain: ChainFacts) -> Iterator[str]:
    """Yield what makes an issuer none; those of an unfinished way are looked at too."""
    last = len(chain.issuers) - 1
    for below, issuer in enumerate(chain.issuers):
        who = _named(issuer)
        is_anchor = chain.fault is None and below == last
        if not (issuer.is_ca and issuer.may_sign_certificates):
            yield f"{who} is no CA"
        if issuer.path_length is not None and below > issuer.path_length:
            yield f"{who} allows {issuer.path_length} CAs below it, not {below}"
        own_site = (site_spiffe_id(chain.site),)
        if issuer.uris != own_site and (is_anchor or issuer.uris):
            yield f"{who} is not of site {chain.site}"
        for flaw in _form_flaws(issuer):
            yield f"{who}: {flaw}"


def _form_flaws(certificate: CertificateFacts) -> Iterator[str]:
    if certificate.key != P256:
        yield f"its key is {certificate.key}, not {P256}"
    if certificate.signature != ECDSA_SHA256:
        yield f"it is signed with {certificate.signature}, not {ECDSA_SHA256}"
    if certificate.unknown_critical:
        yield f"its critical extension {certificate.unknown_critical[0]} is unknown here"


def _date_flaw(certificate: CertificateFacts, *, now_s: int) -> str | None:
    if now_s < certificate.not_before_s:
        return f"it is valid only in {certificate.not_before_s - now_s} s"
    if now_s > certificate.not_after_s:
        return f"it expired {now_s - certificate.not_after_s} s ago"
    return None


def _named(certificate: CertificateFacts) -> str:
    return f"certificate {certificate.serial} of {certificate.subject}"
