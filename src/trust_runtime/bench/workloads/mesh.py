"""`mesh-zenoh`: samples and queries between two processes through the product's mesh.

Raw samples: no engine brings variables in this version. Reference: the same payloads between two
plain Zenoh processes, with callbacks on Zenoh's own threads and express messages.
"""

from typing import Final

from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Series, at_most, jitter, percentile
from trust_runtime.bench.processes import Talker, free_port, place
from trust_runtime.bench.report import Options, Report

WARM_UP: Final = 32
ROUND: Final = 64
GOAL_US: Final = 2_000
_RATIO: Final = 1.3


def run(options: Options) -> Report:
    """Measure round trips and queries."""
    values: dict[str, list[float]] = {"pub_sub": [], "query": [], "raw_ping": [], "raw_get": []}
    with place() as here:
        port, plain_port = free_port(), free_port()
        module = ["-m", "trust_runtime.bench.mesh_peer"]
        serving = Talker(here.start([*module, "serve", str(port)], "serving"))
        plain_serving = here.reference("zenoh_peer", "serve", plain_port, 0)
        serving.hear(), plain_serving.hear()
        asking = Talker(here.start([*module, "ask", str(port)], "asking"))
        plain = here.reference("zenoh_peer", "ask", plain_port)
        asking.hear(), plain.hear()
        turns = (
            ("pub_sub", asking, "ping"),
            ("raw_ping", plain, "ping"),
            ("query", asking, "get"),
            ("raw_get", plain, "get"),
        )
        for _, who, what in turns:
            who.ask_ns(f"{what} {WARM_UP} {options.payload_bytes}")
        left = options.samples
        while left > 0:
            count = min(ROUND, left)
            for name, who, what in turns:
                times = who.ask_ns(f"{what} {count} {options.payload_bytes}")
                values[name] += [ns / 1_000 for ns in times]
            left -= count
        lost, reordered = asking.ask_ns("count")
    return _report(options, values, {"loss_count": lost, "reorder_count": reordered})


def _report(options: Options, values: dict[str, list[float]], counts: dict[str, int]) -> Report:
    p50 = {name: percentile(found, 50) for name, found in values.items()}
    counts["unanswered"] = options.samples - len(values["query"])
    return Report(
        workload="mesh-zenoh",
        setting={
            "payload_bytes": options.payload_bytes,
            "transport": "tcp/127.0.0.1",
            "warm_up": WARM_UP,
            "round": ROUND,
        },
        environment=environment(),
        headline="pub_sub_latency",
        series=(
            Series(name="pub_sub_latency", values_us=tuple(values["pub_sub"])),
            Series(name="pub_sub_jitter", values_us=jitter(values["pub_sub"]) or (0.0,)),
            Series(name="query_reply_latency", values_us=tuple(values["query"])),
        ),
        references=(
            Series(name="pub_sub_raw", values_us=tuple(values["raw_ping"])),
            Series(name="query_reply_raw", values_us=tuple(values["raw_get"])),
        ),
        ratios=(
            at_most("pub_sub p50 / raw", p50["pub_sub"] / p50["raw_ping"], _RATIO),
            at_most("query p50 / raw", p50["query"] / p50["raw_get"], _RATIO),
            at_most(
                "pub_sub p95 us beside the gate",
                percentile(values["pub_sub"], 95),
                GOAL_US,
                digits=0,
            ),
        ),
        counts=counts,
        notes=(
            "A pub_sub value is there and back; the product and the plain processes take turns.",
        ),
    )
