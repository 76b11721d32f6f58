"""Crash points: the writer is killed, or the disk fails, at one moment after the other."""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from crash.checking import Findings, Lived, check
from crash.living import GROUP_OF, Fault, Setting, break_life, kill_after, record_life, run_life
from crash.mixture import LIFE_NUMBERS, Life
from crash.recording import count_calls
from crash.tally import Tallies

T = TypeVar("T")

WORKERS: Final = 2
KILLED: Final = ("write", "sync", "size", "name")
SHAPES: Final = 3
"""Plans begin with no file, with one left open by a kill, or make several calls at once."""

_LIVES_OF_A_FILE: Final = 8
_DISK_BYTES: Final = 4_000_000
_ROOM_BYTES: Final = 260_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A life whose every system call can be broken, and what the file has behind it."""

    name: str
    start: Path | None
    """A folder with the file to begin with; None: there is none."""
    past: tuple[Lived, ...]
    setting: Setting
    counts: dict[str, int]
    """How many system calls of each name it makes when nothing breaks."""
    unclosed: dict[str, int]
    """How many of them come before the file is about to be closed."""


def make_plan(folder: Path, seed: int, shape: int) -> Plan:
    """Record a life: of a new file, of one left open by a kill, or of many calls at once."""
    start: Path | None = None
    past: tuple[Lived, ...] = ()
    calls, lanes, checkpoint_writes = ((5, 1, 3), (7, 1, 4), (16, 5, 6))[shape]
    life = Life(seed=seed, first=LIFE_NUMBERS, calls=calls, lanes=lanes)
    setting = Setting(life=life, checkpoint_writes=checkpoint_writes)
    folder.mkdir(parents=True)
    if shape > 0:
        start = folder / "start"
        before = Life(seed=seed + 1, first=0, calls=40, lanes=3)
        left = Setting(life=before, checkpoint_writes=15, leave=True)
        lived, _ = run_life(start / "state.db", left)
        past = (lived,)
    trace = folder / "trace"
    record_life(begin(start, folder / "recorded"), setting, trace)
    return Plan(
        name=f"seed {seed} {('new file', 'left open', 'at once')[shape]}",
        start=start,
        past=past,
        setting=setting,
        counts=dict(count_calls(trace)),
        unclosed=dict(count_calls(trace, unclosed=True)),
    )


def begin(start: Path | None, folder: Path) -> Path:
    """Return the path of the state file in a new folder that begins like `start`."""
    if start is None:
        folder.mkdir()
    else:
        shutil.copytree(start, folder)
    return folder / "state.db"


def faults(plan: Plan, what: str, groups: Sequence[str]) -> list[tuple[Plan, Fault]]:
    """Return every place of a plan where a fault can come."""
    return [
        (plan, Fault(call=call, what=what, nth=nth))
        for call, count in sorted(plan.counts.items())
        if GROUP_OF[call] in groups
        for nth in range(1, count + 1)
    ]


def thinned(items: Sequence[T], count: int) -> list[T]:
    """Return `count` of the items, evenly spread over all; all when there are fewer."""
    count = min(count, len(items))
    return [items[at * len(items) // count] for at in range(count)]


def break_everywhere(folder: Path, places: Sequence[tuple[Plan, Fault]], tallies: Tallies) -> None:
    """Let each fault come, and check what it left."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(number: int, plan: Plan, fault: Fault) -> Findings | None:
        own = folder / str(number)
        path = begin(plan.start, own)
        broken = break_life(path, plan.setting, fault, folder / f"{number}.log")
        findings = asyncio.run(check(path, [*plan.past, broken.lived]))
        if broken.came and _must_be_told(plan, fault) and not (findings.refused or broken.unheard):
            findings.broken.append("nobody was told of the fault")
        shutil.rmtree(own)
        return findings if broken.came or not findings.is_good else None

    with ThreadPoolExecutor(WORKERS) as workers:
        running = [
            (plan, fault, workers.submit(one, number, plan, fault))
            for number, (plan, fault) in enumerate(places)
        ]
        for plan, fault, future in running:
            findings = future.result()
            if findings is not None:
                label = f"{plan.name}, {fault.what} at {fault.call} {fault.nth}"
                tallies.line(f"{fault.what} at {fault.group}").add(label, findings)


