"""Who is known by a chain of certificates: contract 2.4, abuse cases T22 and T37."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.identity import (
    ECDSA_SHA256,
    P256,
    CertificateFacts,
    ChainFacts,
    ChainFault,
    IdentityFacts,
    common_name,
)
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.trust import days_left, ends_soon, judge_chain, judge_own, trust_remedy

NOW_S: Final = 1_800_000_000
DAY_S: Final = 86_400
RUNTIME: Final = RuntimeId("site-b/press-2")

LEAF: Final = CertificateFacts(
    subject="CN=site-b/press-2",
    common_name=common_name(RUNTIME),
    uris=(spiffe_id(RUNTIME),),
    serial="0a",
    fingerprint="00" * 32,
    not_before_s=NOW_S - DAY_S,
    not_after_s=NOW_S + DAY_S,
    key=P256,
    signature=ECDSA_SHA256,
    is_ca=False,
    may_sign_messages=True,
    server_auth=True,
    client_auth=True,
)
ANCHOR: Final = CertificateFacts(
    subject="CN=site-b CA",
    common_name="site-b CA",
    uris=("spiffe://trust/site-b",),
    serial="01",
    fingerprint="11" * 32,
    not_before_s=NOW_S - 10 * DAY_S,
    not_after_s=NOW_S + 10 * DAY_S,
    key=P256,
    signature=ECDSA_SHA256,
    is_ca=True,
    path_length=0,
    may_sign_certificates=True,
)
MIDDLE: Final = structs.replace(ANCHOR, subject="CN=line 1", uris=(), serial="02")
CHAIN: Final = ChainFacts(runtime_id=RUNTIME, leaf=LEAF, issuers=(ANCHOR,))
DEEP: Final = structs.replace(CHAIN, issuers=(MIDDLE, structs.replace(ANCHOR, path_length=1)))
OWN: Final = IdentityFacts(own=RUNTIME, pin="ab", chain=CHAIN)


def leaf_with(**members: Any) -> ChainFacts:
    return structs.replace(CHAIN, leaf=structs.replace(LEAF, **members))


def anchor_with(**members: Any) -> ChainFacts:
    return structs.replace(CHAIN, issuers=(structs.replace(ANCHOR, **members),))


def reason_of(chain: ChainFacts, now_s: int = NOW_S) -> TrustReason | None:
    found = judge_chain(chain, now_s=now_s)
    return None if found is None else found.reason


@pytest.mark.parametrize("chain", [CHAIN, DEEP])
def test_a_good_chain_is_trusted(chain: ChainFacts) -> None:
    assert judge_chain(chain, now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("now_s", "reason"),
    [
        (LEAF.not_before_s - 1, TrustReason.EXPIRED),
        (LEAF.not_before_s, None),
        (LEAF.not_after_s, None),
        (LEAF.not_after_s + 1, TrustReason.EXPIRED),
    ],
)
def test_the_dates_include_both_ends(now_s: int, reason: TrustReason | None) -> None:
    assert reason_of(CHAIN, now_s) is reason


INVALID: Final = {
    "no URI SAN": leaf_with(uris=()),
    "two URI SANs": leaf_with(uris=(spiffe_id(RUNTIME), "spiffe://trust/site-b/press-3")),
    "another URI SAN": leaf_with(uris=("spiffe://trust/site-a/press-2",)),
    "another CN": leaf_with(common_name="site-a/press-2"),
    "no CN": leaf_with(common_name=None),
    "a CA's": leaf_with(is_ca=True),
    "may sign certificates": leaf_with(may_sign_certificates=True),
    "no digital signature": leaf_with(may_sign_messages=False),
    "client only": leaf_with(server_auth=False),
    "server only": leaf_with(client_auth=False),
    "P-384": leaf_with(key="P-384"),
    "SHA-1": leaf_with(signature="ecdsa-with-SHA1"),
    "unknown critical": leaf_with(unknown_critical=("1.2.3",)),
    "anchor is no CA": anchor_with(is_ca=False),
    "anchor may not sign": anchor_with(may_sign_certificates=False),
    "anchor of another site": anchor_with(uris=("spiffe://trust/site-a",)),
    "anchor of no site": anchor_with(uris=()),
    "anchor of two sites": anchor_with(uris=("spiffe://trust/site-b", "spiffe://trust/site-a")),
    "RSA anchor": anchor_with(key="RSA-1024"),
    "anchor signed with SHA-1": anchor_with(signature="ecdsa-with-SHA1"),
    "anchor with unknown critical": anchor_with(unknown_critical=("2.5.29.30",)),
    "path length": structs.replace(DEEP, issuers=(MIDDLE, ANCHOR)),
    "intermediate of another site": structs.replace(
        DEEP,
        issuers=(structs.replace(MIDDLE, uris=("spiffe://trust/site-a",)), DEEP.issuers[1]),
    ),
    "intermediate is no CA": structs.replace(
        DEEP, issuers=(structs.replace(MIDDLE, is_ca=False), DEEP.issuers[1])
    ),
    "unusable revocation list": structs.replace(CHAIN, crl_problem="site-b.crl is damaged"),
    **{
        f"fault {fault}": structs.replace(CHAIN, issuers=(), fault=fault)
        for fault in ChainFault
        if fault is not ChainFault.BAD_SIGNATURE
    },
}


@pytest.mark.parametrize("name", INVALID)
def test_every_flaw_makes_the_chain_invalid_also_when_it_expired(name: str) -> None:
    for now_s in (NOW_S, NOW_S + 100 * DAY_S):
        found = judge_chain(INVALID[name], now_s=now_s)
        assert found is not None
        assert found.reason is TrustReason.CHAIN_INVALID
        assert found.detail.startswith("certificate 0a of CN=site-b/press-2: ")


def test_a_signature_that_is_not_the_issuers_is_named_so() -> None:
    chain = structs.replace(CHAIN, issuers=(), fault=ChainFault.BAD_SIGNATURE)
    assert reason_of(chain) is TrustReason.SIGNATURE_INVALID


def test_the_revoked_are_refused_and_named() -> None:
    found = judge_chain(structs.replace(CHAIN, revoked=("0a",)), now_s=NOW_S)
    assert found is not None
    assert found.reason is TrustReason.REVOKED
    assert "serial 0a is revoked" in found.detail


@pytest.mark.parametrize("moved", [{"not_after_s": NOW_S - 1}, {"not_before_s": NOW_S + 1}])
def test_an_issuer_that_is_out_of_date_is_refused(moved: dict[str, int]) -> None:
    assert reason_of(anchor_with(**moved)) is TrustReason.EXPIRED
    middle = structs.replace(DEEP, issuers=(structs.replace(MIDDLE, **moved), DEEP.issuers[1]))
    assert reason_of(middle) is TrustReason.EXPIRED


@given(
    flaws=st.sets(st.sampled_from(sorted(INVALID)), min_size=1, max_size=3),
    now_s=st.integers(NOW_S - 400 * DAY_S, NOW_S + 400 * DAY_S),
)
def test_no_time_and_no_second_flaw_heals_a_flaw(flaws: set[str], now_s: int) -> None:
    chain = CHAIN
    for name in sorted(flaws):
        flawed = INVALID[name]
        changed = {
            field: getattr(flawed, field)
            for field in ChainFacts.__struct_fields__
            if getattr(flawed, field) != getattr(CHAIN, field)
        }
        chain = structs.replace(chain, **changed)
    assert reason_of(chain, now_s) is TrustReason.CHAIN_INVALID


@given(site=st.sampled_from(["site-a", "site-b", "default-site", "site"]))
def test_only_the_site_in_the_name_vouches(site: str) -> None:
    trusted = reason_of(anchor_with(uris=(f"spiffe://trust/{site}",))) is None
    assert trusted == (site == "site-b")


def test_the_own_identity_is_fit_as_a_peers_would_be() -> None:
    assert judge_own(OWN, now_s=NOW_S) is None
    late = judge_own(OWN, now_s=LEAF.not_after_s + 1)
    assert late is not None
    assert late.reason is TrustReason.EXPIRED


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (structs.replace(OWN, chain=None), "there is no certificate"),
        (structs.replace(OWN, chain=None, problem="runtime.crt is damaged"), "is damaged"),
        (structs.replace(OWN, problem="runtime.crt is damaged"), "is damaged"),
        (structs.replace(OWN, own=RuntimeId("site-b/press-3")), "names site-b/press-2, not"),
    ],
)
def test_the_own_identity_must_be_there_and_the_own(own: IdentityFacts, told: str) -> None:
    found = judge_own(own, now_s=NOW_S)
    assert found is not None
    assert found.reason is TrustReason.CHAIN_INVALID
    assert told in found.detail


def test_the_remedy_fits_the_rule_of_the_profile() -> None:
    assert "--pin" in trust_remedy(Profile.DEV)
    for profile in (Profile.PLANT, Profile.WAN):
        assert "import-bundle --site" in trust_remedy(profile)
        assert "--pin" not in trust_remedy(profile)


def test_the_end_is_announced_30_days_before() -> None:
    ends_s = LEAF.not_after_s
    assert not ends_soon(OWN, now_s=ends_s - 30 * DAY_S)
    assert ends_soon(OWN, now_s=ends_s - 30 * DAY_S + 1)
    assert days_left(OWN, now_s=ends_s - 30 * DAY_S + 1) == 29
    assert days_left(OWN, now_s=ends_s + 1) == -1
    nothing = structs.replace(OWN, chain=None)
    assert (ends_soon(nothing, now_s=NOW_S), days_left(nothing, now_s=NOW_S)) == (False, None)
