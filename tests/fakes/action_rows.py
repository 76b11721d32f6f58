"""Rows of dispatched writes, in memory. Implements `ports.action_rows.ActionRowStore`."""

from collections.abc import Sequence

from fakes.disk import State, through_json
from fakes.store import FakeStore
from trust_runtime.contracts.action_rows import KeptRow, RowState
from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.core.action_rows import over


class FakeActionRows:
    """One row per request id."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def keep(
        self, row: KeptRow, drafts: Sequence[AuditDraft] = ()
    ) -> tuple[AuditRecord, ...]:
        """See `ActionRowStore.keep`."""
        appended = tuple(drafts)

        def work(state: State) -> tuple[AuditRecord, ...]:
            state.action_rows[row.request_id] = through_json(
                over(row, state.action_rows.get(row.request_id))
            )
            return state.append(appended)

        return await self._store.write(work)

    async def find(self, request_id: str) -> KeptRow | None:
        """See `ActionRowStore.find`."""
        return await self._store.read(lambda state: state.action_rows.get(request_id))

    async def unsettled(self, limit: int) -> tuple[KeptRow, ...]:
        """See `ActionRowStore.unsettled`."""

        def work(state: State) -> tuple[KeptRow, ...]:
            found = [row for row in _by_age(state) if _is_open(row)]
            return tuple(found[-limit:])

        return await self._store.read(work)

    async def prune(self, *, created_before_ns: int, rows_max: int, bytes_max: int) -> int:
        """See `ActionRowStore.prune`."""

        def work(state: State) -> int:
            went = 0
            for row in _by_age(state):
                size = sum(len(canonical_json(kept)) for kept in state.action_rows.values())
                surplus = len(state.action_rows) > rows_max or size > bytes_max
                if not (row.row.created_at_ns < created_before_ns or surplus):
                    break
                del state.action_rows[row.request_id]
                went += 1
            return went

        return await self._store.write(work)


def _by_age(state: State) -> list[KeptRow]:
    return sorted(
        state.action_rows.values(), key=lambda row: (row.row.created_at_ns, row.request_id)
    )


def _is_open(row: KeptRow) -> bool:
    return row.row.state is RowState.RUNNING or bool(row.unsettled)
