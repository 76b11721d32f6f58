"""What a configuration value may be: the rules that keys are made of (contract 4.2)."""

import functools
import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.settings import Address

LIST_MAX: Final = 1_024
"""Most entries of any list in the configuration."""

TEXT_MAX: Final = 1_024
"""Most characters of any text in the configuration."""

_VALUE_CHARS_MAX: Final = 200
_ADDRESSES_KEPT: Final = 1_024
"""Parsed ones that are remembered: a configuration is checked again at each change."""

_PORT_MAX: Final = 65_535
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")
_HOST_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(?::([0-9]{1,5}))?")


def _never(_value: Any) -> bool:
    return False


class Rule(Struct, frozen=True, kw_only=True):
    """Which values one key may have in this version."""

    text: str
    """The rule for people, without what is not built."""

    accepts: Callable[[Any], bool]
    """Whether a value of any type fits."""

    later: Callable[[Any], bool] = _never
    """Whether a value that does not fit would, were its capability in this version."""

    choices: tuple[str, ...] = ()
    """All names of an enum, those of unbuilt capabilities too; empty for other types."""


def flag() -> Rule:
    """Return the rule of a switch."""
    return Rule(text="true | false", accepts=lambda value: isinstance(value, bool))


def whole(least: int, most: int | None = None) -> Rule:
    """Return the rule of an integer; a boolean is none."""
    text = f">= {least}" if most is None else f"{least}..{most}" if most > least else str(least)

    def fits(value: Any) -> bool:
        return _is_whole(value) and value >= least and (most is None or value <= most)

    return Rule(text=text, accepts=fits)


def choice(*names: str, later: tuple[str, ...] = ()) -> Rule:
    """Return the rule of an enum; `later` are names whose capability is not built."""
    return Rule(
        text=" | ".join(f'"{name}"' for name in names),
        accepts=lambda value: isinstance(value, str) and value in names,
        later=lambda value: isinstance(value, str) and value in later,
        choices=(*names, *later),
    )


def text(rule: str, fits: Callable[[str], bool], *, later: Callable[[str], bool] = _never) -> Rule:
    """Return the rule of a text without control characters."""
    return Rule(
        text=rule,
        accepts=lambda value: is_plain_text(value) and fits(value),
        later=lambda value: is_plain_text(value) and later(value),
    )


def texts(rule: str, fits: Callable[[str], bool], *, later: Callable[[str], bool] = _never) -> Rule:
    """Return the rule of a list of texts that all fit."""

    def each(value: Any, test: Callable[[str], bool]) -> bool:
        small = isinstance(value, list | tuple) and len(value) <= LIST_MAX
        return small and all(is_plain_text(item) and test(item) for item in value)

    return Rule(
        text=f"a list of {rule}",
        accepts=lambda value: each(value, fits),
        later=lambda value: each(value, lambda item: fits(item) or later(item)),
    )


def harmless(*values: Any) -> Rule:
    """Return the rule of a key whose capability is not built: only what asks nothing of it."""
    return Rule(
        text=" | ".join(value_text(value) for value in values) or "no value",
        accepts=lambda value: any(
            type(value) is type(known) and value == known for known in values
        ),
        later=lambda _value: True,
        choices=tuple(value for value in values if isinstance(value, str)),
    )


def blank() -> Rule:
    """Return the rule of a text whose capability is not built: blank means that there is none."""
    return Rule(
        text="blank",
        accepts=lambda value: isinstance(value, str) and not value.strip(),
        later=lambda _value: True,
    )


def value_text(value: Any) -> str:
    """Return a value as JSON for a message, shortened; never raises."""
    try:
        shown = encode_json(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        shown = f"a value of type {type(value).__name__}"
    return shown if len(shown) <= _VALUE_CHARS_MAX else shown[:_VALUE_CHARS_MAX] + "..."


def is_plain_text(value: Any) -> bool:
    """Tell whether `value` is a text of bearable length without control characters."""
    return isinstance(value, str) and len(value) <= TEXT_MAX and value.isprintable()


@functools.lru_cache(maxsize=_ADDRESSES_KEPT)
def parse_address(text: str) -> Address:
    """Return `IP:PORT` as an address; IPv6 stands in brackets.

    Raises:
        ContractViolation: it is none, or the port is not 1..65535.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not _is_port(match[3]):
        raise ContractViolation("address", text, "IP:PORT, port 1..65535")
    try:
        ip = ipaddress.IPv6Address(match[1]) if match[1] else ipaddress.IPv4Address(match[2])
    except ValueError as error:
        raise ContractViolation("address", text, "IP:PORT") from error
    return Address(ip=str(ip), port=int(match[3]))


def is_address(text: str) -> bool:
    """Tell whether `text` is `IP:PORT`."""
    try:
        parse_address(text)
    except ContractViolation:
        return False
    return True


def is_loopback(text: str) -> bool:
    """Tell whether `IP:PORT` is reachable from this machine alone: 127.0.0.0/8 or ::1."""
    return is_address(text) and ipaddress.ip_address(parse_address(text).ip).is_loopback


def is_host_port(text: str) -> bool:
    """Tell whether `text` is `HOST:PORT`, the host a name or an address."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and _is_port(match[2])


def is_host(text: str) -> bool:
    """Tell whether `text` is a host name with or without a port, and no wildcard."""
    match = _HOST.fullmatch(text)
    return match is not None and (match[2] is None or _is_port(match[2]))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_port(digits: str) -> bool:
    return 1 <= int(digits) <= _PORT_MAX
