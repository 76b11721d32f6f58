"""Tokens that were given out.

They share the file and the promises of `ports.store`.
"""

from collections.abc import Sequence
from typing import Protocol

from trust_runtime.contracts.audit import AuditDraft, AuditRecord
from trust_runtime.contracts.pairing import PairedToken


class PairingStore(Protocol):
    """All tokens, as one value: there are some hundred at most."""

    async def load(self) -> tuple[PairedToken, ...]:
        """Return what was saved last; empty before."""
        ...

    async def save(
        self, tokens: Sequence[PairedToken], drafts: Sequence[AuditDraft]
    ) -> tuple[AuditRecord, ...]:
        """Keep these tokens in place of those before, and append records, in one commit."""
        ...
