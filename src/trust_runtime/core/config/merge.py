"""Merging, comparing, fingerprinting and redacting documents (contract 11.1, 11.2)."""

from collections.abc import Mapping
from typing import Any

from trust_runtime.contracts.codec import REDACTED, canonical_json, digest
from trust_runtime.core.config.keys import spec_of_key, spec_of_path


def merge_patch(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `document` after a merge patch (RFC 7396); neither argument is changed.

    Maps merge per member, everything else is replaced, `None` deletes.
    """
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys whose value differs, or that only one of the two has, in order."""
    return tuple(
        sorted(
            key
            for key in {**before, **after}
            if (key in before) is not (key in after)
            or canonical_json(before[key]) != canonical_json(after[key])
        )
    )


def document_etag(document: Mapping[str, Any], secret_revisions: Mapping[str, int]) -> str:
    """Return the etag of a document; a secret counts as `<redacted:REVISION>`.

    Args:
        document: secrets included.
        secret_revisions: for each secret key the revision that last changed it.
    """
    return digest(
        {
            key: f"<redacted:{secret_revisions.get(key, 0)}>" if is_secret(key) else value
            for key, value in document.items()
        }
    )


def redact(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with `<redacted>` for every secret that is set; `None` stays."""
    return {
        key: REDACTED if is_secret(key) and value is not None else value
        for key, value in document.items()
    }


def is_secret(name: str) -> bool:
    """Tell whether a config key, or the TOML path somebody wrote instead, holds a secret."""
    spec = spec_of_key(name) or spec_of_path(name)
    return spec is not None and spec.secret
