"""`crash.recorded_disk` keeps what was synced, and treats the rest as unkindly as it may."""

import random
from collections.abc import Iterable

from crash.recorded_disk import SECTOR_BYTES, RecordedDisk
from crash.recording import Created, Event, Removed, Renamed, Resized, Synced, Written

LOSSES = 400
OLD, NEW = b"o" * 4 * SECTOR_BYTES, b"n" * 4 * SECTOR_BYTES


def found(
    events: Iterable[Event], present: dict[str, bytes] | None = None, *, lies: bool = False
) -> set[tuple[tuple[str, bytes], ...]]:
    """Return everything that may be there after a power loss."""
    disk = RecordedDisk(present or {}, lies=lies)
    for event in events:
        disk.take(event)
    chances = (random.Random(seed) for seed in range(LOSSES))  # noqa: S311 - a sample, no secret
    losses = map(disk.after_power_loss, chances)
    return {tuple(sorted(files.items())) for files in losses}


def contents(
    events: Iterable[Event], present: dict[str, bytes], *, lies: bool = False
) -> set[bytes]:
    """Return what may stand in the only file."""
    return {files[0][1] for files in found(events, present, lies=lies)}


def test_what_was_synced_stays() -> None:
    assert contents([Written(0, 0, NEW), Synced(0)], {"a": OLD}) == {NEW}


def test_what_was_not_synced_comes_whole_or_torn_or_not_at_all() -> None:
    after = contents([Written(0, 0, NEW)], {"a": OLD})
    assert {OLD, NEW} < after
    for data in after:
        sectors = {data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)}
        assert sectors <= {OLD[:SECTOR_BYTES], NEW[:SECTOR_BYTES]}
    assert len(after) == 2**4


def test_a_write_is_torn_where_the_sectors_of_the_disk_end() -> None:
    offset = SECTOR_BYTES - 10
    after = contents([Written(0, offset, b"n" * 20)], {"a": b"o" * 2 * SECTOR_BYTES})
    parts = {data[offset : offset + 20] for data in after}
    assert parts == {b"o" * 20, b"n" * 20, b"o" * 10 + b"n" * 10, b"n" * 10 + b"o" * 10}


def test_a_later_write_may_come_without_an_earlier_one() -> None:
    after = contents([Written(0, 0, b"1"), Written(0, 1, b"2")], {"a": b"00"})
    assert after == {b"00", b"10", b"02", b"12"}


def test_a_sync_covers_one_file() -> None:
    events: list[Event] = [Written(0, 0, b"1"), Written(1, 0, b"1"), Synced(1)]
    assert {dict(files)["b"] for files in found(events, {"a": b"0", "b": b"0"})} == {b"1"}
    assert {dict(files)["a"] for files in found(events, {"a": b"0", "b": b"0"})} == {b"0", b"1"}


def test_a_length_is_a_write() -> None:
    assert contents([Resized(0, 1)], {"a": b"00"}) == {b"00", b"0"}
    assert contents([Resized(0, 3), Synced(0)], {"a": b"1"}) == {b"1\0\0"}


def test_a_name_is_there_when_its_folder_was_synced() -> None:
    named: list[Event] = [Created("a", 0), Written(0, 0, b"1"), Synced(0)]
    assert found(named) == {(), (("a", b"1"),)}
    assert found([*named, Synced(None)]) == {(("a", b"1"),)}
    unsynced: list[Event] = [Created("a", 0), Written(0, 0, b"1"), Synced(None)]
    assert found(unsynced) == {(("a", b""),), (("a", b"1"),)}


def test_names_change_in_order() -> None:
    events: list[Event] = [Renamed("new", "old"), Removed("third")]
    present = {"new": b"n", "old": b"o", "third": b"t"}
    moved = (("old", b"n"),)
    assert found(events, present) == {tuple(present.items()), (*moved, ("third", b"t")), moved}
    assert found([*events, Synced(None)], present) == {moved}


def test_a_disk_that_lies_syncs_nothing() -> None:
    assert contents([Written(0, 0, b"1"), Synced(0)], {"a": b"0"}, lies=True) == {b"0", b"1"}
    assert found([Created("a", 0), Synced(0), Synced(None)], lies=True) == {(), (("a", b""),)}
