"""The store of a process whose state file cannot be used: everything is refused (ruling 41)."""

from typing import Any, NoReturn

from trust_runtime.contracts.audit import EMPTY_CHAIN, ChainHead
from trust_runtime.contracts.errors import StoreFailed


class RefusingStore:
    """Stands in for every store port; reads and writes raise the fault that was found."""

    def __init__(self, fault: StoreFailed) -> None:
        self._fault = fault

    def head(self) -> ChainHead:
        """Return the empty chain: nothing of the damaged file is vouched for."""
        return EMPTY_CHAIN

    async def _refuse(self, *_args: Any, **_named: Any) -> NoReturn:
        raise StoreFailed(self._fault.reason, self._fault.remedy)

    append = find = list = open_decisions = verify = _refuse
    low_water_s = begin = finish = recover = prune = _refuse
    newest = revision = revisions = reached = commit = boot = save_boot = _refuse
    load = save = kept = _refuse
    keep = drop = unsettled = _refuse
    record = until = beat = last_beat_ns = _refuse
