from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from trust_runtime.adapters.pki.identity import (
    Identity,
    identity_folder,
    load_or_create_identity,
)
from trust_runtime.adapters.pki.pin_file import FILE_BYTES_MAX, read_pin
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId

PRESS = RuntimeId("press-2")


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return load_or_create_identity(tmp_path, PRESS, now_s=1_790_000_000)


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_certificate_and_public_key_give_the_same_pin(tmp_path: Path, identity: Identity) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(public_pem(identity.key))

    assert read_pin(public, runtime=PRESS) == identity.pin
    assert read_pin(identity_folder(tmp_path) / "runtime.crt", runtime=PRESS) == identity.pin


def test_a_certificate_of_another_runtime_is_refused(tmp_path: Path, identity: Identity) -> None:
    path = identity_folder(tmp_path) / "runtime.crt"

    with pytest.raises(ContractViolation, match=identity.runtime_id):
        read_pin(path, runtime=RuntimeId("press-3"))


def test_a_private_key_is_refused(tmp_path: Path, identity: Identity) -> None:
    assert identity.pin
    with pytest.raises(ContractViolation, match="a private key"):
        read_pin(identity_folder(tmp_path) / "runtime.key", runtime=PRESS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"x" * (FILE_BYTES_MAX + 1),
        public_pem(ec.generate_private_key(ec.SECP384R1())),
    ],
)
def test_what_is_no_key_is_refused_naming_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "given.pem"
    path.write_bytes(content)

    with pytest.raises(ContractViolation, match=r"given\.pem"):
        read_pin(path, runtime=PRESS)


@pytest.mark.parametrize("name", ["missing.pem", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractViolation, match="a readable file"):
        read_pin(tmp_path / name, runtime=PRESS)
