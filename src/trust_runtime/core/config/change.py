"""May this change be made to the documents as they are, and what would be stored (6.11, 6.12)."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from trust_runtime.contracts.config import ConfigRevision
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.policy import Role, allows
from trust_runtime.core.config.diff import patch_between
from trust_runtime.core.config.keys import spec_of_key
from trust_runtime.core.config.merge import changed_keys, document_etag, merge_patch
from trust_runtime.core.config.patch import check_patch, role_needed

ANYTHING: Final = "*"


class Change(Struct, frozen=True, kw_only=True):
    """A configuration write as its entrances hand it over."""

    patch: dict[str, Any]
    """Merge patch over config keys; not used by a rollback."""

    restore: ConfigRevision | None = None
    """A rollback: the revision whose document is wanted again."""

    role: Role = Role.ADMIN
    """Role in force; which keys a rollback changes is known here only."""

    actor: str
    """The claim."""

    identity: str
    """What was authenticated."""

    audit_id: str
    """Of its records."""

    request_id: str | None
    """As given."""

    expected_revision: int | None = None
    """Precondition."""

    expected_etag: str | None = None
    """Precondition."""

    if_match: str | None = None
    """Precondition from the HTTP header, without quotes; `*` matches anything."""


class Present(Struct, frozen=True, kw_only=True):
    """The documents a change meets."""

    newest: ConfigRevision | None
    """Newest stored revision; None before the first write."""

    file_values: Mapping[str, Any]
    """TOML path to value, as `runtime.toml` has them."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The desired document, secrets included."""
        return {} if self.newest is None else self.newest.document

    @property
    def revision(self) -> int:
        """The number of the newest revision; 0 before the first write."""
        return 0 if self.newest is None else self.newest.revision

    @property
    def etag(self) -> str:
        """The etag of the desired document."""
        secrets = {} if self.newest is None else self.newest.secret_revisions
        return document_etag(self.document, secrets)


class Prepared(Struct, frozen=True, kw_only=True):
    """A checked change, ready to be committed."""

    revision: ConfigRevision | None
    """None: the patch changes nothing."""

    patch: dict[str, Any]
    """What was asked for, as a merge patch; of a rollback what it changes."""

    changed: tuple[str, ...]
    """Keys whose desired value differs afterwards."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a change is not made; nothing was stored."""

    denial: Denial
    """The reason."""

    if_match_failed: bool = False
    """It was the header's precondition."""


def prepare(change: Change, present: Present, *, now_ns: int) -> Prepared | Refusal:
    """Return what to store for a change, or the first check that refuses it."""
    patch = change.patch
    if change.restore is not None:
        patch = patch_between(present.document, change.restore.document)
        needed = role_needed(patch)
        if not allows(change.role, needed):
            return Refusal(
                denial=deny(
                    DenialCode.ACL_DENIED_CFG_WRITE,
                    f"requires role {needed}, caller has {change.role}",
                    f"obtain role {needed}",
                )
            )
    refusal = _precondition(change, present)
    if refusal is not None:
        return refusal
    verdict = check_patch(patch, file_values=present.file_values, document=present.document)
    if verdict.problems:
        return Refusal(denial=deny(DenialCode.CONTRACT_VIOLATION, "; ".join(verdict.problems)))
    merged = merge_patch(present.document, patch)
    changed = changed_keys(present.document, merged)
    nothing = Prepared(revision=None, patch=patch, changed=changed)
    if not changed:
        return nothing
    return Prepared(
        revision=_revision(change, present, nothing, merged=merged, now_ns=now_ns),
        patch=patch,
        changed=changed,
    )


def _precondition(change: Change, present: Present) -> Refusal | None:
    revision, etag = present.revision, present.etag
    if change.expected_revision not in (None, revision):
        return _stale(f"revision is {revision}, not {change.expected_revision}")
    if change.expected_etag not in (None, etag):
        return _stale(f"etag is {etag}, not {change.expected_etag}")
    if change.if_match not in (None, ANYTHING, etag):
        return _stale(f"etag is {etag}, not {change.if_match}", header=True)
    return None


def _stale(reason: str, *, header: bool = False) -> Refusal:
    return Refusal(
        denial=deny(DenialCode.REVISION_CONFLICT, f"the desired {reason}"),
        if_match_failed=header,
    )


def _revision(
    change: Change, present: Present, prepared: Prepared, *, merged: dict[str, Any], now_ns: int
) -> ConfigRevision:
    number = present.revision + 1
    secrets = {} if present.newest is None else dict(present.newest.secret_revisions)
    for key in prepared.changed:
        secrets.pop(key, None)
        spec = spec_of_key(key)
        if key in merged and spec is not None and spec.secret:
            secrets[key] = number
    return ConfigRevision(
        revision=number,
        kind="write" if change.restore is None else "rollback",
        document=merged,
        patch=prepared.patch,
        secret_revisions=secrets,
        actor=change.actor,
        identity=change.identity,
        request_id=change.request_id,
        audit_id=change.audit_id,
        created_at_ns=now_ns,
    )
