"""`io.toml`: drivers and safe state, or everything that is wrong with them (contract 4.4)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.core.config.later import NOT_IN_THIS_VERSION
from trust_runtime.core.config.rules import LIST_MAX, value_text
from trust_runtime.core.config.toml_values import join_path

_BUILT: Final = {
    "loopback": "loopback",
    "simulated": "simulated",
    "sim": "simulated",
    "noop": "simulated",
}
"""Accepted spelling -> driver."""

_LATER: Final = ("gpio", "modbus-tcp", "modbus_tcp", "mqtt", "mqtt-tcp", "ethercat", "ether-cat")
_LATER_ALIASES: Final = ("ecat",)
_DRIVER_RULE: Final = '"loopback" | "simulated"'
_MEMBERS: Final = ("driver", "params", "drivers", "safe_state")
_ADDRESS: Final = re.compile(r"%Q(?:X?[0-9]{1,9}\.[0-7]|([BWDL])[0-9]{1,9})", re.IGNORECASE)
_BITS: Final = {"B": 8, "W": 16, "D": 32, "L": 64}
_BOOLEANS: Final = ("TRUE", "FALSE", "1", "0")
_DIGITS_MAX: Final = 20
_NUMBER: Final = re.compile(rf"[0-9]{{1,{_DIGITS_MAX}}}|0[xX][0-9A-Fa-f]{{1,16}}")


DRIVERS: Final = tuple(sorted(set(_BUILT.values())))
"""What this version can drive, ascending."""


class IoSettings(Struct, frozen=True, kw_only=True):
    """What `io.toml` asks for."""

    drivers: tuple[str, ...]
    """Their canonical names, in order."""


def check_io(document: Mapping[str, Any]) -> IoSettings | tuple[SettingProblem, ...]:
    """Return what a parsed `io.toml` asks for, or every problem it has; never raises."""
    problems = [*_unknown("", document, ("io",))]
    io = document.get("io")
    if not isinstance(io, Mapping):
        problems.append(_problem("io", io, "a table with driver or drivers"))
        return tuple(problems)
    problems += _unknown("io", io, _MEMBERS)
    problems += _driver_problems(io)
    problems += _safe_state_problems(io.get("safe_state", []))
    if problems:
        return tuple(problems)
    return IoSettings(
        drivers=tuple(_BUILT[_plain(driver["name"])] for driver in _drivers(io)),
    )


def canonical_driver(name: str) -> str:
    """Return the name of a driver in any spelling; of an unknown one what was given."""
    return _BUILT.get(_plain(name), name)


def _drivers(io: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "drivers" in io:
        return list(io["drivers"])
    return [{"name": io["driver"], "params": io.get("params", {})}]


def _driver_problems(io: Mapping[str, Any]) -> Iterator[SettingProblem]:
    single = "driver" in io or "params" in io
    if single and "drivers" in io:
        yield SettingProblem(
            path="io.drivers",
            value="both forms",
            allowed="either io.driver with io.params, or io.drivers",
        )
    elif single:
        yield from _name_problems("io.driver", io.get("driver"))
        yield from _params_problems("io.params", io.get("driver"), io.get("params", {}))
    elif "drivers" in io:
        yield from _list_problems(io["drivers"])
    else:
        yield _problem("io.driver", None, _DRIVER_RULE)


def _list_problems(drivers: Any) -> Iterator[SettingProblem]:
    if not isinstance(drivers, list) or not 0 < len(drivers) <= LIST_MAX:
        yield _problem("io.drivers", drivers, "a list of at least one {name, params?}")
        return
    for index, driver in enumerate(drivers):
        here = f"io.drivers[{index}]"
        if not isinstance(driver, Mapping):
            yield _problem(here, driver, "{name, params?}")
            continue
        yield from _unknown(here, driver, ("name", "params"))
        yield from _name_problems(f"{here}.name", driver.get("name"))
        yield from _params_problems(f"{here}.params", driver.get("name"), driver.get("params", {}))


def _name_problems(path: str, name: Any) -> Iterator[SettingProblem]:
    plain = _plain(name)
    if plain in _BUILT:
        return
    later = plain in (*_LATER, *_LATER_ALIASES)
    hint = nearest(plain, [*_BUILT, *_LATER]) if plain else ""
    message = NOT_IN_THIS_VERSION if later else f"unknown driver{hint}"
    yield _problem(path, name, _DRIVER_RULE, message=None if name is None else message)


def _params_problems(path: str, name: Any, params: Any) -> Iterator[SettingProblem]:
    if not isinstance(params, Mapping):
        yield _problem(path, "no table", "a table")
    elif _plain(name) in _BUILT:
        yield from _unknown(path, params, ())


def _safe_state_problems(entries: Any) -> Iterator[SettingProblem]:
    path = "io.safe_state"
    if not isinstance(entries, list) or len(entries) > LIST_MAX:
        yield _problem(path, entries, "a list of {address, value}")
        return
    for index, entry in enumerate(entries):
        here = f"{path}[{index}]"
        if not isinstance(entry, Mapping):
            yield _problem(here, entry, "{address, value}")
            continue
        yield from _unknown(here, entry, ("address", "value"))
        yield from _output_problems(here, entry.get("address"), entry.get("value"))


def _output_problems(path: str, address: Any, value: Any) -> Iterator[SettingProblem]:
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None:
        yield _problem(f"{path}.address", address, "an output address, %QX0.0 or %QW2")
        return
    text = str(value).upper() if isinstance(value, bool | int | str) else ""
    if match[1] is None:
        if text not in _BOOLEANS:
            yield _problem(f"{path}.value", value, " | ".join(_BOOLEANS))
        return
    bits = _BITS[match[1].upper()]
    number = _NUMBER.fullmatch(text)
    if number is None or int(text, 16 if "X" in text else 10) >= 2**bits:
        yield _problem(f"{path}.value", value, f"0..{2**bits - 1}, decimal or 0x...")


def _unknown(
    table: str, document: Mapping[str, Any], known: tuple[str, ...]
) -> Iterator[SettingProblem]:
    for name in document:
        if name not in known:
            # The value stays unsaid: it may be a secret.
            yield SettingProblem(
                path=join_path(table, name),
                value="an unknown key",
                allowed=", ".join(known) or "no parameter",
                message=f"unknown key{nearest(name, list(known))}",
            )


def _plain(name: Any) -> str:
    return name.strip().lower() if isinstance(name, str) else ""


def _problem(path: str, value: Any, allowed: str, *, message: str | None = None) -> SettingProblem:
    shown = "nothing" if value is None else value_text(value)
    return SettingProblem(path=path, value=shown, allowed=allowed, message=message)
