"""A site's CA: contract 2.5, `init` and `issue`."""

import os
import stat
from pathlib import Path

import pytest

from pki_samples import NOW_S, ca_form, key_of, key_pem, make, pem
from trust_runtime.adapters.pki.certificates import DAY_S, Subject
from trust_runtime.adapters.pki.facts import certificate_facts, is_signed_by
from trust_runtime.adapters.pki.site_ca import SiteCa, create_ca, open_ca
from trust_runtime.contracts.errors import ContractViolation, ExitCode, StartRefused
from trust_runtime.contracts.ids import RuntimeId, SiteName

SITE = SiteName("site-a")
PRESS = RuntimeId("site-a/press-1")
SUBJECT = Subject(runtime_id=PRESS, key=key_of("leaf").public_key())


def made(tmp_path: Path, *, days: int = 3_650) -> SiteCa:
    return create_ca(tmp_path / "pki" / "site-a", SITE, days=days, now_s=NOW_S)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_a_ca_is_made_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ca = made(tmp_path)
    finally:
        os.umask(before)
    assert modes(ca.folder) == {"ca.key": 0o600, "ca.crt": 0o644, "issued.jsonl": 0o600}
    assert stat.S_IMODE(ca.folder.stat().st_mode) == 0o700
    facts = certificate_facts(ca.certificate)
    assert (facts.is_ca, facts.path_length, facts.key) == (True, 0, "P-256")
    assert facts.uris == ("spiffe://trust/site-a",)
    assert facts.not_after_s == NOW_S + 3_650 * DAY_S


@pytest.mark.parametrize("left", ["ca.key", "ca.crt", "issued.jsonl"])
def test_no_part_of_a_ca_is_ever_overwritten(tmp_path: Path, left: str) -> None:
    ca = made(tmp_path)
    content = {path.name: path.read_bytes() for path in ca.folder.iterdir()}
    with pytest.raises(StartRefused, match="is there already"):
        made(tmp_path)
    for name in content.keys() - {left}:
        (ca.folder / name).unlink()
    with pytest.raises(StartRefused, match=f"{left} is there already"):
        made(tmp_path)
    assert (ca.folder / left).read_bytes() == content[left]


@pytest.mark.parametrize("site", ["", ".", "..", "a/b", "a b", "../x"])
def test_what_is_no_site_gets_no_ca(tmp_path: Path, site: str) -> None:
    with pytest.raises(ContractViolation):
        create_ca(tmp_path / "ca", SiteName(site), days=1, now_s=NOW_S)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("site", ["s", "s" * 60, "s" * 61, "s" * 126])
def test_the_name_of_any_site_fits(tmp_path: Path, site: str) -> None:
    ca = create_ca(tmp_path / "ca", SiteName(site), days=1, now_s=NOW_S)
    assert open_ca(tmp_path / "ca", now_s=NOW_S).site == ca.site == site
    assert len(certificate_facts(ca.certificate).common_name or "") <= 64


def test_what_it_issues_is_recorded_and_ends_with_it(tmp_path: Path) -> None:
    made(tmp_path, days=10)
    ca = open_ca(tmp_path / "pki" / "site-a", now_s=NOW_S)
    one = ca.issue(SUBJECT, days=5, now_s=NOW_S)
    two = ca.issue(SUBJECT, days=397, now_s=NOW_S)
    assert is_signed_by(one, ca.certificate)
    facts = [certificate_facts(it) for it in (one, two)]
    assert [it.not_after_s for it in facts] == [NOW_S + 5 * DAY_S, NOW_S + 10 * DAY_S]
    assert [(it.serial, it.fingerprint, it.runtime_id) for it in ca.issued()] == [
        (it.serial, it.fingerprint, PRESS) for it in facts
    ]
    assert modes(ca.folder)["issued.jsonl"] == 0o600


def test_it_signs_for_its_own_site_alone(tmp_path: Path) -> None:
    ca = made(tmp_path)
    for other in ("site-b/press-1", "press-1"):
        subject = Subject(runtime_id=RuntimeId(other), key=SUBJECT.key)
        with pytest.raises(StartRefused, match="is the CA of site-a"):
            ca.issue(subject, days=1, now_s=NOW_S)
    assert ca.issued() == ()


def test_a_record_that_is_damaged_is_named_with_its_line(tmp_path: Path) -> None:
    ca = made(tmp_path)
    ca.issue(SUBJECT, days=1, now_s=NOW_S)
    with (ca.folder / "issued.jsonl").open("ab") as file:
        file.write(b'{"serial": 1\n')
    with pytest.raises(StartRefused, match=r"issued\.jsonl:2 is damaged"):
        ca.issued()


def test_a_folder_that_holds_no_usable_ca_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    with pytest.raises(StartRefused, match="holds no CA"):
        open_ca(folder, now_s=NOW_S)
    create_ca(folder, SITE, days=10, now_s=NOW_S)
    with pytest.raises(StartRefused, match="no certificate in it is valid now"):
        open_ca(folder, now_s=NOW_S + 11 * DAY_S)
    good = (folder / "ca.crt").read_bytes()
    for content, told in (
        (b"", "holds no PEM certificate"),
        (pem(make(ca_form("site-a", uris=()))), "names no site"),
        (pem(make(ca_form("site-a", is_ca=False, path_length=None))), "is no CA"),
        (pem(make(ca_form("site-a"))), "is not of"),
    ):
        (folder / "ca.crt").write_bytes(content)
        with pytest.raises(StartRefused, match=told):
            open_ca(folder, now_s=NOW_S)
    (folder / "ca.crt").write_bytes(good)
    (folder / "ca.key").write_bytes(key_pem("P-384"))
    with pytest.raises(StartRefused, match="not a P-256 key"):
        open_ca(folder, now_s=NOW_S)


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    ca = made(tmp_path)
    (ca.folder / "ca.key").chmod(0o640)
    with pytest.raises(StartRefused, match="has mode 0640") as caught:
        open_ca(ca.folder, now_s=NOW_S)
    assert caught.value.exit_code is ExitCode.CONFIG
