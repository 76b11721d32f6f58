"""What every test shares: the event loop, and the order of the stages."""

from collections.abc import Generator
from pathlib import Path

import pytest

RANK = {"unit": 0, "system": 2, "docs": 3}
"""Folders of `tests/` in order of speed; one that is not named has rank 1."""


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on the loop that the product runs on."""
    return "asyncio"


def stage_of(item: pytest.Item) -> str:
    """Return the folder below `tests/` that the test stands in."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the stages in order; within a stage the order stays."""
    items.sort(key=lambda item: RANK.get(stage_of(item), 1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Stop after a stage that failed: the slower ones could only fail again."""
    done = yield
    ended = nextitem is not None and stage_of(nextitem) != stage_of(item)
    if ended and item.session.testsfailed:
        item.session.shouldfail = f"stage {stage_of(item)} failed, later stages were not run"
    return done
