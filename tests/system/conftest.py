"""Real runtimes for system tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtimes import Plant, plant


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Plant]:
    """Return a place to make runtimes in; whatever runs is ended after the test."""
    with plant(tmp_path) as made:
        yield made
