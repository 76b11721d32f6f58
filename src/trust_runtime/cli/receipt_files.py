"""Sealed receipts in files: `actions preflight` writes one, `actions dispatch` reads it."""

from pathlib import Path
from typing import Final

import click

from trust_runtime.contracts.codec import convert, encode_json
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation
from trust_runtime.contracts.receipt import Receipt
from trust_runtime.contracts.strict_json import parse_object

_FILE_BYTES_MAX: Final = 2**20


def write_receipt(file: Path, receipt: Receipt) -> None:
    """Write a receipt as JSON; what the file held is replaced."""
    try:
        file.write_bytes(encode_json(receipt) + b"\n")
    except OSError as error:
        raise click.UsageError(f"cannot write {file}: {error.strerror}") from error


def read_receipt(file: Path) -> Receipt:
    """Return the receipt in a file; whether it is good the runtime says."""
    try:
        with file.open("rb") as opened:
            members = parse_object(opened.read(_FILE_BYTES_MAX + 1))
        return convert(members, Receipt)
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    except BodyTooLarge as error:
        raise click.UsageError(f"{file} is larger than 1 MiB.") from error
    except ContractViolation as error:
        raise click.UsageError(f"{file} is no receipt: {error}") from error
