"""What differs between documents, and the patch that leads from one to another (contract 11)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from trust_runtime.contracts.codec import canonical_json
from trust_runtime.core.config.merge import changed_keys, redact


class KeyDifference(Struct, frozen=True, kw_only=True):
    """One key on which documents do not agree."""

    key: str
    """The config key."""

    values: dict[str, Any]
    """Name of each document that has the key -> its value there, `<redacted>` for a secret."""


def patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest merge patch (RFC 7396) that makes `after` out of `before`.

    Neither may hold `None`: a document never does.
    """
    patch: dict[str, Any] = {}
    for name in changed_keys(before, after):
        wanted, had = after.get(name), before.get(name)
        if isinstance(wanted, Mapping) and isinstance(had, Mapping):
            patch[name] = patch_between(had, wanted)
        else:
            patch[name] = wanted
    return patch


def differences(
    documents: Mapping[str, Mapping[str, Any]], *, keys_of: tuple[str, ...] = ()
) -> tuple[KeyDifference, ...]:
    """Return every key on which documents do not all agree, in order of the keys.

    Args:
        documents: by name, `desired`, `reported` and `file` for example, or two revisions. Where
            secrets are redacted already, two that differ look alike.
        keys_of: names of the documents whose keys are compared; empty: those of all.
    """
    compared = keys_of or tuple(documents)
    keys = {key: None for name in compared for key in documents[name]}
    shown = {name: redact(document) for name, document in documents.items()}
    return tuple(
        KeyDifference(
            key=key,
            values={name: document[key] for name, document in shown.items() if key in document},
        )
        for key in sorted(keys)
        if not _agree([document.get(key, _Absent) for document in documents.values()])
    )


class _Absent:
    """Stands for the value of a key that a document does not have."""


def _agree(values: list[Any]) -> bool:
    texts = [None if value is _Absent else canonical_json(value) for value in values]
    return all(text == texts[0] for text in texts)