def kill_at_random(folder: Path, count: int, seed: int, tallies: Tallies) -> None:
    """Kill the writer at chance moments, one life of a file after the other."""
    files = [
        (seed + first, min(_LIVES_OF_A_FILE, count - first))
        for first in range(0, count, _LIVES_OF_A_FILE)
    ]
    folder.mkdir(parents=True, exist_ok=True)

    def one(file_seed: int, lives: int) -> list[Findings]:
        chance = random.Random(file_seed)  # noqa: S311 - a sample, no secret
        path = begin(None, folder / str(file_seed))
        past: list[Lived] = []
        found: list[Findings] = []
        for number in range(lives):
            first = LIFE_NUMBERS * number
            life = Life(seed=file_seed + number, first=first, calls=400, lanes=8)
            setting = Setting(life=life, checkpoint_writes=50)
            past.append(kill_after(path, setting, chance.randrange(0, 250)))
            findings = asyncio.run(check(path, past))
            found.append(findings)
        shutil.rmtree(path.parent)
        return found

    with ThreadPoolExecutor(WORKERS) as workers:
        for (file_seed, _), found in zip(
            files, workers.map(lambda file: one(*file), files), strict=True
        ):
            for number, findings in enumerate(found):
                label = f"seed {file_seed}, life {number}"
                tallies.line("kill at a chance moment").add(label, findings)


def fill_disks(folder: Path, count: int, seed: int, tallies: Tallies) -> str | None:
    """Let a real disk run full under the writer, and be emptied again.

    Returns why that could not be done, or None.
    """
    with _small_disk(folder) as problem:
        for number in range(0 if problem else count):
            chance = random.Random(seed + number)  # noqa: S311 - a sample, no secret
            path = begin(None, folder / "files")
            life = Life(seed=seed + number, first=0, calls=120, lanes=1 + number % 6)
            ballast = folder / "ballast"
            setting = Setting(life=life, checkpoint_writes=30, ballast=ballast)
            disk = os.statvfs(folder)
            room = chance.randrange(0, _ROOM_BYTES)
            ballast.write_bytes(bytes(disk.f_bavail * disk.f_bsize - room))
            # The lines have to be told even though the disk is full: they go elsewhere.
            lived, _ = run_life(path, setting, told=folder.with_name("full.told"))
            ballast.unlink(missing_ok=True)
            findings = asyncio.run(check(path, [lived]))
            tallies.line("full disk, then freed").add(f"seed {seed + number}", findings)
            shutil.rmtree(path.parent)
        return problem


@contextmanager
def _small_disk(folder: Path) -> Iterator[str | None]:
    """Mount a small disk; give why not, or None."""
    if os.geteuid() != 0:
        yield "only root can mount a small disk to fill"
        return
    folder.mkdir(parents=True)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode != 0:
        yield f"no small disk could be mounted: {mounted.stderr!r}"
        return
    try:
        yield None
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def _must_be_told(plan: Plan, fault: Fault) -> bool:
    """Tell whether callers must hear of a fault; while the file is closed nobody waits any more."""
    lasting = fault.group == "sync" or (fault.group == "write" and fault.what == "EIO")
    return fault.what != "kill" and lasting and fault.nth <= plan.unclosed.get(fault.call, 0)


def kill_places(make: Callable[[int], Plan], count: int) -> list[tuple[Plan, Fault]]:
    """Return at least `count` places to kill at: whole plans, each enumerated to its end.

    When not even half of one plan of each shape is wanted, that many of their places.
    """
    places = [place for number in range(SHAPES) for place in faults(make(number), "kill", KILLED)]
    if count < len(places) // 2:
        return thinned(places, count)
    number = SHAPES
    while len(places) < count:
        places += faults(make(number), "kill", KILLED)
        number += 1
    return places
