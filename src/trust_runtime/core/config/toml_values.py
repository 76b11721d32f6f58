"""A parsed TOML document → TOML paths and values, as JSON would write them (contract 4.1)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from trust_runtime.contracts.codec import encode_json
from trust_runtime.core.config.allow_rules import ACTIONS
from trust_runtime.core.config.keys import is_table, rule_of_path
from trust_runtime.core.config.link_entries import TRANSPORTS

_NAMES_IN: Final = {
    "runtime.cloud.wan.allow_write": ("action", ACTIONS),
    "runtime.cloud.links.transports": ("transport", TRANSPORTS),
}
"""Lists of tables -> the member that is a name of an enum, and its names."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def join_path(table: str, name: str) -> str:
    """Return the path of `name` in `table`; a name that needs quotes in TOML keeps them."""
    part = name if _BARE.fullmatch(name) else encode_json(name).decode()
    return f"{table}.{part}" if table else part


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return TOML path to value, nested tables resolved down to keys.

    A table nobody knows is one value; an enum is trimmed and lower-case.
    """
    values: dict[str, Any] = {}
    _collect("", document, values)
    return values


def choice_of(value: Any, choices: tuple[str, ...]) -> Any:
    """Return a name of an enum as JSON would write it, anything else as it is."""
    if not isinstance(value, str):
        return value
    plain = value.strip().lower()
    return plain if plain in choices else value


def _collect(table: str, document: Mapping[str, Any], values: dict[str, Any]) -> None:
    for name, value in document.items():
        path = join_path(table, name)
        if isinstance(value, Mapping) and is_table(path):
            _collect(path, value, values)
        else:
            values[path] = _value(path, value)


def _value(path: str, value: Any) -> Any:
    if path in _NAMES_IN and isinstance(value, list):
        return [_entry(entry, *_NAMES_IN[path]) for entry in value]
    rule = rule_of_path(path)
    return value if rule is None else choice_of(value, rule.choices)


def _entry(entry: Any, member: str, names: tuple[str, ...]) -> Any:
    if not isinstance(entry, dict) or member not in entry:
        return entry
    return {**entry, member: choice_of(entry[member], names)}
