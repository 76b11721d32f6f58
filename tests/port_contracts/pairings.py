"""What every `PairingStore` must do."""

from typing import Protocol

import pytest

from port_contracts.store_samples import DECISION, DRAFT, OUTCOME
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.pairing import PairedToken, Pairing
from trust_runtime.contracts.policy import Role
from trust_runtime.ports.pairings import PairingStore
from trust_runtime.ports.store import AuditLog

NOW_NS = 1_700_000_000_000_000_000


def token(name: str, *, enabled: bool = True, last_used_ns: int | None = None) -> PairedToken:
    return PairedToken(
        digest=name * 64,
        shown=Pairing(
            token_id=f"pt-{name}",
            owner="anna",
            role=Role.OPERATOR,
            scope=(SiteName("default-site"),),
            created_at_ns=NOW_NS,
            expires_at_ns=NOW_NS + 1,
            last_used_ns=last_used_ns,
            enabled=enabled,
        ),
    )


class World(Protocol):
    """One store that the test can close and open again."""

    @property
    def pairings(self) -> PairingStore: ...
    @property
    def audit(self) -> AuditLog: ...

    async def reopen(self) -> None: ...


@pytest.mark.anyio
class PairingStoreContract:
    async def test_a_new_store_has_no_tokens(self, world: World) -> None:
        assert await world.pairings.load() == ()

    async def test_the_last_tokens_survive_with_their_records(self, world: World) -> None:
        first = await world.pairings.save([token("a")], [DECISION, OUTCOME])
        assert [record.phase for record in first] == [DECISION.phase, OUTCOME.phase]
        newest = (token("b", last_used_ns=NOW_NS), token("a", enabled=False))
        assert await world.pairings.save(newest, []) == ()
        await world.reopen()
        assert await world.pairings.load() == newest
        assert await world.audit.find(DECISION.audit_id) == first

    async def test_a_record_that_cannot_be_kept_takes_the_tokens_along(self, world: World) -> None:
        await world.pairings.save([token("a")], [DRAFT])
        with pytest.raises(ContractViolation):
            await world.pairings.save([], [DRAFT])
        assert await world.pairings.load() == (token("a"),)
