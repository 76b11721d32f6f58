"""What every `LinkStore` must do."""

from typing import Protocol

import pytest

from port_contracts.store_samples import DECISION, DRAFT, OUTCOME
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.links import LinkOrigin, LinkPreference, Transport
from trust_runtime.ports.links import LinkStore
from trust_runtime.ports.store import AuditLog

NOW_NS = 1_700_000_000_000_000_000


def preference(
    target: str = "press-2", transport: Transport = Transport.MESH, *, source: str = "press-1"
) -> LinkPreference:
    return LinkPreference(
        source=source,
        target=target,
        transport=transport,
        actor="spiffe://trust/default-site/anna",
        updated_at_ns=NOW_NS,
        origin=LinkOrigin.API,
    )


class World(Protocol):
    """One store that the test can close and open again."""

    @property
    def links(self) -> LinkStore: ...
    @property
    def audit(self) -> AuditLog: ...

    async def reopen(self) -> None: ...


@pytest.mark.anyio
class LinkStoreContract:
    async def test_a_new_store_has_no_preferences(self, world: World) -> None:
        assert await world.links.load() == ()

    async def test_preferences_survive_ascending_with_their_records(self, world: World) -> None:
        far, near = preference("site-b/oven-1", Transport.WEB), preference("press-2")
        first = await world.links.keep(far, [DECISION, OUTCOME])
        assert [record.phase for record in first] == [DECISION.phase, OUTCOME.phase]
        assert await world.links.keep(near, []) == ()
        await world.reopen()
        assert await world.links.load() == (near, far)
        assert await world.audit.find(DECISION.audit_id) == first

    async def test_a_pair_has_one_preference(self, world: World) -> None:
        newest = preference(transport=Transport.ZENOH)
        other = preference(source="press-0")
        for one in (preference(), other, newest):
            await world.links.keep(one, [])
        await world.reopen()
        assert await world.links.load() == (other, newest)

    async def test_what_is_dropped_is_gone_and_its_record_is_kept(self, world: World) -> None:
        await world.links.keep(preference(), [])
        await world.links.keep(preference("press-3"), [])
        assert await world.links.drop("press-1", "press-2", [DRAFT])
        assert await world.links.drop("press-1", "press-9", []) == ()
        await world.reopen()
        assert await world.links.load() == (preference("press-3"),)
        assert len(await world.audit.find(DRAFT.audit_id)) == 1

    async def test_a_record_that_cannot_be_kept_takes_the_change_along(self, world: World) -> None:
        await world.links.keep(preference(), [DRAFT])
        with pytest.raises(ContractViolation):
            await world.links.drop("press-1", "press-2", [DRAFT])
        with pytest.raises(ContractViolation):
            await world.links.keep(preference(transport=Transport.WEB), [DRAFT])
        assert await world.links.load() == (preference(),)
