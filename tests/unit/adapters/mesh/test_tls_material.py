"""`adapters.mesh.tls_material`: which certificates a mesh with TLS stands on."""

import ssl
from pathlib import Path

import pytest

from certificates import federate, install, make_authority, make_leaf
from port_contracts.mesh_members import tls_of
from trust_runtime.adapters.mesh.tls_material import read_material
from trust_runtime.contracts.errors import MeshUnavailable

HERE = make_authority("site-a")
THERE = make_authority("site-b")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    install(tmp_path, make_leaf(HERE, "site-a/press-1"), HERE)
    return tmp_path


def test_without_federation_only_the_own_site_vouches(project: Path) -> None:
    material = read_material(tls_of(project))
    assert material.roots_pem == HERE.certificate_pem
    assert material.left_out == ()
    assert material.context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_a_federated_site_vouches_too(project: Path) -> None:
    federate(project, "site-b", THERE)
    roots = read_material(tls_of(project)).roots_pem
    assert roots.count(b"BEGIN CERTIFICATE") == 2
    assert HERE.certificate_pem in roots
    assert THERE.certificate_pem in roots


@pytest.mark.parametrize("name", ["site-b.crl", "..pem", "notes.txt", "a b.pem"])
def test_other_files_of_the_folder_are_no_bundles(project: Path, name: str) -> None:
    federate(project, "site-b", THERE)
    (project / ".trust/federation" / name).write_bytes(make_authority("x").certificate_pem)
    assert read_material(tls_of(project)).roots_pem.count(b"BEGIN CERTIFICATE") == 2


def test_a_damaged_bundle_is_left_out_and_named(project: Path) -> None:
    federate(project, "site-b", THERE)
    (project / ".trust/federation/site-c.pem").write_text("nonsense")
    (project / ".trust/federation/site-d.pem").write_bytes(b"\xff")
    material = read_material(tls_of(project))
    assert material.roots_pem.count(b"BEGIN CERTIFICATE") == 2
    assert [text.partition(":")[0] for text in material.left_out] == ["site-c.pem", "site-d.pem"]


def test_the_digest_follows_every_file(project: Path) -> None:
    tls = tls_of(project)
    seen = {read_material(tls).digest}
    install(project, make_leaf(HERE, "site-a/press-1"), HERE)
    seen.add(read_material(tls).digest)
    federate(project, "site-b", THERE)
    seen.add(read_material(tls).digest)
    federate(project, "site-b", make_authority("site-b"))
    seen.add(read_material(tls).digest)
    assert len(seen) == 4
    assert read_material(tls).digest in seen


@pytest.mark.parametrize("name", ["runtime.crt", "runtime.key", "ca.pem"])
def test_a_missing_file_is_named_with_the_command_that_makes_it(project: Path, name: str) -> None:
    (project / ".trust/identity" / name).unlink()
    with pytest.raises(MeshUnavailable, match=f"{name} is missing.*pki issue"):
        read_material(tls_of(project))


def test_a_bundle_without_a_ca_is_refused(project: Path) -> None:
    (project / ".trust/identity/ca.pem").write_text("nonsense")
    with pytest.raises(MeshUnavailable, match=r"ca\.pem holds no usable CA"):
        read_material(tls_of(project))


def test_a_key_of_another_certificate_is_refused(project: Path) -> None:
    stranger = make_leaf(HERE, "site-a/press-1")
    (project / ".trust/identity/runtime.key").write_bytes(stranger.key_pem)
    with pytest.raises(MeshUnavailable, match="are no pair"):
        read_material(tls_of(project))


def test_an_endless_file_is_refused(project: Path) -> None:
    (project / ".trust/identity/ca.pem").write_bytes(b"x" * 1_048_577)
    with pytest.raises(MeshUnavailable, match="longer than"):
        read_material(tls_of(project))


def test_a_folder_in_place_of_a_file_is_named(project: Path) -> None:
    (project / ".trust/identity/ca.pem").unlink()
    (project / ".trust/identity/ca.pem").mkdir()
    with pytest.raises(MeshUnavailable, match=r"ca\.pem cannot be read"):
        read_material(tls_of(project))


def test_names_are_verified_only_when_told_so(project: Path) -> None:
    assert read_material(tls_of(project)).context.check_hostname is True
    loose = read_material(tls_of(project, verify_names=False)).context
    assert loose.check_hostname is False
    assert loose.verify_mode is ssl.CERT_REQUIRED


def test_no_key_is_printed(project: Path) -> None:
    material = read_material(tls_of(project))
    assert "PRIVATE" not in repr(material)
    assert "BEGIN" not in repr(material)
