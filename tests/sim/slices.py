"""Many seeds: in slices, in as many processes as wanted, with a record that can be kept.

A slice is what one process does at a time and what a run that was interrupted does not do again.
Nothing of a seed that went well stays but its part of the slice's digest, so that a run of any
length needs the memory of a few seeds.
"""

import gc
import hashlib
import multiprocessing
import platform
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct, json, structs

from sim.planted import planted
from sim.seed import Run, simulate

SLICE_SEEDS: Final = 100
FAILED_KEPT: Final = 1_000
"""So many failures are named in a record; all are counted."""
_COLLECT_EVERY: Final = 16
_TASKS_MAX: Final = 20
"""Slices of one process."""
_ROOT: Final = Path(__file__).parents[2]


class Failed(Struct, frozen=True, kw_only=True):
    """A seed that broke a rule."""

    seed: int
    rule: str
    detail: str


class Asked(Struct, frozen=True, kw_only=True):
    """What a run is to do, and with which code: only equal ones can be continued."""

    first: int
    end: int
    """Is not run."""
    steps: int
    bug: str | None
    commit: str
    """Of the working tree; ends in `+` where that differs from it in `src` or `tests`."""
    python: str


class Slice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How consecutive seeds went; a record sums up what has a default, and keeps the rest."""

    first: int
    end: int
    failed_count: int
    processor_s: float
    virtual_s: float
    digest: str
    """SHA-256 over the fingerprints of the histories, in order: equal code gives equal ones."""
    failed: tuple[Failed, ...] = ()
    """With the first rule each broke."""
    seen: dict[str, int] = {}
    """How often each kind of event was in a history."""


class Record(Struct, frozen=True, kw_only=True):
    """A run of many seeds: what was asked, the sum, and the slices that are done."""

    asked: Asked
    seeds: int
    failed_count: int
    failed: tuple[Failed, ...]
    """The first `FAILED_KEPT` that were found, in the order of seeds."""
    virtual_s: float
    processor_s: float
    elapsed_s: float
    """Of all sittings."""
    digest: str
    """SHA-256 over those of the slices, in order."""
    seen: dict[str, int]
    slices: tuple[Slice, ...]


class Refused(Exception):
    """A record cannot be continued."""


def asked_for(seeds: range, *, steps: int, bug: str | None) -> Asked:
    """Return what a run of these seeds with the present working tree is."""
    return Asked(
        first=seeds.start,
        end=seeds.stop,
        steps=steps,
        bug=bug,
        commit=_commit(),
        python=platform.python_version(),
    )


def read_record(path: Path, asked: Asked) -> Record:
    """Return the record to continue, an empty one where there is none.

    Raises:
        Refused: it is no record, or one of another run.
    """
    if not path.exists():
        return empty_record(asked)
    try:
        record = json.decode(path.read_bytes(), type=Record)
    except ValueError as error:
        raise Refused(f"{path} is no record of a run; name another file ({error})") from error
    if record.asked != asked:
        raise Refused(f"{path} is of another run, {record.asked}; name another file")
    return record


def empty_record(asked: Asked) -> Record:
    """Return the record of a run that begins."""
    return Record(
        asked=asked,
        seeds=0,
        failed_count=0,
        failed=(),
        virtual_s=0.0,
        processor_s=0.0,
        elapsed_s=0.0,
        digest="",
        seen={},
        slices=(),
    )


def run_slices(record: Record, *, jobs: int, on_slice: Callable[[Record], None]) -> Record:
    """Run what `record` lacks in `jobs` processes; `on_slice` hears of each that is added."""
    done = {one.first for one in record.slices}
    asked = record.asked
    bounds = [
        (first, min(first + SLICE_SEEDS, asked.end))
        for first in range(asked.first, asked.end, SLICE_SEEDS)
        if first not in done
    ]
    began_s, before_s = time.monotonic(), record.elapsed_s
    # No process lives long, and one that is killed ends the run with an error.
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=_leave_interrupts_to_parent,
        max_tasks_per_child=_TASKS_MAX,
    ) as pool:
        work = partial(_run_bounds, steps=asked.steps, bug=asked.bug)
        waiting = [pool.submit(work, one) for one in bounds]
        try:
            for done_one in as_completed(waiting):
                elapsed_s = before_s + time.monotonic() - began_s
                record = add(record, done_one.result(), elapsed_s=elapsed_s)
                on_slice(record)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()  # Its slice is run anew by whoever continues.
            raise
    return record


def run_slice(seeds: range, *, steps: int, bug: str | None = None) -> Slice:
    """Run consecutive seeds in this process."""
    began_s = time.process_time()
    digest = hashlib.sha256()
    seen: Counter[str] = Counter()
    failed: list[Failed] = []
    virtual_s = 0.0
    for run in run_seeds(seeds, steps=steps, bug=bug):
        digest.update(run.fingerprint.encode())
        seen.update(run.seen)
        virtual_s += run.virtual_s
        if run.violations:
            rule, detail = run.violations[0]
            failed.append(Failed(seed=run.seed, rule=rule, detail=detail))
    return Slice(
        first=seeds.start,
        end=seeds.stop,
        failed_count=len(failed),
        failed=tuple(failed),
        virtual_s=round(virtual_s, 3),
        processor_s=round(time.process_time() - began_s, 3),
        digest=digest.hexdigest(),
        seen=dict(sorted(seen.items())),
    )


def run_seeds(seeds: range, *, steps: int, bug: str | None = None) -> Iterator[Run]:
    """Run seed after seed, with a bug planted if one is named."""
    with ExitStack() as stack:
        if bug is not None:
            stack.enter_context(planted(bug))
        stack.enter_context(_rare_collection())
        for count, seed in enumerate(seeds, 1):
            yield simulate(seed, steps=steps)
            if count % _COLLECT_EVERY == 0:
                gc.collect()


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Look for cycles between seeds alone: during one nearly everything is still in use."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_bounds(bounds: tuple[int, int], *, steps: int, bug: str | None) -> Slice:
    return run_slice(range(*bounds), steps=steps, bug=bug)


def add(record: Record, one: Slice, *, elapsed_s: float) -> Record:
    """Return the record with one more slice."""
    kept = structs.replace(one, failed=(), seen={})
    slices = sorted((*record.slices, kept), key=lambda each: each.first)
    failed = sorted((*record.failed, *one.failed), key=lambda each: each.seed)
    seen = Counter(record.seen) + Counter(one.seen)
    return Record(
        asked=record.asked,
        seeds=record.seeds + one.end - one.first,
        failed_count=record.failed_count + one.failed_count,
        failed=tuple(failed[:FAILED_KEPT]),
        virtual_s=round(record.virtual_s + one.virtual_s, 3),
        processor_s=round(record.processor_s + one.processor_s, 3),
        elapsed_s=round(elapsed_s, 3),
        digest=hashlib.sha256("".join(each.digest for each in slices).encode()).hexdigest(),
        seen=dict(sorted(seen.items())),
        slices=tuple(slices),
    )


def save(record: Record, path: Path) -> None:
    """Write a record so that whoever interrupts it leaves the one before."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(json.format(json.encode(record), indent=1) + b"\n")
    beside.replace(path)


def progress(record: Record, *, jobs: int) -> str:
    """Return one line for whoever waits."""
    wanted = record.asked.end - record.asked.first
    each_s = record.processor_s / max(1, record.seeds)
    left_min = (wanted - record.seeds) * each_s / jobs / 60
    return (
        f"{record.seeds} of {wanted} seeds, {record.failed_count} failed,"
        f" {each_s:.3f} s of processor each, about {left_min:.0f} min left"
    )


def summary(record: Record) -> str:
    """Return the result for people."""
    asked = record.asked
    bug = "" if asked.bug is None else f", bug {asked.bug!r}"
    return (
        f"seeds {asked.first}:{asked.end}, {asked.steps} steps{bug}, commit {asked.commit},"
        f" Python {asked.python}: {record.seeds} seeds run, {record.failed_count} failed,"
        f" {record.virtual_s / 3600:.1f} h of virtual time in {record.elapsed_s:.0f} s,"
        f" {record.processor_s:.0f} s of processor, digest {record.digest[:16]}"
    )


def _commit() -> str:
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", "src", "tests")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
