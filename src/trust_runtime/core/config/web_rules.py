"""Rules over several keys that say whom HTTP may be open to (contract 4.2)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from trust_runtime.contracts.codec import REDACTED
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.secret import MAKE_TOKEN, Secret
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.core.config.later import NOT_IN_THIS_VERSION
from trust_runtime.core.config.rules import is_loopback, value_text

AUTH: Final = "runtime.web.auth"
LISTEN: Final = "runtime.web.listen"
TOKEN: Final = "runtime.control.auth_token"  # noqa: S105 - its path
REQUIRE_REMOTE: Final = "runtime.tls.require_remote"

Get = Callable[[str], Any]


def secret_of(value: str | None) -> Secret | None:
    """Return a secret of the configuration; blank means that there is none."""
    text = (value or "").strip()
    return Secret(value=text) if text else None


def web_exposure(get: Get) -> Iterator[SettingProblem]:
    """Yield why the web may not listen where it is told to: beyond loopback everybody asks."""
    listen = get(LISTEN)
    if is_loopback(listen):
        return
    if get(AUTH) != WebAuth.TOKEN:
        yield SettingProblem(
            path=AUTH,
            value=value_text(get(AUTH)),
            allowed='"token" while runtime.web.listen is not a loopback address',
            message=f'{LISTEN} is {listen}; set {AUTH} = "token" and {TOKEN},'
            " or listen on 127.0.0.1",
        )
    if get(REQUIRE_REMOTE):
        yield SettingProblem(
            path=LISTEN,
            value=value_text(listen),
            allowed="IP:PORT, IP a loopback address",
            message=f"{REQUIRE_REMOTE} asks for runtime.web.tls, which is {NOT_IN_THIS_VERSION}",
        )


def web_token(get: Get) -> Iterator[SettingProblem]:
    """Yield that the token is missing which `web.auth = "token"` needs."""
    if get(AUTH) == WebAuth.TOKEN and secret_of(get(TOKEN)) is None:
        yield SettingProblem(
            path=TOKEN,
            value="nothing" if get(TOKEN) is None else REDACTED,
            allowed=f'a token, because {AUTH} is "token"',
            message=f"make one with: {MAKE_TOKEN}",
        )


WEB_RULES: Final[tuple[tuple[tuple[str, ...], Callable[[Get], Iterator[SettingProblem]]], ...]] = (
    ((LISTEN, AUTH, REQUIRE_REMOTE), web_exposure),
    ((AUTH, TOKEN), web_token),
)
"""Each with the keys that must fit on their own first."""
