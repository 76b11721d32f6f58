"""`fleet status` and `fleet matrix`: is anything wrong, and who sees whom."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.app.records import ProjectRecords
from trust_runtime.cli.asking import asking_options, connect
from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.cli.tables import ago, duration, table
from trust_runtime.client import Client
from trust_runtime.contracts.errors import ExitCode
from trust_runtime.contracts.fleet import Health, Node, StateDocument, TrustState
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.sight import Cell, Matrix, Sight
from trust_runtime.contracts.units import MS_PER_S
from trust_runtime.core.sight import describe_sight

_WELL: Final = frozenset({Sight.SELF, Sight.HEARD, Sight.LEFT})
_MARK: Final = {Sight.SELF: "-", Sight.HEARD: "ok", Sight.NEVER: "never", Sight.UNKNOWN: "?"}
_COLUMN: Final = 18


@click.group()
def fleet() -> None:
    """Look at the fleet as the connected runtime knows it."""


@fleet.command()
@click.option("--watch", is_flag=True, help="Show it anew at every change, until Ctrl+C.")
@asking_options
@click.pass_context
def status(ctx: click.Context, /, *, as_json: bool, watch: bool, **asked: Any) -> int:
    """Say first whether anything is wrong, then show every runtime; exit 1 when something is.

    Example: trust-runtime fleet status --project ~/trust-cloud-demo/runtime-a
    """
    with connect(ctx, asked) as client:
        well = _show_status(client, as_json=as_json)
        with suppress(KeyboardInterrupt):
            for message in client.events() if watch else ():
                if message.event == "state":
                    click.clear()
                    well = _show_status(client, as_json=as_json)
    return ExitCode.OK if well else ExitCode.ERROR


def status_lines(state: StateDocument, matrix: Matrix) -> list[str]:
    """Return the fleet as text: what needs attention first, then every runtime."""
    nodes = state.topology.nodes
    wrong = [text for node in nodes if (text := _attention(node, matrix)) is not None]
    count = len(nodes)
    if not wrong:
        first = f"all {count} runtimes are well" if count > 1 else "the runtime is well"
    else:
        first = f"{len(wrong)} of {count} need attention"
    now_ns = max((node.last_seen_ns for node in nodes), default=0)
    cells = _own_cells(matrix)
    rows = [
        (
            node.runtime_id,
            node.lifecycle_state,
            node.health_state or "-",
            node.trust_state,
            (node.config_state or "-").replace("_", " "),
            node.version or "-",
            duration(node.uptime_ms) if node.lifecycle_state is Lifecycle.ONLINE else "-",
            _heard(node, cells.get(node.runtime_id), now_ns),
        )
        for node in nodes
    ]
    head = ("runtime", "state", "health", "trust", "config", "version", "uptime", "heard")
    attention = [f"  {printable(text)}" for text in wrong]
    return [first, *attention, printable(_resolution(matrix, cells)), "", *table(head, rows)]


@fleet.command()
@project_option
@json_option
@click.pass_context
def matrix(ctx: click.Context, /, *, project: Path | None, as_json: bool) -> int:
    """Show who sees whom, and why not: N x N, with the age of each last beacon.

    Exit 1 when somebody does not hear somebody who did not leave, or when it is not known whom
    somebody hears.

    Example: trust-runtime fleet matrix --project ~/trust-cloud-demo/runtime-a
    """
    found = ProjectRecords(chosen_project(ctx, project) or Path()).matrix()
    if as_json:
        echo_json(found)
    else:
        for line in matrix_lines(found):
            click.echo(line)
    return ExitCode.OK if not _troubles(found) else ExitCode.ERROR


def matrix_lines(matrix: Matrix) -> list[str]:
    """Return the matrix as text: what is wrong first, then who looks (rows) at whom (columns)."""
    troubles = _troubles(matrix)
    verdict = "everybody hears everybody" if not troubles else "; ".join(troubles)
    width = max(len(name) for name in ("observer", *matrix.runtimes))
    names = [_fitted(name) for name in matrix.runtimes]
    lines = [verdict, "", " ".join([f"{'observer':<{width}}", f"{'view':>6}", *names]).rstrip()]
    for row in matrix.rows:
        age = "none" if row.view_age_ms is None else _seconds(row.view_age_ms)
        notes = [] if row.via is None else [f"via {row.via}"]
        notes += [f"stood still {_seconds(row.stalled_ms)}"] if row.stalled_ms else []
        cells = [_fitted(_cell_text(cell)) for cell in row.cells]
        lines.append(" ".join([f"{row.observer:<{width}}", f"{age:>6}", *cells, *notes]).rstrip())
    return lines


def _show_status(client: Client, *, as_json: bool) -> bool:
    state = client.state()
    if as_json:
        echo_json(state)
        return all(_attention(node, None) is None for node in state.topology.nodes)
    matrix = client.matrix()
    for line in status_lines(state, matrix):
        click.echo(line)
    return all(_attention(node, matrix) is None for node in state.topology.nodes)


def _attention(node: Node, matrix: Matrix | None) -> str | None:
    """Return what is wrong with a runtime, or None; one that left in order is no trouble."""
    found: list[str] = []
    state = node.lifecycle_state
    if state in (Lifecycle.STALE, Lifecycle.PARTITIONED):
        why = None if matrix is None else _own_sight(matrix, node.runtime_id)
        found.append(f"is {state}" + (f" ({describe_sight(why)})" if why is not None else ""))
    if state is Lifecycle.ONLINE and node.health_state not in (None, Health.HEALTHY):
        found.append(f"is {node.health_state}: {'; '.join(node.health_reasons)}")
    if node.trust_reason is TrustReason.NEVER_SEEN:
        found.append("is expected here, but was never heard")
    elif node.trust_state is not TrustState.TRUSTED:
        found.append(f"is untrusted ({node.trust_reason})")
    if state is Lifecycle.ONLINE and node.config_state in ("blocked", "error"):
        found.append(f"configuration is {node.config_state}")
    return f"{node.runtime_id} {', '.join(found)}" if found else None


def _own_cells(matrix: Matrix) -> dict[str, Cell]:
    """Return what the connected runtime sees itself, by target."""
    rows = [row.cells for row in matrix.rows if row.observer == matrix.connected_via]
    return {cell.target: cell for row in rows for cell in row}


def _own_sight(matrix: Matrix, target: str) -> Sight | None:
    """Return why the connected runtime does not hear a target."""
    cell = _own_cells(matrix).get(target)
    return None if cell is None else cell.sight


def _heard(node: Node, cell: Cell | None, now_ns: int) -> str:
    """Return how long ago a runtime was heard; its own process's clock counts where it did."""
    if cell is not None and cell.sight is Sight.SELF:
        return "-"
    if cell is not None and cell.heard_ago_ms is not None:
        return f"{duration(cell.heard_ago_ms)} ago"
    return ago(node.last_seen_ns, now_ns)


