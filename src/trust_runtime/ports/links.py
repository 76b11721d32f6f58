"""Link preferences set through the API.

They share the file and the promises of `ports.store`.
"""

from collections.abc import Sequence
from typing import Protocol

from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.links import LinkPreference


class LinkStore(Protocol):
    """One preference per pair of source and target."""

    async def load(self) -> tuple[LinkPreference, ...]:
        """Return every kept preference, ascending by source and target."""
        ...

    async def keep(
        self, preference: LinkPreference, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """Keep a preference, in place of the one of its pair, and its records, in one commit."""
        ...

    async def drop(
        self, source: str, target: str, drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """Forget the preference of a pair, if there is one, and append records, in one commit."""
        ...
