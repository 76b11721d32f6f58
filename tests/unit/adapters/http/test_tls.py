"""`adapters.http.tls`: what can be served, and how it is exchanged."""

import shutil
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from trust_runtime.adapters.http.tls import ServerTls, TlsFiles, load_pair
from trust_runtime.contracts.errors import ExitCode, StartRefused
from web_certificates import Authority, serial_in


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def refused(files: TlsFiles) -> StartRefused:
    with pytest.raises(StartRefused) as raised:
        load_pair(files)
    assert raised.value.exit_code is ExitCode.CONFIG
    return raised.value


def test_only_modern_tls_is_offered(authority: Authority) -> None:
    context = load_pair(authority.issue())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert names
    for name in names:
        assert name.startswith(("TLS_", "ECDHE-")), name
        assert "GCM" in name or "POLY1305" in name, name
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_missing_file_is_named(authority: Authority, missing: str) -> None:
    files = authority.issue()
    path: Path = getattr(files, missing)
    path.unlink()
    assert str(path) in refused(files).reason


def test_an_exposed_key_is_refused_with_the_command_that_mends_it(authority: Authority) -> None:
    files = authority.issue()
    files.key.chmod(0o640)
    error = refused(files)
    assert "0640" in error.reason
    assert error.remedy == f"chmod 600 {files.key}"
    files.key.chmod(0o600)
    load_pair(files)


def test_halves_of_two_pairs_are_no_pair(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    error = refused(TlsFiles(certificate=one.certificate, key=other.key))
    assert "no usable pair" in error.reason


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAA\n"])
def test_a_damaged_file_is_refused(authority: Authority, content: bytes) -> None:
    files = authority.issue()
    files.certificate.write_bytes(content)
    assert str(files.certificate) in refused(files).reason


def test_an_encrypted_key_is_refused_and_nobody_is_asked(authority: Authority) -> None:
    files = authority.issue()
    key = ec.generate_private_key(ec.SECP256R1())
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert str(files.key) in refused(files).reason


def shake(tls: ServerTls, trusting: ssl.SSLContext) -> int:
    """Shake hands in memory; return the serial number that was shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return serial_in(shown)


def test_a_new_pair_is_served_whole_and_a_broken_one_never(authority: Authority) -> None:
    trusting = ssl.create_default_context(cafile=authority.bundle)
    files, next_files = authority.issue(), authority.issue("next")
    told: list[str] = []
    warned: list[str] = []
    tls = ServerTls(files, tell=told.append, warn=warned.append)
    first = shake(tls, trusting)
    tls.look()
    assert (told, warned) == ([], [])

    shutil.copy(next_files.certificate, files.certificate)
    tls.look()
    assert "no usable pair" in warned[0], "half of it is there"
    assert shake(tls, trusting) == first

    shutil.copyfile(next_files.key, files.key)
    tls.look()
    assert len(told) == 1
    second = shake(tls, trusting)
    assert second != first

    files.key.unlink()
    tls.look()
    tls.look()
    assert len(warned) == 2, "each state is told of once"
    assert shake(tls, trusting) == second
