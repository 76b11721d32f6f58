"""`dispatch`: HTTP, origin, mesh, targets that decide and record, and back, over real processes.

Reference: one query between two plain Zenoh processes, one fdatasync and one echo over HTTP, summed
sample by sample. For fan-outs above one also the same with that many queries at once to as many
plain processes: what the machine needs when every target must get a turn on a processor.
"""

from typing import Final

from trust_runtime.bench.client import API, request
from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Ratio, Series, at_most, percentile
from trust_runtime.bench.processes import Place, Talker, fleet, free_port, place
from trust_runtime.bench.references.disk import Log
from trust_runtime.bench.report import Options, Report
from trust_runtime.contracts.codec import decode_json

WARM_UP: Final = 32
ROUND: Final = 32
GOAL_US: Final = 3_000
GATE_US: Final = 6_000
_WRITES_MAX: Final = 100
_LEVELS: Final = ("debug", "warn")
_RATIO_ONE: Final = 3.0


class _Bench:
    """The running fleet, the running references, and what they took."""

    def __init__(self, here: Place, options: Options) -> None:
        self.options = options
        self.origin, *self.targets = fleet(here, options.fanout + 1)
        self.client = here.client(self.origin.web_port)
        self.audits = here.client(self.origin.web_port)
        self.echo = here.http_reference()
        self.log = Log(here.folder / "reference.log")
        self.plain = _plain_mesh(here, options.fanout)
        self.values: dict[str, list[float]] = {}
        self.errors = 0
        self.cpu_us: dict[str, float] = {}
        self._number = 0

    def keep(self, name: str, value_us: float) -> None:
        self.values.setdefault(name, []).append(value_us)

    def series(self, name: str) -> Series:
        return Series(name=name, values_us=tuple(self.values[name]))

    def message(self, kind: str, action_type: str, **more: object) -> bytes:
        self._number += 1
        ids = [target.id for target in self.targets]
        body = self.origin.body(action_type, ids, self._number, **more)
        return request("POST", f"{API}/actions/{kind}", body, port=self.origin.web_port)


def run(options: Options) -> Report:
    """Measure reads and writes of one fan-out."""
    with place() as here:
        bench = _Bench(here, options)
        try:
            for _ in range(WARM_UP):
                _product(bench)
            _reference(bench, WARM_UP)
            bench.values.clear()
            left = options.samples
            while left > 0:
                count = min(ROUND, left)
                for _ in range(count):
                    _product(bench)
                _reference(bench, count)
                left -= count
            bench.cpu_us = _cpu_us(bench, min(options.samples, _WRITES_MAX))
            for number in range(min(options.samples, _WRITES_MAX)):
                _write(bench, _LEVELS[number % 2])
        finally:
            bench.log.close()
    return _report(bench)


def _product(bench: _Bench) -> None:
    """Measure one dispatch, then a preflight of the same targets and a look at the record."""
    took, answer = bench.client.timed(bench.message("dispatch", "status_read"))
    bench.keep("end_to_end_latency", took)
    report = decode_json(answer.body, dict)
    bench.errors += not report.get("ok")
    bench.keep(
        "preflight_latency", bench.client.timed(bench.message("preflight", "status_read"))[0]
    )
    audit_id = report["results"][0].get("audit_id", "none")
    asked = request("GET", f"{API}/audit/{audit_id}", port=bench.origin.web_port)
    took, answer = bench.audits.timed(asked)
    bench.keep("audit_correlation_latency", took)
    bench.errors += answer.status != 200  # noqa: PLR2004 - the one good status here


def _write(bench: _Bench, level: str) -> None:
    payload = {"params": {"log.level": level}}
    took, answer = bench.client.timed(bench.message("dispatch", "cfg_apply", payload=payload))
    bench.keep("write_end_to_end_latency", took)
    bench.errors += not decode_json(answer.body, dict).get("ok")


def _cpu_us(bench: _Bench, count: int) -> dict[str, float]:
    """Return the processor time of one read in the origin, and in all targets together."""
    runtimes = (bench.origin, *bench.targets)
    before = [runtime.cpu_ns() for runtime in runtimes]
    for _ in range(count):
        bench.client.exchange(bench.message("dispatch", "status_read"))
    spent = [
        (now - was) / count / 1_000
        for was, now in zip(before, [one.cpu_ns() for one in runtimes], strict=True)
        if was is not None and now is not None
    ]
    if len(spent) < len(runtimes):
        return {}
    return {"origin": round(spent[0]), "targets": round(sum(spent[1:]))}


def _reference(bench: _Bench, count: int) -> None:
    fanout = bench.options.fanout
    size = bench.options.payload_bytes
    message = request("POST", "/echo", bench.message("x", "status_read"), port=bench.echo.port)
    single = [ns / 1_000 for ns in bench.plain.ask_ns(f"get {count} {size}")]
    at_once = [ns / 1_000 for ns in bench.plain.ask_ns(f"gets {count} {size} {fanout}")]
    for one, many in zip(single, at_once, strict=True):
        echoed = bench.echo.timed(message)[0]
        synced = bench.log.sync_one() / 1_000
        bench.keep("echo", echoed)
        bench.keep("fdatasync", synced)
        bench.keep("get", one)
        bench.keep("sum", one + echoed + synced)
        bench.keep("gets_at_once", many)
        bench.keep("sum_with_gets_at_once", many + echoed + synced)


def _plain_mesh(here: Place, count: int) -> Talker:
    ports = [free_port() for _ in range(count)]
    for number, port in enumerate(ports):
        here.reference("zenoh_peer", "serve", port, number).hear()
    asker = here.reference("zenoh_peer", "ask", *ports)
    asker.hear()
    return asker


def _report(bench: _Bench) -> Report:
    options = bench.options
    names = ["get", "fdatasync", "echo", "sum"]
    if options.fanout > 1:
        names += ["gets_at_once", "sum_with_gets_at_once"]
    return Report(
        workload="dispatch",
        setting={
            "fanout": options.fanout,
            "payload_bytes": options.payload_bytes,
            "processes": options.fanout + 1,
            "warm_up": WARM_UP,
            "round": ROUND,
            "cpu_us_per_read": bench.cpu_us,
        },
        environment=environment(),
        headline="end_to_end_latency",
        series=tuple(
            bench.series(name)
            for name in (
                "end_to_end_latency",
                "preflight_latency",
                "audit_correlation_latency",
                "write_end_to_end_latency",
            )
        ),
        references=tuple(bench.series(name) for name in names),
        ratios=_ratios(bench, names),
        counts={"errors": bench.errors},
        notes=(
            "The product and its references take turns, round by round.",
            "A dispatch is over when every target's record and the origin's are on disk.",
        ),
    )


def _ratios(bench: _Bench, names: list[str]) -> tuple[Ratio, ...]:
    values = bench.values["end_to_end_latency"]
    p50, p95 = percentile(values, 50), percentile(values, 95)
    ratios = [at_most("p50 / sum", p50 / percentile(bench.values["sum"], 50), _RATIO_ONE)]
    if "sum_with_gets_at_once" in names:
        summed = percentile(bench.values["sum_with_gets_at_once"], 50)
        ratios.append(at_most("p50 / sum_with_gets_at_once", p50 / summed, _RATIO_ONE))
    ratios += [
        at_most("p95 us beside the goal", p95, GOAL_US, digits=0),
        at_most("p95 us beside the gate", p95, GATE_US, digits=0),
    ]
    return tuple(ratios)
