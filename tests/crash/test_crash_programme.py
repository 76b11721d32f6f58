"""The crash programme in its short setting; `python -m crash.run` is the long one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from crash.living import why_no_strace
from crash.run import Outcome, prove_sight, run_losses, run_points
from crash.tally import table

POINTS = 40
LOSSES = 50
PLANTED = 25


def require_good(outcome: Outcome, *, wanted: int) -> None:
    lines = list(outcome.tallies.lines.values())
    assert all(line.is_good for line in lines), table(lines)
    if outcome.untested:
        skip_loudly(outcome.untested)
    total = outcome.tallies.total("")
    assert total.points >= wanted, table(lines)
    assert total.acknowledged > wanted, table(lines)


def skip_loudly(reasons: Sequence[str]) -> None:
    pytest.skip("; ".join(f"NOT TESTED: {reason}" for reason in reasons))


def test_no_crash_point_loses_what_was_acknowledged(tmp_path: Path) -> None:
    require_good(run_points(tmp_path.resolve(), points=POINTS, seed=1), wanted=POINTS)


def test_no_power_loss_loses_what_was_acknowledged(tmp_path: Path) -> None:
    require_good(run_losses(tmp_path.resolve(), count=LOSSES, seed=1), wanted=LOSSES)


def test_planted_faults_are_seen(tmp_path: Path) -> None:
    reason = why_no_strace()
    if reason is not None:
        skip_loudly([reason])
    _, unseen = prove_sight(tmp_path.resolve(), count=PLANTED, seed=1)
    assert unseen == []
