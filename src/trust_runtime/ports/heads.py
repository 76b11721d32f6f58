"""Audit heads of other runtimes.

They share the file and the promises of `ports.store`.
"""

from collections.abc import Sequence
from typing import Protocol

from trust_runtime.contracts.audit import WitnessedHead
from trust_runtime.contracts.ids import RuntimeId


class HeadStore(Protocol):
    """Audit heads of other runtimes, kept so that a cut log is noticed elsewhere (10.2)."""

    async def load(self) -> tuple[WitnessedHead, ...]:
        """Return the newest kept head of each runtime, ascending by id."""
        ...

    async def kept(self, runtime_id: RuntimeId) -> tuple[WitnessedHead, ...]:
        """Return every kept head of one runtime, oldest first: one an hour, and the newest."""
        ...

    async def save(self, heads: Sequence[WitnessedHead]) -> None:
        """Keep these as the newest, and as those of their hour; 30 days of hours are kept."""
        ...
