"""The past as operators see it, in memory. Implements `ports.timeline`."""

from collections.abc import Callable, Sequence

from fakes.disk import LIMIT_MAX, State, through_json
from fakes.store import FakeStore
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.history import STATES_KEPT, RecordedState
from trust_runtime.contracts.timeline import EVENTS_KEPT, KEPT_NS, TimelineEvent, TimelineFilter


class FakeTimeline:
    """Implements `ports.timeline.TimelineStore`."""

    def __init__(self, store: FakeStore, *, kept_max: int = EVENTS_KEPT) -> None:
        self._store = store
        self._kept_max = kept_max

    async def append(self, events: Sequence[TimelineEvent], *, now_ns: int) -> int:
        """See `TimelineStore.append`."""
        new = tuple(events)

        def work(state: State) -> int:
            before = len(state.events)
            for event in new:
                state.events.setdefault(event.event_id, through_json(event))
            kept = len(state.events) - before
            if kept:
                self._drop_old(state, before, now_ns)
            return kept

        return await self._store.write(work)

    def _drop_old(self, state: State, before: int, now_ns: int) -> None:
        """Drop what is surplus, and what was kept before the first one that is young."""
        youth = range(now_ns - KEPT_NS, now_ns + 1)
        placed = list(state.events.items())
        surplus = max(0, len(placed) - self._kept_max)
        young = (
            n for n, (_, one) in enumerate(placed) if n >= surplus and one.timestamp_ns in youth
        )
        state.events = dict(placed[max(surplus, next(young, before)) :])

    async def list(self, wanted: TimelineFilter) -> tuple[TimelineEvent, ...]:
        """See `TimelineStore.list`."""
        if not 1 <= wanted.limit <= LIMIT_MAX:
            raise ContractViolation("limit", wanted.limit, f"1..{LIMIT_MAX}")

        def work(state: State) -> tuple[TimelineEvent, ...]:
            is_later = _after(state, wanted.since)
            found = [
                event
                for number, event in enumerate(state.events.values())
                if is_later(number, event)
                and (wanted.until_ns is None or event.timestamp_ns <= wanted.until_ns)
                and (wanted.until_ns is None or event.timestamp_ns <= wanted.until_ns)
                and wanted.category in (None, event.category)
                and wanted.runtime in (None, event.runtime_id)
            ]
            shown = found[-wanted.limit :] if wanted.since is None else found[: wanted.limit]
            return tuple(shown)

        return await self._store.read(work)


class FakeHistory:
    """Implements `ports.timeline.HistoryStore`."""

    def __init__(self, store: FakeStore, *, kept_max: int = STATES_KEPT) -> None:
        self._store = store
        self._kept_max = kept_max

    async def record(self, entry: RecordedState) -> int:
        """See `HistoryStore.record`."""

        def work(state: State) -> int:
            placed_ns = max(entry.at_ns, state.states[-1][0] if state.states else 0)
            state.states.append((placed_ns, through_json(entry)))
            state.beat_ns = entry.at_ns
            state.states = [
                one for one in state.states[-self._kept_max :] if one[0] >= entry.at_ns - KEPT_NS
            ]
            return placed_ns

        return await self._store.write(work)

    async def until(self, at_ns: int) -> tuple[RecordedState, ...]:
        """See `HistoryStore.until`."""

        def work(state: State) -> tuple[RecordedState, ...]:
            past = [entry for placed_ns, entry in state.states if placed_ns <= at_ns]
            wholes = [number for number, entry in enumerate(past) if entry.whole is not None]
            return tuple(past[wholes[-1] :] if wholes else past)

        return await self._store.read(work)

    async def beat(self, at_ns: int) -> None:
        """See `HistoryStore.beat`."""

        def work(state: State) -> None:
            state.beat_ns = at_ns

        await self._store.write(work)

    async def last_beat_ns(self) -> int:
        """See `HistoryStore.last_beat_ns`."""
        return await self._store.read(lambda state: state.beat_ns)


def _after(state: State, since: str | int | None) -> Callable[[int, TimelineEvent], bool]:
    """Return what tells whether the event of some place comes after `since`."""
    if since is None:
        return lambda _number, _event: True
    if isinstance(since, int):
        return lambda _number, event: event.timestamp_ns > since
    if since not in state.events:
        raise ContractViolation("since", since, "the id of an event that is kept here")
    place = list(state.events).index(since)
    return lambda number, _event: number > place
