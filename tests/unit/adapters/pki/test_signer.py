import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from port_contracts.signer import SignerContract
from trust_runtime.adapters.pki import signer as signer_module
from trust_runtime.adapters.pki.certificates import make_self_signed
from trust_runtime.adapters.pki.identity import Identity
from trust_runtime.adapters.pki.signer import TOKEN_BYTES_MAX, JwsSigner
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.envelope import BROADCAST, BroadcastClaims, TokenType
from trust_runtime.contracts.errors import TokenInvalid
from trust_runtime.contracts.ids import BootId, RuntimeId, spiffe_id
from trust_runtime.ports.signer import Signer

NOW_S = 1_790_000_000
PRESS = RuntimeId("site-b/press-2")
BEACON = TokenType.BEACON
KEY = ec.generate_private_key(ec.SECP256R1())
ANOTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
P384_KEY = ec.generate_private_key(ec.SECP384R1())
CERTIFICATE = make_self_signed(KEY, PRESS, now_s=NOW_S)
IDENTITY = Identity(runtime_id=PRESS, key=KEY, chain=(CERTIFICATE,))
CLAIMS = BroadcastClaims(
    iss=spiffe_id(PRESS),
    aud=BROADCAST,
    sub=spiffe_id(PRESS),
    digest="sha256:" + "0" * 64,
    iat=NOW_S,
    sent_ns=NOW_S * 1_000_000_000,
    seq=1,
    boot_id=BootId("01990000-0000-7000-8000-000000000000"),
)
PLAIN: dict[str, Any] = {"iss": spiffe_id(PRESS)}
TOKEN = JwsSigner(IDENTITY).sign(BEACON, CLAIMS)


def fresh() -> Signer:
    return JwsSigner(IDENTITY)


def b64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def x5c(*certificates: x509.Certificate) -> list[str]:
    ders = [one.public_bytes(serialization.Encoding.DER) for one in certificates]
    return [base64.b64encode(der).decode() for der in ders]


def header(**changes: Any) -> dict[str, Any]:
    members = {"alg": "ES256", "typ": BEACON.value, "x5c": x5c(CERTIFICATE), **changes}
    return {name: value for name, value in members.items() if value is not None}


def forge(
    header_members: Any, claims: Any = PLAIN, *, key: ec.EllipticCurvePrivateKey = KEY
) -> bytes:
    """Sign whatever is given, correctly."""
    return forge_bytes(canonical_json(header_members), canonical_json(claims), key=key)


def forge_bytes(
    header_content: bytes, payload: bytes, *, key: ec.EllipticCurvePrivateKey = KEY
) -> bytes:
    signed = b64url(header_content) + b"." + b64url(payload)
    der = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return signed + b"." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def certificate_with(
    uris: list[str],
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.UniformResourceIdentifier(uri) for uri in uris]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def refuse(token: bytes, *, undecodable: bool, match: str | None = None) -> None:
    with pytest.raises(TokenInvalid, match=match) as caught:
        fresh().verify(BEACON, token)
    assert caught.value.undecodable is undecodable


def test_a_token_comes_back_with_its_signer_and_claims() -> None:
    signer = fresh()
    facts, claims = signer.verify(BEACON, TOKEN)

    assert facts.runtime_id == PRESS
    assert facts.pin == signer.own_pin == IDENTITY.pin
    assert facts.not_after_s == signer.own_not_after_s == IDENTITY.not_after_s
    assert facts.not_before_s == IDENTITY.not_before_s
    assert signer.own_fingerprint == IDENTITY.fingerprint
    assert claims == json.loads(canonical_json(CLAIMS))


def test_a_forgery_of_the_right_form_passes_so_that_the_others_fail_for_their_reason() -> None:
    assert fresh().verify(BEACON, forge(header()))[1] == PLAIN


def test_another_library_can_read_our_tokens() -> None:
    claims = jwt.decode(
        TOKEN,
        KEY.public_key(),
        algorithms=["ES256"],
        audience=BROADCAST,
        options={"verify_iat": False},
    )

    assert claims["seq"] == 1
    assert jwt.get_unverified_header(TOKEN) == header()


