"""A disk that loses power: what was not synced arrives in part, torn, out of order, or not at all.

It is as unkind as POSIX allows. Of the writes to a file that were not synced any may have arrived,
each whole or some of its 512-byte sectors; a new length is such a write. A name is only there once
its folder was synced, or with luck. What was synced stays, and a write harms no byte beside it.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from crash.mixture import Told
from crash.recording import Created, Event, Removed, Renamed, Resized, Synced, Written

SECTOR_BYTES: Final = 512
_SHARES: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Which part of the pending writes to a file may arrive; each loss draws one of them a file."""

_TORN: Final = 0.3


@dataclass(slots=True)
class _File:
    synced: bytearray
    pending: list[Written | Resized] = field(default_factory=list)


class RecordedDisk:
    """The files of one folder."""

    def __init__(self, present: dict[str, bytes], *, lies: bool = False) -> None:
        self._files = [_File(bytearray(data)) for data in present.values()]
        self._names = {name: file for file, name in enumerate(present)}
        self._pending: list[Created | Renamed | Removed] = []
        self._lies = lies

    def take(self, event: Event) -> None:
        """Do what was recorded. A disk that lies says that it synced, and did not."""
        match event:
            case Created() | Renamed() | Removed():
                if isinstance(event, Created):
                    assert event.file == len(self._files)
                    self._files.append(_File(bytearray()))
                self._pending.append(event)
            case Written() | Resized():
                self._files[event.file].pending.append(event)
            case Synced():
                if not self._lies:
                    self._sync(event.file)
            case Told():
                pass

    def after_power_loss(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files that the next start finds."""
        names = dict(self._names)
        arrived = chance.choice((0, len(self._pending), chance.randint(0, len(self._pending))))
        for change in self._pending[:arrived]:
            _rename(names, change)
        return {name: self._found(self._files[file], chance) for name, file in names.items()}

    def _sync(self, number: int | None) -> None:
        if number is None:
            for change in self._pending:
                _rename(self._names, change)
            self._pending.clear()
            return
        file = self._files[number]
        for event in file.pending:
            _write(file.synced, event)
        file.pending.clear()

    def _found(self, file: _File, chance: random.Random) -> bytes:
        data = bytearray(file.synced)
        share = chance.choice(_SHARES)
        for event in file.pending:
            if chance.random() >= share:
                continue
            if isinstance(event, Written) and chance.random() < _TORN:
                for part in _sectors(event):
                    if chance.random() < 0.5:
                        _write(data, part)
            else:
                _write(data, event)
        return bytes(data)


def _rename(names: dict[str, int], change: Created | Renamed | Removed) -> None:
    match change:
        case Created():
            names[change.name] = change.file
        case Renamed():
            names[change.new] = names.pop(change.old)
        case Removed():
            names.pop(change.name)


def _write(data: bytearray, event: Written | Resized) -> None:
    if isinstance(event, Resized):
        del data[event.length :]
        data.extend(bytes(event.length - len(data)))
        return
    end = event.offset + len(event.data)
    data.extend(bytes(max(0, end - len(data))))
    data[event.offset : end] = event.data


def _sectors(event: Written) -> list[Written]:
    """Cut a write where the sectors of the disk end."""
    parts: list[Written] = []
    offset, data = event.offset, event.data
    while data:
        length = SECTOR_BYTES - offset % SECTOR_BYTES
        parts.append(Written(event.file, offset, data[:length]))
        offset, data = offset + length, data[length:]
    return parts
