"""Who may get a token, for what, and whether it is still one (contract 6.4, D38)."""

import base64
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import SiteName, is_id_part
from trust_runtime.contracts.pairing import (
    OVERLAP_S_DEFAULT,
    OVERLAP_S_MAX,
    TOKEN_DAYS_DEFAULT,
    TOKEN_DAYS_MAX,
    PairedToken,
    Pairing,
    PairStart,
)
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.units import MS_PER_S, NS_PER_S, MonotonicNs, WallNs
from trust_runtime.core.authentication import digest_of

TOKENS_MAX: Final = 256
"""Enabled tokens at the same time (contract 1.6)."""

PENDING_MAX: Final = 16
"""Codes nobody has claimed yet (contract 1.6)."""

ENDED_MAX: Final = 256
"""Revoked and expired tokens that are still shown; the oldest give way."""

WRONG_MAX: Final = 5
"""So many wrong guesses burn every pending code."""

CLAIMS_MAX: Final = 5
CLAIMS_WINDOW_NS: Final = 60 * NS_PER_S

CODE_BYTES: Final = 9
TOKEN_BYTES: Final = 32
_CODE_CHARACTERS: Final = 13
_SCOPE_MAX: Final = 16
_DAY_NS: Final = 24 * 3_600 * NS_PER_S
_ID_CHARACTERS: Final = 16
_OWNER: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_RESERVED_OWNER: Final = "static-admin"
_ROLES: Final = (Role.VIEWER, Role.OPERATOR, Role.ENGINEER)


class Grant(Struct, frozen=True, kw_only=True):
    """What a code stands for."""

    owner: str
    """Whose token it will be."""

    role: Role
    """What it allows."""

    scope: tuple[SiteName, ...]
    """Sites its actors may be of."""

    token_days: int
    """How long it is valid."""

    replaces: str | None
    """Id of the token it replaces."""

    overlap_s: int
    """How long that one is valid beside it."""


class Pending(Struct, frozen=True, kw_only=True):
    """A code that was shown and not claimed yet; only in memory, so that a restart ends it."""

    digest: bytes
    """SHA-256 of the code."""

    grant: Grant
    """What it stands for."""

    expires_ns: MonotonicNs
    """When it ends."""


def judge_start(
    start: PairStart,
    caller: Caller,
    *,
    own_site: SiteName,
    tokens: Sequence[PairedToken],
    pending: Sequence[Pending],
) -> Grant | Denial:
    """Return what a code may stand for, or why there will be none.

    Args:
        start: as asked.
        caller: an admin; a code reaches no further than the caller's own scope.
        own_site: what an absent scope means.
        tokens: all that are kept.
        pending: codes of others that are still valid.
    """
    scope = [own_site] if start.scope is None else start.scope
    problem = _form_problem(start, scope)
    if problem is not None:
        return deny(DenialCode.CONTRACT_VIOLATION, problem)
    beyond = [] if caller.scope is None else [site for site in scope if site not in caller.scope]
    if beyond:
        return deny(
            DenialCode.PERMISSION_DENIED,
            f"scope {beyond[0]} is outside the caller's sites",
            "ask from the control socket, or leave scope out",
        )
    if start.replaces is not None and not any(
        one.shown.token_id == start.replaces
        and one.shown.owner == start.owner
        and one.shown.enabled
        for one in tokens
    ):
        return deny(
            DenialCode.PEER_NOT_AVAILABLE,
            f"{start.owner} has no valid token {start.replaces}",
            "see GET /api/pairings",
        )
    others = [one for one in pending if one.grant.owner != start.owner]
    enabled = sum(one.shown.enabled for one in tokens)
    if enabled + len(others) >= TOKENS_MAX or len(others) >= PENDING_MAX:
        what = f"{enabled} tokens are valid and {len(others)} codes wait"
        return deny(
            DenialCode.OVERLOADED,
            what,
            "revoke tokens that are not needed, or wait until codes have ended",
            retry_after_ms=60 * MS_PER_S,
        )
    return Grant(
        owner=start.owner,
        role=Role(start.role),
        scope=tuple(SiteName(site) for site in dict.fromkeys(scope)),
        token_days=TOKEN_DAYS_DEFAULT if start.token_days is None else start.token_days,
        replaces=start.replaces,
        overlap_s=OVERLAP_S_DEFAULT if start.overlap_s is None else start.overlap_s,
    )


