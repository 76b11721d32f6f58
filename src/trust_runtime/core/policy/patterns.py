"""Which runtimes a pattern of an allow_write rule means (contract 9.2)."""

from typing import Final

from trust_runtime.contracts.ids import DEFAULT_SITE

_HERE: Final = f"{DEFAULT_SITE}/"


def pattern_matches(pattern: str, runtime_id: str) -> bool:
    """Tell whether a canonical id is one of those `pattern` means.

    `*` is everything, `PREFIX*` matches no further `/`, `*SUFFIX` may, anything else is exact. A
    pattern that begins with `default-site/` means ids without a site, by their long spelling.
    What is no pattern matches nothing.
    """
    if pattern.startswith(_HERE) and "/" not in runtime_id:
        runtime_id = _HERE + runtime_id
    if pattern == "*":
        return True
    if pattern.endswith("*"):
        prefix = pattern[:-1]
        return runtime_id.startswith(prefix) and "/" not in runtime_id[len(prefix) :]
    if pattern.startswith("*"):
        return runtime_id.endswith(pattern[1:])
    return runtime_id == pattern
