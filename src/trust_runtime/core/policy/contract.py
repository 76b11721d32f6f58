"""Checks 1 to 7: is the request one at all (contract 8.2)."""

import re
from typing import Final

from trust_runtime.contracts.actions import TARGETS_MAX, ActionType
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy.case import Case, Finding, denied, passed

_REQUEST_ID_LENGTH_MAX: Final = 128
_ACTOR_LENGTH_MAX: Final = 256
_VERSION: Final = re.compile(r"(\d{1,5})\.(\d{1,5})", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VERSION_PART_MAX: Final = 65_535
_MAJOR: Final = 1
_MINOR: Final = 0

_VIOLATION: Final = DenialCode.CONTRACT_VIOLATION


def is_newer_minor(api_version: str) -> bool:
    """Tell whether a request comes from a client newer than this product (ruling 42)."""
    parts = _version(api_version)
    return parts is not None and parts[0] == _MAJOR and parts[1] > _MINOR


def is_supported(api_version: str) -> bool:
    """Tell whether requests of that version are accepted (contract 1.4)."""
    parts = _version(api_version)
    return parts is not None and parts[0] == _MAJOR


def is_well_formed(text: str, *, length_max: int) -> bool:
    """Tell whether `text` is non-blank, short enough and free of control characters."""
    return bool(text.strip()) and len(text) <= length_max and _CONTROL.search(text) is None


def is_request_id(text: str) -> bool:
    """Tell whether `text` is a request id (contract 1.3)."""
    return is_well_formed(text, length_max=_REQUEST_ID_LENGTH_MAX)


def is_actor(text: str) -> bool:
    """Tell whether `text` is an actor (contract 1.3)."""
    return is_well_formed(text, length_max=_ACTOR_LENGTH_MAX)


def check_request_id(case: Case) -> Finding:
    """Deny a blank or malformed request id."""
    if is_request_id(case.request.request_id):
        return passed("request_id", "present")
    return denied(
        "request_id",
        _VIOLATION,
        detail="request_id is blank, too long or has control characters",
        remedy="send a unique request_id of 1..128 characters",
    )


def check_actor(case: Case) -> Finding:
    """Deny a blank or malformed actor."""
    if is_actor(case.request.actor):
        return passed("actor", "named")
    return denied(
        "actor",
        _VIOLATION,
        detail="actor is blank, too long or has control characters",
        remedy="name the actor",
    )


def check_api_version(case: Case) -> Finding:
    """Deny another major version."""
    if is_supported(case.request.api_version):
        return passed("api_version", "major 1")
    return denied(
        "api_version",
        _VIOLATION,
        detail=f"api_version {case.request.api_version!r} is not supported",
        remedy="send api_version 1.0",
    )


def check_connected_via(case: Case) -> Finding:
    """Deny a request that believes to be connected to another runtime."""
    facts = case.facts
    via = resolve(case.request.connected_via, own_site=facts.site, known={facts.own, *facts.peers})
    if via == facts.own:
        return passed("connected_via", f"this is {facts.own}")
    return denied(
        "connected_via",
        _VIOLATION,
        detail=f"connected_via {case.request.connected_via!r} is not this runtime, {facts.own}",
        remedy="use the connected_via of GET state",
    )


def check_targets(case: Case) -> Finding:
    """Deny none or too many targets."""
    count = len(case.request.target_runtimes)
    if 1 <= count <= TARGETS_MAX:
        return passed("targets", f"1..{TARGETS_MAX} named")
    return denied(
        "targets",
        _VIOLATION,
        detail="target_runtimes is empty" if count == 0 else f"{count} targets are too many",
        remedy=f"name 1..{TARGETS_MAX} targets",
    )


def check_action_type(case: Case) -> Finding:
    """Deny an unknown action."""
    if case.action is not None:
        return passed("action_type", case.action)
    return denied(
        "action_type",
        _VIOLATION,
        detail=f"action_type {case.request.action_type!r} is unknown",
        remedy="use " + ", ".join(ActionType),
    )


def check_target_id(case: Case) -> Finding:
    """Deny a target that is no id, or two."""
    if case.naming is None:
        return passed("target_id", f"means {case.target}")
    return denied(
        "target_id", case.naming.code, detail=case.naming.reason, remedy=case.naming.remedy
    )


def _version(text: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        return None
    major, minor = int(match[1]), int(match[2])
    if max(major, minor) > _VERSION_PART_MAX:
        return None
    return major, minor