def _form_problem(start: PairStart, scope: Sequence[str]) -> str | None:
    if _OWNER.fullmatch(start.owner) is None or start.owner == _RESERVED_OWNER:
        return "owner: 1..64 letters, digits, '.', '_', '-' or '@', and not static-admin"
    if start.role not in _ROLES:
        return "role: viewer, operator or engineer; an admin token is control.auth_token alone"
    if not 1 <= len(scope) <= _SCOPE_MAX or not all(is_id_part(site) for site in scope):
        return f"scope: 1..{_SCOPE_MAX} site names"
    if start.token_days is not None and not 1 <= start.token_days <= TOKEN_DAYS_MAX:
        return f"token_days: 1..{TOKEN_DAYS_MAX}"
    if start.overlap_s is not None and not 0 <= start.overlap_s <= OVERLAP_S_MAX:
        return f"overlap_s: 0..{OVERLAP_S_MAX}"
    if start.overlap_s is not None and start.replaces is None:
        return "overlap_s: only together with replaces"
    return None


def code_of(chance: bytes) -> str:
    """Return a code of 65 random bits as it is shown: `XXXX-XXXX-XXXXX`.

    Args:
        chance: `CODE_BYTES` random bytes.
    """
    text = base64.b32encode(chance).decode()[:_CODE_CHARACTERS]
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def code_digest(text: str) -> bytes:
    """Return the SHA-256 of a code; how it is written does not count."""
    plain = "".join(text.split()).replace("-", "").upper()
    return digest_of(plain.encode(errors="surrogatepass"))


def token_of(chance: bytes) -> str:
    """Return a token as text.

    Args:
        chance: `TOKEN_BYTES` random bytes.
    """
    return base64.urlsafe_b64encode(chance).decode().rstrip("=")


def paired_token(token: str, grant: Grant, *, now_ns: WallNs) -> PairedToken:
    """Return what is kept of a token that is given out now."""
    digest = digest_of(token.encode()).hex()
    return PairedToken(
        digest=digest,
        shown=Pairing(
            token_id=token_id(digest),
            owner=grant.owner,
            role=grant.role,
            scope=grant.scope,
            created_at_ns=now_ns,
            expires_at_ns=now_ns + grant.token_days * _DAY_NS,
            enabled=True,
        ),
    )


def token_id(digest: str) -> str:
    """Return the public name of a token: the beginning of its digest."""
    return f"pt-{digest[:_ID_CHARACTERS]}"


def with_new(
    tokens: Sequence[PairedToken], new: PairedToken, grant: Grant, *, now_ns: WallNs
) -> tuple[PairedToken, ...]:
    """Return all tokens once `new` is given out; what it replaces ends after the overlap."""
    last_ns = now_ns + grant.overlap_s * NS_PER_S
    kept = [
        _changed(one, expires_at_ns=min(one.shown.expires_at_ns, last_ns))
        if one.shown.token_id == grant.replaces
        else one
        for one in tokens
    ]
    return bounded((*kept, new))


def without(tokens: Sequence[PairedToken], ended: str) -> tuple[PairedToken, ...]:
    """Return all tokens with one disabled for ever."""
    return tuple(
        _changed(one, enabled=False) if one.shown.token_id == ended else one for one in tokens
    )


def expired(tokens: Sequence[PairedToken], *, now_ns: WallNs) -> tuple[PairedToken, ...]:
    """Return all tokens, those disabled for ever whose time is over.

    Once disabled they stay so, also when the clock is set back.
    """
    return tuple(
        _changed(one, enabled=False)
        if one.shown.enabled and one.shown.expires_at_ns <= now_ns
        else one
        for one in tokens
    )


def bounded(tokens: Sequence[PairedToken]) -> tuple[PairedToken, ...]:
    """Return the tokens without the oldest of those that ended, when there are too many."""
    surplus = max(0, sum(not one.shown.enabled for one in tokens) - ENDED_MAX)
    kept = []
    for one in tokens:
        if surplus and not one.shown.enabled:
            surplus -= 1
        else:
            kept.append(one)
    return tuple(kept)


def owner_of(token: PairedToken, *, now_ns: WallNs) -> Caller | None:
    """Return whose token it is, or None when it is none any more."""
    shown = token.shown
    if not shown.enabled or shown.expires_at_ns <= now_ns:
        return None
    return Caller(identity=f"token://{shown.owner}", role=shown.role, scope=shown.scope)


def claim_wait_ns(claims_ns: Sequence[MonotonicNs], now_ns: MonotonicNs) -> int:
    """Return how long an address that claimed at these times has to wait; 0: not at all.

    Args:
        claims_ns: when it claimed, oldest first.
        now_ns: now.
    """
    recent = [at for at in claims_ns if now_ns - at < CLAIMS_WINDOW_NS]
    return 0 if len(recent) < CLAIMS_MAX else recent[-CLAIMS_MAX] + CLAIMS_WINDOW_NS - now_ns


def _changed(token: PairedToken, **changes: object) -> PairedToken:
    return structs.replace(token, shown=structs.replace(token.shown, **changes))
