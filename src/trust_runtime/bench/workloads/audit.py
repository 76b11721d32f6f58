"""`audit`: records made durable by the product's store, with 1, 16 and 64 writers at once.

References on the same disk in the same rounds: write and fdatasync of one record, and INSERT and
COMMIT in a WAL database with `synchronous=FULL`, one by one.
"""

import asyncio
import time
from typing import Final

from trust_runtime.app.bench_parts import audit_log
from trust_runtime.bench.environment import environment
from trust_runtime.bench.figures import Rate, Series, at_least, percentile
from trust_runtime.bench.processes import Place, place
from trust_runtime.bench.references.disk import Log, insert_times_ns
from trust_runtime.bench.report import Options, Report
from trust_runtime.contracts.audit import AuditDraft, Outcome, Phase, Verdict
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Role
from trust_runtime.ports.store import AuditLog

ROUNDS: Final = 4
WRITERS: Final = (1, 16, 64)
_PER_S: Final = 1_500
_OWN: Final = RuntimeId("runtime-0")


def run(options: Options) -> Report:
    """Measure `samples` records per number of writers, spread over the rounds."""
    with place() as here:
        times, rates, kept = asyncio.run(_measure(here, options.samples))
    ratio = percentile(rates["writers_16"], 50) / percentile(rates["sqlite_insert"], 50)
    return Report(
        workload="audit",
        setting={"writers": list(WRITERS), "rounds": ROUNDS, "warm_up": "one round"},
        environment=environment(),
        headline="append_1_writer",
        series=tuple(
            Series(name=f"append_{n}_writer{'s' * (n > 1)}", values_us=tuple(times[f"writers_{n}"]))
            for n in WRITERS
        ),
        references=tuple(
            Series(name=name, values_us=tuple(times[name]))
            for name in ("fdatasync", "sqlite_insert")
        ),
        rates=tuple(
            Rate(name=name, per_s=tuple(rates[name])) for name in (f"writers_{n}" for n in WRITERS)
        ),
        reference_rates=tuple(
            Rate(name=f"{name}_loop", per_s=tuple(rates[name]))
            for name in ("fdatasync", "sqlite_insert")
        ),
        ratios=(
            at_least("records/s with 16 writers", percentile(rates["writers_16"], 50), _PER_S),
            at_least("16 writers / SQLite insert loop", ratio, 1.0),
        ),
        counts={"lost": kept},
        notes=("lost: records acknowledged and not in the log when it is read again.",),
    )


async def _measure(
    here: Place, samples: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], int]:
    times: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    count = max(samples // ROUNDS, *WRITERS)
    plain = Log(here.folder / "reference.log")
    number = 0
    async with audit_log(here.folder) as log:
        for turn in range(-1, ROUNDS):
            found: dict[str, list[int]] = {}
            spent: dict[str, float] = {}
            for writers in WRITERS:
                started = time.perf_counter_ns()
                name = f"writers_{writers}"
                found[name] = await _append(log, writers, range(number, number + count))
                spent[name] = time.perf_counter_ns() - started
                number += count
            found["fdatasync"] = [plain.sync_one() for _ in range(count)]
            found["sqlite_insert"] = insert_times_ns(here.folder / "reference.db", count)
            spent |= {name: sum(found[name]) for name in ("fdatasync", "sqlite_insert")}
            for name, values in found.items() if turn >= 0 else ():
                times.setdefault(name, []).extend(ns / 1_000 for ns in values)
                rates.setdefault(name, []).append(len(values) / (spent[name] / 1e9))
        report = await log.verify()
    plain.close()
    return times, rates, number - report.records


async def _append(log: AuditLog, writers: int, numbers: range) -> list[int]:
    times: list[int] = []
    waiting = iter(numbers)

    async def write() -> None:
        for number in waiting:
            started = time.perf_counter_ns()
            await log.append([_draft(number)])
            times.append(time.perf_counter_ns() - started)

    async with asyncio.TaskGroup() as tasks:
        for writer in range(writers):
            tasks.create_task(write(), name=f"writer {writer}")
    return times


def _draft(number: int) -> AuditDraft:
    return AuditDraft(
        audit_id=f"audit-bench-{number}",
        phase=Phase.SINGLE,
        timestamp_ns=time.time_ns(),
        origin=_OWN,
        target=_OWN,
        actor="spiffe://trust/default-site/bench",
        identity="local://admin",
        role=Role.ADMIN,
        action_type="status_read",
        request_id=f"bench-{number}",
        decision=Verdict.ALLOWED,
        outcome=Outcome.EXECUTED,
        payload_digest="sha256:" + "0" * 64,
    )
