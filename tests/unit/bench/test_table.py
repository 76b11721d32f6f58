from bench_samples import report
from trust_runtime.bench.table import plain, render


def test_every_figure_and_verdict_is_in_the_table() -> None:
    lines = render(report()).splitlines()
    assert lines[0] == "dispatch  fanout=3  warm_up=32"
    cells = {line.split("  ")[0]: line.split() for line in reversed(lines)}
    assert cells["latency"][1:] == ["4", "5.0", "10.0", "20.0", "20.0", "20.0"]
    assert cells["reference sum"][2:] == ["2", "1.0", "1.0", "2.0", "2.0", "2.0"]
    assert cells["requests"][1:] == ["20", "30", "10", "20"]
    assert cells["p50 / sum"][3:] == ["4.89", "<=", "3", "MISSED"]
    assert cells["rate"][1:] == ["2000000", ">=", "1500", "met"]
    assert "errors=0" in lines
    assert lines[-1] == "a note"
    assert all(line == line.rstrip() for line in lines)


def test_columns_stand_below_each_other() -> None:
    lines = render(report()).splitlines()
    ends = {len(line) for line in lines[1:4]}
    assert len(ends) == 1


def test_numbers_have_no_exponent() -> None:
    shown = [plain(value) for value in (0.5, 999.5, 1_000.4, 1_500_000.0)]
    assert shown == ["0.5", "999.5", "1000", "1500000"]
