"""Revocation lists: ruling 45."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki_samples import NOW_S, key_of
from trust_runtime.adapters.pki.certificates import Subject
from trust_runtime.adapters.pki.crls import (
    claims_to_be_of,
    crl_pem,
    find_issued,
    is_list_of,
    list_for_export,
    number_of,
    own_list,
    read_crl_of,
    read_revocations,
    revoke,
    revoked_on,
)
from trust_runtime.adapters.pki.site_ca import SiteCa, create_ca
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import RuntimeId, SiteName

SITE = SiteName("site-a")
PRESS = RuntimeId("site-a/press-1")


@pytest.fixture
def ca(tmp_path: Path) -> SiteCa:
    return create_ca(tmp_path / "ca", SITE, days=10, now_s=NOW_S)


def issue(ca: SiteCa, runtime: str = PRESS) -> str:
    subject = Subject(runtime_id=RuntimeId(runtime), key=key_of("leaf").public_key())
    return f"{ca.issue(subject, days=1, now_s=NOW_S).serial_number:x}"


def serials(ca: SiteCa) -> list[str]:
    return sorted(f"{one.serial_number:x}" for one in own_list(ca) or ())


def test_who_is_revoked_stays_revoked_with_the_first_date(ca: SiteCa) -> None:
    assert own_list(ca) is None
    one, two = issue(ca), issue(ca)
    first = revoke(ca, [one], now_s=NOW_S)
    second = revoke(ca, [two, one, two], now_s=NOW_S + 60)
    assert serials(ca) == sorted([one, two])
    assert (number_of(first), number_of(second)) == (1, 2)
    entry = second.get_revoked_certificate_by_serial_number(int(one, 16))
    assert entry is not None
    assert entry.revocation_date_utc.timestamp() == NOW_S
    assert is_list_of(second, ca.certificate)
    assert claims_to_be_of(second, ca.certificate)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(1, 2**64), max_size=3), max_size=3))
def test_the_list_only_grows_and_so_does_its_number(ca: SiteCa, batches: list[list[int]]) -> None:
    for batch in batches:
        before, number = set(serials(ca)), number_of(own_list(ca) or revoke(ca, [], now_s=NOW_S))
        made = revoke(ca, [f"{serial:x}" for serial in batch], now_s=NOW_S)
        assert set(serials(ca)) == before | {f"{serial:x}" for serial in batch}
        assert number_of(made) == number + 1


def test_an_empty_list_can_be_handed_over_too(ca: SiteCa, tmp_path: Path) -> None:
    out = tmp_path / "a.crl"
    out.write_bytes(list_for_export(ca, now_s=NOW_S))
    (read,) = read_crl_of(out, [ca.certificate], site=SITE)
    assert len(read) == 0
    assert list_for_export(ca, now_s=NOW_S + 9) == out.read_bytes()


def test_a_list_of_another_ca_is_refused(ca: SiteCa, tmp_path: Path) -> None:
    other = create_ca(tmp_path / "other", SITE, days=10, now_s=NOW_S)
    made, out = revoke(other, ["1"], now_s=NOW_S), tmp_path / "a.crl"
    out.write_bytes(crl_pem([made]))
    assert made.issuer == ca.certificate.subject
    assert not claims_to_be_of(made, ca.certificate)
    with pytest.raises(StartRefused, match="not signed by a CA in the installed bundle of site-a"):
        read_crl_of(out, [ca.certificate], site=SITE)
    (ca.folder / "ca.crl").write_bytes(out.read_bytes())
    with pytest.raises(StartRefused, match="not signed by this CA"):
        revoke(ca, ["2"], now_s=NOW_S)
    assert read_revocations(out) == (made,)


def test_only_a_list_of_the_issuer_revokes(ca: SiteCa, tmp_path: Path) -> None:
    subject = Subject(runtime_id=PRESS, key=key_of("leaf").public_key())
    leaf = ca.issue(subject, days=1, now_s=NOW_S)
    serial = f"{leaf.serial_number:x}"
    other = create_ca(tmp_path / "other", SITE, days=10, now_s=NOW_S)
    way = (leaf, ca.certificate)
    assert revoked_on(way, [revoke(other, [serial], now_s=NOW_S)]) == ()
    assert revoked_on(way, [revoke(ca, ["7"], now_s=NOW_S)]) == ()
    assert revoked_on(way, [revoke(ca, [serial], now_s=NOW_S)]) == (serial,)


def test_what_was_issued_is_found_by_each_of_its_names(ca: SiteCa) -> None:
    one, two, other = issue(ca), issue(ca), issue(ca, "site-a/press-2")
    by = {it.serial: it for it in ca.issued()}
    for named in (PRESS, "press-1"):
        assert [it.serial for it in find_issued(ca, named)] == [one, two]
    print_ = by[other].fingerprint
    colons = ":".join(print_[at : at + 2] for at in range(0, 64, 2)).upper()
    for named in (other, other.upper(), f"0x{other}", print_, colons):
        assert [it.serial for it in find_issued(ca, named)] == [other]


@pytest.mark.parametrize("named", ["", "press-9", "site-b/press-1", "00", "a/b/c", "ff" * 32])
def test_what_was_not_issued_here_is_refused(ca: SiteCa, named: str) -> None:
    issue(ca)
    with pytest.raises(StartRefused, match="issued no certificate"):
        find_issued(ca, named)


def test_a_runtime_called_like_a_number_is_asked_back(ca: SiteCa) -> None:
    serial = issue(ca)
    issue(ca, f"site-a/{serial}")
    with pytest.raises(StartRefused, match="is a runtime and the number of a certificate"):
        find_issued(ca, serial)
    assert len(find_issued(ca, f"site-a/{serial}")) == 1
