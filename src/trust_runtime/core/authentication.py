"""Who is it that asks: what was presented → the caller, or nobody (contract 6.3)."""

import hashlib
import hmac
from collections.abc import Callable

from msgspec import Struct

from trust_runtime.contracts.credentials import LOCAL_ADMIN, STATIC_ADMIN, Presented
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.secret import Secret
from trust_runtime.contracts.settings import WebAuth


def _nobody(_digest: bytes) -> Caller | None:
    return None


class Gate(Struct, frozen=True, kw_only=True):
    """What an entrance compares with."""

    auth: WebAuth
    """How callers prove who they are."""

    site: SiteName
    """The own site: the scope of the static token."""

    token: Secret | None
    """`control.auth_token`; a placeholder authenticates nobody."""

    paired: Callable[[bytes], Caller | None] = _nobody
    """Gives the owner of a live pairing token by the SHA-256 of the token."""


def authenticate(presented: Presented, gate: Gate) -> Caller | None:
    """Return who asks, or None when that is not proved.

    The time it takes tells nothing of how much of a token was right: digests are compared, all of
    them, and a token of any kind is looked for in both places.
    """
    if gate.auth is WebAuth.LOCAL:
        direct = presented.is_loopback and not presented.is_forwarded
        return Caller(identity=LOCAL_ADMIN, role=Role.ADMIN) if direct else None
    if len(presented.tokens) != 1:
        return None
    return token_owner(presented.tokens[0], gate)


def token_owner(token: bytes, gate: Gate) -> Caller | None:
    """Return whose token it is: the static one's, a paired client's, or None."""
    given = digest_of(token)
    usable = gate.token is not None and not gate.token.is_placeholder
    wanted = digest_of(gate.token.value.encode()) if gate.token is not None else bytes(len(given))
    is_static = hmac.compare_digest(given, wanted) and usable
    paired = gate.paired(given)
    if is_static:
        return Caller(identity=STATIC_ADMIN, role=Role.ADMIN, scope=(gate.site,))
    return paired


def digest_of(token: bytes) -> bytes:
    """Return the SHA-256 of a token, 32 bytes: all that is kept of those given out."""
    return hashlib.sha256(token).digest()
