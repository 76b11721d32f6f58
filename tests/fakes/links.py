"""Link preferences, in memory. Implements `ports.links.LinkStore`."""

from collections.abc import Sequence

from fakes.disk import State, through_json
from fakes.store import FakeStore
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.links import LinkPreference


class FakeLinks:
    """One preference per pair."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def load(self) -> tuple[LinkPreference, ...]:
        """See `LinkStore.load`."""
        return await self._store.read(
            lambda state: tuple(state.links[pair] for pair in sorted(state.links))
        )

    async def keep(
        self, preference: LinkPreference, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `LinkStore.keep`."""
        appended = tuple(drafts)

        def work(state: State) -> tuple[AuditRecord, ...]:
            state.links[preference.source, preference.target] = through_json(preference)
            return state.append(appended)

        return await self._store.write(work)

    async def drop(
        self, source: str, target: str, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `LinkStore.drop`."""
        appended = tuple(drafts)

        def work(state: State) -> tuple[AuditRecord, ...]:
            state.links.pop((source, target), None)
            return state.append(appended)

        return await self._store.write(work)
