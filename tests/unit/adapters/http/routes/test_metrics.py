"""`GET /metrics`: the text is what Prometheus's own reader reads."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from http_client import Behind, serving
from trust_runtime.adapters.http.routes.metrics import MEDIA_TYPE, REFUSED, render
from trust_runtime.contracts.metrics import Metric, MetricKind, Sample
from trust_runtime.services.histogram import Histogram

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)


def gauge(*samples: Sample, text: str = "Text.") -> Metric:
    return Metric(name="x_ms", help=text, kind=MetricKind.GAUGE, samples=samples)


@pytest.mark.anyio
async def test_metrics_are_sent_by_name_with_the_refusals_of_the_edge() -> None:
    behind = Behind(metrics=(gauge(Sample(value=3)),))
    async with serving(behind) as served:
        await served.ask("GET", "/healthz", headers={"Host": "evil.example"})
        reply = await served.ask("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == MEDIA_TYPE
    assert reply.headers["cache-control"] == "no-store"
    assert reply.raw.decode() == (
        f"# HELP {REFUSED} Requests refused before any decision, by the stage that refused.\n"
        f"# TYPE {REFUSED} counter\n"
        f'{REFUSED}{{stage="host"}} 1\n'
        "# HELP x_ms Text.\n"
        "# TYPE x_ms gauge\n"
        "x_ms 3\n"
    )


@pytest.mark.anyio
async def test_the_door_is_that_of_a_viewer() -> None:
    async with serving() as served:
        reply = await served.ask("GET", "/metrics", headers={"Forwarded": "for=x"})
    assert reply.status == 401


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1"),
        (-2, "-2"),
        (0.25, "0.25"),
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992.0"),
        (1e300, "1e+300"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert render(gauge(Sample(value=value))).splitlines()[-1] == f"x_ms {text}"


def test_a_metric_without_samples_keeps_its_words() -> None:
    assert render(gauge()) == "# HELP x_ms Text.\n# TYPE x_ms gauge\n"


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(NAMES, st.text(max_size=20)), max_size=3), st.floats(width=32)
        ),
        max_size=4,
    ),
    st.text(max_size=30),
)
@settings(max_examples=80)
def test_an_independent_reader_reads_the_same(
    rows: list[tuple[list[tuple[str, str]], float]], text: str
) -> None:
    samples = tuple(
        Sample(labels=tuple(dict(labels).items()), value=value)
        for labels, value in rows
        if math.isfinite(value)
    )
    words = " ".join(text.split())
    [family] = text_string_to_metric_families(render(gauge(*samples, text=words)))
    assert family.name == "x_ms"
    read = [(tuple(one.labels.items()), one.value) for one in family.samples]
    assert read == [(sample.labels, sample.value) for sample in samples]


def test_a_histogram_is_read_as_one() -> None:
    histogram = Histogram((0.5, 1.0))
    histogram.observe(750_000_000)
    metric = Metric(
        name="x_seconds", help="x", kind=MetricKind.HISTOGRAM, samples=histogram.samples()
    )
    [family] = text_string_to_metric_families(render(metric))
    assert family.type == "histogram"
    read = {(one.name, one.labels.get("le")): one.value for one in family.samples}
    assert read == {
        ("x_seconds_bucket", "0.5"): 0,
        ("x_seconds_bucket", "1.0"): 1,
        ("x_seconds_bucket", "+Inf"): 1,
        ("x_seconds_sum", None): 0.75,
        ("x_seconds_count", None): 1,
    }
