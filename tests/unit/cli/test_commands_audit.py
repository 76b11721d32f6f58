"""`audit list|show|verify|export`: contract 10.4."""

import csv
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from answering_process import answering
from command_line import CommandLine
from trust_runtime.cli import commands_audit
from trust_runtime.contracts.audit import AuditRecord, ChainHead
from trust_runtime.contracts.codec import decode_json, encode_json
from trust_runtime.contracts.witness import FleetAudit, RuntimeStanding, Standing


def exported(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tamper(project: Path, statement: str) -> None:
    """Change the state as somebody would who can write the file and knows SQLite."""
    file = sqlite3.connect(project / ".trust" / "state.db", isolation_level=None)
    kept = file.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in kept:
        file.execute(f"DROP TRIGGER {name}")
    file.execute(statement)
    for _, sql in kept:
        file.execute(sql)
    file.close()


def test_list_shows_one_line_per_record_newest_first(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "list", "--project", recorded, "--utc")
    assert (ran.code, ran.err) == (0, "")
    cells = [re.split("  +", line) for line in ran.out.splitlines()]
    operator = "spiffe://trust/default-site/operator"
    assert cells == [
        [
            *("SEQ", "TIME", "ACTION", "FROM -> TO", "ACTOR", "RESULT", "CODE", "REQUEST ID"),
            "AUDIT ID",
        ],
        [
            *("3", "2023-11-14T22:13:20Z", "cmd_invoke health", "press-1 -> press-2", operator),
            *("executed", "-", "r\\n", "audit-9", "audit-3"),
        ],
        [
            *("2", "2023-11-14T22:13:20Z", "cfg_apply", "press-1 -> -"),
            *("@SUM(1)\\x1b[2J\\n", "9", "audit-9", "forged"),
            *("denied", "contract_violation", "=cmd|'/C'!A0", "audit-2"),
        ],
        [
            *("1", "2023-11-14T22:13:20Z", "cfg_apply", "press-1 -> press-2", operator),
            *("executed", "-", "request-1", "audit-1"),
        ],
    ]


def test_an_empty_list_says_so(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "list", "--project", recorded, "--actor", "nobody")
    assert (ran.code, ran.out) == (0, "no record\n")


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        (["--limit", "2"], ["audit-3", "audit-2"]),
        (["--limit", "1000"], ["audit-3", "audit-2", "audit-1"]),
        (["--request-id", "request-1"], ["audit-1"]),
        (["--actor", "spiffe://trust/default-site/operator"], ["audit-3", "audit-1"]),
        (["--runtime", "press-2"], ["audit-3", "audit-1"]),
        (["--request-id", "request-1", "--runtime", "nobody"], []),
    ],
)
def test_list_selects(
    command: CommandLine, recorded: Path, flags: list[str], ids: list[str]
) -> None:
    ran = command("audit", "list", "--project", recorded, "--json", *flags)
    assert ran.code == 0
    assert [item["audit_id"] for item in json.loads(ran.out)["items"]] == ids


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x"])
@pytest.mark.parametrize("name", [["list"], ["export", "--out", "x"]])
def test_a_limit_outside_its_range_is_a_usage_error(
    command: CommandLine, recorded: Path, name: list[str], limit: str
) -> None:
    ran = command("audit", *name, "--project", recorded, "--limit", limit)
    assert ran.code == 2
    assert "--limit" in ran.err


def test_show_prints_every_member_on_a_line_of_its_own(
    command: CommandLine, recorded: Path
) -> None:
    ran = command("--project", recorded, "audit", "show", "audit-2")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "audit_id        audit-2" in lines
    assert "held_by         press-1" in lines
    # A text of a refused request neither steers the terminal nor forges a line.
    assert "actor           @SUM(1)\\x1b[2J\\n     9  audit-9  forged" in lines
    assert "\x1b" not in ran.out


def test_show_as_json_and_of_nothing(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "show", "audit-1", "--project", recorded, "--json")
    assert [record["seq"] for record in json.loads(ran.out)["records"]] == [1]
    ran = command("audit", "show", "audit-9", "--project", recorded)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: no record of audit-9 here\nremedy: ")
    ran = command("audit", "show", "audit-9", "--project", recorded, "--json")
    assert (ran.code, json.loads(ran.out)) == (1, {"records": []})


