"""The fake gives what it was given."""

import asyncio

from fakes.identity_files import FakeIdentityFiles
from trust_runtime.contracts.identity import IdentityChange


def test_each_change_is_brought_into_use_once() -> None:
    used: list[IdentityChange] = []
    files = FakeIdentityFiles(used.append)
    files.changes.append(IdentityChange(own=True))
    assert [asyncio.run(files.look()) for _ in range(2)] == [IdentityChange(own=True), None]
    assert used == [IdentityChange(own=True)]
