"""Files that others hand over: every wrong one is refused with its name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki_samples import ca_form, key_pem, leaf_form, make, pem
from trust_runtime.adapters.pki.public_files import (
    CERTIFICATE_FILE_BYTES_MAX,
    parse_request,
    parse_revocations,
    pem_of,
    read_certificates,
    read_public,
)
from trust_runtime.contracts.errors import ExitCode, StartRefused

GOOD = pem(make(ca_form("site-a")), make(leaf_form("press-1")))
BROKEN = b"-----BEGIN %b-----\nAAAA\n-----END %b-----\n"


def refusal(read: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(StartRefused) as caught:
        read(*arguments)
    assert caught.value.exit_code is ExitCode.ERROR
    assert caught.value.remedy
    return caught.value.reason


def test_every_certificate_comes_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    path.write_bytes(b"# the CA of site-a\n" + GOOD.replace(b"\n", b"\r\n"))
    assert pem_of(read_certificates(path)) == GOOD


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no PEM certificate"),
        (os.urandom(500), "holds no PEM certificate"),
        (GOOD[:100], "holds no PEM certificate"),
        (BROKEN % (b"CERTIFICATE", b"CERTIFICATE"), "holds a damaged certificate"),
        (GOOD + key_pem("leaf"), "holds a private key"),
        (GOOD + BROKEN % (b"X509 CRL", b"X509 CRL"), "holds no PEM certificate"),
        (b"x" * (CERTIFICATE_FILE_BYTES_MAX + 1), "is longer than"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.pem"
    path.write_bytes(content)
    assert refusal(read_certificates, path).startswith(f"{path} ")
    assert told in refusal(read_certificates, path)


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing", tmp_path, pipe):
        assert str(path) in refusal(lambda it: read_public(it, bytes_max=10), path)


@pytest.mark.parametrize("parse", [parse_revocations, parse_request])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD,
        BROKEN % (b"X509 CRL", b"X509 CRL"),
        BROKEN % (b"CERTIFICATE REQUEST", b"CERTIFICATE REQUEST"),
    ],
)
def test_lists_and_requests_are_refused_alike(
    parse: Callable[[bytes, Path], Any], content: bytes
) -> None:
    assert refusal(parse, content, Path("a.pem")).startswith("a.pem holds")
