"""Decide why a peer is not heard (B5): the reason behind its lifecycle. Pure."""

from typing import Final, assert_never

from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import Knock, Sight, SightEvidence


def decide_sight(evidence: SightEvidence) -> Sight:
    """Return what the evidence says of one peer; the strongest evidence first.

    A goodbye is the peer's own signed word. Its hail proves that its process turns and that its
    datagrams arrive, whatever its listener does. A refused connection proves that its host lives
    and no process listens. An accepted one proves the host alone. Silence proves nothing, so it
    is `cut` only after an examination and never while the observer itself stood still.
    """
    if not evidence.ever_heard:
        return Sight.NEVER
    if evidence.left_cleanly:
        return Sight.LEFT
    if evidence.lifecycle is Lifecycle.ONLINE:
        return Sight.HEARD
    if evidence.hail_fresh:
        return Sight.UNLINKED if evidence.hail_confirms else Sight.ONE_WAY
    if evidence.observer_stalled:
        return Sight.OBSERVER_STALLED
    if evidence.knock is None:
        return Sight.LOST
    return _BY_KNOCK[evidence.knock]


_BY_KNOCK: Final = {
    Knock.REFUSED: Sight.DEAD,
    Knock.ACCEPTED: Sight.FROZEN,
    Knock.SILENT: Sight.CUT,
}


def describe_sight(sight: Sight) -> str:
    """Return the conclusion as the end of a sentence about the peer."""
    match sight:
        case Sight.DEAD:
            return "no process listens there"
        case Sight.FROZEN:
            return "its host answers, the process does not"
        case Sight.CUT:
            return "nothing comes back from its host"
        case Sight.ONE_WAY:
            return "messages arrive in one direction only"
        case Sight.UNLINKED:
            return "it lives, but there is no mesh link"
        case Sight.OBSERVER_STALLED:
            return "this runtime itself stood still"
        case Sight.LOST:
            return "not examined yet"
        case Sight.SELF | Sight.HEARD | Sight.LEFT | Sight.NEVER | Sight.UNKNOWN:
            return sight.replace("_", " ")
        case _:
            assert_never(sight)
