"""`fleet status` and `fleet matrix`: what is wrong, and who sees whom."""

import json
from pathlib import Path

import pytest
from msgspec import structs

from answering_process import answering
from command_line import CommandLine
from trust_runtime.cli.commands_fleet import matrix_lines, status_lines
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.fleet import (
    Context,
    FeatureFlags,
    Node,
    StateDocument,
    Topology,
    TrustState,
)
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.sight import Cell, Matrix, Row, Sight
from trust_runtime.contracts.units import API_VERSION

SELF = Cell(target="a", sight=Sight.SELF)


def seen(target: str, sight: Sight = Sight.HEARD, heard_ago_ms: int | None = 400) -> Cell:
    return Cell(
        target=target,
        sight=sight,
        lifecycle_state=Lifecycle.ONLINE if sight is Sight.HEARD else Lifecycle.STALE,
        heard_ago_ms=heard_ago_ms,
    )


def row(observer: str, *cells: Cell, age_ms: int | None = 0, **more: object) -> Row:
    return Row(observer=observer, view_age_ms=age_ms, cells=cells, **more)  # type: ignore[arg-type]  # via, stalled_ms


def unknown(observer: str, *targets: str) -> Row:
    return row(observer, *(Cell(target=t, sight=Sight.UNKNOWN) for t in targets), age_ms=None)


def matrix(*rows: Row) -> Matrix:
    return Matrix(
        api_version=API_VERSION,
        connected_via="press-1",
        runtimes=tuple(one.observer for one in rows),
        rows=rows,
    )


OWN, OTHER = "press-1", "site-b/press-2"


def itself(name: str) -> Cell:
    return Cell(target=name, sight=Sight.SELF)


WELL = matrix(
    row(OWN, itself(OWN), seen(OTHER)), row(OTHER, seen(OWN), itself(OTHER), age_ms=1_250)
)
DEAD = matrix(row(OWN, itself(OWN), seen(OTHER, Sight.DEAD, 12_345)), unknown(OTHER, OWN, OTHER))
LEFT = matrix(row(OWN, itself(OWN), seen(OTHER, Sight.LEFT)), unknown(OTHER, OWN, OTHER))
STARTING = matrix(row(OWN, itself(OWN), seen(OTHER)), unknown(OTHER, OWN, OTHER))


def test_a_fleet_that_is_well() -> None:
    assert matrix_lines(WELL) == [
        "everybody hears everybody",
        "",
        "observer         view press-1            site-b/press-2",
        "press-1          0.0s -                  ok 0.4s",
        "site-b/press-2   1.2s ok 0.4s            -",
    ]


def test_what_is_wrong_comes_first() -> None:
    broken = matrix(
        row(OWN, itself(OWN), seen(OTHER, Sight.ONE_WAY, 2_000), seen("c", Sight.NEVER, None)),
        row(
            OTHER,
            seen(OWN, Sight.OBSERVER_STALLED, 9_000),
            itself(OTHER),
            seen("c", Sight.LEFT),
            via="press-3",
            stalled_ms=900,
        ),
        unknown("c", OWN, OTHER, "c"),
    )
    lines = matrix_lines(broken)
    assert lines[0] == (
        "press-1 -> site-b/press-2: one way; press-1 -> c: never;"
        " site-b/press-2 -> press-1: observer stalled; c: whom it hears is not known"
    )
    assert lines[3] == "press-1          0.0s -                  one way 2.0s       never"
    # A text that is too long for its column is shortened, and seen to be.
    assert lines[4] == (
        "site-b/press-2   0.0s observer stalled ~ -                  left"
        "               via press-3 stood still 0.9s"
    )
    assert lines[5] == "c                none ?                  ?                  ?"


