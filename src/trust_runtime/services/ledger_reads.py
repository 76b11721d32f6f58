"""Says what the own ledger holds of a request (`ledger.read`, contract 5.4)."""

from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.ledger import LedgerAnswer, LedgerKey
from trust_runtime.ports.store import LedgerStore


class LedgerReads:
    """Says what the own ledger holds of a request."""

    def __init__(self, ledger: LedgerStore) -> None:
        self._ledger = ledger

    async def read(self, origin: RuntimeId, request_id: str) -> LedgerAnswer:
        """Return what is remembered of a request of `origin`.

        Raises:
            StoreFailed: the ledger cannot be read.
        """
        entry = await self._ledger.find(LedgerKey(origin=origin, request_id=request_id))
        low_water_s = await self._ledger.low_water_s()
        if entry is None:
            return LedgerAnswer(low_water_s=low_water_s)
        return LedgerAnswer(
            state=entry.state, digest=entry.digest, reply=entry.reply, low_water_s=low_water_s
        )
