"""The durable past as operators see it.

They share the file and the promises of `ports.store`.
"""

from collections.abc import Sequence
from typing import Protocol

from trust_runtime.contracts.history import RecordedState
from trust_runtime.contracts.timeline import TimelineEvent, TimelineFilter


class TimelineStore(Protocol):
    """Events that operators see, bounded in number and age; the oldest give way."""

    async def append(self, events: Sequence[TimelineEvent], *, now_ns: int) -> int:
        """Keep those whose `event_id` is new, in this order; return how many were.

        What is too old at `now_ns`, the own wall clock, gives way; no event's own time says so.
        """
        ...

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        """Return matching events in the order they were kept, oldest first.

        Without `since` these are the newest ones.

        Raises:
            ContractViolation: the limit is out of range, or `since` is an event not kept here.
        """
        ...


class HistoryStore(Protocol):
    """The states the fleet went through, bounded in number and age; the oldest give way."""

    async def record(self, entry: RecordedState) -> int:
        """Keep one more entry; return the time it stands at, nanoseconds since the epoch.

        That is its own, or that of the entry before it where the clock was set back since: the
        order of entries is the order in which they were kept. It counts as a beat too.
        """
        ...

    async def until(self, at_ns: int) -> tuple[RecordedState, ...]:
        """Return the newest keyframe not after `at_ns` and all later entries not after it."""
        ...

    async def beat(self, at_ns: int) -> None:
        """Remember that the process was alive at that time; the newest one counts."""
        ...

    async def last_beat_ns(self) -> int:
        """Return the newest sign of life, by `beat` or `record`; 0 before the first."""
        ...