@pytest.mark.parametrize(
    ("found", "verdict", "code"),
    [
        pytest.param(WELL, "everybody hears everybody", 0, id="well"),
        pytest.param(
            DEAD,
            "press-1 -> site-b/press-2: dead; site-b/press-2: whom it hears is not known",
            1,
            id="dead",
        ),
        pytest.param(LEFT, "everybody hears everybody", 0, id="left"),
        pytest.param(STARTING, "site-b/press-2: whom it hears is not known", 1, id="no view yet"),
    ],
)
def test_the_running_process_is_asked_and_the_exit_code_says_whether_all_is_well(
    command: CommandLine, project: Path, tmp_path: Path, found: Matrix, verdict: str, code: int
) -> None:
    with answering(tmp_path / "c.sock", fleet__matrix=found) as answers:
        ran = command("fleet", "matrix", "--project", project)
        as_json = command("fleet", "matrix", "--project", project, "--json")
    assert (ran.code, ran.err) == (code, "")
    assert ran.out.splitlines()[0] == verdict
    assert ran.out.splitlines() == matrix_lines(found)
    assert as_json.code == code
    assert json.loads(as_json.out) == json.loads(encode_json(found))
    assert answers.calls == [("fleet.matrix", {})] * 2


def node(runtime_id: str, lifecycle: Lifecycle = Lifecycle.ONLINE, seen_ns: int = 0) -> Node:
    return Node(
        runtime_id=runtime_id,
        site="default-site",
        display_name=runtime_id,
        role="MEMBER",
        lifecycle_state=lifecycle,
        trust_state=TrustState.TRUSTED,
        last_seen_ns=seen_ns,
    )


def state(*nodes: Node) -> StateDocument:
    return StateDocument(
        api_version=API_VERSION,
        context=Context(
            connected_via=OWN,
            acting_on=(OWN,),
            site_scope=("default-site",),
            identity="local://admin",
            role="admin",
            mode="edit",
        ),
        topology=Topology(nodes=nodes, edges=(), host_groups=()),
        timeline=(),
        feature_flags=FeatureFlags(),
    )


def test_the_status_says_whose_view_it_is_how_old_and_what_it_cannot_show_yet() -> None:
    found = matrix(row(OWN, itself(OWN), seen("b", heard_ago_ms=1_700), seen("c")))
    lines = status_lines(
        state(node(OWN), node("b"), node("c")), structs.replace(found, silence_ms=2_000)
    )
    assert (lines[0], lines[2]) == ("all 3 runtimes are well", "")
    assert lines[1] == (
        "as seen by press-1, which heard b 1.7s ago and all others since;"
        " a freeze or a cut shows after 2.0s of silence"
    )
    assert [line.split()[0] + line[line.rindex("  ") :] for line in lines[3:]] == [
        "RUNTIME  HEARD",
        "press-1  -",
        "b  1.7s ago",
        "c  0.4s ago",
    ]


def test_the_age_of_what_is_not_heard_is_no_evidence() -> None:
    found = matrix(
        row(OWN, itself(OWN), seen("b", Sight.FROZEN, 9_000), seen("c", Sight.NEVER, None))
    )
    lines = status_lines(
        state(node(OWN, seen_ns=5), node("b", Lifecycle.STALE), node("c", Lifecycle.OFFLINE)), found
    )
    assert lines[0] == "1 of 3 need attention"
    assert lines[1].startswith("  b is stale (")
    assert lines[2] == "as seen by press-1"
    assert lines[-2].endswith("9.0s ago")
    assert lines[-1].endswith("never")


def test_who_is_expected_and_was_never_heard_needs_attention() -> None:
    never = structs.replace(
        node("b", Lifecycle.OFFLINE),
        trust_state=TrustState.UNTRUSTED,
        trust_reason=TrustReason.NEVER_SEEN,
    )
    lines = status_lines(state(node(OWN), never), matrix(row(OWN, itself(OWN))))
    assert lines[:2] == ["1 of 2 need attention", "  b is expected here, but was never heard"]


def test_without_a_running_process_there_is_no_matrix(command: CommandLine, project: Path) -> None:
    ran = command("fleet", "matrix", "--project", project)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: no runtime runs on {project}\nremedy: start it: ")


def test_a_refusal_of_the_process_is_told(
    command: CommandLine, project: Path, tmp_path: Path
) -> None:
    with answering(tmp_path / "c.sock"):
        ran = command("fleet", "matrix", "--project", project)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: fleet.matrix is refused\nremedy: see the log\n"
