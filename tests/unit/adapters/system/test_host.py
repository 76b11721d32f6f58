import hashlib
import socket
from pathlib import Path

import pytest

from trust_runtime.adapters.system import host
from trust_runtime.adapters.system.host import host_key, host_name


def test_a_group_is_the_key() -> None:
    assert host_key("hall-3") == "group:hall-3"


def test_without_a_group_the_boot_id_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "boot_id"
    file.write_text("3f1c\n")
    monkeypatch.setattr(host, "BOOT_ID_FILE", file)

    assert host_key(None) == "host:" + hashlib.sha256(b"3f1c").hexdigest()


@pytest.mark.parametrize("content", [None, "\n"])
def test_an_unknown_boot_is_the_same_as_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "boot_id"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(host, "BOOT_ID_FILE", file)

    assert host_key(None) != host_key(None)


@pytest.mark.parametrize(
    ("told", "label"),
    [
        ("cell-7", "cell-7"),
        ("cell-7.plant.example", "cell-7"),
        ("Halle Süd_2", "Halle-S-d-2"),
        ("x" * 70, "x" * 63),
        ("", "host"),
        ("___", "host"),
    ],
)
def test_the_host_name_is_one_dns_label(
    monkeypatch: pytest.MonkeyPatch, told: str, label: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: told)

    assert host_name() == label
