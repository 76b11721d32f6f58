"""`crash.checking` sees each kind of damage: a check that finds nothing must be able to find."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from crash import mixture
from crash.checking import Findings, Lived, check
from crash.living import Setting, run_life
from crash.mixture import Kind, Life, Told

pytestmark = pytest.mark.anyio

LIFE = Life(seed=5, first=0, calls=60, lanes=3)
CALLS = {call.number: call for made in mixture.rounds(LIFE) for call in made}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Lived]:
    """A whole life, the file closed."""
    path = tmp_path_factory.mktemp("filled") / "files" / "state.db"
    lived, code = run_life(path, Setting(life=LIFE))
    assert code == 0
    assert lived.kept == len(CALLS)
    return path.read_bytes(), lived


@pytest.fixture
def path(tmp_path: Path, filled: tuple[bytes, Lived]) -> Path:
    path = tmp_path / "state.db"
    path.write_bytes(filled[0])
    return path


@pytest.fixture
def lived(filled: tuple[bytes, Lived]) -> Lived:
    return filled[1]


def changed(lived: Lived, change: Callable[[Told], Told | None]) -> Lived:
    """Return the life with some of its lines told otherwise, or not at all."""
    lines = (change(line) for line in lived.told)
    return replace(lived, told=tuple(line for line in lines if line is not None))


def without(lived: Lived, kind: Kind) -> Lived:
    """Return the life as if no call of that kind had been answered."""
    numbers = {call.number for call in CALLS.values() if call.kind is kind}
    return changed(lived, lambda line: None if line.number in numbers else line)


def execute(path: Path, *statements: str) -> None:
    """Damage the file behind the store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def counts(findings: Findings) -> tuple[int, int, int]:
    return len(findings.lost), len(findings.doubled), len(findings.broken)


async def test_a_whole_life_is_good(path: Path, lived: Lived) -> None:
    findings = await check(path, [lived])
    assert counts(findings) == (0, 0, 0), findings
    assert (findings.acknowledged, findings.refused) == (60, 0)


async def test_each_acknowledged_call_that_is_not_there_is_lost(path: Path, lived: Lived) -> None:
    longer = replace(LIFE, calls=LIFE.calls + 80)
    calls = [call for made in mixture.rounds(longer) for call in made]
    more = [call for call in calls if call.number not in CALLS and call.kind is not Kind.PRUNE]
    told = tuple(Told(event="kept", number=call.number) for call in more)
    findings = await check(path, [Lived(life=longer, told=lived.told + told)])
    text = "\n".join(findings.lost)
    placed = {Kind.BOOT: "boot", Kind.PEERS: "peer", Kind.HEADS: "head"}
    for call in more:
        assert placed.get(call.kind, f"call {call.number} ") in text, call


@pytest.mark.parametrize(
    ("statement", "lost", "broken"),
    [
        ("DELETE FROM timeline WHERE seq = 2", "events", None),
        ("DELETE FROM state_history WHERE seq = 2", "state", None),
        ("DELETE FROM peer", "peer", None),
        ("DELETE FROM witnessed_head WHERE hour = 0", "head", None),
        ("DELETE FROM fact WHERE name = 'boot'", "boot", None),
        ("DELETE FROM ledger WHERE created_at_ns % 100 > 50", "ledger", None),
        ("DELETE FROM config_revision WHERE revision = 1", None, "not readable"),
        ("UPDATE peer SET record = replace(record, '127', '128')", None, "damaged"),
    ],
)
async def test_what_was_taken_out_of_the_file_is_missed(
    path: Path, lived: Lived, statement: str, lost: str | None, broken: str | None
) -> None:
    execute(path, statement)
    findings = await check(path, [lived])
    assert lost is None or any(lost in text for text in findings.lost), findings
    assert broken is None or any(broken in text for text in findings.broken), findings
    assert not findings.is_good


async def test_what_is_there_twice_is_seen(path: Path, lived: Lived) -> None:
    execute(
        path,
        "INSERT INTO state_history SELECT seq + 1000, at_ns, is_whole, record, seal"
        " FROM state_history WHERE seq = (SELECT max(seq) FROM state_history)",
    )
    assert counts(await check(path, [lived])) == (0, 1, 0)


