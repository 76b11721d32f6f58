"""Bytes to contracts and back; canonical bytes for digests. The only (de)serialiser."""

import difflib
import functools
import hashlib
from typing import Any, Final, TypeVar

import msgspec

from trust_runtime.contracts.errors import ContractViolation

T = TypeVar("T")

_WORD_LENGTH_MAX: Final = 128
"""A longer one is no misspelling of anything, and comparing it would cost its length."""

_WORDS_KEPT: Final = 256
"""Whoever misspells a word does it again, and comparing it takes longer than all other checks."""

REDACTED: Final = "<redacted>"

_CANONICAL: Final = msgspec.json.Encoder(order="sorted")
_PLAIN: Final = msgspec.json.Encoder()


def canonical_json(value: object) -> bytes:
    """Return canonical JSON (D55): members by code point, no white space, integers in full."""
    return _CANONICAL.encode(value)


def encode_json(value: object) -> bytes:
    """Return JSON with members in the order the contract lists them."""
    return _PLAIN.encode(value)


def sha256_hex(content: bytes) -> str:
    """Return 64 lower-case hex digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()


def digest(value: object) -> str:
    """Return `sha256:` and the hex digest of the canonical JSON of `value` (contract 1.3)."""
    return "sha256:" + sha256_hex(canonical_json(value))


def decode_json(content: bytes, kind: type[T]) -> T:
    """Return `content` as `kind`; for bytes of our own making or already signed.

    Raises:
        ContractViolation: it is not JSON, or does not fit.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ContractViolation("$", "bytes", f"JSON of {kind.__name__} ({error})") from error


def pack(value: object) -> bytes:
    """Return `value` in a compact form, for another process of this very version."""
    return msgspec.msgpack.encode(value)


def unpack(content: bytes, kind: type[T]) -> T:
    """Return what `pack` made of a value of `kind`."""
    return msgspec.msgpack.decode(content, type=kind)


def convert(value: object, kind: type[T], *, known_only: bool = True) -> T:
    """Return plain values (as `strict_json` gives them) as the contract `kind`.

    Args:
        value: what was parsed.
        kind: a frozen Struct.
        known_only: refuse members the contract does not know, naming the nearest known one.

    Raises:
        ContractViolation: a member is missing, unknown, or has the wrong type.
    """
    if known_only and isinstance(value, dict):
        _refuse_unknown(value, kind)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise ContractViolation(path.rstrip("`") or "$", "a misfit", message) from error


def to_plain(value: object) -> Any:
    """Return contracts as dicts, lists and scalars, as JSON would show them."""
    return msgspec.to_builtins(value)


def nearest(word: str, known: list[str]) -> str:
    """Return ` (did you mean ...?)` for the known word most like `word`, or nothing."""
    if len(word) > _WORD_LENGTH_MAX:
        return ""
    near = _nearest(word, tuple(known))
    return f" (did you mean '{near[0]}'?)" if near else ""


@functools.lru_cache(maxsize=_WORDS_KEPT)
def _nearest(word: str, known: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)


@functools.cache
def _member_names(kind: type[Any]) -> frozenset[str]:
    # Read once for each of our contracts: looking up its annotations takes longer than parsing.
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


def _refuse_unknown(members: dict[str, Any], kind: type[Any]) -> None:
    names = _member_names(kind)  # type: ignore[arg-type]  # a class is hashable
    for name in members:
        if name not in names:
            hint = nearest(name, sorted(names))
            raise ContractViolation(f"$.{name}", name, f"a known member{hint}")
