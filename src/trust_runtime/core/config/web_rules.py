"""Rules over several keys that say whom HTTP may be open to (contract 4.2)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from trust_runtime.contracts.codec import REDACTED
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.secret import MAKE_TOKEN, Secret
from trust_runtime.contracts.settings import TlsMode, TlsSettings, WebAuth
from trust_runtime.core.config.rules import is_loopback, value_text

AUTH: Final = "runtime.web.auth"
LISTEN: Final = "runtime.web.listen"
TOKEN: Final = "runtime.control.auth_token"  # noqa: S105 - its path
TLS: Final = "runtime.web.tls"
MODE: Final = "runtime.tls.mode"
CERT: Final = "runtime.tls.cert_path"
KEY: Final = "runtime.tls.key_path"
CA: Final = "runtime.tls.ca_path"
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
    if get(REQUIRE_REMOTE) and not get(TLS):
        yield SettingProblem(
            path=TLS,
            value="false",
            allowed=f"true while {REQUIRE_REMOTE} is true and {LISTEN} is no loopback address",
            message=f"{LISTEN} is {listen}; set {TLS} = true, or listen on 127.0.0.1",
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


def tls_material(get: Get) -> Iterator[SettingProblem]:
    """Yield what of `runtime.tls` does not fit together, or is missing for the web."""
    mode = tls_mode(get)
    if get(TLS) and mode is TlsMode.DISABLED:
        yield SettingProblem(
            path=MODE,
            value=value_text(get(MODE)),
            allowed=f'"self-managed" | "provisioned" while {TLS} is true',
            message=f'set {MODE} = "self-managed", or {TLS} = false',
        )
    needed = [CERT, KEY, CA] if mode is TlsMode.PROVISIONED else []
    if mode is not TlsMode.DISABLED and (get(CERT) is None) is not (get(KEY) is None):
        needed = [CERT, KEY]
    for path in needed:
        if get(path) is None:
            yield SettingProblem(
                path=path,
                value="nothing",
                allowed="a path",
                message=f"{MODE} is {value_text(get(MODE))}; {CERT} and {KEY} go together",
            )


def tls_mode(get: Get) -> TlsMode:
    """Return the mode; it may be spelled with `_`."""
    return TlsMode(get(MODE).replace("_", "-"))


def tls_settings(get: Get) -> TlsSettings:
    """Return `runtime.tls`."""
    return TlsSettings(mode=tls_mode(get), cert_path=get(CERT), key_path=get(KEY), ca_path=get(CA))


WEB_RULES: Final[tuple[tuple[tuple[str, ...], Callable[[Get], Iterator[SettingProblem]]], ...]] = (
    ((LISTEN, AUTH, REQUIRE_REMOTE, TLS), web_exposure),
    ((TLS, MODE, CERT, KEY, CA), tls_material),
    ((AUTH, TOKEN), web_token),
)
"""Each with the keys that must fit on their own first."""
