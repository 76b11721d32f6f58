import json
import re
from pathlib import Path

import pytest

import bench_table
from bench_samples import report
from trust_runtime.bench.report import to_json
from trust_runtime.contracts.codec import encode_json

README = Path(__file__).parents[3] / "README.md"
TIME = r"[\d.]+ (?:us|ms|s)"
VERDICT = r"[^;()|]+ [\d.]+ \([<>]= [\d.]+: (?:met|missed)\)"
LINE = re.compile(rf"\| [a-z0-9 -]+(?: \| {TIME}){{4}} \| {VERDICT}(?:; {VERDICT})* \|")


def reports() -> list[dict[str, object]]:
    made = []
    for row in bench_table.ROWS:
        form = to_json(report(row.arguments[0], references=(row.reference,)))
        made.append(json.loads(encode_json(form["report"])))
    return made


def first_cells(block: str) -> list[str]:
    return [line.split("|")[1].strip() for line in block.splitlines() if line.startswith("|")]


def test_the_table_in_the_readme_is_as_the_command_writes_it() -> None:
    written = bench_table.render(reports())
    shown = bench_table.block_of(README.read_text("utf-8"))
    assert shown.splitlines()[:2] == written.splitlines()[:2] == list(bench_table.HEADER)
    assert first_cells(shown) == first_cells(written)
    rows = [line for line in shown.splitlines() if line.startswith("|")][2:]
    assert [line for line in rows if not LINE.fullmatch(line)] == []
    pattern = (
        r"Python .*, Zenoh .*, .* processors shared with other work"
        r" \(load .* to .*\): read the ratios, not the times\."
    )
    assert re.fullmatch(pattern, written.splitlines()[-1])
    assert re.fullmatch(pattern, shown.splitlines()[-1])


def test_every_line_it_writes_has_that_form() -> None:
    rows = bench_table.render(reports()).splitlines()[2 : 2 + len(bench_table.ROWS)]
    assert all(LINE.fullmatch(line) for line in rows)
    assert (
        "| dispatch fan-out 3 | 10 us | 20 us | 20 us | 1 us | p50 / sum 4.89 (<= 3: missed)"
        in ("\n".join(rows))
    )


def test_only_what_is_between_the_markers_changes() -> None:
    text = f"before\n{bench_table.BEGIN}\nold\n{bench_table.END}\nafter\n"
    assert bench_table.replaced(text, "new") == text.replace("old", "new")
    assert bench_table.block_of(text) == "old"
    for broken in ("", bench_table.BEGIN, bench_table.END):
        with pytest.raises(SystemExit):
            bench_table.replaced(broken, "new")


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (0.61, "0.61 us"),
        (999.4, "999 us"),
        (1_000, "1.00 ms"),
        (11_850.7, "11.85 ms"),
        (999_999, "1000.00 ms"),
        (1_000_000, "1.00 s"),
    ],
)
def test_times_are_in_the_unit_people_use(us: float, shown: str) -> None:
    assert bench_table._time(us) == shown
