"""Priority and congestion control by key (contract 5.4).

Reliability is not chosen here: over TCP nothing is lost on the way, and Zenoh 1.7.2 lets only a
declared publisher choose it.
"""

from typing import Final, NamedTuple

from zenoh import CongestionControl, Priority


class Qos(NamedTuple):
    """How one message is sent."""

    priority: Priority
    """Before which others."""

    congestion_control: CongestionControl
    """What happens when a link is full: the message is dropped, or its sender waits."""


_DEFAULT: Final = Qos(Priority.DATA, CongestionControl.DROP)
_BY_ZONE: Final = {
    "svc/beacon": Qos(Priority.INTERACTIVE_HIGH, CongestionControl.DROP),
    "svc/ha": Qos(Priority.REAL_TIME, CongestionControl.BLOCK),
    "cmd/action": Qos(Priority.INTERACTIVE_HIGH, CongestionControl.BLOCK),
    "cfg/agent": Qos(Priority.INTERACTIVE_HIGH, CongestionControl.BLOCK),
    "diag/audit": Qos(Priority.BACKGROUND, CongestionControl.DROP),
    "diag/timeline": Qos(Priority.BACKGROUND, CongestionControl.DROP),
    "diag/view": Qos(Priority.DATA, CongestionControl.DROP),
    "diag/edges": Qos(Priority.BACKGROUND, CongestionControl.DROP),
    "mesh/data": Qos(Priority.DATA_HIGH, CongestionControl.DROP),
}
_BELOW_DATA: Final = (Priority.DATA_LOW, Priority.BACKGROUND)
_ACTIVE_IO: Final = Qos(Priority.REAL_TIME, CongestionControl.BLOCK)


def qos_of(key: str) -> Qos:
    """Return how a message on `key` travels; a key outside the table as ordinary data."""
    parts = key.split("/")
    if parts[2:4] == ["active", "io"]:  # truST/SITE/active/io/GROUP/VARIABLE
        return _ACTIVE_IO
    return _BY_ZONE.get("/".join(parts[3:5]), _DEFAULT)


def answer_qos_of(key: str) -> Qos:
    """Return how the answer to a query on `key` travels: never after other data.

    Zenoh 1.7.2 says the end of a query as ordinary data. On a busy link that overtakes an answer
    of a lower priority, and who asked hears that nobody answered.
    """
    qos = qos_of(key)
    return qos._replace(priority=Priority.DATA) if qos.priority in _BELOW_DATA else qos
