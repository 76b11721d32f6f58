"""`core.config.change`: what a write or a rollback would store, or why it is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from config_samples import REQUIRED
from trust_runtime.contracts.config import EMPTY_ETAG, ConfigRevision
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Role
from trust_runtime.core.config.change import Change, Prepared, Present, Refusal, prepare
from trust_runtime.core.config.merge import document_etag, merge_patch

SECRET = "hunter2-but-very-much-longer-than-that"  # noqa: S105 - what must never be shown
ABSENT = Present(newest=None, file_values=REQUIRED)


def change(patch: dict[str, Any] | None = None, **more: Any) -> Change:
    made = Change(
        patch={} if patch is None else patch,
        actor="anna",
        identity="uid:1",
        audit_id="audit-1",
        request_id="r",
    )
    return structs.replace(made, **more)


def revision(number: int, document: dict[str, Any], **more: Any) -> ConfigRevision:
    made = ConfigRevision(
        revision=number,
        kind="write",
        document=document,
        patch=document,
        secret_revisions={},
        actor="anna",
        identity="uid:1",
        audit_id="audit-1",
        created_at_ns=1,
    )
    return structs.replace(made, **more)


def present(number: int, document: dict[str, Any], **more: Any) -> Present:
    return Present(newest=revision(number, document, **more), file_values=REQUIRED)


def stored(prepared: Prepared | Refusal) -> ConfigRevision:
    assert isinstance(prepared, Prepared), prepared
    assert prepared.revision is not None
    return prepared.revision


def refused(prepared: Prepared | Refusal) -> Refusal:
    assert isinstance(prepared, Refusal), prepared
    assert prepared.denial.reason
    assert prepared.denial.remedy
    return prepared


def test_the_first_write() -> None:
    made = prepare(change({"log.level": "warn"}), ABSENT, now_ns=17)
    assert stored(made) == ConfigRevision(
        revision=1,
        kind="write",
        document={"log.level": "warn"},
        patch={"log.level": "warn"},
        secret_revisions={},
        actor="anna",
        identity="uid:1",
        request_id="r",
        audit_id="audit-1",
        created_at_ns=17,
    )
    assert isinstance(made, Prepared)
    assert (made.changed, made.patch) == (("log.level",), {"log.level": "warn"})


def test_what_is_there_is_named_by_number_and_etag() -> None:
    assert (ABSENT.revision, ABSENT.etag, dict(ABSENT.document)) == (0, EMPTY_ETAG, {})
    here = present(4, {"log.level": "warn"})
    assert (here.revision, here.etag) == (4, document_etag({"log.level": "warn"}, {}))


def test_a_rollback_is_a_new_revision_equal_to_the_old_document() -> None:
    old = revision(1, {"log.level": "warn", "mesh.auth_token": SECRET})
    here = present(5, {"log.level": "info", "mesh.enabled": False, "mesh.auth_token": "other"})
    made = prepare(change(restore=old), here, now_ns=17)
    new = stored(made)
    assert (new.revision, new.kind) == (6, "rollback")
    assert new.document == old.document
    assert new.patch == {"log.level": "warn", "mesh.enabled": None, "mesh.auth_token": SECRET}
    # The secret changed with this revision, whatever its number was then.
    assert new.secret_revisions == {"mesh.auth_token": 6}
    assert isinstance(made, Prepared)
    assert made.changed == ("log.level", "mesh.auth_token", "mesh.enabled")


def test_a_secret_a_rollback_does_not_touch_keeps_its_revision() -> None:
    old = revision(1, {"mesh.auth_token": SECRET})
    here = present(
        5,
        {"mesh.auth_token": SECRET, "log.level": "warn"},
        secret_revisions={"mesh.auth_token": 3},
    )
    new = stored(prepare(change(restore=old), here, now_ns=1))
    assert new.secret_revisions == {"mesh.auth_token": 3}
    assert new.patch == {"log.level": None}


def test_a_rollback_to_what_is_there_makes_no_revision() -> None:
    document = {"log.level": "warn"}
    made = prepare(change(restore=revision(1, document)), present(3, document), now_ns=1)
    assert isinstance(made, Prepared)
    assert (made.revision, made.changed, made.patch) == (None, (), {})


@pytest.mark.parametrize(
    ("old", "role", "runs"),
    [
        ({"log.level": "warn"}, Role.ENGINEER, True),
        ({"log.level": "warn"}, Role.OPERATOR, False),
        ({"web.allowed_hosts": ["a"]}, Role.ENGINEER, False),
        ({"web.allowed_hosts": ["a"]}, Role.ADMIN, True),
    ],
)
def test_a_rollback_needs_the_role_of_the_keys_it_changes(
    old: dict[str, Any], role: Role, *, runs: bool
) -> None:
    made = prepare(change(restore=revision(1, old), role=role), present(2, {}), now_ns=1)
    if runs:
        assert stored(made).document == old
    else:
        denial = refused(made).denial
        assert denial.code is DenialCode.ACL_DENIED_CFG_WRITE
        assert "requires role" in denial.reason


def test_an_admins_key_a_rollback_leaves_alone_asks_for_no_admin() -> None:
    both = {"web.allowed_hosts": ["a"]}
    old, here = revision(1, both), present(2, {**both, "log.level": "warn"})
    made = prepare(change(restore=old, role=Role.ENGINEER), here, now_ns=1)
    assert stored(made).document == both


def test_a_rollback_to_what_is_not_valid_now_names_every_problem() -> None:
    old = revision(1, {"log.level": "loud", "runtime_cloud.presence.stale_after_ms": 1, "gone": 1})
    denial = refused(prepare(change(restore=old), present(2, {}), now_ns=1)).denial
    assert denial.code is DenialCode.CONTRACT_VIOLATION
    for named in ("log.level", "stale_after_ms", "gone"):
        assert named in denial.reason


def test_a_rollback_that_does_not_fit_the_file_any_more_is_refused() -> None:
    old = revision(1, {"runtime_cloud.presence.partition_after_ms": 3_000})
    file_values = {**REQUIRED, "runtime.cloud.presence.stale_after_ms": 3_000}
    here = Present(newest=revision(2, {}), file_values=file_values)
    denial = refused(prepare(change(restore=old), here, now_ns=1)).denial
    assert "partition_after_ms" in denial.reason


def test_a_secret_is_in_no_refusal() -> None:
    old = revision(1, {"mesh.auth_token": [SECRET]})
    denial = refused(prepare(change(restore=old), present(2, {}), now_ns=1)).denial
    assert SECRET not in denial.reason
    assert "mesh.auth_token" in denial.reason


@pytest.mark.parametrize(
    ("preconditions", "named", "header"),
    [
        ({"expected_revision": 3}, "revision is 4, not 3", False),
        ({"expected_revision": 5}, "revision is 4, not 5", False),
        ({"expected_etag": EMPTY_ETAG}, f"not {EMPTY_ETAG}", False),
        ({"if_match": EMPTY_ETAG}, f"not {EMPTY_ETAG}", True),
        ({"expected_revision": 3, "if_match": EMPTY_ETAG}, "revision is", False),
        ({"expected_etag": "x", "if_match": "y"}, "not x", False),
    ],
)
@pytest.mark.parametrize("kind", ["write", "rollback"])
def test_a_precondition_that_does_not_hold_comes_before_the_values(
    kind: str, preconditions: dict[str, Any], named: str, *, header: bool
) -> None:
    bad = {"log.level": "loud"}
    asked = change(bad) if kind == "write" else change(restore=revision(1, bad))
    here = present(4, {"log.level": "warn"})
    refusal = refused(prepare(structs.replace(asked, **preconditions), here, now_ns=1))
    assert refusal.denial.code is DenialCode.REVISION_CONFLICT
    assert named in refusal.denial.reason
    assert refusal.if_match_failed is header


def test_preconditions_that_hold() -> None:
    here = present(4, {"log.level": "warn"})
    for held in ({"expected_revision": 4}, {"expected_etag": here.etag}, {"if_match": "*"}):
        assert stored(prepare(change({"log.level": "info"}, **held), here, now_ns=1)).revision == 5


PATCHES = st.dictionaries(
    st.sampled_from(["log.level", "mesh.enabled", "mesh.auth_token", "web.allowed_hosts", "nope"]),
    st.sampled_from([None, "warn", "error", True, False, ["a"], SECRET]),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(patches=st.lists(PATCHES, max_size=5), back=st.integers(0, 4))
def test_laws_of_writes_and_rollbacks(patches: list[dict[str, Any]], back: int) -> None:
    here, kept = ABSENT, list[ConfigRevision]()
    for patch in patches:
        made = prepare(change(patch), here, now_ns=1)
        if isinstance(made, Prepared) and made.revision is not None:
            # Each revision is its patch laid over the one before, and the next number.
            assert made.revision.document == merge_patch(here.document, patch)
            assert made.revision.revision == here.revision + 1
            # The same patch again changes nothing.
            here = structs.replace(here, newest=made.revision)
            again = prepare(change(patch), here, now_ns=1)
            assert isinstance(again, Prepared)
            assert again.revision is None
            kept.append(made.revision)
    if not kept:
        return
    old = kept[back % len(kept)]
    made = prepare(change(restore=old), here, now_ns=1)
    assert isinstance(made, Prepared)
    if made.revision is not None:
        assert made.revision.document == old.document
        assert merge_patch(here.document, made.patch) == old.document
        here = structs.replace(here, newest=made.revision)
    assert here.document == old.document
    # A rollback of the rollback gives back what was there before it.
    back_again = prepare(change(restore=kept[-1]), here, now_ns=1)
    assert isinstance(back_again, Prepared)
    document = here.document if back_again.revision is None else back_again.revision.document
    assert document == kept[-1].document