async def test_an_older_file_is_seen(path: Path, lived: Lived, tmp_path: Path) -> None:
    older = tmp_path / "older" / "state.db"
    run_life(older, Setting(life=replace(LIFE, calls=50)))
    findings = await check(older, [lived])
    assert findings.lost
    assert not findings.broken
    assert (await check(path, [lived])).is_good


async def test_another_hash_or_place_than_told_is_seen(path: Path, lived: Lived) -> None:
    first = next(line for line in lived.told if line.records)
    (seq, *named, digest), *rest = first.records
    for wrong in ((seq, *named, "0" * 64), (seq + 1, *named, digest), (10_000, *named, digest)):
        told = structs.replace(first, records=(wrong, *rest))
        lines = tuple(told if line is first else line for line in lived.told)
        assert counts(await check(path, [replace(lived, told=lines)])) == (1, 0, 0)


async def test_another_revision_than_told_is_seen(path: Path, lived: Lived) -> None:
    def next_one(line: Told) -> Told:
        return structs.replace(line, revision=line.revision + 1) if line.revision else line

    commits = sum(call.kind is Kind.COMMIT for call in CALLS.values())
    assert commits
    assert len((await check(path, [changed(lived, next_one)])).lost) == commits


async def test_the_low_water_is_compared(path: Path, lived: Lived) -> None:
    def higher(line: Told) -> Told:
        is_prune = CALLS[line.number].kind is Kind.PRUNE and line.event == "kept"
        return structs.replace(line, low_water_s=10**9) if is_prune else line

    assert counts(await check(path, [changed(lived, higher)])) == (1, 0, 0)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PRUNE])
async def test_a_call_without_answer_may_be_there(path: Path, lived: Lived, kind: Kind) -> None:
    assert (await check(path, [without(lived, kind)])).is_good


async def test_half_of_a_call_without_answer_may_not(path: Path, lived: Lived) -> None:
    parted = [call for call in CALLS.values() if len(mixture.events(call)) > 1]
    event = next(call for call in parted if call.kind is Kind.EVENTS)
    execute(path, f"DELETE FROM timeline WHERE event_id = 'evt-{event.number}-0'")  # noqa: S608 - our own number
    assert counts(await check(path, [without(lived, Kind.EVENTS)])) == (0, 0, 1)


async def test_what_was_refused_for_want_of_space_may_not_be_there(
    path: Path, lived: Lived
) -> None:
    full = "the disk of state.db is full"
    last = [line for line in lived.told if line.event == "kept"][-1]

    def refuse(line: Told) -> Told:
        return Told(event="refused", number=line.number, reason=full) if line is last else line

    assert not (await check(path, [changed(lived, refuse)])).is_good


async def test_an_answer_after_a_fault_is_seen(path: Path, lived: Lived) -> None:
    kept = [line for line in lived.told if line.event == "kept"]

    def fail(line: Told) -> Told:
        failed = Told(event="refused", number=line.number, reason="disk I/O error")
        return failed if line is kept[-2] else line

    findings = await check(path, [changed(lived, fail)])
    assert findings.broken == [f"call {kept[-1].number} was answered after 'disk I/O error'"]


async def test_what_nobody_asked_for_is_seen(path: Path, lived: Lived) -> None:
    shorter = replace(LIFE, calls=50)
    told = tuple(line for line in lived.told if line.number < 50)
    findings = await check(path, [Lived(life=shorter, told=told)])
    assert any("nobody asked" in text for text in findings.broken)


async def test_decisions_left_open_become_unknown_once(tmp_path: Path) -> None:
    path = tmp_path / "files" / "state.db"
    lived, _ = run_life(path, Setting(life=LIFE, leave=True))
    assert counts(await check(path, [lived])) == (0, 0, 0)
    unknown = "SELECT count(*) FROM audit WHERE json_extract(record, '$.outcome') = 'unknown'"
    with closing(sqlite3.connect(path)) as connection:
        (ended,) = connection.execute(unknown).fetchone()
        (waiting,) = connection.execute("SELECT count(*) FROM open_decision").fetchone()
    assert (ended, waiting) == (len(list(left_open(lived.told))), 0)
    assert ended > 0


def left_open(told: Iterable[Told]) -> Iterable[int]:
    """Yield the numbers of the BEGINs that no FINISH ended."""
    kept = [CALLS[line.number] for line in told if line.event == "kept"]
    ended = {call.of for call in kept if call.kind is Kind.FINISH}
    return (call.number for call in kept if call.kind is Kind.BEGIN and call.number not in ended)
