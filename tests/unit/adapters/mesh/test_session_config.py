"""`adapters.mesh.session_config`: contract 5.2, and keeping the secret."""

import base64
import hashlib
import hmac
import json
import stat
from pathlib import Path

import msgspec
import pytest
import zenoh

from certificates import install, make_authority, make_leaf
from port_contracts.mesh_members import PRESS, tls_of
from trust_runtime.adapters.mesh.session_config import (
    MeshOptions,
    introducer_config,
    mesh_password,
    session_config,
    session_values,
    users_file,
)
from trust_runtime.adapters.mesh.tls_material import read_material
from trust_runtime.contracts.errors import ContractViolation

AUTHORITY = make_authority("site-a")
LISTEN = ("tcp/127.0.0.1:7447",)
PEER = MeshOptions(
    owner=PRESS, role="peer", listen=LISTEN, connect=("tcp/127.0.0.1:7448",), lease_ms=700
)
CLIENT = MeshOptions(owner=PRESS, role="client", connect=LISTEN)


def value(config: zenoh.Config, key: str) -> object:
    return json.loads(config.get_json(key))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("mode", "peer"),
        ("listen/endpoints", list(LISTEN)),
        ("connect/endpoints", ["tcp/127.0.0.1:7448"]),
        ("connect/exit_on_failure", False),
        ("scouting/multicast/enabled", False),
        ("scouting/gossip/enabled", True),
        ("adminspace/enabled", False),
        ("open/return_conditions/connect_scouted", False),
        ("transport/link/tx/lease", 700),
        ("transport/link/tx/keep_alive", 4),
        ("transport/link/rx/max_message_size", 4 * 2**20),
        ("transport/unicast/accept_timeout", 2_000),
        ("transport/unicast/accept_pending", 1_000),
        ("transport/unicast/max_sessions", 1_000),
        ("transport/unicast/compression/enabled", False),
        ("transport/shared_memory/enabled", False),
        ("transport/auth/usrpwd/dictionary_file", None),
        ("transport/auth/usrpwd/password", None),
    ],
)
def test_a_peer_without_token(key: str, expected: object) -> None:
    assert value(session_config(PEER, None), key) == expected


def test_tls_is_demanded_of_both_ends(tmp_path: Path) -> None:
    install(tmp_path, make_leaf(AUTHORITY, "site-a/press-1"), AUTHORITY)
    tls = tls_of(tmp_path)
    options = MeshOptions(owner=PRESS, role="peer", listen=("tls/127.0.0.1:7447",), tls=tls)
    values = session_values(options, None, read_material(tls))
    section = {
        key.removeprefix("transport/link/tls/"): value
        for key, value in values.items()
        if key.startswith("transport/link/tls/")
    }
    roots = section.pop("root_ca_certificate_base64")
    assert isinstance(roots, str)
    assert base64.b64decode(roots) == AUTHORITY.certificate_pem
    assert section == {
        "listen_certificate": str(tls.certificate),
        "listen_private_key": str(tls.key),
        "connect_certificate": str(tls.certificate),
        "connect_private_key": str(tls.key),
        "enable_mtls": True,
        "verify_name_on_connect": True,
        "close_link_on_expiration": True,
    }
    assert values["transport/link/protocols"] == ["tls"]


@pytest.mark.parametrize("verify", [True, False])
def test_names_are_verified_as_told(tmp_path: Path, *, verify: bool) -> None:
    install(tmp_path, make_leaf(AUTHORITY, "site-a/press-1"), AUTHORITY)
    tls = tls_of(tmp_path, verify_names=verify)
    options = MeshOptions(owner=PRESS, role="peer", listen=("tls/127.0.0.1:7447",), tls=tls)
    for config in (
        session_config(options, None, read_material(tls)),
        introducer_config(options, None, "tls/127.0.0.1:1", material=read_material(tls)),
    ):
        assert value(config, "transport/link/tls/verify_name_on_connect") is verify
        assert value(config, "transport/link/tls/enable_mtls") is True


def test_without_tls_no_other_protocol_is_spoken() -> None:
    assert value(session_config(PEER, None), "transport/link/protocols") == ["tcp"]
    assert value(session_config(PEER, None), "transport/link/tls/enable_mtls") is None


@pytest.mark.parametrize("change", [{"listen": ("tls/h:1",)}, {"connect": ("quic/h:1",)}])
def test_a_locator_of_another_scheme_is_refused(change: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ContractViolation, match="tcp/HOST:PORT"):
        msgspec.structs.replace(PEER, **change)


def test_a_token_is_demanded_and_shown(tmp_path: Path) -> None:
    options = MeshOptions(owner=PRESS, role="peer", listen=LISTEN, users_file=tmp_path / "users")
    config = session_config(options, "password")
    assert value(config, "transport/auth/usrpwd/dictionary_file") == str(tmp_path / "users")
    assert value(config, "transport/auth/usrpwd/user") == "trust"
    assert value(config, "transport/auth/usrpwd/password") == "password"


def test_a_client_does_not_open_without_its_router() -> None:
    assert value(session_config(CLIENT, None), "connect/exit_on_failure") is True


def test_an_introducer_connects_two_and_nobody_else() -> None:
    config = introducer_config(PEER, "password", "tcp/127.0.0.1:7449")
    assert value(config, "connect/endpoints") == [*LISTEN, "tcp/127.0.0.1:7449"]
    assert value(config, "listen/endpoints") == []
    assert value(config, "scouting/gossip/autoconnect") == {"router": [], "peer": [], "client": []}
    assert value(config, "transport/auth/usrpwd/password") == "password"


def test_the_password_is_derived_from_the_token() -> None:
    digest = hmac.new(b"token", b"trust-mesh-v1", hashlib.sha256).digest()
    padded = mesh_password("token") + "="
    assert base64.urlsafe_b64decode(padded) == digest


def test_a_placeholder_gives_a_password_nobody_else_has() -> None:
    assert mesh_password("REPLACE_ME") != mesh_password("REPLACE_ME")


def test_the_token_is_not_printed() -> None:
    options = MeshOptions(owner=PRESS, role="peer", auth_token="hush", users_file=Path("users"))  # noqa: S106 - not a secret
    assert "hush" not in repr(options)
    assert "hush" not in f"{options}"
    assert "auth_token=None" in repr(PEER)


def test_a_token_without_a_file_is_refused() -> None:
    with pytest.raises(ContractViolation, match="users_file"):
        MeshOptions(owner=PRESS, role="peer", auth_token="hush")  # noqa: S106 - not a secret


def test_another_role_is_refused() -> None:
    with pytest.raises(ContractViolation, match="peer or client"):
        MeshOptions(owner=PRESS, role="router")


def test_the_users_are_ours_alone_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("left over")
    path.chmod(0o644)
    with users_file(path, "password"):
        assert path.read_text() == "trust:password\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_the_users_are_gone_after_a_failure_too(tmp_path: Path) -> None:
    path = tmp_path / "users"
    with pytest.raises(ValueError, match="why"), users_file(path, "password"):
        raise ValueError("why")
    assert not path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    path = tmp_path / "users"
    path.symlink_to(target)
    with users_file(path, "password"):
        pass
    assert target.read_text() == "precious"


def test_without_a_password_there_is_no_file(tmp_path: Path) -> None:
    with users_file(tmp_path / "users", None):
        assert list(tmp_path.iterdir()) == []
