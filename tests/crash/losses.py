"""Power losses: a recorded life is replayed onto a disk that loses power at any moment of it."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crash.checking import Findings, Lived, check
from crash.living import Setting, record_life, run_life
from crash.mixture import LIFE_NUMBERS, Life, Told
from crash.points import begin
from crash.recorded_disk import RecordedDisk
from crash.recording import Event, read_events
from crash.tally import Tally
from trust_runtime.contracts.audit import ChainHead
from trust_runtime.core.witness import confirm

LOSSES_OF_A_RECORD: Final = 25
_LIVES_MAX: Final = 6
"""A file that lost power so many times is not used further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One life, and what the file had behind it."""

    name: str
    present: dict[str, bytes]
    past: tuple[Lived, ...]
    life: Life
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is there after one power loss, and what had been told before it."""

    label: str
    files: dict[str, bytes]
    past: tuple[Lived, ...]


@dataclass(slots=True, kw_only=True)
class Lies:
    """What became of files on a disk that says it synced and did not."""

    unharmed: int = 0
    refused: int = 0
    """The start, or `audit verify`, finds the damage by itself."""
    witnessed: int = 0
    """The file is sound but old: a head that another runtime kept contradicts it."""
    silent: int = 0
    """Sound, and its chain is whole; the last changes of other tables are missing."""


def record(
    folder: Path,
    seed: int,
    *,
    left_open: bool,
    before: Loss | None = None,
    synchronous: str = "FULL",
) -> Recorded:
    """Record a life: of a new file, of one left open, or of what a power loss left (`before`)."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    folder.mkdir(parents=True)
    past: tuple[Lived, ...] = ()
    path = folder / "files" / "state.db"
    if before is not None:
        past = before.past
        put(before.files, path.parent)
    elif left_open:
        left = Life(seed=seed + 1, first=0, calls=40, lanes=3)
        lived, _ = run_life(path, Setting(life=left, checkpoint_writes=15, leave=True))
        past = (lived,)
    else:
        begin(None, path.parent)
    present = {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}
    life = Life(
        seed=seed,
        first=LIFE_NUMBERS * len(past),
        calls=45,
        lanes=chance.choice((1, 3, 8)),
    )
    setting = Setting(life=life, checkpoint_writes=12, synchronous=synchronous)
    trace = folder / "trace"
    record_life(path, setting, trace)
    events = read_events(trace, path.parent, present)
    shutil.rmtree(folder)
    name = f"seed {seed} {'after a loss' if before else 'left open' if past else 'new file'}"
    return Recorded(name=name, present=present, past=past, life=life, events=tuple(events))


def losses(
    recorded: Recorded, chance: random.Random, *, count: int, lies: bool = False
) -> Iterator[Loss]:
    """Yield what power losses at chance moments leave; every second comes just after an answer."""
    events = recorded.events
    answers = [at + 1 for at, event in enumerate(events) if isinstance(event, Told)]
    for number in range(count):
        cut = chance.choice(answers) if number % 2 else chance.randint(0, len(events))
        disk = RecordedDisk(recorded.present, lies=lies)
        for event in events[:cut]:
            disk.take(event)
        told = tuple(event for event in events[:cut] if isinstance(event, Told))
        yield Loss(
            label=f"{recorded.name}, event {cut} of {len(events)}",
            files=disk.after_power_loss(chance),
            past=(*recorded.past, Lived(life=recorded.life, told=told)),
        )


def put(files: dict[str, bytes], folder: Path) -> None:
    """Write files into a new folder."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def check_loss(folder: Path, loss: Loss) -> Findings:
    """Check what a loss left, in a folder that is gone afterwards."""
    put(loss.files, folder)
    findings = asyncio.run(check(folder / "state.db", loss.past))
    shutil.rmtree(folder)
    return findings


def lose_power(
    folder: Path, *, count: int, seed: int, tally: Tally, synchronous: str = "FULL"
) -> None:
    """Record lives and let each lose power; every third begins where power was lost before."""
    before: Loss | None = None
    done = number = 0
    while done < count:
        follows = before if number % 3 == 2 else None
        recorded = record(
            folder / "record",
            seed + 2 * number,
            left_open=number % 3 == 1,
            before=follows,
            synchronous=synchronous,
        )
        chance = random.Random(seed + number)  # noqa: S311 - a sample, no secret
        for loss in losses(recorded, chance, count=min(LOSSES_OF_A_RECORD, count - done)):
            findings = check_loss(folder / "files", loss)
            tally.add(loss.label, findings)
            done += 1
            if findings.is_good and len(loss.past) <= _LIVES_MAX:
                before = loss
        number += 1


def lose_power_with_lies(folder: Path, *, count: int, seed: int) -> tuple[Lies, Tally]:
    """Lose power on a disk that never syncs; return how each loss is detected.

    The tally counts as broken what would be worst: an audit record lost that nothing shows.
    """
    lies, tally = Lies(), Tally(name="unseen on a lying disk")
    done = number = 0
    while done < count:
        recorded = record(folder / "record", seed + 2 * number, left_open=number % 2 == 1)
        chance = random.Random(seed + number)  # noqa: S311 - a sample, no secret
        wanted = min(LOSSES_OF_A_RECORD, count - done)
        for loss in losses(recorded, chance, count=wanted, lies=True):
            findings = check_loss(folder / "files", loss)
            _judge(loss, findings, lies)
            tally.points += 1
            if findings.refusal is None and not _is_contradicted(loss, findings):
                tally.broken += sum("record" in text for text in findings.lost)
            done += 1
        number += 1
    return lies, tally


def _judge(loss: Loss, findings: Findings, lies: Lies) -> None:
    if findings.is_good:
        lies.unharmed += 1
    elif findings.refusal is not None:
        lies.refused += 1
    elif _is_contradicted(loss, findings):
        lies.witnessed += 1
    else:
        lies.silent += 1


def _is_contradicted(loss: Loss, findings: Findings) -> bool:
    """Tell whether another runtime that had the newest acknowledged head would see the damage."""
    told = [record for lived in loss.past for line in lived.told for record in line.records]
    if not told:
        return False
    seq, _, _, digest = max(told)
    return confirm(ChainHead(seq=seq, hash=digest), findings.hashes.get(seq)) is not None
