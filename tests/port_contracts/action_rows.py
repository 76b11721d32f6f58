"""What every `ActionRowStore` must do."""

from typing import Protocol

import pytest
from msgspec import structs

from action_row_samples import COMMAND, NOW_NS, done, executed, lost, named, reported, running
from port_contracts.store_samples import DECISION, OUTCOME
from trust_runtime.contracts.action_rows import RowState
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.core.action_rows import done_row
from trust_runtime.ports.action_rows import ActionRowStore
from trust_runtime.ports.store import AuditLog

OPEN = done_row(running("press-2"), reported(lost("press-2")), unknown=["press-2"], now_ns=NOW_NS)
LARGE = 10**9


class World(Protocol):
    """One store that the test can close and open again."""

    @property
    def action_rows(self) -> ActionRowStore: ...
    @property
    def audit(self) -> AuditLog: ...

    async def reopen(self) -> None: ...


@pytest.mark.anyio
class ActionRowStoreContract:
    async def test_a_new_store_has_no_rows(self, world: World) -> None:
        assert await world.action_rows.find("request-1") is None
        assert await world.action_rows.unsettled(10) == ()
        kept_nothing = await world.action_rows.prune(
            created_before_ns=NOW_NS, rows_max=0, bytes_max=0
        )
        assert kept_nothing == 0

    async def test_a_row_survives_with_the_records_of_its_commit(self, world: World) -> None:
        row = running("press-2")
        records = await world.action_rows.keep(row, [DECISION])
        assert [record.audit_id for record in records] == [DECISION.audit_id]
        await world.reopen()
        assert await world.action_rows.find("request-1") == row
        assert await world.audit.find(DECISION.audit_id) == records

    async def test_the_newest_row_of_an_id_takes_the_place_of_the_older(self, world: World) -> None:
        await world.action_rows.keep(running("press-2"), [DECISION])
        assert await world.action_rows.keep(OPEN, [OUTCOME])
        assert await world.action_rows.keep(OPEN) == ()
        await world.reopen()
        assert await world.action_rows.find("request-1") == OPEN
        assert len(await world.audit.find(DECISION.audit_id)) == 2

    async def test_an_open_row_is_kept_with_what_it_displaces(self, world: World) -> None:
        first = done(executed("press-2"))
        reuse = running("press-2", request=structs.replace(COMMAND, payload={"command": "start"}))
        await world.action_rows.keep(first)
        await world.action_rows.keep(reuse)
        await world.reopen()
        kept = await world.action_rows.find("request-1")
        assert kept == structs.replace(reuse, former=first)
        await world.action_rows.keep(first)
        assert await world.action_rows.find("request-1") == first

    async def test_a_record_that_cannot_be_kept_takes_the_row_along(self, world: World) -> None:
        first = named(1)
        await world.action_rows.keep(first, [DECISION])
        with pytest.raises(ContractViolation):
            await world.action_rows.keep(OPEN, [DECISION])
        assert await world.action_rows.find("request-1") == first

    async def test_what_runs_or_is_unsettled_is_found_oldest_first(self, world: World) -> None:
        rows = [
            named(1, created_at_ns=NOW_NS + 3, unsettled=("press-2",)),
            named(2, created_at_ns=NOW_NS + 1),
            structs.replace(running("press-2"), request_id="request-3"),
            named(4, created_at_ns=NOW_NS + 2, unsettled=("press-2",)),
        ]
        for row in rows:
            await world.action_rows.keep(row)
        await world.reopen()
        assert await world.action_rows.unsettled(10) == (rows[2], rows[3], rows[0])
        assert await world.action_rows.unsettled(2) == (rows[3], rows[0])
        await world.action_rows.keep(structs.replace(rows[3], unsettled=()))
        assert await world.action_rows.unsettled(10) == (rows[2], rows[0])
        assert rows[2].row.state is RowState.RUNNING

    async def test_rows_older_than_that_go(self, world: World) -> None:
        for number in range(3):
            await world.action_rows.keep(named(number, created_at_ns=NOW_NS + number))
        went = await world.action_rows.prune(
            created_before_ns=NOW_NS + 1, rows_max=LARGE, bytes_max=LARGE
        )
        assert went == 1
        found = [await world.action_rows.find(f"request-{n}") for n in range(3)]
        assert [row is not None for row in found] == [False, True, True]

    @pytest.mark.parametrize(("spare", "went"), [(0, 0), (-1, 1)])
    async def test_the_oldest_go_beyond_a_number_or_a_size(
        self, world: World, spare: int, went: int
    ) -> None:
        rows = [named(number, created_at_ns=NOW_NS - number) for number in range(4)]
        for row in rows:
            await world.action_rows.keep(row)
        size = sum(len(canonical_json(row)) for row in rows)
        prune = world.action_rows.prune
        assert await prune(created_before_ns=0, rows_max=4 + spare, bytes_max=LARGE) == went
        if went:
            assert await world.action_rows.find("request-3") is None
            await world.action_rows.keep(rows[3])
        assert await prune(created_before_ns=0, rows_max=LARGE, bytes_max=size + spare) == went
        assert (await world.action_rows.find("request-3") is None) is bool(went)
        assert await world.action_rows.find("request-0") == rows[0]

    async def test_more_than_one_commit_of_rows_goes_at_once(self, world: World) -> None:
        for number in range(502):
            await world.action_rows.keep(named(number, created_at_ns=NOW_NS + number))
        assert (
            await world.action_rows.prune(
                created_before_ns=NOW_NS + 501, rows_max=LARGE, bytes_max=LARGE
            )
            == 501
        )
        assert await world.action_rows.find("request-501") is not None
