"""`cli.receipt_files`: what preflight writes dispatch reads; anything else is a usage error."""

from pathlib import Path

import click
import pytest

from trust_runtime.cli.receipt_files import read_receipt, write_receipt
from trust_runtime.contracts.receipt import Receipt, SealedFacts, SealedTarget

RECEIPT = Receipt(
    facts=SealedFacts(
        origin="press-1",
        request_id="r",
        request_digest="sha256:1",
        decision_digest="sha256:2",
        role="admin",
        policy_digest="sha256:3",
        targets=(SealedTarget(runtime_id="press-2", target_state="reachable"),),
    ),
    seal="a.b.c",
)


def test_a_receipt_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_text("something older and longer " * 100)
    write_receipt(file, RECEIPT)
    assert read_receipt(file) == RECEIPT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no receipt"),
        (b"{}", "is no receipt"),
        (b'{"facts": {}, "seal": 7}', "is no receipt"),
        (b"x" * (2**20 + 1), "is larger than 1 MiB"),
        (None, "cannot read"),
    ],
)
def test_what_is_no_receipt_is_a_usage_error(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "receipt.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(click.UsageError, match=words):
        read_receipt(file)


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="cannot write"):
        write_receipt(tmp_path / "no" / "such.json", RECEIPT)
