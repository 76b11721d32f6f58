import json
from pathlib import Path

import pytest
from msgspec import structs

from bench_samples import report
from command_line import CommandLine
from trust_runtime.bench import catalog
from trust_runtime.bench.report import Options, Report
from trust_runtime.cli import commands_bench
from trust_runtime.contracts.errors import ExitCode


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Replace the workload `audit` by one that tells what it was asked for."""
    options: list[Options] = []

    def run(given: Options) -> Report:
        options.append(given)
        return report("audit")

    known = {**catalog.WORKLOADS, "audit": structs.replace(catalog.WORKLOADS["audit"], run=run)}
    monkeypatch.setattr(commands_bench, "WORKLOADS", known)
    return options


def test_a_workload_runs_with_what_was_asked(command: CommandLine, asked: list[Options]) -> None:
    ran = command("bench", "audit")
    assert ran.code == ExitCode.OK
    assert ran.out.startswith("audit  fanout=3")
    ran = command("bench", "audit", "--samples", "7", "--fanout", "2", "--payload-bytes", "99")
    assert ran.code == ExitCode.OK
    assert asked == [
        Options(samples=catalog.WORKLOADS["audit"].samples, fanout=3, payload_bytes=64),
        Options(samples=7, fanout=2, payload_bytes=99),
    ]


def test_json_and_picture(command: CommandLine, asked: list[Options], tmp_path: Path) -> None:
    picture = tmp_path / "p.svg"
    ran = command("bench", "audit", "--output", "json", "--plot", str(picture))
    assert (ran.code, len(asked)) == (ExitCode.OK, 1)
    assert json.loads(ran.out)["benchmark"] == "audit"
    assert picture.read_text().startswith("<svg ")
    ran = command("bench", "audit", "--plot", str(tmp_path / "none" / "p.svg"))
    assert (ran.code, "cannot write" in ran.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(("limit", "code"), [("20", ExitCode.OK), ("19.9", ExitCode.TEST)])
def test_a_missed_limit_is_exit_12(
    command: CommandLine, asked: list[Options], limit: str, code: ExitCode
) -> None:
    ran = command("bench", "audit", "--max-p95-us", limit)
    assert (ran.code, len(asked)) == (code, 1)
    assert ("latency p95 is 20.0 us" in ran.err) is (code is not ExitCode.OK)
    assert ran.out.startswith("audit")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["t0-shm"], "'t0-shm' is not in this version"),
        (["audti"], "did you mean 'audit'?"),
        (["audit", "--samples", "0"], "--samples"),
        (["audit", "--fanout", "257"], "--fanout"),
        (["audit", "--payload-bytes", "7"], "--payload-bytes"),
        (["audit", "--tls"], "'--tls' is not in this version"),
        ([], "WORKLOAD"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    command: CommandLine, asked: list[Options], arguments: list[str], said: str
) -> None:
    ran = command("bench", *arguments)
    assert (ran.code, asked) == (ExitCode.USAGE, [])
    assert said in ran.err