def test_verify_of_an_intact_chain(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "verify", "--project", recorded)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ok: 3 records, head 3 ")
    report = json.loads(command("audit", "verify", "--project", recorded, "--json").out)
    assert (report["runtime_id"], report["records"], report["problem"]) == ("press-1", 3, None)


def test_verify_names_the_first_bad_record_and_exits_one(
    command: CommandLine, recorded: Path
) -> None:
    tamper(recorded, "UPDATE audit SET record = replace(record, 'uid:1000', 'uid:1') WHERE seq = 2")
    ran = command("audit", "verify", "--project", recorded)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: record 2: ")
    assert "remedy: keep the file as evidence" in ran.err
    ran = command("audit", "verify", "--project", recorded, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["problem"]["seq"] == 2


def test_verify_of_a_file_that_is_no_database_exits_one(
    command: CommandLine, recorded: Path
) -> None:
    for file in (recorded / ".trust").glob("state.db*"):
        file.write_bytes(b"no database" * 100)
    ran = command("audit", "verify", "--project", recorded)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert "remedy: " in ran.err


def test_the_fleet_is_asked_by_a_running_process_only(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "verify", "--fleet", "--project", recorded)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: no runtime runs on {recorded}")


@pytest.mark.parametrize(
    ("found", "code", "line"),
    [
        (
            RuntimeStanding(
                runtime_id="press-2",
                standing=Standing.OK,
                head=ChainHead(seq=7, hash="a" * 64),
                witnesses=("press-1", "press-3"),
            ),
            0,
            "ok            press-2  head 7  held by press-1, press-3",
        ),
        (
            RuntimeStanding(
                runtime_id="press-2",
                standing=Standing.CONTRADICTED,
                head=ChainHead(seq=3, hash="a" * 64),
                witnesses=("press-1",),
                detail="it was cut",
            ),
            1,
            "contradicted  press-2  head 3  held by press-1  it was cut",
        ),
        (
            RuntimeStanding(
                runtime_id="press-2",
                standing=Standing.NOT_VERIFIED,
                detail="it could not be asked: it is offline",
                remedy="start it, then verify again",
            ),
            1,
            "not verified  press-2  held by nobody  it could not be asked: it is offline",
        ),
    ],
)
def test_the_fleet_is_ok_when_every_log_is(
    command: CommandLine,
    recorded: Path,
    tmp_path: Path,
    found: RuntimeStanding,
    code: int,
    line: str,
) -> None:
    whole = FleetAudit(asked_by="press-1", ok=found.standing is Standing.OK, runtimes=(found,))
    with answering(tmp_path / "c.sock", audit__fleet=whole) as answers:
        ran = command("audit", "verify", "--fleet", "--project", recorded)
        as_json = command("audit", "verify", "--fleet", "--project", recorded, "--json")
    assert (ran.code, ran.out) == (code, line + "\n")
    asked_later = found.standing is Standing.NOT_VERIFIED
    assert ("remedy: press-2: start it, then verify again\n" in ran.err) is asked_later
    assert ("audit accept RUNTIME_ID" in ran.err) is (code == 1 and not asked_later)
    assert (as_json.code, json.loads(as_json.out)) == (code, json.loads(encode_json(whole)))
    assert answers.calls == [("health", {}), ("audit.fleet", {})] * 2


@pytest.mark.parametrize(
    ("accepted", "said"), [(True, "accepted"), (False, "was not contradicted")]
)
def test_a_log_is_accepted_by_the_running_process(
    command: CommandLine, recorded: Path, tmp_path: Path, *, accepted: bool, said: str
) -> None:
    result = {"runtime_id": "site-b/press-2", "accepted": accepted}
    with answering(tmp_path / "c.sock", audit__accept=result) as answers:
        ran = command("audit", "accept", "site-b/press-2", "--project", recorded)
    assert (ran.code, ran.out, ran.err) == (0, f"site-b/press-2: {said}\n", "")
    assert answers.calls == [("audit.accept", {"runtime_id": "site-b/press-2"})]


def test_a_log_is_not_accepted_without_a_process_or_of_no_runtime(
    command: CommandLine, recorded: Path, tmp_path: Path
) -> None:
    ran = command("audit", "accept", "press-2", "--project", recorded)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: no runtime runs on {recorded}")
    with answering(tmp_path / "c.sock", audit__accept={}) as answers:
        ran = command("audit", "accept", "No Such Name", "--project", recorded)
    assert ran.code != 0
    assert "No Such Name" in ran.err
    assert answers.calls == []


@pytest.mark.parametrize("name", [["list"], ["show", "audit-1"], ["verify"]])
def test_before_the_first_start_and_without_a_project(
    command: CommandLine, project: Path, name: list[str]
) -> None:
    ran = command("audit", *name, "--project", project)
    assert (ran.code, ran.out) == (10, "")
    assert "state.db does not exist" in ran.err
    assert "remedy: start the runtime once" in ran.err
    # Without --project: the folder it stands in.
    ran = command("audit", *name)
    assert ran.code == 10
    assert f"{Path.cwd()} has no runtime.toml" in ran.err


def test_export_writes_lines_that_are_the_records(command: CommandLine, recorded: Path) -> None:
    ran = command("audit", "export", "--project", recorded, "--out", "all.jsonl")
    assert (ran.code, ran.out) == (0, "wrote 3 records to all.jsonl\n")
    lines = Path("all.jsonl").read_bytes().splitlines()
    records = [decode_json(line, AuditRecord) for line in lines]
    assert [record.seq for record in records] == [3, 2, 1]
    assert records[1].request_id == "=cmd|'/C'!A0"
    listed = command("audit", "list", "--project", recorded, "--json").out
    assert [json.loads(line) for line in lines] == json.loads(listed)["items"]


def test_export_as_csv_has_every_member_and_no_formula(
    command: CommandLine, recorded: Path
) -> None:
    arguments = ["--project", recorded, "--out", "all.csv", "--format", "csv"]
    assert command("audit", "export", *arguments).code == 0
    rows = exported(Path("all.csv"))
    assert [row["seq"] for row in rows] == ["3", "2", "1"]
    assert all(list(row) == list(AuditRecord.__struct_fields__) for row in rows)
    assert rows[1]["request_id"] == "'=cmd|'/C'!A0"
    assert rows[1]["actor"] == "'@SUM(1)\x1b[2J\n     9  audit-9  forged"
    assert rows[1]["target"] == ""
    assert rows[2]["actor"] == "spiffe://trust/default-site/operator"
    assert rows[0]["timestamp_ns"] == "1700000000000000000"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_each_start_of_a_formula_is_escaped(start: str) -> None:
    assert commands_audit._cell(f"{start}1+1") == f"'{start}1+1"
    assert commands_audit._cell(f"a{start}1") == f"a{start}1"


@pytest.mark.parametrize("value", ["", "a", "'", " =1", 5, -5, None])
def test_what_is_no_formula_stays(value: object) -> None:
    assert commands_audit._cell(value) == value


def test_export_selects(command: CommandLine, recorded: Path) -> None:
    arguments = ["--project", recorded, "--request-id", "request-1", "--out", "one.csv"]
    ran = command("audit", "export", *arguments, "--format", "csv")
    assert ran.out == "wrote 1 records to one.csv\n"
    assert [row["audit_id"] for row in exported(Path("one.csv"))] == ["audit-1"]


def test_export_never_overwrites(command: CommandLine, recorded: Path) -> None:
    Path("mine").write_text("mine")
    ran = command("audit", "export", "--project", recorded, "--out", "mine")
    assert ran.code == 2
    assert "cannot write mine: File exists" in ran.err
    assert Path("mine").read_text() == "mine"
    ran = command("audit", "export", "--project", recorded, "--out", "no/such/folder")
    assert ran.code == 2
    assert "cannot write no/such/folder: No such file or directory" in ran.err


def test_export_needs_a_file_and_a_known_form(command: CommandLine, recorded: Path) -> None:
    assert command("audit", "export", "--project", recorded).code == 2
    ran = command("audit", "export", "--project", recorded, "--out", "x", "--format", "xml")
    assert ran.code == 2
    assert not Path("x").exists()


def test_a_line_of_a_decision_without_an_outcome_names_its_phase() -> None:
    record = decode_json(
        b'{"audit_id":"audit-1","phase":"decision","seq":7,"timestamp_ns":1,"origin":"a",'
        b'"actor":"x","identity":"x","role":"admin","action_type":"cfg_apply",'
        b'"request_id":"r","decision":"allowed","payload_digest":"d","prev_hash":"p","hash":"h"}',
        AuditRecord,
    )
    row = commands_audit._row(record, utc=True)
    assert row[:6] == (
        "7",
        "1970-01-01T00:00:00Z",
        "cfg_apply",
        "a -> -",
        "x",
        "allowed (decision)",
    )
