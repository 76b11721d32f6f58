"""The fault programme, a little of each part: only when it is asked for.

    sudo env TRUST_FAULTS=1 ./test -k faults

Everywhere else it is skipped, and says why. The figures of record come from `python -m faults.run`.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from faults.run import PARTS, why_not_housed

ASKED: Final = "TRUST_FAULTS"
SMALL: Final = ("--cases", "10", "--kills", "4", "--rounds", "1", "--minutes", "0.5")
LIMIT_S: Final = 900
ROOT: Final = Path(__file__).parent.parent.parent


def why_not() -> str | None:
    """Return why nothing of this is run here, or None."""
    if os.environ.get(ASKED) != "1":
        return f"the fault programme is run only with {ASKED}=1 and root: it takes minutes"
    return why_not_housed()


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("part", sorted(PARTS))
def test_part(part: str) -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    ran = subprocess.run(
        [sys.executable, "-m", "faults.run", "--only", part, *SMALL],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
