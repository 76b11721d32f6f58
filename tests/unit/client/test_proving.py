"""`client.proving`: who is believed to be the runtime that was meant."""

import asyncio
import ssl
from pathlib import Path

import pytest

from http_client import Behind, Served, serving
from trust_runtime.adapters.http.tls import TlsFiles, load_pair
from trust_runtime.client import AsyncClient, Client
from trust_runtime.client.proving import verification
from trust_runtime.contracts.errors import NoAnswer
from web_certificates import Authority


async def believed(files: TlsFiles, ca: Path | None, *, host: str = "127.0.0.1") -> bool:
    """Serve a pair and ask; tell whether both clients believed it."""
    async with serving(Behind(tls=load_pair(files))) as served:
        endpoint = f"https://{host}:{served.port}"

        def is_believed() -> bool:
            try:
                with Client(endpoint, ca=ca) as client:
                    return client.healthy().ok
            except NoAnswer as error:
                return "--ca" not in error.remedy

        try:
            async with AsyncClient(endpoint, ca=ca) as client:
                found = (await client.healthy()).ok
        except NoAnswer:
            found = False
        assert await asyncio.to_thread(is_believed) == found
        return found


@pytest.mark.anyio
async def test_a_certificate_of_the_bundle_for_the_name_is_believed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert await believed(authority.issue(), authority.bundle)
    files = authority.issue(hosts=("localhost",))
    assert await believed(files, authority.bundle, host="localhost")


@pytest.mark.anyio
async def test_a_pinned_certificate_is_believed_under_any_name(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue(hosts=("plc-7.example",))
    assert await believed(files, files.certificate)


@pytest.mark.anyio
async def test_nothing_else_is_believed(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path / "other", "ca")
    good = authority.issue()
    wrongly = [
        (good, other.bundle, "another CA of the same name"),
        (good, None, "the system knows no such CA"),
        (good, other.issue().certificate, "another pinned certificate"),
        (authority.issue("elsewhere", hosts=("10.9.9.9",)), authority.bundle, "another name"),
        (authority.issue("past", days=-1), authority.bundle, "it has ended"),
    ]
    for files, ca, why in wrongly:
        assert not await believed(files, ca), why


@pytest.mark.anyio
async def test_a_plain_server_is_not_believed_to_be_secure(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving() as served:
        await refused(served, authority.bundle)


async def refused(served: Served, ca: Path) -> None:
    async with AsyncClient(f"https://{served.host}", ca=ca, timeout_s=5) as client:
        with pytest.raises(NoAnswer):
            await client.healthy()


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_bundle_that_is_none_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoAnswer) as raised:
        verification("https://x:1", path)
    assert str(path) in raised.value.reason
    assert "--ca" in raised.value.remedy


def test_tls_is_verified_without_a_bundle_too() -> None:
    found = verification("HTTPS://x:1", None)
    assert isinstance(found, ssl.SSLContext)
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert verification("http://x:1", None) is True
