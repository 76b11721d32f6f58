"""`contracts.keyspace`: contract 5.4."""

import fnmatch
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts import keyspace
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import BootId, RuntimeId, parse_runtime_id

BOOT = BootId("0199c0de-0000-7000-8000-000000000001")
HOME, AWAY = RuntimeId("runtime-a"), RuntimeId("site-b/runtime-a")
LETTERS = st.text("ab.-_7", min_size=1, max_size=9)
OWNERS = (
    st.builds(lambda site, name: f"{site}/{name}", LETTERS | st.just("default-site"), LETTERS)
    .filter(lambda text: not {".", ".."} & set(text.split("/")))
    .map(parse_runtime_id)
)
KEYS = [
    (keyspace.beacon_key, "svc/beacon"),
    (keyspace.probe_key, "svc/probe"),
    (keyspace.edges_key, "diag/edges"),
    (keyspace.action_key, "cmd/action"),
    (keyspace.config_key, "cfg/agent"),
    (keyspace.audit_key, "diag/audit"),
]


@pytest.mark.parametrize(("build", "end"), KEYS)
@pytest.mark.parametrize(
    ("owner", "prefix"), [(HOME, "truST/default-site/runtime-a"), (AWAY, "truST/site-b/runtime-a")]
)
def test_every_key_stands_below_its_owner(
    build: Callable[[RuntimeId], str], end: str, owner: RuntimeId, prefix: str
) -> None:
    assert build(owner) == f"{prefix}/{end}"
    assert keyspace.own_prefix(owner) == prefix
    assert keyspace.owner_of(build(owner)) == owner


def test_a_token_names_the_incarnation() -> None:
    assert keyspace.token_key(HOME, BOOT) == f"truST/default-site/runtime-a/svc/liveliness/{BOOT}"


@given(owner=OWNERS)
def test_owner_and_incarnation_come_back_from_the_key(owner: RuntimeId) -> None:
    key = keyspace.token_key(owner, BOOT)
    assert keyspace.parse_token_key(key) == (owner, BOOT)
    assert keyspace.owner_of(key) == owner


@given(owner=OWNERS, other=OWNERS)
def test_no_two_runtimes_share_a_key(owner: RuntimeId, other: RuntimeId) -> None:
    same = owner == other
    assert (keyspace.own_prefix(owner) == keyspace.own_prefix(other)) == same
    below = keyspace.beacon_key(other).startswith(keyspace.own_prefix(owner) + "/")
    assert below == same


@given(owner=OWNERS)
def test_the_subscriptions_meet_every_owner(owner: RuntimeId) -> None:
    for pattern, key in [
        (keyspace.ALL_BEACONS, keyspace.beacon_key(owner)),
        (keyspace.ALL_EDGES, keyspace.edges_key(owner)),
        (keyspace.ALL_TOKENS, keyspace.token_key(owner, BOOT)),
    ]:
        assert pattern.count("/") == key.count("/")
        assert fnmatch.fnmatchcase(key, pattern)


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "truST", "truST/s", "truST/s/n", "trust/s/n/svc/beacon", "/truST/s/n/svc"),
        *("truST//n/svc", "truST/s//svc", "truST/*/n/svc", "truST/../n/svc", "truST/s/ä/svc"),
    ],
)
def test_a_key_without_an_owner_is_refused(key: str) -> None:
    with pytest.raises(ContractViolation):
        keyspace.owner_of(key)


def test_an_owner_is_canonical_whatever_the_key_says() -> None:
    assert keyspace.owner_of("truST/default-site/n/x") == "n"
    assert keyspace.owner_of("truST/s/n/x/y/z/1/2") == "s/n"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "truST/s/n/svc/liveliness",
            f"truST/s/n/svc/liveliness/{BOOT}/x",
            f"truST/s/n/svc/{BOOT}",
        ),
        *(f"truST/s/n/svc/beacon/{BOOT}", f"truST/s/n/diag/liveliness/{BOOT}"),
        *(f"other/s/n/svc/liveliness/{BOOT}", f"truST//n/svc/liveliness/{BOOT}"),
    ],
)
def test_what_is_no_token_is_refused(key: str) -> None:
    with pytest.raises(ContractViolation):
        keyspace.parse_token_key(key)
