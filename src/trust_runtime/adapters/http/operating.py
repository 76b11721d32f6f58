"""What the endpoints for links, I/O configuration and verbs ask of the services behind them."""

from typing import Protocol

from msgspec import Struct

from trust_runtime.contracts.action_rows import ActionRow
from trust_runtime.contracts.answers import Shown, Unanswered
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoAnswer, IoView, IoWrite
from trust_runtime.contracts.links import LinkAnswer, LinkPreference, TransportWrite
from trust_runtime.contracts.pairing import PairAnswer, PairStart
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.proxies import DirectRequest, NotProxied, ProxyRequest
from trust_runtime.contracts.results import ControlReply


class Rows(Protocol):
    """What became of dispatches; may raise StoreFailed: it cannot be read."""

    async def find(self, request_id: str) -> ActionRow | None:
        """Return the last dispatch of that id, or None."""
        ...


class Links(Protocol):
    """The link preferences of this runtime; a change may raise StoreFailed: nothing was kept."""

    def list(self) -> tuple[LinkPreference, ...]:
        """Return those in force, ascending by source and target."""
        ...

    async def set(self, write: TransportWrite, caller: Caller) -> LinkAnswer:
        """Store one, or say why not."""
        ...

    async def remove(self, source: str, target: str, caller: Caller) -> LinkAnswer:
        """Forget one, or say why not."""
        ...


class Io(Protocol):
    """The I/O configuration of every runtime; another one is asked, and may not answer.

    Each may raise StoreFailed: nothing was written, and nothing was sent.
    """

    async def view(self, target: RuntimeId, caller: Caller) -> Shown[IoView] | Unanswered:
        """Return drivers and safe state."""
        ...

    async def write(
        self, target: RuntimeId, write: IoWrite, caller: Caller
    ) -> IoAnswer | Unanswered:
        """Write them, or say why not."""
        ...


class Pairings(Protocol):
    """Codes and tokens; each may raise StoreFailed: nothing was kept, nothing was given out."""

    async def start(self, start: PairStart, caller: Caller) -> PairAnswer:
        """Return a code, or why there is none."""
        ...

    async def claim(self, code: str, address: str) -> PairAnswer:
        """Return a token, or why there is none."""
        ...

    async def list(self, caller: Caller) -> PairAnswer:
        """Return every token, none of them itself."""
        ...

    async def revoke(self, token_id: str, caller: Caller) -> PairAnswer:
        """End a token, or say why not."""
        ...


class Proxies(Protocol):
    """Verbs of every runtime; may raise StoreFailed: a refusal could not be recorded."""

    async def proxy(
        self, wanted: ProxyRequest, caller: Caller
    ) -> ControlReply | Unanswered | NotProxied:
        """Have one run anywhere."""
        ...

    async def control(
        self, wanted: DirectRequest, caller: Caller
    ) -> ControlReply | Unanswered | NotProxied:
        """Have one run here."""
        ...


class Operating(Struct, frozen=True, kw_only=True):
    """All of them."""

    rows: Rows
    """`actions/{request_id}`."""

    links: Links
    """`links`."""

    io: Io
    """`io/config`."""

    proxies: Proxies
    """`control/proxy` and `/api/control`."""

    pairings: Pairings
    """`/api/pair/*` and `/api/pairings`."""
