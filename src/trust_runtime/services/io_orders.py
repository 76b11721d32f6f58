"""Operations on this runtime's I/O configuration, whoever asks: read and write (contract 14.2)."""

import asyncio
from typing import Final

from msgspec import structs

from trust_runtime.contracts.actions import ConfigOp
from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation, NotDurable, StoreFailed
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import IoAnswer, IoContent, IoParams, IoSource, IoView
from trust_runtime.contracts.ledger import LedgerKey
from trust_runtime.contracts.results import ControlReply, ResultStatus, TargetReply
from trust_runtime.core.io_config import (
    DEFAULT,
    content_to_write,
    etag_of,
    read_content,
    to_toml,
    view_of,
)
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.io_file import IoFile, IoFound
from trust_runtime.ports.store import LedgerStore
from trust_runtime.services.execution import Execution
from trust_runtime.services.order import Order, executed, too_late

SYSTEM_FILE: Final = "/etc/trust/io.toml"


class IoOrders:
    """Executes operations that a decision allowed.

    Attributes:
        restart_required: whether the file says something else than what is in force.
    """

    def __init__(
        self,
        *,
        own: RuntimeId,
        file: IoFile,
        ledger: LedgerStore,
        execution: Execution,
        clock: Clock,
    ) -> None:
        self._own = own
        self._file = file
        self._ledger = ledger
        self._execution = execution
        self._clock = clock
        self._lock = asyncio.Lock()
        self._in_force: str | None = None
        self.restart_required = False

    async def begin(self) -> None:
        """Note what is in force: what stands in the file when the process starts."""
        present = _content(await self._file.read())
        self._in_force = etag_of(present) if isinstance(present, IoContent) else None

    async def view(self) -> IoView | Denial:
        """Return what `GET io/config` shows, or why the file says nothing; changes nothing."""
        found = await self._file.read()
        content = _content(found)
        if isinstance(content, Denial):
            # Nobody asked wrongly: it is the file that is not in order.
            return deny(
                DenialCode.TRANSPORT_FAILURE, content.reason, "correct io.toml, or write it anew"
            )
        return view_of(self._own, content, found.source)

    async def execute(self, order: Order) -> TargetReply:
        """Execute an order; its reply says what the endpoint here would."""
        return await self._execution.guard(self._execute(order))

    async def _execute(self, order: Order) -> TargetReply:
        if order.op is ConfigOp.IO_READ:
            shown = await self.view()
            if isinstance(shown, Denial):
                return await self._refuse(order, shown)
            return await self._execution.answer_read(order, shown)
        try:
            asked = convert(order.payload, IoParams)
        except ContractViolation as error:
            return await self._refuse(order, deny(DenialCode.CONTRACT_VIOLATION, str(error)))
        async with self._lock:
            return await self._write(order, asked)

    async def _write(self, order: Order, asked: IoParams) -> TargetReply:
        key = LedgerKey(origin=order.origin, request_id=order.request_id)
        known = await self._ledger.find(key)
        wanted = await self._wanted(asked)
        if known is None and isinstance(wanted, Denial):
            return await self._refuse(order, wanted)

        async def effect() -> TargetReply:
            # Reached by a first request only, and then there is something to write.
            assert isinstance(wanted, IoContent)  # noqa: S101 - refused above otherwise
            return await self._put(order, asked, wanted)

        return await self._execution.perform(order, effect)

    async def _wanted(self, asked: IoParams) -> IoContent | Denial:
        """Return what the file is to say, or why it cannot."""
        present = _content(await self._file.read())
        stored = DEFAULT if isinstance(present, Denial) else present
        etag = None if isinstance(present, Denial) else etag_of(present)
        if asked.expected_etag not in (None, etag):
            return deny(
                DenialCode.REVISION_CONFLICT,
                f"the etag is {etag or 'unknown'}, not {asked.expected_etag}",
                "read io/config and decide again",
            )
        if not asked.use_system_io:
            return content_to_write(asked, stored)
        named = (asked.driver, asked.params, asked.drivers, asked.safe_state)
        if any(member is not None for member in named):
            return deny(
                DenialCode.CONTRACT_VIOLATION,
                f"use_system_io takes {SYSTEM_FILE} of the machine: drivers and safe_state cannot"
                " stand beside it",
                "leave out use_system_io, or all of driver, params, drivers and safe_state",
            )
        found = await self._file.read_system()
        if found.source is IoSource.DEFAULT:
            return deny(
                DenialCode.NOT_CONFIGURED,
                f"{self._own} has no {SYSTEM_FILE}, and could not start without any io.toml",
                f"create {SYSTEM_FILE} on its machine, or send the drivers",
            )
        return _content(found)

    async def _put(self, order: Order, asked: IoParams, content: IoContent) -> TargetReply:
        etag = etag_of(content)

        def may_begin() -> bool:
            return self._clock.monotonic_ns() < order.deadline_ns

        try:
            begun = await (
                self._file.remove(may_begin=may_begin)
                if asked.use_system_io
                else self._file.write(to_toml(content), may_begin=may_begin)
            )
        except StoreFailed as error:
            denial = deny(DenialCode.TRANSPORT_FAILURE, error.reason, error.remedy)
            if not isinstance(error, NotDurable):
                return _refused(order, denial, ResultStatus.FAILED)
            self.restart_required = etag != self._in_force
            return _refused(order, denial, ResultStatus.FAILED, etag=etag)
        if not begun:
            return too_late(order)
        self.restart_required = etag != self._in_force
        return executed(order, IoAnswer(etag=etag, audit_id=order.audit_id))

    async def _refuse(self, order: Order, denial: Denial) -> TargetReply:
        reply = await self._execution.refuse(order, denial)
        named = structs.replace(order, audit_id=reply.audit_id or order.audit_id)
        return _refused(named, denial, ResultStatus.DENIED)


def _content(found: IoFound) -> IoContent | Denial:
    if found.fault is not None:
        return deny(DenialCode.CONTRACT_VIOLATION, found.fault, "correct io.toml")
    return DEFAULT if found.document is None else read_content(found.document)


def _refused(
    order: Order, denial: Denial, status: ResultStatus, *, etag: str | None = None
) -> TargetReply:
    """Return a reply that carries the whole refusal, as the endpoint here would tell it.

    `etag` is of what stands in the file now, when it was changed all the same.
    """
    return TargetReply(
        status=status,
        denial_code=denial.code,
        denial_reason=denial.reason,
        remedy=denial.remedy,
        response=ControlReply(
            id=1,
            ok=False,
            request_id=order.request_id,
            audit_id=order.audit_id,
            result=to_plain(IoAnswer(denial=denial, etag=etag, audit_id=order.audit_id)),
            error=denial.reason,
            denial_code=denial.code,
            remedy=denial.remedy,
        ),
        audit_id=order.audit_id,
    )
