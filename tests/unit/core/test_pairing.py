import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.pairing import PairedToken, PairStart
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.units import NS_PER_S, MonotonicNs, WallNs
from trust_runtime.core import pairing
from trust_runtime.core.authentication import digest_of
from trust_runtime.core.pairing import Grant, Pending

SITE = SiteName("site-a")
NOW = WallNs(1_790_000_000_000_000_000)
DAY_NS = 24 * 3_600 * NS_PER_S
LOCAL = Caller(identity="local://admin", role=Role.ADMIN)
START = PairStart(owner="anna", role="operator")


def grant(**changes: object) -> Grant:
    plain = Grant(
        owner="anna", role=Role.OPERATOR, scope=(SITE,), token_days=30, replaces=None, overlap_s=600
    )
    return structs.replace(plain, **changes)


def token(text: str, **changes: object) -> PairedToken:
    return pairing.paired_token(text, grant(**changes), now_ns=NOW)


def judge(
    caller: Caller = LOCAL,
    *,
    tokens: tuple[PairedToken, ...] = (),
    pending: int = 0,
    **changes: object,
) -> Grant | Denial:
    waiting = [
        Pending(digest=b"", grant=grant(owner=f"o{n}"), expires_ns=MonotonicNs(1))
        for n in range(pending)
    ]
    return pairing.judge_start(
        structs.replace(START, **changes), caller, own_site=SITE, tokens=tokens, pending=waiting
    )


def test_the_defaults_are_the_own_site_and_a_month() -> None:
    assert judge() == grant()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owner": ""}, "owner"),
        ({"owner": "a b"}, "owner"),
        ({"owner": "a" * 65}, "owner"),
        ({"owner": "static-admin"}, "static-admin"),
        ({"role": "admin"}, "control.auth_token"),
        ({"role": "root"}, "role"),
        ({"scope": []}, "scope"),
        ({"scope": ["a/b"]}, "scope"),
        ({"scope": ["s"] * 17}, "scope"),
        ({"token_days": 0}, "token_days"),
        ({"token_days": 366}, "token_days"),
        ({"overlap_s": 1}, "replaces"),
        ({"replaces": "pt-1", "overlap_s": 604_801}, "overlap_s"),
    ],
)
def test_a_malformed_start_is_refused_by_name(changes: dict[str, object], said: str) -> None:
    found = judge(LOCAL, tokens=(), pending=0, **changes)
    assert isinstance(found, Denial)
    assert found.code is DenialCode.CONTRACT_VIOLATION
    assert said in found.reason


@pytest.mark.parametrize("days", [1, 365])
def test_the_edges_of_a_life_are_accepted(days: int) -> None:
    assert judge(token_days=days) == grant(token_days=days)


def test_a_code_reaches_no_further_than_who_started_it() -> None:
    scoped = Caller(identity="token://static-admin", role=Role.ADMIN, scope=(SITE,))
    found = judge(scoped, scope=["site-a", "site-b"])
    assert isinstance(found, Denial)
    assert (found.code, "site-b" in found.reason) == (DenialCode.PERMISSION_DENIED, True)
    assert judge(scoped, scope=["site-a"]) == grant()
    everywhere = judge(scope=["site-b", "site-a", "site-b"])
    assert everywhere == grant(scope=("site-b", "site-a"))


def test_what_is_replaced_is_a_valid_token_of_the_same_owner() -> None:
    old = token("old")
    name = old.shown.token_id
    assert judge(tokens=(old,), replaces=name, overlap_s=0) == grant(replaces=name, overlap_s=0)
    for tokens in ((), pairing.without((old,), name), (token("old", owner="ben"),)):
        found = judge(tokens=tokens, replaces=name)
        assert isinstance(found, Denial)
        assert found.code is DenialCode.PEER_NOT_AVAILABLE


def test_tokens_and_codes_have_quotas() -> None:
    many = tuple(token(str(n)) for n in range(256))
    for found in (judge(tokens=many), judge(tokens=many[1:], pending=1), judge(pending=16)):
        assert isinstance(found, Denial)
        assert (found.code, found.retry_after_ms) == (DenialCode.OVERLOADED, 60_000)
    assert judge(tokens=many[1:]) == grant()
    assert judge(pending=15) == grant()
    ended = pairing.without(many, many[0].shown.token_id)
    assert judge(tokens=ended) == grant()


