"""What the configuration was: its history, and what changed since a writer last looked (6.12)."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.config import (
    EMPTY_ETAG,
    ConfigHistory,
    ConfigRevision,
    HistoryItem,
    HistoryParams,
)
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.config.change import Change, Present, Refusal
from trust_runtime.core.config.merge import changed_keys, document_etag, redact
from trust_runtime.ports.store import REVISIONS_KEPT, ConfigStore

HISTORY_BYTES_MAX: Final = 1_048_576
"""So long is the history in one answer at most, unless a single revision is longer."""

_PAGE: Final = 16
_COMPARED_MAX: Final = 100


class ConfigPast:
    """Reads kept revisions; what leaves it has no secret."""

    def __init__(self, *, own: RuntimeId, store: ConfigStore) -> None:
        self._own = own
        self._store = store

    async def revision(self, number: int, *, newest: int) -> ConfigRevision | None:
        """Return a kept revision, secrets included, or None; it stays in this process.

        Raises:
            StoreFailed: it cannot be read.
        """
        return await self._store.revision(number) if 0 < number <= newest else None

    async def history(self, wanted: HistoryParams) -> ConfigHistory:
        """Return revisions, newest first; fewer than wanted when they are long.

        Raises:
            ContractViolation: the one revision asked for is not kept.
            StoreFailed: they cannot be read.
        """
        if wanted.revision is not None:
            return self._page([await self._whole(wanted.revision, before=wanted.before)])
        items: list[HistoryItem] = []
        before, room = wanted.before, HISTORY_BYTES_MAX
        while room > 0 and len(items) < wanted.limit:
            limit = min(_PAGE, wanted.limit - len(items))
            page = await self._store.revisions(before=before, limit=limit)
            for item in map(_shown, page):
                room -= len(encode_json(item))
                if room > 0 or not items:
                    items.append(item)
            if len(page) < limit:
                break
            before = page[-1].revision
        return self._page(items)

    def _page(self, items: list[HistoryItem]) -> ConfigHistory:
        return ConfigHistory(api_version=API_VERSION, runtime_id=self._own, items=tuple(items))

    async def _whole(self, number: int, *, before: int | None) -> HistoryItem:
        """Return one revision with its document."""
        if before is not None:
            raise ContractViolation("before", before, "nothing beside `revision`")
        kept = await self._store.revision(number)
        if kept is None:
            newest = await self._store.newest()
            last = 0 if newest is None else newest.revision
            raise ContractViolation(
                "revision", number, f"1..{last}, of which the newest {REVISIONS_KEPT} are kept"
            )
        return structs.replace(
            _shown(kept),
            document=redact(kept.document),
            secret_revisions=dict(sorted(kept.secret_revisions.items())),
        )

    async def explain(self, refusal: Refusal, change: Change, present: Present) -> Refusal:
        """Return a refused precondition with the keys that changed since what was expected.

        Args:
            refusal: any refusal; only that of a precondition is changed.
            change: what was refused.
            present: what it met.

        Raises:
            StoreFailed: the history cannot be read.
        """
        if refusal.denial.code is not DenialCode.REVISION_CONFLICT:
            return refusal
        expected = await self._expected(change, present)
        if expected is None:
            return refusal
        keys = ", ".join(changed_keys(expected, present.document)) or "no key in the end"
        reason = f"{refusal.denial.reason}; changed since then: {keys}"
        return structs.replace(refusal, denial=structs.replace(refusal.denial, reason=reason))

    async def _expected(self, change: Change, present: Present) -> Mapping[str, Any] | None:
        """Return the document a writer had in mind, or None when it is not known any more."""
        number = change.expected_revision
        if number is not None and number != present.revision:
            kept = await self.revision(number, newest=present.revision)
            return {} if number == 0 else (None if kept is None else kept.document)
        fails = change.expected_etag not in (None, present.etag)
        etag = change.expected_etag if fails else change.if_match
        if etag == EMPTY_ETAG:
            return {}
        for one in await self._store.revisions(before=None, limit=_COMPARED_MAX):
            if document_etag(one.document, one.secret_revisions) == etag:
                return one.document
        return None


def _shown(revision: ConfigRevision) -> HistoryItem:
    return HistoryItem(
        revision=revision.revision,
        etag=document_etag(revision.document, revision.secret_revisions),
        kind=revision.kind,
        actor=revision.actor,
        identity=revision.identity,
        request_id=revision.request_id,
        audit_id=revision.audit_id,
        patch=redact(revision.patch),
        created_at_ns=revision.created_at_ns,
        reached_reported_at_ns=revision.reached_at_ns,
    )
