"""`adapters.sqlite.store`: one file, one connection, every face of it."""

from pathlib import Path

import pytest

from port_contracts.store_samples import DECISION, DRAFT, REVISION, draft
from trust_runtime.adapters.sqlite import open_store
from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.errors import ContractViolation, StoreFailed


@pytest.mark.anyio
async def test_what_is_committed_together_is_kept_or_lost_together(path: Path) -> None:
    store = await open_store(path)
    await store.audit.append([DRAFT])
    with pytest.raises(ContractViolation):
        await store.config.commit(REVISION, drafts=[draft(2), DRAFT], entry=None)
    assert await store.config.newest() is None
    assert store.audit.head().seq == 1
    await store.close()


@pytest.mark.anyio
async def test_a_reader_writes_nothing_and_sees_what_is_there(path: Path) -> None:
    store = await open_store(path)
    await store.audit.append([DECISION])
    await store.close()
    reader = await open_store(path, read_only=True)
    assert reader.audit.head().seq == 1
    with pytest.raises(StoreFailed, match="reading only"):
        await reader.audit.append([draft(2)])
    await reader.close()


@pytest.fixture
def garbage(path: Path) -> Path:
    path.write_bytes(b"no database at all, but long enough to look like one" * 20)
    return path


@pytest.mark.anyio
async def test_a_reader_of_no_database_is_told_at_its_first_call(garbage: Path) -> None:
    reader = await open_store(garbage, read_only=True)
    assert reader.audit.head() == EMPTY_CHAIN
    assert (await reader.audit.verify()).problem is not None
    await reader.close()
    with pytest.raises(StoreFailed):
        await open_store(garbage)
