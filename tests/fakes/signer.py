"""Signatures that are cheap and repeat themselves. Implements `ports.signer.Signer`.

They prove nothing to an enemy who reads this file: the "public key" is the key. A token takes a
quarter of the time of ECDSA, and equal seeds give equal bytes: what simulations need.
"""

import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from msgspec import structs

from fakes.clock import WALL_START_NS
from trust_runtime.contracts.codec import canonical_json, convert, decode_json, sha256_hex
from trust_runtime.contracts.envelope import SignerFacts, TokenType
from trust_runtime.contracts.errors import ContractViolation, TokenInvalid
from trust_runtime.contracts.identity import (
    ECDSA_SHA256,
    P256,
    CertificateFacts,
    ChainFacts,
    ChainFault,
    IdentityFacts,
    common_name,
    site_spiffe_id,
)
from trust_runtime.contracts.ids import RuntimeId, SiteName, site_of, spiffe_id
from trust_runtime.contracts.units import NS_PER_S

TOKEN_BYTES_MAX: Final = 16_384
YEAR_S: Final = 366 * 24 * 3_600
_PARTS: Final = 3
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_PLAIN: Final = bytes.maketrans(b"-_", b"+/")
_KEPT: Final = 1_024
"""Tokens, headers and keys that are remembered."""


class FakeSigner:
    """Signs as one runtime; `key_seed` tells keys apart, as after a new identity."""

    def __init__(
        self,
        runtime_id: RuntimeId,
        key_seed: str = "",
        *,
        not_before_s: int = WALL_START_NS // NS_PER_S - YEAR_S,
        not_after_s: int = WALL_START_NS // NS_PER_S + 10 * YEAR_S,
        ca: str = "",
        bundles: Mapping[SiteName, str] = MappingProxyType({}),
    ) -> None:
        pin = sha256_hex(f"key {runtime_id} {key_seed}".encode())
        leaf = _certificate(runtime_id, sha256_hex(b"certificate" + pin.encode()))
        leaf = structs.replace(leaf, not_before_s=not_before_s, not_after_s=not_after_s)
        self._facts = SignerFacts(
            runtime_id=runtime_id,
            pin=pin,
            not_before_s=not_before_s,
            not_after_s=not_after_s,
            chain=(canonical_json(leaf), ca.encode()),
        )
        self._headers: dict[TokenType, bytes] = {}
        self.bundles = bundles
        """Site to the name of the CA that is installed for it; a test may change it."""

    @property
    def own_signer(self) -> SignerFacts:
        """What others read in a token of this signer."""
        return self._facts

    @property
    def own_pin(self) -> str:
        """See `Signer.own_pin`."""
        return self._facts.pin

    @property
    def own_fingerprint(self) -> str:
        """See `Signer.own_fingerprint`."""
        return sha256_hex(b"certificate" + self._facts.pin.encode())

    @property
    def own_not_after_s(self) -> int:
        """See `Signer.own_not_after_s`."""
        return self._facts.not_after_s

    @property
    def own_identity(self) -> IdentityFacts:
        """See `Signer.own_identity`."""
        own = self._facts.runtime_id
        return IdentityFacts(own=own, pin=self._facts.pin, chain=self.chain_of(self._facts))

    def chain_of(self, signer: SignerFacts) -> ChainFacts:
        """See `Signer.chain_of`."""
        leaf, ca = decode_json(signer.chain[0], CertificateFacts), signer.chain[1].decode()
        site = site_of(signer.runtime_id)
        known, installed = (
            ChainFacts(runtime_id=signer.runtime_id, leaf=leaf),
            self.bundles.get(site),
        )
        if installed is None or installed != ca:
            missing = ChainFault.NO_BUNDLE if installed is None else ChainFault.UNKNOWN_ISSUER
            return structs.replace(known, fault=missing)
        anchor = structs.replace(
            leaf,
            subject=f"CN={ca}",
            uris=(site_spiffe_id(site),),
            is_ca=True,
            path_length=0,
            may_sign_certificates=True,
        )
        return structs.replace(known, issuers=(anchor,))

    def sign(self, kind: TokenType, claims: Any) -> bytes:
        """See `Signer.sign`."""
        header = self._headers.get(kind)
        if header is None:
            header = _encode(canonical_json({"typ": kind, "signer": self._facts}))
            self._headers[kind] = header
        signed = header + b"." + _encode(canonical_json(claims))
        return signed + b"." + _encode(_mac(self._facts.pin, signed))

    def verify(self, kind: TokenType, token: bytes) -> tuple[SignerFacts, dict[str, Any]]:
        """See `Signer.verify`."""
        facts, claims = _verified(kind, token)
        return facts, dict(claims)


def _certificate(runtime_id: RuntimeId, fingerprint: str) -> CertificateFacts:
    return CertificateFacts(
        subject=f"CN={runtime_id}",
        common_name=common_name(runtime_id),
        uris=(spiffe_id(runtime_id),),
        serial=fingerprint[:16],
        fingerprint=fingerprint,
        not_before_s=0,
        not_after_s=0,
        key=P256,
        signature=ECDSA_SHA256,
        is_ca=False,
        may_sign_messages=True,
        server_auth=True,
        client_auth=True,
    )


@lru_cache(maxsize=_KEPT)
def _verified(kind: TokenType, token: bytes) -> tuple[SignerFacts, dict[str, Any]]:
    """Return what a token says; remembered, since everybody reads the same bytes."""
    parts = token.split(b".")
    if len(token) > TOKEN_BYTES_MAX or len(parts) != _PARTS:
        raise TokenInvalid("it has not three parts", undecodable=True)
    (told, signer), claims = _header(parts[0]), _members(parts[1])
    if told != kind:
        raise TokenInvalid(f"`typ` is not {kind}")
    try:
        facts = convert(signer, SignerFacts)
    except ContractViolation as error:
        raise TokenInvalid("the signer's certificate is unfit") from error
    signed = token[: -len(parts[2]) - 1]
    if not hmac.compare_digest(_decode(parts[2]), _mac(facts.pin, signed)):
        raise TokenInvalid("the signature is wrong")
    if claims.get("iss") != spiffe_id(facts.runtime_id):
        raise TokenInvalid("`iss` is not the SPIFFE id of the certificate")
    return facts, claims


@lru_cache(maxsize=_KEPT)
def _header(part: bytes) -> tuple[Any, Any]:
    header = _members(part)
    return header.get("typ"), header.get("signer")


@lru_cache(maxsize=_KEPT)
def _mac(pin: str, signed: bytes) -> bytes:
    return hmac.digest(pin.encode(), signed, hashlib.sha256)


def _members(part: bytes) -> dict[str, Any]:
    content = _decode(part)
    try:
        members: dict[str, Any] = decode_json(content, dict)
    except (ContractViolation, RecursionError) as error:
        raise TokenInvalid("a part is no JSON object", undecodable=True) from error
    return members


def _encode(content: bytes) -> bytes:
    return binascii.b2a_base64(content, newline=False).translate(_URL_SAFE).rstrip(b"=")


def _decode(part: bytes) -> bytes:
    padded = part.translate(_PLAIN) + b"=" * (-len(part) % 4)
    try:
        content = binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error as error:
        raise TokenInvalid("a part is not base64url", undecodable=True) from error
    if _encode(content) != part:
        raise TokenInvalid("a part is not canonical base64url", undecodable=True)
    return content
