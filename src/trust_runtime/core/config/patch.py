"""May this merge patch be written, and by whom (contract 4.1, 6.11)."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.codec import REDACTED, nearest
from trust_runtime.contracts.config import KeyEffect, SettingProblem
from trust_runtime.contracts.policy import Role, allows
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.keys import (
    KEYS,
    key_of_path,
    path_of_key,
    spec_of_key,
    spec_of_path,
)
from trust_runtime.core.config.later import LATER, NOT_IN_THIS_VERSION
from trust_runtime.core.config.merge import merge_patch
from trust_runtime.core.config.profile import profile_problem
from trust_runtime.core.config.rules import value_text

PATCH_KEYS_MAX: Final = 128
"""More keys in one patch are refused whole: each would be answered with a text of its own."""

_LATER_KEYS = {key_of_path(path) for path in LATER}
_KNOWN = [*(spec.key for spec in KEYS), *sorted(_LATER_KEYS)]


class PatchVerdict(Struct, frozen=True, kw_only=True):
    """What is wrong with a patch for one runtime."""

    problems: tuple[str, ...]
    """One sentence each, naming the key; empty: the patch may be written."""


def overlay(file_values: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return TOML path to value with the desired document laid over the file."""
    return {**file_values, **{path_of_key(key): value for key, value in document.items()}}


def check_patch(
    patch: Mapping[str, Any], *, file_values: Mapping[str, Any], document: Mapping[str, Any]
) -> PatchVerdict:
    """Return every problem of a patch: its keys, and the configuration that would result.

    Args:
        patch: merge patch over config keys.
        file_values: TOML path to value, as `runtime.toml` has them.
        document: the newest desired document.
    """
    by_key = {key: _form_problem(key, value) for key, value in patch.items()}
    usable = {key: value for key, value in patch.items() if by_key[key] is None}
    merged = merge_patch(document, usable)
    checked = check_values(overlay(file_values, merged))
    found = () if isinstance(checked, Settings) else checked
    in_values = [_sentence(problem) for problem in found if _can_change(problem, merged)]
    before = check_values(overlay(file_values, document))
    if isinstance(before, Settings) and isinstance(checked, Settings):
        profile = profile_problem(before, checked)
        in_values += [] if profile is None else [profile]
    return PatchVerdict(problems=(*(text for text in by_key.values() if text), *in_values))


def form_problems(patch: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the problems a patch has for every runtime: keys unknown or not to be written."""
    if len(patch) > PATCH_KEYS_MAX:
        return (f"the patch has {len(patch)} keys; send at most {PATCH_KEYS_MAX} keys at once",)
    found = (_form_problem(key, value) for key, value in patch.items())
    return tuple(text for text in found if text is not None)


def role_needed(patch: Mapping[str, Any]) -> Role:
    """Return the least role for a patch: engineer, or admin when one of its keys needs it."""
    for key in patch:
        spec = spec_of_key(key)
        if spec is None or not allows(Role.ENGINEER, spec.role):
            return Role.ADMIN
    return Role.ENGINEER


def _form_problem(key: str, value: Any) -> str | None:
    spec = spec_of_key(key)
    if spec is None and key in _LATER_KEYS:
        # Deleting it is harmless, and mends a document that a newer version wrote.
        return None if value is None else f"{key} is {NOT_IN_THIS_VERSION}"
    if spec is None:
        return f"unknown config key {_quoted(key)}{nearest(key, _KNOWN)}"
    if spec.effect is KeyEffect.FILE:
        return f"{key} is set in runtime.toml, not by a config write"
    if value == REDACTED:
        return f"{key}: {REDACTED} stands for a hidden value; send the value itself"
    return None


def _quoted(key: str) -> str:
    return "'" + value_text(key)[1:-1] + "'"


def _can_change(problem: SettingProblem, document: Mapping[str, Any]) -> bool:
    """Tell whether a config write can have caused a problem, or can mend it."""
    path = problem.path.partition("[")[0]
    spec = spec_of_path(path)
    return spec is None or spec.effect is not KeyEffect.FILE or spec.key in document


def _sentence(problem: SettingProblem) -> str:
    more = "" if problem.message is None else f"; {problem.message}"
    if spec_of_path(problem.path.partition("[")[0]) is None and problem.path not in LATER:
        return f"unknown config key {_quoted(key_of_path(problem.path))}"
    key = key_of_path(problem.path)
    return f"{key}: got {problem.value}; allowed: {problem.allowed}{more}"
