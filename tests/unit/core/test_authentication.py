import hashlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.credentials import Presented
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.secret import Secret
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.core.authentication import Gate, authenticate, digest_of, token_owner

SITE = SiteName("site-a")
RIGHT = b"the right token"
PAIRED = b"the token of anna"
ANNA = Caller(identity="token://anna", role=Role.OPERATOR, scope=(SITE,))
STATIC = Caller(identity="token://static-admin", role=Role.ADMIN, scope=(SITE,))


def presented(*tokens: bytes, is_loopback: bool = True, is_forwarded: bool = False) -> Presented:
    return Presented(
        address="127.0.0.1", is_loopback=is_loopback, is_forwarded=is_forwarded, tokens=tokens
    )


def gate(auth: WebAuth = WebAuth.TOKEN, token: str | None = RIGHT.decode()) -> Gate:
    known = {hashlib.sha256(PAIRED).digest(): ANNA}
    return Gate(
        auth=auth,
        site=SITE,
        token=None if token is None else Secret(value=token),
        paired=known.get,
    )


@pytest.mark.parametrize(
    ("is_loopback", "is_forwarded", "tokens"),
    list(product([True, False], [True, False], [(), (RIGHT,), (b"wrong",)])),
)
def test_local_admits_direct_requests_of_this_machine_whatever_their_token(
    tokens: tuple[bytes, ...], *, is_loopback: bool, is_forwarded: bool
) -> None:
    shown = presented(*tokens, is_loopback=is_loopback, is_forwarded=is_forwarded)
    found = authenticate(shown, gate(WebAuth.LOCAL))
    if is_loopback and not is_forwarded:
        assert found == Caller(identity="local://admin", role=Role.ADMIN, scope=None)
    else:
        assert found is None


@pytest.mark.parametrize(
    ("tokens", "caller"),
    [
        ((), None),
        ((b"",), None),
        ((RIGHT,), STATIC),
        ((RIGHT + b" ",), None),
        ((RIGHT[:-1],), None),
        ((RIGHT.upper(),), None),
        ((PAIRED,), ANNA),
        ((digest_of(PAIRED),), None),
        ((digest_of(PAIRED).hex().encode(),), None),
        ((RIGHT, PAIRED), None),
        ((RIGHT, b"wrong"), None),
        ((b"\xff\xfe",), None),
    ],
)
@pytest.mark.parametrize("is_loopback", [True, False])
def test_token_mode_believes_one_right_token_from_anywhere(
    tokens: tuple[bytes, ...], caller: Caller | None, *, is_loopback: bool
) -> None:
    assert authenticate(presented(*tokens, is_loopback=is_loopback), gate()) == caller


@pytest.mark.parametrize("token", [None, "REPLACE_WITH_LONG_RANDOM_TOKEN", "REPLACE_"])
def test_no_token_and_a_placeholder_authenticate_nobody(token: str | None) -> None:
    for given_token in (b"", bytes(32), (token or "").encode()):
        assert authenticate(presented(given_token), gate(token=token)) is None
    assert authenticate(presented(PAIRED), gate(token=token)) == ANNA


@given(st.binary(max_size=64), st.text(min_size=1, max_size=64))
def test_only_the_same_bytes_are_the_static_token(token: bytes, wanted: str) -> None:
    found = token_owner(token, gate(token=wanted))
    is_right = token == wanted.encode() and not wanted.startswith("REPLACE_")
    assert (found == STATIC) is is_right
