"""Who sees whom: what one runtime can tell of another's life, and on which evidence (B5)."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.audit import ChainHead
from trust_runtime.contracts.presence import Lifecycle


@unique
class Sight(StrEnum):
    """What an observer concludes of one other runtime, the reason behind its lifecycle."""

    SELF = "self"
    """The observer itself."""
    HEARD = "heard"
    """Online: a token is held and its signed beacons arrive in time."""
    LEFT = "left"
    """It said goodbye."""
    DEAD = "dead"
    """Its host answers and refuses the connection: no process listens there."""
    FROZEN = "frozen"
    """Its host accepts the connection, but the process itself says nothing."""
    CUT = "cut"
    """Nothing comes back from its host: a partition, or a host that is down."""
    ONE_WAY = "one_way"
    """Messages arrive in one direction only."""
    UNLINKED = "unlinked"
    """It lives and both directions work, but there is no mesh link (yet)."""
    LOST = "lost"
    """Not heard, and not examined yet, or there is no address to examine."""
    OBSERVER_STALLED = "observer_stalled"
    """Not heard, but the observer itself stood still: nobody is accused."""
    NEVER = "never"
    """Nothing signed by it was ever received."""
    UNKNOWN = "unknown"
    """The observer's own view is not known here."""


@unique
class Knock(StrEnum):
    """What a bare TCP connection to a mesh listener found."""

    REFUSED = "refused"
    """The host answered that nobody listens there."""
    ACCEPTED = "accepted"
    """The host's kernel accepted it; that says nothing of the process behind it."""
    SILENT = "silent"
    """No answer within the time allowed, or no route."""


class HailClaims(Struct, frozen=True, kw_only=True):
    """Claims of a hail: one signed datagram to a runtime that is no longer heard."""

    iss: str
    """SPIFFE id of the sender."""
    aud: str
    """SPIFFE id of the runtime that is hailed."""
    iat: int
    """Send time, seconds since the epoch."""
    sent_ns: int
    """Exact send time, nanoseconds since the epoch by the sender's clock."""
    boot_id: str
    """Incarnation of the sender."""
    seq: int
    """1, 2, 3, ... per boot, over all receivers."""
    got_boot: str = ""
    """Incarnation of the newest hail the sender received from the receiver; empty if none."""
    got_seq: int = 0
    """`seq` of that hail; 0 if none: the receiver's datagrams do not arrive."""
    answer: bool = False
    """True: this answers a hail, and asks for no answer itself."""


class SightEvidence(Struct, frozen=True, kw_only=True):
    """Everything an observer may know when it judges one peer; ages by its monotonic clock."""

    lifecycle: Lifecycle
    """The verdict of `core.presence`."""
    left_cleanly: bool = False
    """Its last beacon said `leaving`."""
    ever_heard: bool = True
    """A valid signed message of it was received once."""
    observer_stalled: bool = False
    """The observer stood still lately and nothing of this peer was measured since."""
    knock: Knock | None = None
    """The newest examination since it was lost; None before the first."""
    hail_fresh: bool = False
    """A valid hail of it arrived within the last seconds."""
    hail_confirms: bool = False
    """That hail says that ours arrive there."""


class PeerView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a view: an observer on one other runtime."""

    target: str
    """Canonical id of the runtime looked at."""
    lifecycle_state: Lifecycle
    """The observer's verdict."""
    sight: Sight
    """The reason behind it."""
    heard_ago_ms: int | None = None
    """Age of its last valid beacon when the view was made, milliseconds; None if never."""
    boot_id: str | None = None
    """Incarnation of its last valid beacon."""
    head: ChainHead | None = None
    """Newest audit head of it that the observer keeps: the view's signature countersigns it."""


class View(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one runtime sees of all others; travels signed on `diag/view`."""

    observer: str
    """Canonical id of who looks."""
    boot_id: str
    """Its incarnation."""
    seq: int = 0
    """1, 2, 3, ... per boot: which of two views is the newer one, whoever handed it on."""
    beacon_period_ms: int
    """How often the observer promises a beacon, milliseconds."""
    stalled_ms: int = 0
    """How long the observer last stood still, milliseconds, while that is recent; else 0."""
    peers: tuple[PeerView, ...]
    """Every other runtime it knows, ascending by id."""


class HeldView(Struct, frozen=True, kw_only=True):
    """A view, and how old it is where it is held."""

    view: View
    """What was said."""
    age_ms: int
    """Since it was received, milliseconds by the holder's monotonic clock; 0 for the own."""
    via: str | None = None
    """Who handed it on, when it did not come from the observer itself; its signature holds."""


class Cell(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One observer on one target, in the matrix."""

    target: str
    """Canonical id."""
    sight: Sight
    """The conclusion, the target's own view considered."""
    lifecycle_state: Lifecycle | None = None
    """The observer's verdict; None where its view is not known."""
    heard_ago_ms: int | None = None
    """Age of the target's last beacon at the observer now, milliseconds; None if not known."""


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All cells of one observer."""

    observer: str
    """Canonical id."""
    view_age_ms: int | None = None
    """Age of the view they come from, milliseconds; None where there is none."""
    via: str | None = None
    """Who handed the view on; None when the observer itself did."""
    stalled_ms: int = 0
    """The observer stood still that long, lately."""
    cells: tuple[Cell, ...]
    """One per runtime, in the order of `runtimes`."""


class Matrix(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who sees whom: N x N."""

    api_version: str
    """Always `1.0`."""
    connected_via: str
    """Who put it together."""
    runtimes: tuple[str, ...]
    """Every runtime known here, the own one included, ascending."""
    rows: tuple[Row, ...]
    """One per runtime, in the same order."""
    silence_ms: int | None = None
    """How long one that `connected_via` hears may say nothing and still counts as heard, the most
    patient one: a freeze or a cut shows after that many milliseconds. None when none is heard."""
