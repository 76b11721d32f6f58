"""What the fault programme calls right and wrong; needs no faults."""

from pathlib import Path
from typing import Any

import pytest

from faults.housed import HousedRuntime
from faults.matrix_cases import RIGHT_S, Case, Kind, expected
from faults.namespaces import House
from faults.report import Figure, print_table, times_figure, worst_figure
from faults.sights import Seen, all_pairs
from trust_runtime.contracts.sight import Sight

NAMES = ("runtime-0", "runtime-1", "runtime-2")


@pytest.fixture
def fleet(tmp_path: Path) -> list[HousedRuntime]:
    """Return three projects that are never started."""
    return [
        HousedRuntime(tmp_path / name, name=name, house=House(name, "192.0.2.1"), neighbours=())
        for name in NAMES
    ]


def case_of(fleet: list[HousedRuntime], kind: Kind, **changes: Any) -> Case:
    hit, other, third = fleet
    return Case(0, kind, "", hit, other, fleet=NAMES, watchers=(third, other), **changes)


@pytest.mark.parametrize(
    ("kind", "concerned", "right"),
    [
        (Kind.DEAD, {("runtime-1", "runtime-0"), ("runtime-2", "runtime-0")}, Sight.DEAD),
        (Kind.FROZEN, {("runtime-1", "runtime-0"), ("runtime-2", "runtime-0")}, Sight.FROZEN),
        (Kind.CUT, {("runtime-1", "runtime-0"), ("runtime-0", "runtime-1")}, Sight.CUT),
        (Kind.ONE_WAY, {("runtime-1", "runtime-0"), ("runtime-0", "runtime-1")}, Sight.ONE_WAY),
    ],
)
def test_only_the_pairs_concerned_have_another_right_answer(
    fleet: list[HousedRuntime], kind: Kind, concerned: set[tuple[str, str]], right: Sight
) -> None:
    wanted = expected(case_of(fleet, kind), fleet[2])
    assert {pair for pair, good in wanted.items() if good != {Sight.HEARD}} == concerned
    assert all(wanted[pair] == {right} for pair in concerned)


@pytest.mark.parametrize(
    ("took_s", "false", "ok"),
    [
        ({"runtime-2": RIGHT_S, "runtime-1": 0.1}, [], True),
        ({"runtime-2": RIGHT_S + 0.001, "runtime-1": 0.1}, [], False),
        ({"runtime-2": 0.1}, [], False),
        ({"runtime-2": 0.1, "runtime-1": 0.1}, ["runtime-2: a of b: dead"], False),
    ],
)
def test_a_case_is_right_in_time_everywhere_and_without_false_accusation(
    fleet: list[HousedRuntime], took_s: dict[str, float], false: list[str], *, ok: bool
) -> None:
    case = case_of(fleet, Kind.DEAD, took_s=took_s)
    case.false.update(false)
    assert case.ok is ok


def test_accusations_are_told_and_silence_is_not_one() -> None:
    sights = dict.fromkeys(all_pairs(NAMES), Sight.HEARD)
    first, second, third, *_ = sights
    seen = Seen(sights | {first: Sight.DEAD, second: Sight.LOST, third: Sight.CUT}, {})
    assert seen.accusations(sights) == {first: Sight.DEAD, third: Sight.CUT}
    assert seen.accusations([second]) == {}


def test_the_table_fails_with_any_goal_that_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    met = [
        times_figure("a", [0.1, 0.2, 9.0], median_s_max=0.2),
        worst_figure("b", [0.1, 3.0], s_max=3.0),
    ]
    assert print_table(met)
    assert not print_table([*met, worst_figure("c", [3.001], s_max=3.0)])
    assert not print_table([times_figure("nothing measured", [], median_s_max=1.0)])
    assert not print_table([Figure("d", "1", "0", ok=False)])
    assert "MISSED" in capsys.readouterr().out
