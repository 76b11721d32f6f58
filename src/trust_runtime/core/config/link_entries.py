"""`runtime.cloud.links.transports`: are these links, and what do they mean here (14.1)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import (
    DEFAULT_SITE,
    ID_RULE,
    RuntimeId,
    SiteName,
    parse_runtime_id,
)
from trust_runtime.contracts.links import LinkEntry, Transport
from trust_runtime.core.config.rules import LIST_MAX, value_text

ENTRIES_TEXT: Final = "a list of {source, target, transport}, at most 1024"

_SPELLINGS: Final = {**{str(one): one for one in Transport}, "modbus_tcp": Transport.MODBUS_TCP}
TRANSPORTS: Final = tuple(_SPELLINGS)
"""Every accepted spelling of a transport."""

_MEMBERS: Final = ("source", "target", "transport")


def entry_problems(path: str, value: Any) -> Iterator[SettingProblem]:
    """Yield what keeps `value` from being a list of links, each naming member and rule.

    Args:
        path: TOML path of the list.
        value: anything.
    """
    if not isinstance(value, list | tuple) or len(value) > LIST_MAX:
        yield _problem(path, value, ENTRIES_TEXT)
        return
    for index, entry in enumerate(value):
        here = f"{path}[{index}]"
        if isinstance(entry, Mapping):
            yield from _member_problems(here, entry)
        else:
            yield _problem(here, entry, "{source, target, transport}")


def end_problems(
    path: str, value: list[Mapping[str, Any]], *, own: RuntimeId, site: SiteName
) -> Iterator[SettingProblem]:
    """Yield what is wrong with the ends of well-formed links: each leads from here to another."""
    seen: set[RuntimeId] = set()
    for index, entry in enumerate(value):
        here = f"{path}[{index}]"
        try:
            source, target = _in_site(entry["source"], site), _in_site(entry["target"], site)
        except ContractViolation as error:
            yield _problem(here, error.value, ID_RULE)
            continue
        if source != own:
            yield _problem(f"{here}.source", entry["source"], f"this runtime, {own}")
        if target == own:
            yield _problem(f"{here}.target", entry["target"], "another runtime")
        if target in seen:
            yield SettingProblem(
                path=f"{here}.target",
                value=value_text(entry["target"]),
                allowed="one transport for each target",
                message=f"{target} has one already",
            )
        seen.add(target)


def read_entries(value: list[Mapping[str, Any]], site: SiteName) -> tuple[LinkEntry, ...]:
    """Return a list without problems as links; a bare name means the own site (2.2)."""
    return tuple(
        LinkEntry(target=_in_site(entry["target"], site), transport=_SPELLINGS[entry["transport"]])
        for entry in value
    )


def _member_problems(path: str, entry: Mapping[Any, Any]) -> Iterator[SettingProblem]:
    for name in entry:
        if name not in _MEMBERS:
            hint = nearest(str(name), list(_MEMBERS))
            yield SettingProblem(
                path=path,
                value="an unknown member",
                allowed=", ".join(_MEMBERS),
                message=f"unknown member {value_text(name)}{hint}",
            )
    for name in ("source", "target"):
        if not _is_id(entry.get(name)):
            yield _problem(f"{path}.{name}", entry.get(name), ID_RULE)
    transport = entry.get("transport")
    if not isinstance(transport, str) or transport not in _SPELLINGS:
        allowed = " | ".join(f'"{name}"' for name in Transport)
        yield _problem(f"{path}.transport", transport, allowed)


def _is_id(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_runtime_id(value)
    except ContractViolation:
        return False
    return True


def _in_site(text: str, site: SiteName) -> RuntimeId:
    bare = "/" not in text and site != DEFAULT_SITE
    return parse_runtime_id(f"{site}/{text}" if bare else text)


def _problem(path: str, value: Any, allowed: str) -> SettingProblem:
    shown = "nothing" if value is None else value_text(value)
    return SettingProblem(path=path, value=shown, allowed=allowed)
