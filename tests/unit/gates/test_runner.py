"""`gates.runner` and `gates.command`: nothing that did not run counts as a pass."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trust_runtime.gates.cases import (
    Bench,
    CaseFailed,
    CaseSkipped,
    Gate,
    PrerequisiteMissing,
    RunCase,
)
from trust_runtime.gates.command import main
from trust_runtime.gates.report import Result, Summary
from trust_runtime.gates.runner import run_gate


def good(bench: Bench) -> None:
    bench.say("all is well")


def bad(bench: Bench) -> None:
    bench.demand(None, "1 is not more than 2")


def broken(_: Bench) -> None:
    raise ZeroDivisionError("by nothing")


def skipped(_: Bench) -> None:
    raise CaseSkipped("no root here")


def warned(bench: Bench) -> None:
    bench.warn("nearly")


def gate(**cases: RunCase) -> Gate:
    return Gate(name="g", expected=tuple(cases), cases=cases)


def run(gate: Gate, folder: Path, *names: str) -> Summary:
    return run_gate(gate, folder, names=names, tell=lambda _: None)


def test_all_pass(tmp_path: Path) -> None:
    summary = run(gate(one=good, two=warned), tmp_path / "made")
    assert summary.result is Result.PASS
    assert (summary.cases_expected, summary.cases_run, summary.cases_passed) == (2, 2, 2)
    assert summary.cases[1].reason == "nearly"


@pytest.mark.parametrize(
    ("case", "result", "reason"),
    [
        (bad, Result.FAIL, "1 is not more than 2"),
        (broken, Result.FAIL, "ZeroDivisionError: by nothing"),
        (skipped, Result.SKIP, "no root here"),
    ],
)
def test_whatever_is_no_pass_fails_the_gate_and_stops_nothing(
    tmp_path: Path, case: RunCase, result: Result, reason: str
) -> None:
    summary = run(gate(one=case, two=good), tmp_path)
    assert summary.result is Result.FAIL
    assert [(one.result, one.reason) for one in summary.cases] == [
        (result, reason),
        (Result.PASS, None),
    ]


@pytest.mark.parametrize("case", [good, bad, broken, skipped])
def test_what_the_cases_share_is_ended_once(tmp_path: Path, case: RunCase) -> None:
    closed: list[bool] = []
    shared = Gate(
        name="g", expected=("one",), cases={"one": case}, close=lambda: closed.append(True)
    )
    run(shared, tmp_path)
    assert closed == [True]


def test_what_the_cases_share_is_ended_also_after_ctrl_c(tmp_path: Path) -> None:
    def interrupted(_: Bench) -> None:
        raise KeyboardInterrupt

    closed: list[bool] = []
    shared = Gate(
        name="g", expected=("one",), cases={"one": interrupted}, close=lambda: closed.append(True)
    )
    with pytest.raises(KeyboardInterrupt):
        run(shared, tmp_path)
    assert closed == [True]


def test_a_case_that_is_missing_fails(tmp_path: Path) -> None:
    summary = run(Gate(name="g", expected=("one", "two"), cases={"one": good}), tmp_path)
    assert summary.result is Result.FAIL
    assert (summary.cases_run, summary.cases_passed, summary.cases_failed) == (1, 1, 1)


def test_a_case_that_nobody_expects_fails(tmp_path: Path) -> None:
    cases: Mapping[str, RunCase] = {"one": good, "renamed": good}
    summary = run(Gate(name="g", expected=("one",), cases=cases), tmp_path)
    assert summary.result is Result.FAIL


def test_a_gate_without_cases_fails(tmp_path: Path) -> None:
    assert run(gate(), tmp_path).result is Result.FAIL


def test_some_cases_are_never_a_full_pass(tmp_path: Path) -> None:
    summary = run(gate(one=good, two=bad), tmp_path, "one")
    assert (summary.result, summary.cases_expected, summary.cases_run) == (Result.PARTIAL, 2, 1)


def test_artifacts_are_there_also_on_failure(tmp_path: Path) -> None:
    run(gate(one=bad, two=good), tmp_path)
    written = json.loads((tmp_path / "summary.json").read_bytes())
    assert set(written) == {
        *("gate", "result", "cases_expected", "cases_run", "cases_passed", "cases_failed"),
        *("cases_skipped", "cases", "host", "python", "zenoh", "started_at", "finished_at"),
    }
    for case in written["cases"]:
        assert (tmp_path / case["artifact"]).read_text()
    assert "1 is not more than 2" in (tmp_path / "summary.md").read_text()
    assert "1 is not more than 2" in (tmp_path / "one.log").read_text()


def test_a_log_is_of_this_run_alone(tmp_path: Path) -> None:
    run(gate(one=bad), tmp_path)
    run(gate(one=good), tmp_path)
    assert "not more" not in (tmp_path / "one.log").read_text()


class Line:
    """The command line over a few gates, with OUT_DIR in a temporary place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        monkeypatch.setenv("OUT_DIR", str(folder))

    def __call__(self, *arguments: str) -> int:
        def absent() -> Gate:
            raise PrerequisiteMissing("no tree")

        return main(
            arguments,
            {"good": lambda: gate(one=good, two=good), "bad": lambda: gate(one=good, two=bad),
             "absent": absent},
        )  # fmt: skip

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_bytes())
        return found


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Line:
    return Line(monkeypatch, tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "code", "result"),
    [
        (("good",), 0, "pass"),
        (("bad",), 1, "fail"),
        (("bad", "--case", "one"), 0, "partial"),
        (("bad", "--case", "one", "--case", "two"), 1, "partial"),
    ],
)
def test_the_exit_code_says_whether_all_passed(
    line: Line, arguments: tuple[str, ...], code: int, result: str
) -> None:
    assert line(*arguments) == code
    assert line.summary()["result"] == result


@pytest.mark.parametrize(
    "arguments",
    [(), ("nothing",), ("good", "--case", "three"), ("good", "--what"), ("absent",)],
)
def test_usage_and_what_is_missing_are_no_pass(line: Line, arguments: tuple[str, ...]) -> None:
    assert line(*arguments) == 2
    assert not line.folder.exists()


def test_the_list_runs_nothing(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("bad", "--list") == 0
    assert capsys.readouterr().out == "one\ntwo\n"
    assert not line.folder.exists()


def test_a_place_that_cannot_be_written_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OUT_DIR", str(tmp_path / "file" / "below"))
    assert main(("good",), {"good": lambda: gate(one=good)}) == 2


def test_a_demand_that_holds_says_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x")
    bench.demand("something", "else")
    with pytest.raises(CaseFailed, match="else"):
        bench.demand("", "else")
