"""The shipped nftables rule: runtimes join while somebody floods the mesh port.

Needs root and nftables; elsewhere it is skipped, and says why. The figures without the rule come
from `python -m faults.mesh_flood --without-rule`.
"""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from faults.mesh_flood import JOINS, joined
from faults.run import why_not_housed
from port_contracts.mesh_members import Members

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        why_not_housed() is not None,
        reason=f"NOT RUN, the nftables rule stays unproven here: {why_not_housed()}",
    ),
]


@pytest.fixture
async def members(tmp_path: Path) -> AsyncGenerator[Members, None]:
    made = Members(tmp_path)
    yield made
    await made.close()


@pytest.mark.parametrize(("tls", "noisy"), [(False, False), (True, False), (True, True)])
async def test_all_join_while_the_port_is_flooded(
    members: Members, tmp_path: Path, *, tls: bool, noisy: bool
) -> None:
    assert await joined(members, tmp_path, tls=tls, noisy=noisy, rule=True) == JOINS


async def test_the_flood_would_keep_them_out(members: Members, tmp_path: Path) -> None:
    # Fails when Zenoh no longer stops accepting after a failed handshake: then the rule can be
    # looser, and the guide must say so.
    assert await joined(members, tmp_path, tls=True, noisy=True, rule=False) < JOINS
