from bench_samples import VALUES, report
from trust_runtime.bench.figures import histogram
from trust_runtime.bench.report import to_json
from trust_runtime.contracts.codec import encode_json, to_plain


def test_the_json_form_has_a_block_for_each_series_and_the_headlines_histogram() -> None:
    form = to_json(report())
    assert form["benchmark"] == "dispatch"
    shown = form["report"]
    assert shown["latency"] == {
        "samples": 4,
        "min_us": 5.0,
        "p50_us": 10.0,
        "p95_us": 20.0,
        "p99_us": 20.0,
        "max_us": 20.0,
    }
    assert shown["histogram"] == to_plain(histogram(VALUES))
    assert shown["references"]["sum"]["samples"] == 2
    assert shown["requests"] == {"median_per_s": 20.0, "rounds_per_s": [30.0, 10.0, 20.0]}
    assert shown["references"]["plain_requests"]["median_per_s"] == 40.0
    assert (shown["fanout"], shown["errors"], shown["headline"]) == (3, 0, "latency")
    assert [one["met"] for one in shown["ratios"]] == [False, True]
    assert encode_json(form)