@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
def test_no_changed_byte_is_accepted(place: int, flip: int) -> None:
    changed = bytearray(TOKEN)
    changed[place] ^= flip

    with pytest.raises(TokenInvalid):
        fresh().verify(BEACON, bytes(changed))


def test_no_changed_byte_of_a_known_signer_is_accepted() -> None:
    signer = fresh()
    signer.verify(BEACON, TOKEN)

    for place in range(len(TOKEN)):
        for flip in (1, 2, 4, 0x20, 0x80):
            changed = bytearray(TOKEN)
            changed[place] ^= flip
            with pytest.raises(TokenInvalid):
                signer.verify(BEACON, bytes(changed))


@given(st.integers(0, len(TOKEN) - 1), st.binary(max_size=3))
def test_no_cut_or_longer_token_is_accepted(place: int, more: bytes) -> None:
    for changed in (TOKEN[:place], TOKEN[:place] + more + TOKEN[place:], TOKEN + more):
        if changed != TOKEN:
            with pytest.raises(TokenInvalid):
                fresh().verify(BEACON, changed)


@given(st.binary(max_size=300) | st.lists(st.binary(max_size=50)).map(b".".join))
def test_no_bytes_do_worse_than_token_invalid(token: bytes) -> None:
    refuse(token, undecodable=True)


@given(st.dictionaries(st.text(), st.text() | st.integers(0, 9), max_size=5))
def test_claims_survive(claims: dict[str, Any]) -> None:
    signer = fresh()
    said = {**claims, "iss": spiffe_id(PRESS)}

    assert signer.verify(TokenType.ACTION, signer.sign(TokenType.ACTION, said))[1] == said


@pytest.mark.parametrize("kind", list(TokenType))
def test_one_type_is_never_another(kind: TokenType) -> None:
    signer = fresh()
    token = signer.sign(kind, PLAIN)
    signer.verify(kind, token)

    for other in TokenType:
        if other is not kind:
            with pytest.raises(TokenInvalid, match="typ"):
                signer.verify(other, token)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"alg": "none"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "ES384"}, "alg"),
        ({"alg": "es256"}, "alg"),
        ({"alg": ["ES256"]}, "alg"),
        ({"alg": None}, "alg"),
        ({"typ": None}, "typ"),
        ({"typ": "JWT"}, "typ"),
        ({"typ": TokenType.EVENT.value}, "typ"),
        ({"crit": ["x"], "x": 1}, "crit"),
        ({"crit": []}, "crit"),
        ({"kid": "1"}, "kid"),
        ({"jku": "http://127.0.0.1/"}, "jku"),
        ({"jwk": {}}, "jwk"),
        ({"b64": False}, "b64"),
        ({"zip": "DEF"}, "zip"),
        ({"\u00fc\n": 1}, "not allowed"),
        ({"x5c": None}, "x5c"),
        ({"x5c": []}, "x5c"),
        ({"x5c": x5c(CERTIFICATE)[0]}, "x5c"),
        ({"x5c": x5c(CERTIFICATE) * 5}, "x5c"),
        ({"x5c": [1]}, "x5c"),
        ({"x5c": ["\u00fc"]}, "x5c"),
        ({"x5c": ["AAAA"]}, "unfit"),
        ({"x5c": [""]}, "unfit"),
        ({"x5c": [x5c(CERTIFICATE)[0] + "\n"]}, "x5c"),
        ({"x5c": [*x5c(CERTIFICATE), "?"]}, "x5c"),
    ],
)
def test_a_header_of_another_form_is_refused(changes: dict[str, Any], match: str) -> None:
    refuse(forge(header(**changes)), undecodable=False, match=match)


def test_up_to_four_certificates_are_accepted() -> None:
    token = forge(header(x5c=x5c(*[CERTIFICATE] * 4)))

    assert fresh().verify(BEACON, token)[0].runtime_id == PRESS


