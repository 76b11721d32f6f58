"""Tokens, in memory. Implements `ports.pairings.PairingStore`."""

from collections.abc import Sequence

from fakes.disk import State, through_json
from fakes.store import FakeStore
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.pairing import PairedToken


class FakePairings:
    """One value."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def load(self) -> tuple[PairedToken, ...]:
        """See `PairingStore.load`."""
        return await self._store.read(lambda state: state.tokens)

    async def save(
        self, tokens: Sequence[PairedToken], drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """See `PairingStore.save`."""
        kept, appended = tuple(through_json(one) for one in tokens), tuple(drafts)

        def work(state: State) -> tuple[AuditRecord, ...]:
            state.tokens = kept
            return state.append(appended)

        return await self._store.write(work)
