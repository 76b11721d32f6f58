import hashlib
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trust_runtime.adapters.pki.certificates import make_self_signed
from trust_runtime.adapters.pki.identity import (
    Identity,
    identity_folder,
    load_identity,
    load_or_create_identity,
)
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.ids import RuntimeId

NOW_S = 1_790_000_000
YEAR_S = 365 * 86_400
PRESS = RuntimeId("site-b/press-2")


def load(folder: Path, runtime: RuntimeId = PRESS, *, now_s: int = NOW_S) -> Identity:
    return load_or_create_identity(folder, runtime, now_s=now_s)


def key_file(folder: Path) -> Path:
    return identity_folder(folder) / "runtime.key"


def certificate_file(folder: Path) -> Path:
    return identity_folder(folder) / "runtime.crt"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refuse(folder: Path, runtime: RuntimeId = PRESS) -> StartRefused:
    before = {path: path.read_bytes() for path in identity_folder(folder).iterdir()}
    with pytest.raises(StartRefused) as caught:
        load(folder, runtime)
    assert {path: path.read_bytes() for path in identity_folder(folder).iterdir()} == before
    assert caught.value.exit_code is ExitCode.CONFIG
    return caught.value


def test_the_first_start_makes_key_and_certificate(tmp_path: Path) -> None:
    identity = load(tmp_path)
    (certificate,) = x509.load_pem_x509_certificates(certificate_file(tmp_path).read_bytes())
    extensions = certificate.extensions

    san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [one.value for one in san] == ["spiffe://trust/site-b/press-2"]
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert name.value == PRESS
    assert identity.not_after_s == NOW_S + 3650 * 86_400
    assert identity.not_before_s <= NOW_S
    certificate.verify_directly_issued_by(certificate)


def test_pin_and_fingerprint_are_hashes_of_der(tmp_path: Path) -> None:
    identity = load(tmp_path)
    info = identity.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    der = identity.chain[0].public_bytes(serialization.Encoding.DER)

    assert identity.pin == hashlib.sha256(info).hexdigest()
    assert identity.fingerprint == hashlib.sha256(der).hexdigest()
    assert identity.chain_pem == certificate_file(tmp_path).read_text()


@pytest.mark.parametrize("umask", [0, 0o077, 0o277])
def test_nobody_else_can_read_it_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / ".trust").mkdir()
    before = os.umask(umask)
    try:
        load(tmp_path)
    finally:
        os.umask(before)

    assert mode_of(identity_folder(tmp_path)) == 0o700
    assert mode_of(key_file(tmp_path)) == mode_of(certificate_file(tmp_path)) == 0o600
    assert sorted(path.name for path in identity_folder(tmp_path).iterdir()) == [
        "runtime.crt",
        "runtime.key",
    ]


def test_a_folder_open_to_others_is_closed(tmp_path: Path) -> None:
    identity_folder(tmp_path).mkdir(parents=True)
    identity_folder(tmp_path).chmod(0o755)
    load(tmp_path)

    assert mode_of(identity_folder(tmp_path)) == 0o700


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    first = load(tmp_path)
    again = load(tmp_path, now_s=NOW_S + 5 * YEAR_S)

    assert (again.pin, again.fingerprint) == (first.pin, first.fingerprint)


def test_the_key_does_not_show(tmp_path: Path) -> None:
    assert "key" not in repr(load(tmp_path)).partition("chain")[0]


def test_a_new_name_gets_a_certificate_for_the_same_key(tmp_path: Path) -> None:
    first = load(tmp_path)
    renamed = load(tmp_path, RuntimeId("press-3"))

    assert renamed.pin == first.pin
    assert renamed.fingerprint != first.fingerprint
    shown = load_identity(tmp_path)
    assert shown is not None
    assert (shown.runtime_id, shown.chain) == (renamed.runtime_id, renamed.chain)


@pytest.mark.parametrize("now_s", [NOW_S + 10 * YEAR_S - 29 * 86_400, NOW_S - YEAR_S])
def test_a_self_signed_certificate_out_of_date_is_renewed(tmp_path: Path, now_s: int) -> None:
    first = load(tmp_path)
    later = load(tmp_path, now_s=now_s)

    assert later.pin == first.pin
    assert later.fingerprint != first.fingerprint
    assert later.not_before_s <= now_s < later.not_after_s


