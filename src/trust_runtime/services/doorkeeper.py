"""Who may come in: authenticates each request, and slows down whoever guesses (contract 6.3)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from trust_runtime.contracts.credentials import Presented
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.policy import Caller
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.contracts.units import NS_PER_MS
from trust_runtime.core.attempts import Attempts, after_failure, counted_as, wait_ns
from trust_runtime.core.authentication import Gate, authenticate, token_owner
from trust_runtime.ports.clock import Clock
from trust_runtime.services.running import Running

ADDRESSES_MAX: Final = 1_024
"""Of so many addresses failures are remembered; the one that failed longest ago gives way."""


def _nobody(_digest: bytes) -> Caller | None:
    return None


class Doorkeeper:
    """Says who asks; a right token is never refused for what somebody else tried."""

    def __init__(
        self,
        *,
        running: Running,
        clock: Clock,
        paired: Callable[[bytes], Caller | None] = _nobody,
    ) -> None:
        """Guard the entrances of one process.

        Args:
            running: the settings in force; a new token counts with the next request.
            clock: for how long an address has to wait.
            paired: gives the owner of a live pairing token by its SHA-256.
        """
        self._running = running
        self._clock = clock
        self._paired = paired
        self._auth = running.settings.web.auth  # In force from start to stop.
        self._failing: OrderedDict[str, Attempts] = OrderedDict()

    def admit(self, presented: Presented) -> Caller | Denial:
        """Return who asks, or why that is not known: a wrong or missing proof, or too many."""
        caller = self._caller(presented)
        if caller is not None:
            return caller
        if self._auth is WebAuth.LOCAL:
            return deny(
                DenialCode.PERMISSION_DENIED,
                "runtime.web.auth='local' admits direct requests from this machine only",
                "ask from the machine itself, without a proxy",
            )
        waiting = self._note_guess(presented)
        if waiting is not None:
            return waiting
        return deny(
            DenialCode.PERMISSION_DENIED,
            "runtime.web.auth='token' admits requests with one valid token only",
            "send a valid token as X-Trust-Token or as Authorization: Bearer",
        )

    def admit_token(self, token: str, who: str) -> Caller | Denial:
        """Return whose token it is, at an entrance where a token is asked for in every mode.

        Args:
            token: as given.
            who: what guesses are counted by.
        """
        content = token.encode(errors="surrogatepass")
        caller = token_owner(content, self._gate())
        if caller is not None:
            return caller
        presented = Presented(address=who, is_loopback=True, is_forwarded=False, tokens=(content,))
        return self._note_guess(presented) or deny(
            DenialCode.PERMISSION_DENIED,
            "auth: this is no valid token",
            "send control.auth_token or a token of trust-runtime pair",
        )

    def holds(self, presented: Presented) -> bool:
        """Tell whether what was admitted would be so still: no token was changed or ended."""
        return self._caller(presented) is not None

    def _caller(self, presented: Presented) -> Caller | None:
        return authenticate(presented, self._gate())

    def _gate(self) -> Gate:
        settings = self._running.settings
        return Gate(
            auth=self._auth,
            site=settings.site,
            token=settings.control_token,
            paired=self._paired,
        )

    def _note_guess(self, presented: Presented) -> Denial | None:
        """Count a token that is nobody's; who sent none guesses nothing."""
        if not presented.tokens:
            return None
        now_ns, name = self._clock.monotonic_ns(), counted_as(presented.address)
        before = self._failing.pop(name, Attempts())
        wait = wait_ns(before, now_ns)
        self._failing[name] = before if wait else after_failure(before, now_ns)
        if len(self._failing) > ADDRESSES_MAX:
            self._failing.popitem(last=False)
        if not wait:
            return None
        return deny(
            DenialCode.OVERLOADED,
            "too many requests of this address had no valid token",
            "send a valid token, or wait",
            retry_after_ms=-(-wait // NS_PER_MS),
        )
