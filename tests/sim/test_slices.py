"""Slices of seeds and the record of a long run: nothing twice, nothing left out, nothing mixed."""

import gc
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs

from sim import slices
from sim.seed import simulate
from sim.slices import Asked, Failed, Record, Refused, Slice

STEPS: Final = 3
ASKED: Final = Asked(first=0, end=150, steps=STEPS, bug=None, commit="c", python="3")


def made(first: int, end: int, *, failed: tuple[int, ...] = ()) -> Slice:
    return Slice(
        first=first,
        end=end,
        failed_count=len(failed),
        processor_s=1.5,
        virtual_s=20.0,
        digest=f"of {first}",
        failed=tuple(Failed(seed=seed, rule="once", detail="twice") for seed in failed),
        seen={"kill": 2},
    )


def test_a_slice_tells_of_all_its_seeds() -> None:
    runs = [simulate(seed, steps=STEPS) for seed in range(3)]
    one = slices.run_slice(range(3), steps=STEPS)
    assert (one.first, one.end, one.failed_count, one.failed) == (0, 3, 0, ())
    assert one.virtual_s == round(sum(run.virtual_s for run in runs), 3)
    assert one.seen["ready"] == sum(run.seen["ready"] for run in runs)
    assert one.digest == slices.run_slice(range(3), steps=STEPS).digest
    assert one.digest != slices.run_slice(range(1, 4), steps=STEPS).digest
    assert gc.isenabled()


def test_a_slice_names_the_seeds_that_fail_and_plants_no_bug_for_good() -> None:
    found = slices.run_slice(range(1, 3), steps=100, bug="deadline ignored at target")
    assert found.failed_count == len(found.failed) > 0
    assert not simulate(found.failed[0].seed).violations


def test_a_record_sums_up_whatever_comes_first() -> None:
    empty = slices.empty_record(ASKED)
    early, late = made(0, 100, failed=(7, 9)), made(100, 150, failed=(120,))
    forth = slices.add(slices.add(empty, early, elapsed_s=1), late, elapsed_s=2)
    back = slices.add(slices.add(empty, late, elapsed_s=1), early, elapsed_s=2)
    assert forth == back
    assert (forth.seeds, forth.failed_count, forth.processor_s) == (150, 3, 3.0)
    assert [one.seed for one in forth.failed] == [7, 9, 120]
    assert forth.seen == {"kill": 4}
    assert [(one.failed, one.seen) for one in forth.slices] == [((), {}), ((), {})]


def test_a_record_names_a_bounded_number_of_failures_and_counts_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "FAILED_KEPT", 2)
    record = slices.add(slices.empty_record(ASKED), made(0, 100, failed=(1, 2, 3)), elapsed_s=1)
    assert (record.failed_count, [one.seed for one in record.failed]) == (3, [1, 2])


def test_a_record_is_continued_by_the_same_run_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert slices.read_record(path, ASKED) == slices.empty_record(ASKED)
    record = slices.add(slices.empty_record(ASKED), made(0, 100, failed=(7,)), elapsed_s=5)
    slices.save(record, path)
    assert slices.read_record(path, ASKED) == record
    for other in (
        structs.replace(ASKED, commit="d"),
        structs.replace(ASKED, end=200),
        structs.replace(ASKED, steps=4),
    ):
        with pytest.raises(Refused, match="of another run"):
            slices.read_record(path, other)
    path.write_text("{}")
    with pytest.raises(Refused, match="no record"):
        slices.read_record(path, ASKED)


def test_only_what_a_record_lacks_is_run_and_time_adds_up() -> None:
    asked = structs.replace(ASKED, end=103)
    before = slices.add(slices.empty_record(asked), made(0, 100), elapsed_s=50)
    heard: list[Record] = []
    after = slices.run_slices(before, jobs=2, on_slice=heard.append)
    assert heard == [after]
    assert after.slices[0] == before.slices[0]
    assert after.slices[1].digest == slices.run_slice(range(100, 103), steps=STEPS).digest
    assert (after.seeds, after.elapsed_s > 50) == (103, True)
    assert slices.run_slices(after, jobs=1, on_slice=heard.append) == after
    assert "103 seeds run, 0 failed" in slices.summary(after)
