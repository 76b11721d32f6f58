"""An audit log that was cut while its runtime was down: all others must name it; loopback only."""

import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from faults.report import Figure, spread, tell
from faults.sights import all_heard
from runtimes import Plant, Runtime, plant
from waiting import wait_until

FLEET: Final = 5
BEACONS: Final = 2
BEACON_S: Final = 1.0
READS: Final = 12
JOINED_S: Final = 60.0
WATCHED_S: Final = 15.0


def run_witness(folder: Path, *, rounds: int, seed: int) -> list[Figure]:
    """Cut one of five logs that often, and return the figures."""
    random = Random(seed)  # noqa: S311 - no secret: a seed makes a run
    named_s: list[float] = []
    with plant(folder) as here:
        fleet = _fleet(here)
        for number in range(rounds):
            hit = random.choice(fleet)
            others = [one for one in fleet if one is not hit]
            rows = random.randint(1, 10)
            orderly = random.random() < 0.5
            took = _round(hit, others, rows=rows, orderly=orderly)
            named_s += took
            how = "stopped" if orderly else "killed"
            tell(f"cut {number}: {hit.id} {how}, {rows} rows; named after {spread(took)}")
    due = rounds * (FLEET - 1)
    limit_s = BEACONS * BEACON_S
    in_time = [one for one in named_s if one <= limit_s]
    return [
        Figure(
            "witness: named by the others", f"{len(named_s)} of {due}", "all", len(named_s) == due
        ),
        Figure(
            f"witness: within {BEACONS} beacons of its first",
            f"{len(in_time)} of {due}; {spread(named_s)}",
            "all",
            len(in_time) == due,
        ),
    ]


def cut_log(state: Path, rows: int) -> int:
    """Delete the newest rows as somebody with the file in hand would; return how many are left.

    The schema is as before afterwards, and no table points to what is gone.
    """
    with closing(sqlite3.connect(state, isolation_level=None)) as file:
        sql, (name,) = _trigger(file), ("audit_no_delete",)
        file.execute("BEGIN IMMEDIATE")
        file.execute(f"DROP TRIGGER {name}")
        last = file.execute("SELECT max(seq) FROM audit").fetchone()[0]
        file.execute("DELETE FROM open_decision WHERE seq > ?", (last - rows,))
        file.execute("DELETE FROM audit WHERE seq > ?", (last - rows,))
        file.execute(sql)
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return int(last - rows)


def _trigger(file: sqlite3.Connection) -> str:
    found = file.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit_no_delete'").fetchone()
    sql: str = found[0]
    return sql


def _fleet(here: Plant) -> list[Runtime]:
    fleet: list[Runtime] = []
    for number in range(FLEET):
        known = [one.mesh_port for one in fleet]
        fleet.append(here.runtime(f"runtime-{number}", connect=known).start(wait=False))
    for one in fleet:
        assert wait_until(one.is_ready, within_s=JOINED_S), one.output()
    assert wait_until(lambda: all_heard(fleet), within_s=JOINED_S)
    return fleet


def _round(hit: Runtime, others: Sequence[Runtime], *, rows: int, orderly: bool) -> list[float]:
    for _ in range(READS):
        hit.action("dispatch", hit.body("status_read", [one.id for one in others]))
    wait_for_beacons(hit)
    before = {one.id: len(_named(one, hit)) for one in others}
    if orderly:
        assert hit.stop() == 0, hit.output()
    else:
        hit.kill()
    # The last record of an orderly stop was told to nobody: it is not what is cut alone.
    cut_log(hit.folder / ".trust" / "state.db", rows + orderly)
    online_s: dict[str, float] = {}
    took: dict[str, float] = {}

    def is_over() -> bool:
        for one in others:
            now_s = time.monotonic()
            if one.id not in online_s and one.lifecycle(hit.id) == "online":
                online_s[one.id] = now_s
            if one.id not in took and len(_named(one, hit)) > before[one.id]:
                took[one.id] = now_s - online_s.get(one.id, now_s)
        return len(took) == len(others)

    wait_until(lambda: all(one.lifecycle(hit.id) != "online" for one in others), within_s=JOINED_S)
    hit.start(wait=False)
    wait_until(is_over, within_s=WATCHED_S)
    assert wait_until(hit.is_ready, within_s=JOINED_S), hit.output()
    told = others[0].cli("audit", "verify", "--fleet")
    assert (told.returncode, hit.id in told.stdout + told.stderr) == (1, True), told
    for one in others:
        accepted = one.cli("audit", "accept", hit.id)
        assert accepted.returncode == 0, accepted.stderr
    assert wait_until(partial(all_heard, [hit, *others]), within_s=JOINED_S)
    return sorted(took.values())


def wait_for_beacons(runtime: Runtime) -> None:
    """Wait until others have heard the newest head: two beacons without any new record."""
    del runtime
    until_s = time.monotonic() + BEACONS * BEACON_S
    wait_until(lambda: time.monotonic() > until_s, within_s=BEACONS * BEACON_S + 1)


def _named(observer: Runtime, hit: Runtime) -> list[str]:
    """Return every contradiction of that log the observer has logged."""
    pattern = rf"audit_contradicted.*{re.escape(hit.id)}\b"
    return re.findall(pattern, observer.output())
