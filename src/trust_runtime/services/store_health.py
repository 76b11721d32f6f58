"""Whether the durable store can keep records, and the return to duty when it can again."""

from collections.abc import Callable

from trust_runtime.contracts.errors import StoreBusy, StoreFailed
from trust_runtime.ports.log import Log


class StoreHealth:
    """Remembers the store's fault; decisions refuse while there is one (contract 10.1)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.fault: str | None = None
        self.remedy: str | None = None
        self.on_change: Callable[[], None] = lambda: None

    def failed(self, error: StoreFailed) -> None:
        """Note a fault; told once until the store works again. Being busy with reads is none."""
        if isinstance(error, StoreBusy):
            return
        if self.fault is None:
            self._log.error("state_store", error.reason, remedy=error.remedy)
        changed = self.fault != error.reason
        self.fault, self.remedy = error.reason, error.remedy
        if changed:
            self.on_change()

    def works(self) -> None:
        """Note that records are durable again."""
        if self.fault is not None:
            self._log.info("state_store", "records are durable again")
            self.fault = self.remedy = None
            self.on_change()
