"""How somebody gets a token of their own, and what is kept of it (contract 6.4, D38)."""

from typing import Final

from msgspec import Struct

from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.units import Unsigned

CODE_S: Final = 300
"""How long a pairing code lives, in seconds."""

TOKEN_DAYS_DEFAULT: Final = 30
TOKEN_DAYS_MAX: Final = 365
OVERLAP_S_DEFAULT: Final = 600
OVERLAP_S_MAX: Final = 604_800


class PairStart(Struct, frozen=True, kw_only=True):
    """The body of `POST /api/pair/start`; texts are as given."""

    owner: str
    """Whose token it will be: 1..64 letters, digits, `.`, `_`, `-` or `@`."""

    role: str
    """`viewer`, `operator` or `engineer`; fixed here, whoever claims the code."""

    scope: list[str] | None = None
    """Sites that actors of the token may be of; absent: the own site."""

    token_days: Unsigned | None = None
    """How long the token is valid, 1..365 days; absent: 30."""

    replaces: str | None = None
    """Id of a token of the same owner that ends some time after the new one is claimed."""

    overlap_s: Unsigned | None = None
    """How long the replaced token is valid beside the new one, 0..604 800 s; absent: 600."""


class PairStarted(Struct, frozen=True, kw_only=True):
    """The answer of `POST /api/pair/start`."""

    ok: bool
    """Always true."""

    code: str
    """`XXXX-XXXX-XXXXX`, 65 bits; valid once."""

    expires_at_ns: int
    """Wall clock when the code ends."""

    audit_id: str
    """The record of it."""


class PairClaim(Struct, frozen=True, kw_only=True):
    """The body of `POST /api/pair/claim`."""

    code: str
    """As it was shown; case, blanks and dashes do not count."""


class PairClaimed(Struct, frozen=True, kw_only=True):
    """The answer of `POST /api/pair/claim`, given once."""

    ok: bool
    """Always true."""

    token: str
    """32 random bytes as base64url; shown here and never again."""

    token_id: str
    """Its public name; it says nothing of the token."""

    owner: str
    """Whose it is."""

    role: Role
    """What it allows."""

    expires_at_ns: int
    """Wall clock when it ends."""

    audit_id: str
    """The record of it."""


class Pairing(Struct, frozen=True, kw_only=True):
    """One token as it is shown: never the token itself."""

    token_id: str
    """Its public name."""

    owner: str
    """Whose it is."""

    role: Role
    """What it allows."""

    scope: tuple[SiteName, ...]
    """Sites its actors may be of."""

    created_at_ns: int
    """Wall clock when it was claimed."""

    expires_at_ns: int
    """Wall clock when it ends."""

    last_used_ns: int | None = None
    """Wall clock when it last authenticated somebody, at most a minute old; absent: never."""

    enabled: bool
    """False once it is revoked or expired, for ever."""


class PairingPage(Struct, frozen=True, kw_only=True):
    """The answer of `GET /api/pairings`."""

    items: tuple[Pairing, ...]
    """Oldest first."""


class PairRevoked(Struct, frozen=True, kw_only=True):
    """The answer of `DELETE /api/pairings/{token_id}`."""

    ok: bool
    """Always true."""

    revoked: Pairing
    """What it was; disabled now."""

    audit_id: str
    """The record of it."""


class PairedToken(Struct, frozen=True, kw_only=True):
    """One token as it is kept."""

    digest: str
    """SHA-256 of the token, 64 lower-case hex digits: all that is known of it."""

    shown: Pairing
    """Everything else."""


class PairAnswer(Struct, frozen=True, kw_only=True):
    """What became of a request about pairing; exactly one of the others is set, or the denial."""

    denial: Denial | None = None
    """Why nothing was done."""

    audit_id: str | None = None
    """The record of the decision; None when it was too many to be decided."""

    started: PairStarted | None = None
    """A code."""

    claimed: PairClaimed | None = None
    """A token."""

    page: PairingPage | None = None
    """All tokens."""

    revoked: PairRevoked | None = None
    """A token that ended."""
