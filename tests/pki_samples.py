"""Certificates as a site's CA makes them, and as it must not: every part can be bent."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fakes.clock import WALL_START_NS
from trust_runtime.contracts.identity import common_name, site_spiffe_id
from trust_runtime.contracts.ids import RuntimeId, SiteName, spiffe_id
from trust_runtime.contracts.units import NS_PER_S

NOW_S = WALL_START_NS // NS_PER_S
DAY_S = 86_400
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
NAME_CONSTRAINTS = x509.NameConstraints([x509.DNSName("plant.example")], None)


@cache
def key_of(seed: str) -> Any:
    """Return the same key for the same name; its kind stands before the colon, else P-256."""
    kind = seed.partition(":")[0]
    if kind.startswith("RSA-"):
        return rsa.generate_private_key(65_537, int(kind[4:]))
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curve = {"P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "K-256": ec.SECP256K1()}
    return ec.generate_private_key(curve.get(kind, ec.SECP256R1()))


@dataclass(frozen=True, kw_only=True)
class Form:
    """One certificate to be made."""

    name: str | None
    """CN; None: an empty subject."""
    uris: tuple[str, ...] = ()
    """URI SANs."""
    key: str = "leaf"
    """Name of the key pair."""
    starts_s: int = NOW_S - DAY_S
    ends_s: int = NOW_S + DAY_S
    is_ca: bool = False
    path_length: int | None = None
    constraints: bool = True
    """Whether there are basicConstraints at all."""
    uses: tuple[x509.ObjectIdentifier, ...] = BOTH
    signs_messages: bool = True
    signs_certificates: bool = False
    usage: bool = True
    """Whether there is a keyUsage at all."""
    digest: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 = field(default_factory=hashes.SHA256)
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    """Further extensions, each with its criticality."""


def leaf_form(runtime: str, **changes: Any) -> Form:
    """Return the form of a good certificate of a runtime, bent by `changes`."""
    named = RuntimeId(runtime)
    return replace(Form(name=common_name(named), uris=(spiffe_id(named),)), **changes)


def ca_form(site: str, **changes: Any) -> Form:
    """Return the form of a good CA of a site, bent by `changes`."""
    good = Form(
        name=f"{site} CA",
        uris=(site_spiffe_id(SiteName(site)),),
        key=f"ca {site}",
        starts_s=NOW_S - 100 * DAY_S,
        ends_s=NOW_S + 1_000 * DAY_S,
        is_ca=True,
        path_length=0,
        uses=(),
        signs_messages=False,
        signs_certificates=True,
    )
    return replace(good, **changes)


def make(form: Form, issuer: Form | None = None) -> x509.Certificate:
    """Return the certificate of `form`, signed by `issuer`, by default by itself."""
    signing = form if issuer is None else issuer
    public = key_of(form.key).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(form.name))
        .issuer_name(_subject(signing.name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(form.starts_s, UTC))
        .not_valid_after(datetime.fromtimestamp(form.ends_s, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key_of(signing.key).public_key()),
            critical=False,
        )
    )
    for extension, critical in _extensions(form):
        builder = builder.add_extension(extension, critical=critical)
    key = key_of(signing.key)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else form.digest)


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def key_pem(seed: str) -> bytes:
    """Return a private key as PEM."""
    content: bytes = key_of(seed).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return content


def _subject(name: str | None) -> x509.Name:
    if name is None:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=len(name) <= 64)])


def _extensions(form: Form) -> Iterable[tuple[x509.ExtensionType, bool]]:
    if form.uris:
        uris = [x509.UniformResourceIdentifier(uri) for uri in form.uris]
        yield x509.SubjectAlternativeName([*uris, x509.DNSName("localhost")]), False
    if form.constraints:
        yield x509.BasicConstraints(ca=form.is_ca, path_length=form.path_length), True
    if form.uses:
        yield x509.ExtendedKeyUsage(form.uses), False
    if form.usage:
        yield _usage(form), True
    yield from form.more


def _usage(form: Form) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=form.signs_messages,
        content_commitment=not (form.signs_messages or form.signs_certificates),
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=form.signs_certificates,
        crl_sign=form.signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
