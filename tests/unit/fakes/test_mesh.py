"""The mesh in memory keeps what the mesh port promises, as the one on Zenoh does."""

import pytest

from fakes.mesh import FakeMesh, matches
from fakes.network import Network
from port_contracts.mesh import MeshContract


class MemoryWorld:
    """See `port_contracts.mesh.World`."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._network = Network()
        self._made = 0

    def member(self) -> FakeMesh:
        self._made += 1
        return FakeMesh(self._network, f"10.0.0.{self._made}:5000", on_problem=self.problems.append)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestFakeMesh(MeshContract):
    pass


@pytest.mark.parametrize(
    ("pattern", "key", "same"),
    [
        ("a/b", "a/b", True),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/*/c", "a/b/c", True),
        ("a/b", "a/*", True),
        ("a/b", "a/c", False),
    ],
)
def test_a_star_stands_for_one_part(pattern: str, key: str, *, same: bool) -> None:
    assert matches(pattern, key) is same
