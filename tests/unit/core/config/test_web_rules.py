from typing import Any

import pytest

from config_samples import problems_with, settings_with
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.core.config.web_rules import secret_of

LISTEN = "runtime.web.listen"
AUTH = "runtime.web.auth"
TOKEN = "runtime.control.auth_token"  # noqa: S105 - its path


@pytest.mark.parametrize("address", ["0.0.0.0:80", "10.0.0.7:80", "[::]:80", "[fe80::1]:80"])
def test_beyond_loopback_local_is_an_error_that_names_the_remedy(address: str) -> None:
    (problem,) = problems_with(**{LISTEN: address})
    assert (problem.path, problem.value) == (AUTH, '"local"')
    assert problem.message is not None
    for named in (LISTEN, AUTH, TOKEN, address):
        assert named in problem.message
    assert problems_with(**{LISTEN: address, AUTH: "token", TOKEN: "t"}) == ()


@pytest.mark.parametrize("address", ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"])
def test_loopback_needs_no_token(address: str) -> None:
    assert settings_with(**{LISTEN: address}).web.auth is WebAuth.LOCAL


@pytest.mark.parametrize("token", [None, "", "  "])
def test_token_mode_needs_a_token(token: Any) -> None:
    given = {} if token is None else {TOKEN: token}
    (problem,) = problems_with(**{AUTH: "token"}, **given)
    assert problem.path == TOKEN
    assert problem.message == "make one with: openssl rand -hex 32"


def test_a_secret_is_trimmed_and_never_shown() -> None:
    settings = settings_with(**{AUTH: "token", TOKEN: " canary-9 "})
    assert settings.control_token == secret_of("canary-9")
    assert "canary" not in f"{settings} {settings!r}"
    assert secret_of(None) is None


def test_a_listen_address_that_is_none_is_one_problem() -> None:
    (problem,) = problems_with(**{LISTEN: "here:80"})
    assert problem.path == LISTEN
