"""The simulator: no seed breaks an invariant, and each planted bug is found."""

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from sim.planted import BUGS, planted
from sim.run import kept_seeds
from sim.seed import Run, simulate

ROOT: Final = Path(__file__).parents[2]
SLICE: Final = range(12)
"""What every run of the tests looks at; more seeds: `python -m sim.run --seeds 0:1000`."""
BUG_SEEDS_MAX: Final = 20

SOMETIMES: Final = (
    *("kill", "power off", "pause", "resume", "stop", "broken", "weather", "clock", "attacker"),
    *("effect", "executed", "replayed", "timeout timeout", "denied permission_denied"),
    *("denied stale_data", "denied conflict", "denied revision_conflict", "skipped"),
    *("denied target_unreachable", "denied transport_failure", "denied acl_denied_cfg_write"),
)
"""What must have happened in some seed of the slice: otherwise it proves less than it seems to."""

once = cache(simulate)


def tell(run: Run) -> str:
    """Return what somebody needs who looks for the cause."""
    said = "\n".join(f"{v.rule}: {v.detail}" for v in run.violations[:3])
    replay = f"PYTHONPATH=src:tests python -m sim.run --seed {run.seed}"
    return "\n".join((*run.lines[-60:], said, f"replay: {replay}"))


@pytest.mark.parametrize("seed", sorted({*kept_seeds(), *SLICE}))
def test_no_invariant_is_broken(seed: int) -> None:
    run = once(seed)
    assert not run.violations, tell(run)


def test_the_slice_exercises_what_it_is_for() -> None:
    seen: Counter[str] = Counter()
    for seed in SLICE:
        seen.update(once(seed).seen)
    assert [kind for kind in SOMETIMES if not seen[kind]] == []


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    command = [sys.executable, "-m", "sim.run", "--seed", "3", "--trace"]
    path = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests"))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-2_000:] + told.stderr
    found = re.search(r"^seed 3: well, .*, ([0-9a-f]{16})$", told.stdout, re.MULTILINE)
    assert found is not None
    assert once(3).fingerprint.startswith(found[1])
    assert once(4).fingerprint != once(3).fingerprint


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, capsys: pytest.CaptureFixture[str]) -> None:
    with planted(bug):
        found = next((r for r in map(simulate, range(1, BUG_SEEDS_MAX + 1)) if r.violations), None)
    assert found is not None, f"{bug!r} is not found by the seeds 1 to {BUG_SEEDS_MAX}"
    assert not once(found.seed).violations, "this seed fails without the bug too"
    with capsys.disabled():
        rule, detail = found.violations[0]
        sys.stdout.write(f"\n{bug}: seed {found.seed}: {rule}: {detail}\n")
