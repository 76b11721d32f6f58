"""Plant each bug and see the gate turn red.

    PYTHONPATH=src:tests python -m planted.run [NAME]...

Prints one line a bug and how many of all were found; exits 1 when one was not.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from planted.bugs import BUGS

GATE = "runtime_cloud_security_profile_gate"
_SITE = Path(__file__).parent / "site"
_SRC = Path(__file__).parents[2] / "src"
_LONGEST_S = 300


class Found(NamedTuple):
    """What the gate said of a planted bug."""

    planted: bool
    is_red: bool
    said: str


def try_out(name: str) -> Found:
    """Run the concerned checks of the gate against runtimes with that bug."""
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "mark"
        environment = {
            **os.environ,
            "PYTHONPATH": f"{_SITE}:{_SRC}",
            "TRUST_PLANTED_BUG": name,
            "TRUST_PLANTED_MARK": str(mark),
            "OUT_DIR": folder,
        }
        cases = [word for case in BUGS[name].cases for word in ("--case", case)]
        ran = subprocess.run(
            [sys.executable, "-m", "trust_runtime.gates", GATE, *cases],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
        summary = json.loads((Path(folder) / "summary.json").read_bytes())
        said = "; ".join(one.get("reason", "passed") for one in summary["cases"])
        # Only what a check demanded counts: a check that broke, or that saw nothing, is no proof.
        logs = [(Path(folder) / f"{case}.log").read_text() for case in BUGS[name].cases]
        is_red = ran.returncode == 1 and all("\nfailed: " in log for log in logs)
        return Found(planted=mark.exists(), is_red=is_red, said=said)


def main(names: list[str]) -> int:
    """Try out the named bugs, or all."""
    missed = 0
    for name in names or sorted(BUGS):
        found = try_out(name)
        missed += not (found.planted and found.is_red)
        word = "red" if found.is_red else "GREEN"
        planted = "" if found.planted else " (was not planted)"
        sys.stdout.write(f"{word} {name}{planted}: {BUGS[name].says}: {found.said[:200]}\n")
        sys.stdout.flush()
    count = len(names or BUGS)
    sys.stdout.write(f"{count - missed} of {count} planted bugs turned the gate red\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
