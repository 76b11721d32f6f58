"""Signing requests: contract 2.5, T16 and T37 for whoever hands one in."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from pki_samples import key_of
from trust_runtime.adapters.pki.requests import make_request, read_request
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RuntimeId

PRESS = RuntimeId("site-a/press-1")


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "r.csr"
    path.write_bytes(content)
    return path


def bent(names: list[x509.GeneralName], key: str = "leaf") -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of everything")])
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key_of(key), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_request_says_who_and_by_which_key(tmp_path: Path) -> None:
    path = written(tmp_path, make_request(key_of("leaf"), PRESS, ["plc7", "10.0.0.7"]))
    wanted = read_request(path)
    assert (wanted.runtime_id, wanted.hosts) == (PRESS, ("plc7", "10.0.0.7"))
    assert wanted.key == key_of("leaf").public_key()


def test_only_the_names_are_taken_from_it(tmp_path: Path) -> None:
    names = [x509.UniformResourceIdentifier(f"spiffe://trust/{PRESS}"), x509.RFC822Name("a@b")]
    wanted = read_request(written(tmp_path, bent(names)))
    assert (wanted.runtime_id, wanted.hosts) == (PRESS, ())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bent([]), "it names no runtime"),
        (bent([x509.DNSName("a")]), "it has 0 URI SANs"),
        (bent([x509.UniformResourceIdentifier("spiffe://trust/a/b")] * 2), "it has 2 URI SANs"),
        (bent([x509.UniformResourceIdentifier("spiffe://evil/a/b")]), "spiffe://trust/SITE/NAME"),
        (bent([x509.UniformResourceIdentifier("spiffe://trust/a/b")], "P-384"), "not P-256"),
        (
            bent([x509.UniformResourceIdentifier("spiffe://trust/a/b"), x509.DNSName("*.a")]),
            "without wildcard",
        ),
    ],
)
def test_what_asks_for_no_runtime_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(StartRefused) as caught:
        read_request(written(tmp_path, content))
    assert told in caught.value.reason


def test_a_request_for_somebody_elses_key_is_refused(tmp_path: Path) -> None:
    request = x509.load_pem_x509_csr(make_request(key_of("leaf"), PRESS, []))
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(StartRefused, match="signed by its own key"):
        read_request(written(tmp_path, forged))
    two = make_request(key_of("leaf"), PRESS, []) * 2
    with pytest.raises(StartRefused, match="not one request"):
        read_request(written(tmp_path, two))
