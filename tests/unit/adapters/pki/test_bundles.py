"""Which certificates make a bundle: contract 2.5, `import-bundle`."""

from pathlib import Path
from typing import Any

import pytest

from pki_samples import NOW_S, Form, ca_form, leaf_form, make, pem
from trust_runtime.adapters.pki.bundles import anchor_flaw, read_bundle, usable_anchors
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import SiteName

SITE = SiteName("site-b")
GOOD = ca_form("site-b")


def written(tmp_path: Path, *forms: Form) -> Path:
    path = tmp_path / "bundle.pem"
    path.write_bytes(pem(*(make(form) for form in forms)))
    return path


def test_a_bundle_of_two_cas_is_read_while_one_is_valid(tmp_path: Path) -> None:
    old = ca_form("site-b", key="old", ends_s=NOW_S - 1)
    assert len(read_bundle(written(tmp_path, old, GOOD), site=SITE, now_s=NOW_S)) == 2
    with pytest.raises(StartRefused, match="no certificate in it is valid now"):
        read_bundle(written(tmp_path, old), site=SITE, now_s=NOW_S)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (leaf_form("site-b/press-2"), "CN=site-b/press-2 is no CA"),
        (ca_form("site-b", is_ca=False, path_length=None), "is no CA"),
        (ca_form("site-b", signs_certificates=False), "is no CA"),
        (ca_form("site-a"), "is for spiffe://trust/site-a, not for spiffe://trust/site-b"),
        (ca_form("site-b", uris=()), "is for nothing, not for spiffe://trust/site-b"),
        (ca_form("site-b", uris=("spiffe://trust/site-b", "spiffe://trust/site-a")), "site-a"),
        (ca_form("site-b", uris=("spiffe://trust/site-bad",)), "site-bad, not for"),
        (ca_form("site-b", key="RSA-1024"), "a key that is RSA-1024, not P-256"),
    ],
)
def test_one_wrong_certificate_refuses_the_file_and_is_left_out_in_use(
    tmp_path: Path, form: Form, told: str
) -> None:
    with pytest.raises(StartRefused, match=r"bundle\.pem: ") as caught:
        read_bundle(written(tmp_path, GOOD, form), site=SITE, now_s=NOW_S)
    assert told in caught.value.reason
    good: Any = make(GOOD)
    anchors, (flaw,) = usable_anchors([good, make(form)], site=SITE)
    assert anchors == (good,)
    assert told in flaw
    assert anchor_flaw(good, site=SITE) is None