def test_a_code_has_65_bits_and_is_read_as_it_may_be_typed() -> None:
    code = pairing.code_of(b"\xff" * 9)
    assert re.fullmatch(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}", code)
    seen = {pairing.code_of(bytes([n]) + bytes(8)) for n in range(256)}
    assert len(seen) == 256
    assert pairing.code_of(bytes(8) + b"\x80") != pairing.code_of(bytes(9)), "the 65th bit counts"
    for typed in (code.lower(), code.replace("-", ""), f" {code[:4]} {code[4:]}\n"):
        assert pairing.code_digest(typed) == pairing.code_digest(code)


@given(st.text(max_size=40))
def test_any_text_has_a_digest(text: str) -> None:
    assert len(pairing.code_digest(text)) == 32


def test_a_token_is_32_bytes_and_its_name_says_nothing_of_it() -> None:
    chance = bytes(range(32))
    text = pairing.token_of(chance)
    assert base64.urlsafe_b64decode(text + "=") == chance
    kept = token(text)
    assert kept.digest == digest_of(text.encode()).hex()
    assert kept.shown.token_id == f"pt-{kept.digest[:16]}"
    assert text not in str(kept)


def test_a_token_is_its_owners_until_it_ends() -> None:
    kept = token("t", token_days=1)
    caller = Caller(identity="token://anna", role=Role.OPERATOR, scope=(SITE,))
    assert pairing.owner_of(kept, now_ns=WallNs(NOW + DAY_NS - 1)) == caller
    assert pairing.owner_of(kept, now_ns=WallNs(NOW + DAY_NS)) is None
    (ended,) = pairing.without((kept,), kept.shown.token_id)
    assert pairing.owner_of(ended, now_ns=NOW) is None


def test_what_expired_once_is_not_revived_by_a_clock_that_is_set_back() -> None:
    short, long = token("s", token_days=1), token("l")
    left = pairing.expired((short, long), now_ns=WallNs(NOW + DAY_NS))
    assert [one.shown.enabled for one in left] == [False, True]
    assert [pairing.owner_of(one, now_ns=NOW) is None for one in left] == [True, False]
    assert pairing.expired(left, now_ns=NOW) == left


def test_a_replaced_token_is_valid_beside_the_new_one_for_the_overlap() -> None:
    old, other = token("old"), token("other")
    wanted = grant(replaces=old.shown.token_id, overlap_s=60)
    found = pairing.with_new((old, other), token("new"), wanted, now_ns=NOW)
    assert [one.shown.expires_at_ns - NOW for one in found] == [
        60 * NS_PER_S,
        30 * DAY_NS,
        30 * DAY_NS,
    ]


def test_an_overlap_makes_no_token_live_longer() -> None:
    old = token("old", token_days=1)
    late = WallNs(NOW + DAY_NS - NS_PER_S)
    wanted = grant(replaces=old.shown.token_id, overlap_s=60)
    first, _ = pairing.with_new((old,), token("new"), wanted, now_ns=late)
    assert first.shown.expires_at_ns == old.shown.expires_at_ns


def test_the_oldest_of_those_that_ended_give_way() -> None:
    live = token("live")
    many = tuple(token(str(number)) for number in range(258))
    ended = tuple(pairing.without((one,), one.shown.token_id)[0] for one in many)
    kept = pairing.bounded((ended[0], live, *ended[1:]))
    assert kept == (live, *ended[2:])


@pytest.mark.parametrize(
    ("seconds", "now_s", "wait_s"),
    [
        ((), 0, 0),
        ((0, 1, 2, 3), 4, 0),
        ((0, 1, 2, 3, 4), 5, 55),
        ((0, 1, 2, 3, 4), 60, 0),
        ((1, 2, 3, 4, 5), 60, 1),
    ],
)
def test_an_address_claims_five_times_a_minute(
    seconds: tuple[int, ...], now_s: int, wait_s: int
) -> None:
    times = [MonotonicNs(at * NS_PER_S) for at in seconds]
    found = pairing.claim_wait_ns(times, MonotonicNs(now_s * NS_PER_S))
    assert found == wait_s * NS_PER_S
