"""Measure every workload and write the figures into the README, between its two markers.

    python tools/bench_table.py [--from DIR] [--save DIR]

`--save` keeps what `trust-runtime bench` printed, one JSON file a row; `--from` writes the table
from such files instead of measuring. Figures stand in the README only by this command.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

BEGIN: Final = "<!-- bench: begin, written by tools/bench_table.py -->"
END: Final = "<!-- bench: end -->"
HEADER: Final = (
    "| Workload | p50 | p95 | p99 | Reference p50 | Beside reference and goal |",
    "|---|---|---|---|---|---|",
)
_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000


class Row(NamedTuple):
    """One line of the table."""

    name: str
    """Its first cell, and with `-` for blanks the name of its file."""
    arguments: tuple[str, ...]
    """What follows `trust-runtime bench`."""
    reference: str
    """The series of the reference that is shown."""


ROWS: Final = (
    Row("dispatch fan-out 1", ("dispatch", "--fanout", "1"), "sum"),
    Row("dispatch fan-out 3", ("dispatch", "--fanout", "3"), "sum"),
    Row("mesh-zenoh", ("mesh-zenoh",), "pub_sub_raw"),
    Row("preflight", ("preflight",), "look_ups_200"),
    Row("preflight-http", ("preflight-http",), "plain_latency"),
    Row("state-http", ("state-http",), "plain_latency"),
    Row("presence", ("presence",), "raw_liveliness"),
    Row("audit", ("audit",), "fdatasync"),
    Row("startup", ("startup",), "interpreter"),
)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, help="folder of JSON files")
    parser.add_argument("--save", type=Path, help="folder to keep the JSON in")
    chosen = parser.parse_args()
    root = Path(__file__).parent.parent
    reports = [_report(row, chosen.source, chosen.save) for row in ROWS]
    readme = root / "README.md"
    readme.write_text(replaced(readme.read_text("utf-8"), render(reports)), encoding="utf-8")
    return 0


def _report(row: Row, source: Path | None, save: Path | None) -> dict[str, Any]:
    name = f"{row.name.replace(' ', '-')}.json"
    if source is not None:
        text = (source / name).read_text("utf-8")
    else:
        print(f"measuring {row.name}", file=sys.stderr)
        command = [sys.executable, "-m", "trust_runtime", "bench", *row.arguments]
        text = subprocess.run(
            [*command, "--output", "json"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        (save / name).write_text(text, encoding="utf-8")
    report: dict[str, Any] = json.loads(text)["report"]
    return report


def render(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the block between the markers: the table, and what it was measured on."""
    lines = [*HEADER, *(_line(row, one) for row, one in zip(ROWS, reports, strict=True))]
    first = reports[0]["environment"]
    loads = [float(one["environment"]["load_1min"]) for one in reports]
    machine = f"Python {first['python']}, Zenoh {first['zenoh']}, {first['system']}"
    shared = f"{first['cpus']} processors shared with other work"
    load = f"(load {min(loads):.1f} to {max(loads):.1f})"
    return "\n".join([*lines, "", f"{machine}, {shared} {load}: read the ratios, not the times."])


def replaced(text: str, block: str) -> str:
    """Return a document with the block between its markers replaced.

    Raises:
        SystemExit: the markers are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"the README has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def block_of(text: str) -> str:
    """Return what stands between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0].strip("\n")


def _line(row: Row, report: Mapping[str, Any]) -> str:
    found = report[report["headline"]]
    times = [found["p50_us"], found["p95_us"], found["p99_us"]]
    times.append(report["references"][row.reference]["p50_us"])
    verdicts = "; ".join(_verdict(one) for one in report["ratios"])
    cells = [row.name, *map(_time, times), verdicts]
    return "| " + " | ".join(cells) + " |"


def _verdict(ratio: Mapping[str, Any]) -> str:
    value = float(ratio["value"])
    shown = f"{value:.0f}" if abs(value) >= _US_PER_MS else f"{value:g}"
    return f"{ratio['name']} {shown} ({ratio['goal']}: {'met' if ratio['met'] else 'missed'})"


def _time(us: float) -> str:
    if us >= _US_PER_S:
        return f"{us / _US_PER_S:.2f} s"
    return f"{us / _US_PER_MS:.2f} ms" if us >= _US_PER_MS else f"{us:.3g} us"


if __name__ == "__main__":
    sys.exit(main())
