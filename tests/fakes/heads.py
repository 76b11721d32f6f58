"""Audit heads of other runtimes, in memory. Implements `ports.heads.HeadStore`."""

from collections.abc import Sequence
from typing import Final

from fakes.disk import State, through_json
from fakes.store import FakeStore
from trust_runtime.contracts.audit import WitnessedHead
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.units import NS_PER_S

HOURS_KEPT: Final = 30 * 24
_NS_PER_HOUR: Final = 3_600 * NS_PER_S
_NEWEST: Final = 0


class FakeHeads:
    """The newest head of each runtime, and one an hour."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def load(self) -> tuple[WitnessedHead, ...]:
        """See `HeadStore.load`."""
        return await self._store.read(
            lambda state: tuple(
                head for (_, hour), head in sorted(state.heads.items()) if hour == _NEWEST
            )
        )

    async def kept(self, runtime_id: RuntimeId) -> tuple[WitnessedHead, ...]:
        """See `HeadStore.kept`."""

        def work(state: State) -> tuple[WitnessedHead, ...]:
            own = {hour: head for (one, hour), head in state.heads.items() if one == runtime_id}
            return tuple(
                own[hour] for hour in sorted(own, key=lambda hour: (hour == _NEWEST, hour))
            )

        return await self._store.read(work)

    async def save(self, heads: Sequence[WitnessedHead]) -> None:
        """See `HeadStore.save`."""
        new = tuple(heads)

        def work(state: State) -> None:
            for head in new:
                hour = head.seen_at_ns // _NS_PER_HOUR
                for place in (_NEWEST, hour):
                    state.heads[head.runtime_id, place] = through_json(head)
                for one, old in list(state.heads):
                    if one == head.runtime_id and _NEWEST < old <= hour - HOURS_KEPT:
                        del state.heads[one, old]

        await self._store.write(work)
