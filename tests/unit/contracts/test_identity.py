"""Names in certificates: contract 2.3."""

import pytest

from trust_runtime.contracts.identity import common_name, site_spiffe_id
from trust_runtime.contracts.ids import RuntimeId, SiteName


@pytest.mark.parametrize("length", [1, 64, 65, 128])
def test_a_common_name_fits_and_differs(length: int) -> None:
    name = common_name(RuntimeId("n" * length))
    assert len(name) <= 64
    assert (name == "n" * length) == (length <= 64)
    assert name != common_name(RuntimeId("n" * (length - 1) + "m"))


def test_a_long_id_keeps_47_characters_and_16_of_its_digest() -> None:
    name = common_name(RuntimeId("site-a/" + "n" * 80))
    assert name == "site-a/" + "n" * 40 + "~" + name[-16:]
    assert int(name[-16:], 16) >= 0


def test_a_site_is_named_without_a_runtime() -> None:
    assert site_spiffe_id(SiteName("site-a")) == "spiffe://trust/site-a"