def _resolution(matrix: Matrix, cells: dict[str, Cell]) -> str:
    """Return whose view this is, how old its oldest evidence is, and what it cannot show yet."""
    ages = {
        cell.target: cell.heard_ago_ms
        for cell in cells.values()
        if cell.sight is Sight.HEARD and cell.heard_ago_ms is not None
    }
    text = f"as seen by {matrix.connected_via}"
    if ages:
        oldest = max(ages, key=lambda target: ages[target])
        text += f", which heard {oldest} {duration(ages[oldest])} ago"
        text += " and all others since" if len(ages) > 1 else ""
    if matrix.silence_ms is not None:
        text += f"; a freeze or a cut shows after {duration(matrix.silence_ms)} of silence"
    return text


def _troubles(matrix: Matrix) -> list[str]:
    own = [row for row in matrix.rows if row.observer == matrix.connected_via]
    left = {cell.target for row in own for cell in row.cells if cell.sight is Sight.LEFT}
    seen = [
        f"{row.observer} -> {cell.target}: {cell.sight.replace('_', ' ')}"
        for row in matrix.rows
        for cell in row.cells
        if cell.sight not in _WELL and cell.sight is not Sight.UNKNOWN
    ]
    unseen = [
        f"{row.observer}: whom it hears is not known"
        for row in matrix.rows
        if row.view_age_ms is None and row.observer not in left
    ]
    return seen + unseen


def _cell_text(cell: Cell) -> str:
    mark = _MARK.get(cell.sight, cell.sight.replace("_", " "))
    age = cell.heard_ago_ms
    return mark if age is None or cell.sight is Sight.LEFT else f"{mark} {_seconds(age)}"


def _seconds(ms: int) -> str:
    return f"{ms / MS_PER_S:.1f}s"


def _fitted(text: str) -> str:
    short = text if len(text) <= _COLUMN else text[: _COLUMN - 1] + "~"
    return f"{short:<{_COLUMN}}"
