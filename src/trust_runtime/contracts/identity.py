"""What certificates say, and what that makes of an identity (contract 2.3, 2.4)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.codec import sha256_hex
from trust_runtime.contracts.ids import SPIFFE_ROOT, RuntimeId, SiteName, SpiffeId, site_of
from trust_runtime.contracts.presence import TrustReason

EXPIRY_WARNED_S: Final = 30 * 86_400
"""A certificate that ends sooner is warned of, once a day (contract 2.4)."""

CHAIN_LENGTH_MAX: Final = 4
"""Most certificates of one chain: the own one, two intermediates, the trust anchor."""

P256: Final = "P-256"
"""The one kind of key of this product."""

ECDSA_SHA256: Final = "ecdsa-with-SHA256"
"""The one signature algorithm of this product (RFC 5758, section 3.2)."""

_NAME_LENGTH_MAX: Final = 64  # X.520 ub-common-name.
_NAME_HEAD: Final = 47


def common_name(runtime: RuntimeId) -> str:
    """Return the CN of a runtime: its canonical id, shortened to 64 characters when longer."""
    if len(runtime) <= _NAME_LENGTH_MAX:
        return runtime
    return f"{runtime[:_NAME_HEAD]}~{sha256_hex(runtime.encode())[:16]}"


def site_spiffe_id(site: SiteName) -> SpiffeId:
    """Return `spiffe://trust/SITE`, which the certificates of a site's CA carry."""
    return SpiffeId(f"{SPIFFE_ROOT}/{site}")


class CertificateFacts(Struct, frozen=True, kw_only=True):
    """One certificate, read; nothing in it is believed yet."""

    subject: str
    """Distinguished name (RFC 4514), for people."""
    common_name: str | None
    """The one CN of the subject; None when there is none, or several."""
    uris: tuple[str, ...]
    """URI SANs, in order."""
    serial: str
    """Serial number, lower-case hex."""
    fingerprint: str
    """Lower-case hex SHA-256 of the DER certificate."""
    not_before_s: int
    """Start of validity, seconds since the epoch."""
    not_after_s: int
    """End of validity, seconds since the epoch."""
    key: str
    """Kind of the public key: `P-256`, else for people what it is."""
    signature: str
    """Algorithm it was signed with: `ecdsa-with-SHA256`, else for people what it is."""
    is_ca: bool
    """basicConstraints: cA."""
    path_length: int | None = None
    """basicConstraints: how many CAs may stand below this one; None: any number."""
    may_sign_messages: bool = False
    """keyUsage: digitalSignature."""
    may_sign_certificates: bool = False
    """keyUsage: keyCertSign."""
    server_auth: bool = False
    """extendedKeyUsage: TLS server."""
    client_auth: bool = False
    """extendedKeyUsage: TLS client."""
    unknown_critical: tuple[str, ...] = ()
    """OIDs of critical extensions that this product does not process, in order."""


@unique
class ChainFault(StrEnum):
    """Why no chain of good signatures leads from a certificate to its site's bundle."""

    NO_BUNDLE = "no_bundle"
    """No bundle of the site is installed, or it cannot be used."""
    UNKNOWN_ISSUER = "unknown_issuer"
    """Neither the bundle nor what was sent along has the issuer."""
    BAD_SIGNATURE = "bad_signature"
    """The issuer is there, but did not sign this certificate."""
    TOO_LONG = "too_long"
    """More certificates than `CHAIN_LENGTH_MAX`."""
    UNREADABLE = "unreadable"
    """A certificate of the chain cannot be read."""


class ChainFacts(Struct, frozen=True, kw_only=True):
    """A certificate and the way from it to the bundle of the site it names; not yet judged."""

    runtime_id: RuntimeId
    """From the one URI SAN."""
    leaf: CertificateFacts
    """The runtime's own certificate."""
    issuers: tuple[CertificateFacts, ...] = ()
    """Each signed the one before it, first the leaf; the last is the anchor, unless `fault`."""
    fault: ChainFault | None = None
    """Why the way does not end in the bundle; None when it does."""
    fault_detail: str | None = None
    """More of it, for people."""
    revoked: tuple[str, ...] = ()
    """Serials on this way that a revocation list of the site names."""
    crl_problem: str | None = None
    """Why the site's installed revocation list cannot be used; None when it can, or none is."""

    @property
    def site(self) -> SiteName:
        """Return the site whose bundle alone counts."""
        return site_of(self.runtime_id)


class Distrust(Struct, frozen=True, kw_only=True):
    """Why an identity is not accepted."""

    reason: TrustReason
    """To branch on."""
    detail: str
    """For people: which certificate, and what is wrong with it."""


class IdentityChange(Struct, frozen=True, kw_only=True):
    """What a look at the files of identity and trust found new, already in use for signatures."""

    own: bool = False
    """Another own certificate or key."""
    trust: tuple[SiteName, ...] = ()
    """Sites whose bundle or revocation list is another one, in order."""


class IdentityFacts(Struct, frozen=True, kw_only=True):
    """The identity pair of this runtime as it is in use; `core.trust.judge_own` says if it is fit.

    Holds no key. In `plant` and `wan` it is precondition `identity` (contract 9.1).
    """

    own: RuntimeId
    """Whom `runtime.toml` says this is."""
    problem: str | None = None
    """Why there is no usable pair, naming the file; None when there is one."""
    pin: str | None = None
    """SHA-256 hex of the public key (DER SubjectPublicKeyInfo)."""
    chain: ChainFacts | None = None
    """The own certificate against the own site's bundle; None without a usable pair."""
    notes: tuple[str, ...] = ()
    """What is wrong with installed bundles and revocation lists, each naming its file."""

    @property
    def site(self) -> SiteName:
        """Return the own site."""
        return site_of(self.own)

    @property
    def fingerprint(self) -> str | None:
        """Return the lower-case hex SHA-256 of the own DER certificate."""
        return None if self.chain is None else self.chain.leaf.fingerprint

    @property
    def not_after_s(self) -> int | None:
        """Return when the own certificate ends, seconds since the epoch."""
        return None if self.chain is None else self.chain.leaf.not_after_s
