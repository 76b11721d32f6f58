"""The HTTP edge of a real runtime, fuzzed for as long as every change can afford (Z01)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.api import ask
from fuzz.raw import Case, make_case, play
from fuzz.run import complaints, send_raw
from runtimes import Runtime, plant

ASK_S = 25
RAW_S = 10.0


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """Run one runtime; it must be as well afterwards as it was before."""
    with plant(tmp_path) as made:
        started = made.runtime("runtime-a").start()
        yield started
        assert complaints(started) == []
        assert started.get("/readyz")[0] == 200
        assert started.stop() == 0


def test_everything_the_document_allows_and_does_not(runtime: Runtime, tmp_path: Path) -> None:
    told = ask(runtime, seconds=ASK_S, seed=1, folder=tmp_path)
    assert told.ok, told.output


def test_bytes_that_are_hardly_http(runtime: Runtime) -> None:
    played, wrong = send_raw(runtime, seconds=RAW_S, seed=0)
    assert wrong == []
    assert played > 50


def test_one_seed_is_one_sequence_of_bytes_and_seeds_differ() -> None:
    cases = [make_case(seed, "127.0.0.1:8080") for seed in range(300)]
    assert cases == [make_case(seed, "127.0.0.1:8080") for seed in range(300)]
    assert len({case.pieces for case in cases}) > 280
    assert any(case.cut for case in cases)
    assert any(len(case.pieces) > 1 for case in cases)


def test_every_answer_of_a_connection_is_read_in_its_order(runtime: Runtime) -> None:
    # Three well-formed requests on one connection: three answers, in their order.
    host = b"Host: 127.0.0.1:%d\r\n\r\n" % runtime.web_port
    get, wrong = b"GET /healthz HTTP/1.1\r\n" + host, b"GET /nope HTTP/1.1\r\n" + host
    answer = play(Case((get + wrong, get), cut=False), runtime.web_port)
    assert answer.statuses == (200, 404, 200)
