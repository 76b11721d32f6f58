"""Members of a mesh on the loopback interface, in this process and in others."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from port_contracts.mesh_members import Members, Meshes


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[Meshes, None]:
    """Members in this process."""
    meshes = Meshes(tmp_path)
    yield meshes
    await meshes.close()


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncGenerator[Members, None]:
    """Members in processes of their own."""
    members = Members(tmp_path)
    yield members
    await members.close()
