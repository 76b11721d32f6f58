import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.control_socket.identity import caller_of, peer_uid
from trust_runtime.contracts.policy import Caller, Role

UIDS = st.integers(0, 2**32 - 2)


@pytest.mark.parametrize(
    ("uid", "own", "is_admin"),
    [
        pytest.param(1000, 1000, True, id="the same user"),
        pytest.param(0, 1000, True, id="root"),
        pytest.param(0, 0, True, id="root at a process of root"),
        pytest.param(1000, 0, False, id="a user at a process of root"),
        pytest.param(1001, 1000, False, id="another user"),
        pytest.param(None, 1000, False, id="not to be known"),
        pytest.param(None, 0, False, id="not to be known, at a process of root"),
    ],
)
def test_who_is_admin(uid: int | None, own: int, *, is_admin: bool) -> None:
    expected = Caller(identity=f"uid://{uid}", role=Role.ADMIN) if is_admin else None

    assert caller_of(uid, own=own) == expected


@given(uid=UIDS, own=UIDS)
def test_nobody_is_let_in_but_the_user_and_root(uid: int, own: int) -> None:
    assert (caller_of(uid, own=own) is not None) == (uid in {own, 0})


def test_the_kernel_says_who_the_peer_is() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_uid(one) == os.geteuid()


def test_without_a_peer_nobody_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert peer_uid(listener) in {None, 2**32 - 1}
    assert peer_uid(listener) is None