def test_a_key_without_certificate_gets_one(tmp_path: Path) -> None:
    first = load(tmp_path)
    certificate_file(tmp_path).unlink()

    assert load(tmp_path).pin == first.pin
    assert certificate_file(tmp_path).exists()


def test_a_long_id_is_shortened_in_the_common_name_alone(tmp_path: Path) -> None:
    long = RuntimeId("site-b/" + "n" * 100)
    (name,) = load(tmp_path, long).chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)

    assert name.value == f"{long[:47]}~{hashlib.sha256(long.encode()).hexdigest()[:16]}"
    assert len(name.value) == 64
    assert load(tmp_path, long).runtime_id == long


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAA=="])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    load(tmp_path)
    key_file(tmp_path).write_bytes(content)

    refused = refuse(tmp_path)

    assert str(key_file(tmp_path)) in refused.reason
    assert "restore" in refused.remedy


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65_537, 2_048)]
)
def test_a_key_of_another_kind_is_refused(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> None:
    load(tmp_path)
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key_file(tmp_path).write_bytes(content)

    assert "P-256" in refuse(tmp_path).reason


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_a_damaged_certificate_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    load(tmp_path)
    certificate_file(tmp_path).write_bytes(content)

    refused = refuse(tmp_path)

    assert str(certificate_file(tmp_path)) in refused.reason
    assert "delete" in refused.remedy


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    load(tmp_path / "a")
    load(tmp_path / "b")
    certificate_file(tmp_path / "a").write_bytes(certificate_file(tmp_path / "b").read_bytes())

    assert "does not belong" in refuse(tmp_path / "a").reason


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    load(tmp_path)
    key_file(tmp_path).unlink()

    assert "missing" in refuse(tmp_path).reason


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("name", ["runtime.key", "runtime.crt"])
def test_a_file_open_to_others_is_refused_with_the_chmod(
    tmp_path: Path, name: str, mode: int
) -> None:
    load(tmp_path)
    path = identity_folder(tmp_path) / name
    path.chmod(mode)

    refused = refuse(tmp_path)

    assert refused.remedy == f"chmod 600 {path}"
    assert f"{mode:04o}" in refused.reason


def test_an_issued_certificate_is_never_replaced(tmp_path: Path) -> None:
    identity = load(tmp_path)
    issuer = ec.generate_private_key(ec.SECP256R1())
    own = identity.chain[0]
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site-b CA")]),
        subject_name=own.subject,
        public_key=own.public_key(),
        serial_number=1,
        not_valid_before=own.not_valid_before_utc,
        not_valid_after=own.not_valid_after_utc + timedelta(days=1),
        extensions=list(own.extensions),
    )
    issued = builder.sign(issuer, hashes.SHA256())
    certificate_file(tmp_path).write_bytes(issued.public_bytes(serialization.Encoding.PEM))

    assert load(tmp_path, now_s=NOW_S + 20 * YEAR_S).chain == (issued,)
    assert "issued for site-b/press-2" in refuse(tmp_path, RuntimeId("press-3")).reason


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".trust").write_text("a file in the way")

    with pytest.raises(StartRefused, match="identity") as caught:
        load(tmp_path)

    assert caught.value.exit_code is ExitCode.CONFIG


def test_a_crash_before_the_rename_leaves_no_half_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(descriptor: int) -> None:
        raise OSError(5, f"no sync of {descriptor}")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(StartRefused):
            load(tmp_path)
    assert list(identity_folder(tmp_path).iterdir()) == []

    (identity_folder(tmp_path) / ".runtime.key.new").write_bytes(b"half a key of a power loss")
    assert load_identity(tmp_path) is None
    assert load(tmp_path).runtime_id == PRESS


def test_showing_an_identity_makes_none(tmp_path: Path) -> None:
    assert load_identity(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_showing_refuses_a_certificate_of_nobody(tmp_path: Path) -> None:
    identity = load(tmp_path)
    nobody = make_self_signed(identity.key, RuntimeId("no name"), now_s=NOW_S)
    certificate_file(tmp_path).write_bytes(nobody.public_bytes(serialization.Encoding.PEM))

    with pytest.raises(StartRefused, match="damaged"):
        load_identity(tmp_path)
