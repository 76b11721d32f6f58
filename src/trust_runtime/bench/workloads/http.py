"""`preflight-http` and `state-http`: requests a second of a running runtime.

References: a plain Starlette handler on uvicorn that echoes the body, or sends ready bytes of the
same size. One generator, sixteen open connections, each sending its next request as soon as it has
its answer; rounds of the product and of the reference take turns.
"""

import asyncio
import time
from typing import Final

from msgspec import Struct

from trust_runtime.app.bench_parts import remember_peers
from trust_runtime.bench.client import API, Client, closed_loop, request
from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Rate, Series, at_least, percentile
from trust_runtime.bench.processes import Place, fleet, place
from trust_runtime.bench.report import Options, Report
from trust_runtime.bench.samples import peer_records
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.errors import StartRefused

CONNECTIONS: Final = 16
ROUNDS: Final = 8
STATE_RUNTIMES: Final = 500
_STATE_RATIO: Final = 0.7
_PREFLIGHT_RATIO: Final = 0.5


class _Side(Struct, kw_only=True):
    """One of the two servers that take turns."""

    clients: list[Client]
    message: bytes
    rates: list[float]
    times: list[float]

    def round(self, count: int) -> None:
        rate, times = closed_loop(self.clients, self.message, count=count)
        self.rates.append(rate)
        self.times += times


def run_state(options: Options) -> Report:
    """Measure `GET state` of a fleet of 500, of which the runtime remembers all but itself."""
    with place() as here:
        runtime = here.runtime("runtime-0")
        peers = peer_records(STATE_RUNTIMES - 1, last_seen_ns=time.time_ns())
        asyncio.run(remember_peers(runtime.folder, peers))
        runtime.start().until_ready()
        ask = request("GET", f"{API}/state", port=runtime.web_port)
        content = here.client(runtime.web_port).exchange(ask).body
        nodes = len(decode_json(content, dict)["topology"]["nodes"])
        if nodes != STATE_RUNTIMES:
            raise StartRefused(f"the state shows {nodes} runtimes", "report this fault")
        product = _side(here, runtime.web_port, ask)
        ready = here.http_reference(content)
        plain = _side(here, ready.port, request("GET", "/ready", port=ready.port))
        _take_turns(product, plain, options.samples)
    return _report(
        "state-http",
        {"runtimes": STATE_RUNTIMES, "body_bytes": len(content)},
        sides=(product, plain),
        goal=_STATE_RATIO,
    )


def run_preflight(options: Options) -> Report:
    """Measure `POST actions/preflight` for as many targets as the fan-out says."""
    with place() as here:
        origin, *targets = fleet(here, options.fanout + 1)
        ids = [target.id for target in targets]
        body = origin.body("status_read", ids, 0)
        path = f"{API}/actions/preflight"
        product = _side(here, origin.web_port, request("POST", path, body, port=origin.web_port))
        echo = here.http_reference()
        plain = _side(here, echo.port, request("POST", "/echo", body, port=echo.port))
        _take_turns(product, plain, options.samples)
    return _report(
        "preflight-http",
        {"fanout": options.fanout, "processes": options.fanout + 1},
        sides=(product, plain),
        goal=_PREFLIGHT_RATIO,
    )


def _side(here: Place, port: int, message: bytes) -> _Side:
    clients = [here.client(port) for _ in range(CONNECTIONS)]
    return _Side(clients=clients, message=message, rates=[], times=[])


def _take_turns(product: _Side, plain: _Side, samples: int) -> None:
    count = max(samples // ROUNDS, CONNECTIONS)
    sides = (product, plain)
    for side in sides:
        side.round(count)
        side.rates.clear()
        side.times.clear()
    for number in range(ROUNDS):
        for side in sides if number % 2 == 0 else sides[::-1]:
            side.round(count)


def _report(
    workload: str, setting: dict[str, object], *, sides: tuple[_Side, _Side], goal: float
) -> Report:
    product, plain = sides
    ratios = [ours / theirs for ours, theirs in zip(product.rates, plain.rates, strict=True)]
    return Report(
        workload=workload,
        setting={**setting, "connections": CONNECTIONS, "rounds": ROUNDS, "warm_up": "one round"},
        environment=environment(),
        headline="latency",
        series=(Series(name="latency", values_us=tuple(product.times)),),
        references=(Series(name="plain_latency", values_us=tuple(plain.times)),),
        rates=(Rate(name="requests", per_s=tuple(product.rates)),),
        reference_rates=(Rate(name="plain_requests", per_s=tuple(plain.rates)),),
        ratios=(at_least("requests / plain, median of rounds", percentile(ratios, 50), goal),),
        notes=("Generator and servers share the processors of this machine.",),
    )
