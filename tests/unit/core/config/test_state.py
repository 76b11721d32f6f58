from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config_samples import REQUIRED
from trust_runtime.contracts.config import EMPTY_ETAG, ConfigRevision, ConfigState
from trust_runtime.core.config.effective import effective_values
from trust_runtime.core.config.merge import document_etag
from trust_runtime.core.config.state import ConfigFactsNow, decide_status, describe, drift

LIVE = {"log.level": "debug"}
RESTART = {"discovery.host_group": "cell-1"}


def revision(document: dict[str, Any], number: int = 3) -> ConfigRevision:
    return ConfigRevision(
        revision=number,
        kind="write",
        document=document,
        patch=document,
        secret_revisions={},
        actor="local://engineer",
        identity="local://admin",
        audit_id="audit-1",
        created_at_ns=77,
    )


def facts(wanted: dict[str, Any], running: dict[str, Any]) -> ConfigFactsNow:
    return ConfigFactsNow(
        newest=revision(wanted),
        wanted=effective_values(REQUIRED, wanted),
        in_force=effective_values(REQUIRED, running),
        applied_revision=2,
        applied_etag="sha256:old",
        created_at_ns=5,
    )


NOTHING_WRITTEN = ConfigFactsNow(
    newest=None,
    wanted=effective_values(REQUIRED, {}),
    in_force=effective_values(REQUIRED, LIVE),
    applied_revision=0,
    applied_etag=EMPTY_ETAG,
    created_at_ns=5,
)


@pytest.mark.parametrize(
    ("now", "state", "applied", "pending", "action"),
    [
        pytest.param(NOTHING_WRITTEN, "in_sync", 0, None, None, id="nothing was ever written"),
        pytest.param(facts(LIVE, LIVE), "in_sync", 3, None, None, id="all in force"),
        pytest.param(facts(LIVE, {}), "pending", 2, 3, None, id="not applied yet"),
        pytest.param(facts({}, LIVE), "pending", 2, 3, None, id="a deletion not applied yet"),
        pytest.param(
            facts(RESTART, {}), "pending", 2, 3, "restart_required", id="only a restart is missing"
        ),
        pytest.param(
            facts({**RESTART, **LIVE}, {}), "pending", 2, 3, None, id="more than a restart"
        ),
        pytest.param(
            facts({}, RESTART), "pending", 2, 3, "restart_required", id="a deletion for a restart"
        ),
        pytest.param(
            replace(facts(LIVE, LIVE), errors=("x",)), "error", 2, 3, None, id="an attempt failed"
        ),
        pytest.param(
            replace(facts(LIVE, LIVE), errors=("x",), blocked_reason="start_failed"),
            "blocked",
            2,
            3,
            None,
            id="held back counts more than failed",
        ),
        pytest.param(
            replace(facts(RESTART, {}), blocked_reason="desired_ignored"),
            "blocked",
            2,
            3,
            None,
            id="held back counts more than a restart",
        ),
    ],
)
def test_how_far_a_revision_is_in_force(
    now: ConfigFactsNow, state: str, applied: int, pending: int | None, action: str | None
) -> None:
    status = decide_status(now)
    assert (status.state, status.applied_revision) == (state, applied)
    assert (status.pending_revision, status.required_action) == (pending, action)
    assert (status.errors, status.blocked_reason) == (now.errors, now.blocked_reason)


def test_the_keys_that_wait_for_a_restart_are_named_in_order() -> None:
    wanted = {**RESTART, "discovery.advertise": False, **LIVE}
    status = decide_status(facts(wanted, {}))
    assert status.restart_required == ("discovery.advertise", "discovery.host_group")
    assert decide_status(facts(LIVE, {})).restart_required is None


def test_before_the_first_write_the_fingerprints_are_of_the_empty_document() -> None:
    meta = describe(NOTHING_WRITTEN)
    assert (meta.desired_revision, meta.reported_revision) == (0, 0)
    assert meta.desired_etag == meta.reported_etag == EMPTY_ETAG
    assert (meta.last_writer, meta.updated_at_ns) == ("bootstrap", 5)


def test_what_is_not_in_force_is_reported_by_its_old_fingerprint() -> None:
    meta = describe(facts(LIVE, {}))
    assert (meta.desired_revision, meta.reported_revision) == (3, 2)
    assert (meta.desired_etag, meta.reported_etag) == (document_etag(LIVE, {}), "sha256:old")
    assert (meta.last_writer, meta.updated_at_ns) == ("local://engineer", 77)
    in_force = describe(facts(LIVE, LIVE))
    assert in_force.reported_etag == in_force.desired_etag == document_etag(LIVE, {})


levels = st.sampled_from([{}, LIVE, RESTART, {**LIVE, **RESTART}])


@given(wanted=levels, running=levels, failed=st.booleans(), blocked=st.booleans())
def test_in_sync_means_that_everything_wanted_runs(
    wanted: dict[str, Any], running: dict[str, Any], *, failed: bool, blocked: bool
) -> None:
    now = replace(
        facts(wanted, running),
        errors=("x",) if failed else (),
        blocked_reason="start_failed" if blocked else None,
    )
    status = decide_status(now)
    expected = wanted == running and not failed and not blocked
    assert (status.state is ConfigState.IN_SYNC) is expected
    assert (status.pending_revision is None) is expected
    assert describe(now).reported_revision == status.applied_revision


@pytest.mark.parametrize(
    ("now", "named"),
    [
        pytest.param(NOTHING_WRITTEN, (), id="nothing was ever written"),
        pytest.param(facts(LIVE, LIVE), (), id="all in force"),
        pytest.param(facts(RESTART, {}), (), id="a restart is missing"),
        pytest.param(facts(LIVE, {}), ("log.level",), id="a live key"),
        pytest.param(facts({}, LIVE), ("log.level",), id="a live key that was deleted"),
        pytest.param(facts({**LIVE, **RESTART}, {}), ("log.level",), id="both"),
    ],
)
def test_drift_is_a_live_key_that_runs_with_another_value(
    now: ConfigFactsNow, named: tuple[str, ...]
) -> None:
    found = drift(now)
    assert tuple(text.partition(":")[0] for text in found) == named
    assert all('"debug"' in text and '"info"' in text for text in found)
