"""May a config write change the profile (contract 11.4). Pure."""

from typing import Final

from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.preconditions import unmet_preconditions

_RANK: Final = {profile: rank for rank, profile in enumerate(Profile)}


def profile_problem(before: Settings, after: Settings) -> str | None:
    """Return why a write may not take the profile from one value to another, or None.

    It may be raised when the resulting configuration sets every precondition; lowering it is done
    on the machine, by its file.
    """
    old, new = _RANK[before.profile], _RANK[after.profile]
    if new < old:
        return (
            f"runtime_cloud.profile: {before.profile} is lowered to {after.profile} only in"
            " runtime.toml, on the machine"
        )
    missing = unmet_preconditions(after, None) if new > old else ()
    if missing:
        return (
            f"runtime_cloud.profile: {after.profile} needs {', '.join(missing)} to be set as well"
        )
    return None