@pytest.mark.parametrize(
    "uris",
    [
        [],
        [spiffe_id(PRESS), "spiffe://trust/site-b/press-3"],
        [spiffe_id(PRESS), "https://127.0.0.1/"],
        ["spiffe://trust/site-b"],
        ["spiffe://trust/site-b/press-2/x"],
        ["spiffe://other/site-b/press-2"],
        ["spiffe://trust/site-b/press 2"],
        ["spiffe://trust/../press-2"],
        ["SPIFFE://trust/site-b/press-2"],
    ],
)
def test_a_certificate_names_exactly_one_runtime(uris: list[str]) -> None:
    refuse(forge(header(x5c=x5c(certificate_with(uris)))), undecodable=False, match="unfit")


@pytest.mark.parametrize("key", [RSA_KEY, P384_KEY])
def test_a_key_of_another_kind_is_refused(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    leaf = certificate_with([spiffe_id(PRESS)], key)

    refuse(forge(header(x5c=x5c(leaf))), undecodable=False, match="unfit")


def test_a_signature_of_another_key_is_refused() -> None:
    refuse(forge(header(), key=ANOTHER_KEY), undecodable=False, match="signature")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"iss": "spiffe://trust/site-b/press-3"},
        {"iss": PRESS},
        {"iss": [spiffe_id(PRESS)]},
        {"iss": None},
    ],
)
def test_the_issuer_is_the_certificates(claims: dict[str, Any]) -> None:
    refuse(forge(header(), claims), undecodable=False, match="iss")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"1",
        b'"text"',
        b"{",
        b"\xff",
        b'{"iss": "x"}',
        b'{"iss":"spiffe://trust/site-b/press-2","iss":"spiffe://trust/site-b/press-2"}',
        b'{"z":1,"iss":"spiffe://trust/site-b/press-2"}',
        b'{"a":NaN,"iss":"spiffe://trust/site-b/press-2"}',
        b'{"a":1e999,"iss":"spiffe://trust/site-b/press-2"}',
        b'{"a":"\\ud800","iss":"spiffe://trust/site-b/press-2"}',
        b'\xef\xbb\xbf{"iss":"spiffe://trust/site-b/press-2"}',
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_a_payload_that_can_be_read_two_ways_is_refused(payload: bytes) -> None:
    refuse(forge_bytes(canonical_json(header()), payload), undecodable=True)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}\n", b'{"typ":"x","alg":"ES256"}', b"\xff", b"[" * 6_000]
)
def test_a_header_that_can_be_read_two_ways_is_refused(content: bytes) -> None:
    refuse(forge_bytes(content, canonical_json(PLAIN)), undecodable=True)


def test_a_huge_token_is_refused_unread() -> None:
    token = forge(header(), {**PLAIN, "a": "x" * TOKEN_BYTES_MAX})

    refuse(token, undecodable=True, match="more than")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 4_000])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    refuse(TOKEN.rpartition(b".")[0] + b"." + b64url(b"\x01" * length), undecodable=False)


@pytest.mark.parametrize("pair", [b"\x00" * 64, b"\xff" * 64], ids=["zero", "too large"])
def test_numbers_out_of_range_are_no_signature(pair: bytes) -> None:
    refuse(TOKEN.rpartition(b".")[0] + b"." + b64url(pair), undecodable=False)


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer_module, "KNOWN_HEADERS_MAX", 3)
    signer = JwsSigner(IDENTITY)
    for number in range(5):
        runtime = RuntimeId(f"press-{number}")
        leaf = make_self_signed(KEY, runtime, now_s=NOW_S)
        other = JwsSigner(Identity(runtime_id=runtime, key=KEY, chain=(leaf,)))
        token = other.sign(BEACON, {"iss": spiffe_id(runtime)})
        assert signer.verify(BEACON, token)[0].runtime_id == runtime

    assert len(signer._known) == 3


def test_a_bad_signature_is_not_remembered() -> None:
    signer = JwsSigner(IDENTITY)
    with pytest.raises(TokenInvalid):
        signer.verify(BEACON, forge(header(), key=ANOTHER_KEY))

    assert len(signer._known) == 0


class KeyWorld:
    """See `port_contracts.signer.World`."""

    def signer(self, runtime_id: RuntimeId) -> JwsSigner:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = make_self_signed(key, runtime_id, now_s=NOW_S)
        return JwsSigner(Identity(runtime_id=runtime_id, key=key, chain=(certificate,)))


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


class TestJwsSigner(SignerContract):
    pass
