"""Run the simulator: one seed is one run, on every machine.

    PYTHONPATH=src:tests python -m sim.run --seed 7
    PYTHONPATH=src:tests python -m sim.run --seeds 0:1000 [--steps 100] [--bug NAME] [--keep]
    PYTHONPATH=src:tests python -m sim.run --seeds 0:100000 --jobs 2 --record FILE

Prints the end of the trace and the violation of a run that fails, and exits 1 then. `--keep` adds
such seeds to `seeds.txt`, so that they are run for ever.

With `--jobs` or `--record` it runs slices of many seeds, and tells after each how far it is. The
record is written after each slice; with the same seeds, code and Python the same command continues
it. At the end it holds how many seeds were run and which failed, how long it took, and a digest of
all histories, equal for equal code.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from sim import slices
from sim.planted import BUGS
from sim.seed import STEPS, Run

SEEDS_FILE: Final = Path(__file__).with_name("seeds.txt")
LINES_SHOWN: Final = 120
_INTERRUPTED: Final = 130


def kept_seeds() -> list[int]:
    """Return the seeds that failed once."""
    lines = SEEDS_FILE.read_text("utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m sim.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=_range, default=range(20), help="FIRST:END, END is not run")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this bug first")
    parser.add_argument("--keep", action="store_true", help="add failing seeds to seeds.txt")
    parser.add_argument("--trace", action="store_true", help="print the trace in any case")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="run slices in N processes")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write or continue a record")
    asked = parser.parse_args()
    if asked.seed is not None:
        asked.seeds = range(asked.seed, asked.seed + 1)
    if asked.jobs is None and asked.record is None:
        return _run_each(asked)
    try:
        return _run_all(asked)
    except slices.Refused as refused:
        parser.error(str(refused))
    except KeyboardInterrupt:
        _say("interrupted; what is in the record is not run again by the same command")
        return _INTERRUPTED


def _run_each(asked: argparse.Namespace) -> int:
    """Run seed after seed, and tell of each."""
    failed = 0
    began_s = time.monotonic()
    for run in slices.run_seeds(asked.seeds, steps=asked.steps, bug=asked.bug):
        failed += bool(run.violations)
        _print(run, trace=asked.trace)
        if run.violations and asked.keep:
            _keep(run.seed, run.violations[0].rule)
    took_s = time.monotonic() - began_s
    _say(f"{len(asked.seeds)} seeds, {failed} failed, {took_s:.1f} s")
    return 1 if failed else 0


def _run_all(asked: argparse.Namespace) -> int:
    """Run many seeds, tell how far it is, and keep a record where one is asked for."""
    jobs = 1 if asked.jobs is None else asked.jobs
    wanted = slices.asked_for(asked.seeds, steps=asked.steps, bug=asked.bug)
    record = slices.empty_record(wanted)
    if asked.record is not None:
        record = slices.read_record(asked.record, wanted)

    def tell(record: slices.Record) -> None:
        if asked.record is not None:
            slices.save(record, asked.record)
        sys.stderr.write(slices.progress(record, jobs=jobs) + "\n")

    record = slices.run_slices(record, jobs=jobs, on_slice=tell)
    for failed in record.failed:
        _say(f"seed {failed.seed}: {failed.rule}: {failed.detail}")
        if asked.keep:
            _keep(failed.seed, failed.rule)
    _say(slices.summary(record))
    return 1 if record.failed_count else 0


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    seeds = range(int(first), int(end))
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text} holds no seed; FIRST:END, END is not run")
    return seeds


def _jobs(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("it takes one process at least")
    return int(text)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _print(run: Run, *, trace: bool) -> None:
    if run.violations or trace:
        _say("\n".join(run.lines[-LINES_SHOWN:]))
    for violation in run.violations[:5]:
        _say(f"seed {run.seed}: {violation.rule}: {violation.detail}")
    if not run.violations:
        _say(f"seed {run.seed}: well, {run.virtual_s:.0f} s, {run.fingerprint[:16]}")


def _keep(seed: int, rule: str) -> None:
    if seed not in kept_seeds():
        with SEEDS_FILE.open("a", encoding="utf-8") as file:
            file.write(f"{seed} {rule}\n")


if __name__ == "__main__":
    sys.exit(main())
