"""How far a desired document is in force, and what `GET config` shows of it (contract 11)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from trust_runtime.contracts.config import (
    ConfigMeta,
    ConfigRevision,
    ConfigState,
    ConfigStatus,
    KeyEffect,
)
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.config.keys import spec_of_key
from trust_runtime.core.config.merge import document_etag, redact
from trust_runtime.core.config.rules import value_text


class ConfigFactsNow(Struct, frozen=True, kw_only=True):
    """What the agent knows at one moment."""

    newest: ConfigRevision | None
    """Newest stored revision; None before the first write."""

    wanted: Mapping[str, Any]
    """Every key's value if the newest document were fully in force."""

    in_force: Mapping[str, Any]
    """Every key's value read back from the running parts."""

    applied_revision: int
    """Newest revision that was fully in force."""

    applied_etag: str
    """Its etag."""

    errors: tuple[str, ...] = ()
    """Why the last attempt failed."""

    blocked_reason: str | None = None
    """Why the newest revision is held back."""

    created_at_ns: int = 0
    """Wall clock of the process start, for a runtime without any revision."""


def decide_status(facts: ConfigFactsNow) -> ConfigStatus:
    """Return the state of the newest revision."""
    newest = facts.newest
    number = 0 if newest is None else newest.revision
    waiting = _waiting(newest, facts)
    if facts.blocked_reason is not None:
        state = ConfigState.BLOCKED
    elif facts.errors:
        state = ConfigState.ERROR
    elif waiting:
        state = ConfigState.PENDING
    else:
        state = ConfigState.IN_SYNC
    in_sync = state is ConfigState.IN_SYNC
    restart = tuple(key for key in waiting if _needs_restart(key))
    only_restart = state is ConfigState.PENDING and restart == waiting
    return ConfigStatus(
        api_version=API_VERSION,
        state=state,
        applied_revision=number if in_sync else facts.applied_revision,
        pending_revision=None if in_sync else number,
        required_action="restart_required" if only_restart else None,
        blocked_reason=facts.blocked_reason,
        errors=facts.errors,
        restart_required=restart or None,
    )


def drift(facts: ConfigFactsNow) -> tuple[str, ...]:
    """Return one sentence for each live key whose part no longer runs with the wanted value.

    Meaningful once everything that is due was applied.
    """
    return tuple(
        f"{key}: it runs with {_shown(key, facts.in_force)} and no longer with"
        f" {_shown(key, facts.wanted)}, which was applied"
        for key in _waiting(facts.newest, facts)
        if not _needs_restart(key)
    )


def describe(facts: ConfigFactsNow, *, status: ConfigStatus | None = None) -> ConfigMeta:
    """Return revisions and fingerprints.

    Args:
        facts: what the agent knows.
        status: what `decide_status` says of the same facts, if that was asked already.
    """
    newest = facts.newest
    document = {} if newest is None else newest.document
    secrets = {} if newest is None else newest.secret_revisions
    if status is None:
        status = decide_status(facts)
    in_sync = status.state is ConfigState.IN_SYNC
    etag = document_etag(document, secrets)
    return ConfigMeta(
        api_version=API_VERSION,
        desired_revision=0 if newest is None else newest.revision,
        reported_revision=status.applied_revision,
        desired_etag=etag,
        reported_etag=etag if in_sync else facts.applied_etag,
        last_writer="bootstrap" if newest is None else newest.actor,
        apply_policy="explicit",
        updated_at_ns=facts.created_at_ns if newest is None else newest.created_at_ns,
    )


def _waiting(newest: ConfigRevision | None, facts: ConfigFactsNow) -> tuple[str, ...]:
    """Return the keys whose running value is not the wanted one; a deleted key waits too."""
    if newest is None:
        return ()
    return tuple(
        sorted(key for key in facts.wanted if facts.in_force.get(key) != facts.wanted[key])
    )


def _shown(key: str, values: Mapping[str, Any]) -> str:
    return value_text(redact({key: values.get(key)})[key])


def _needs_restart(key: str) -> bool:
    spec = spec_of_key(key)
    return spec is not None and spec.effect is KeyEffect.RESTART
