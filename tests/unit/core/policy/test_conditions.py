"""`core.policy.conditions`: checks 10, 11 and 17 to 20 (contract 8.2, 10.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import (
    COMMAND,
    FACTS,
    GHOST,
    NEAR,
    ONLINE,
    OWN,
    READ,
    WRITE,
    case_of,
    verdict,
    with_peer,
)
from trust_runtime.contracts.decisions import CheckOutcome, TargetState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.policy import conditions
from trust_runtime.core.policy.case import Case
from trust_runtime.core.preconditions import remedy_of_key

PASS, SKIP = CheckOutcome.PASS, CheckOutcome.SKIP
STALE, AWAY = DenialCode.STALE_DATA, DenialCode.TARGET_UNREACHABLE
UNSET = DenialCode.NOT_CONFIGURED

Wanted = CheckOutcome | DenialCode


@pytest.mark.parametrize("target", [OWN, NEAR, GHOST, "a/b/c"])
def test_nothing_is_allowed_that_cannot_be_recorded(target: str) -> None:
    case = case_of(target=target)
    assert verdict(conditions.check_audit_store(case)) is PASS
    broken = structs.replace(FACTS, store_fault="state.db: the disk is full")
    finding = conditions.check_audit_store(case_of(target=target, facts=broken))
    assert verdict(finding) is DenialCode.TRANSPORT_FAILURE
    assert finding.detail == "state.db: the disk is full"
    assert finding.as_check().remedy == (
        "free the disk, or repair with trust-runtime run --reset-state"
    )


@pytest.mark.parametrize("profile", Profile)
def test_an_unmet_profile_names_its_first_missing_key(profile: Profile) -> None:
    facts = structs.replace(FACTS, profile=profile)
    assert verdict(conditions.check_profile(case_of(facts=facts))) is PASS
    unmet = structs.replace(facts, unmet=("runtime.web.auth='token'", "runtime.web.tls=true"))
    finding = conditions.check_profile(case_of(facts=unmet))
    assert verdict(finding) is UNSET
    assert finding.detail == f"profile {profile} needs runtime.web.auth='token'"
    assert finding.as_check().remedy == remedy_of_key("runtime.web.auth='token'")


WEB, MESH = "runtime.web.tls", "runtime.mesh.tls"


@pytest.mark.parametrize("profile", [Profile.PLANT, Profile.WAN])
@pytest.mark.parametrize(
    ("without", "reason", "target", "wanted"),
    [
        pytest.param((), None, NEAR, PASS, id="it has both"),
        pytest.param((WEB,), None, NEAR, UNSET, id="no TLS on the web"),
        pytest.param((MESH,), None, NEAR, UNSET, id="no TLS on the mesh"),
        pytest.param((WEB, MESH), None, NEAR, UNSET, id="neither"),
        pytest.param((MESH,), TrustReason.NEVER_SEEN, NEAR, SKIP, id="never seen"),
        pytest.param((MESH,), None, OWN, SKIP, id="here"),
        pytest.param((MESH,), None, GHOST, SKIP, id="nobody known"),
        pytest.param((MESH,), None, "a/b/c", SKIP, id="no target"),
    ],
)
def test_profiles_with_tls_ask_it_of_the_target_too(
    profile: Profile,
    without: tuple[str, ...],
    reason: TrustReason | None,
    *,
    target: str,
    wanted: Wanted,
) -> None:
    facts = with_peer(NEAR, without_tls=without, trust_reason=reason)
    assert verdict(conditions.check_target_secure(case_of(target=target, facts=facts))) is SKIP
    facts = structs.replace(facts, profile=profile)
    finding = conditions.check_target_secure(case_of(target=target, facts=facts))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        keys = " and ".join(without)
        assert finding.detail == f"profile {profile} needs {keys} of press-2"
        assert finding.as_check().remedy == f"set {keys} on the target, then restart it"


def test_nobody_is_in_a_redundancy_group_in_this_version() -> None:
    for target in (NEAR, "a/b/c"):
        finding = conditions.check_ha(case_of(COMMAND, target=target))
        assert (finding.name, verdict(finding)) == ("ha", SKIP)
        assert finding.detail == f"{target} is in no HA group"


@pytest.mark.parametrize(
    ("command", "target", "peer_says", "own_says", "wanted"),
    [
        pytest.param("pause", NEAR, True, False, PASS, id="open at the target"),
        pytest.param("pause", NEAR, False, True, UNSET, id="closed at the target"),
        pytest.param("pause", NEAR, None, True, SKIP, id="never heard of the target"),
        pytest.param("pause", GHOST, None, True, SKIP, id="nobody known"),
        pytest.param("pause", OWN, False, True, PASS, id="open here"),
        pytest.param("pause", OWN, True, False, UNSET, id="closed here"),
        pytest.param("pause", "a/b/c", True, False, SKIP, id="no target"),
        pytest.param("restart", NEAR, False, False, SKIP, id="a verb without the gate"),
        pytest.param("puase", NEAR, False, False, SKIP, id="no verb"),
    ],
)
def test_debug_gate(
    command: str, target: str, *, peer_says: bool | None, own_says: bool, wanted: Wanted
) -> None:
    facts = structs.replace(with_peer(NEAR, debug_enabled=peer_says), debug_enabled=own_says)
    request = structs.replace(COMMAND, payload={"command": command})
    finding = conditions.check_debug_gate(case_of(request, target=target, facts=facts))
    assert verdict(finding) is wanted
    denied = isinstance(wanted, DenialCode)
    remedy = "set control.debug_enabled on the target" if denied else None
    assert finding.as_check().remedy == remedy


def test_only_commands_have_a_debug_gate() -> None:
    facts = with_peer(NEAR, debug_enabled=False)
    for request in (READ, WRITE, structs.replace(READ, payload={"command": "pause"})):
        assert verdict(conditions.check_debug_gate(case_of(request, facts=facts))) is SKIP


@pytest.mark.parametrize(
    ("state", "fresh", "reachable"),
    [
        (TargetState.REACHABLE, PASS, PASS),
        (TargetState.STALE, STALE, SKIP),
        (TargetState.PARTITIONED, STALE, SKIP),
        (TargetState.OFFLINE, SKIP, AWAY),
        (TargetState.UNKNOWN, SKIP, AWAY),
    ],
)
def test_each_presence_denies_in_one_check_alone(
    state: TargetState, fresh: Wanted, reachable: Wanted
) -> None:
    unknown = state is TargetState.UNKNOWN
    facts = structs.replace(FACTS, peers={}) if unknown else with_peer(NEAR, target_state=state)
    case = case_of(facts=facts)
    assert conditions.target_state(case) is state
    first, second = conditions.check_fresh(case), conditions.check_reachable(case)
    assert (verdict(first), verdict(second)) == (fresh, reachable)
    if fresh is STALE:
        assert first.as_check().remedy == "wait for the target to return, or check its link"
        assert first.detail == f"press-2 is {state}"
    if reachable is AWAY:
        remedy = second.as_check().remedy or ""
        assert remedy.startswith("start ")
        assert remedy.endswith("check discovery and mesh.connect")


def test_the_reason_for_an_unknown_target_is_that_it_never_spoke() -> None:
    check = conditions.check_reachable(case_of(target=GHOST)).as_check()
    assert check.detail == "no signed message of press-9 was ever received"
    assert check.remedy == "start press-9, or check discovery and mesh.connect"


@pytest.mark.parametrize(
    ("target", "state"), [(OWN, TargetState.LOCAL), ("a/b/c", TargetState.UNKNOWN)]
)
def test_here_and_nowhere_are_neither_stale_nor_unreachable(
    target: str, state: TargetState
) -> None:
    case = case_of(target=target)
    assert conditions.target_state(case) is state
    assert verdict(conditions.check_fresh(case)) is SKIP
    assert verdict(conditions.check_reachable(case)) is SKIP


@pytest.mark.parametrize(
    ("skew_ms", "wanted"),
    [
        pytest.param(None, PASS, id="not measured"),
        pytest.param(0, PASS, id="none"),
        pytest.param(5_000, PASS, id="the bound"),
        pytest.param(-5_000, PASS, id="the bound, behind"),
        pytest.param(5_001, STALE, id="beyond the bound"),
        pytest.param(-5_001, STALE, id="beyond the bound, behind"),
    ],
)
def test_clock_skew(skew_ms: int | None, wanted: Wanted) -> None:
    finding = conditions.check_fresh(case_of(facts=with_peer(NEAR, clock_skew_ms=skew_ms)))
    assert verdict(finding) is wanted
    if wanted is STALE:
        assert finding.as_check().remedy == "set the clock"
        assert finding.detail == f"clock of press-2 differs by {skew_ms} ms, more than 5000 ms"


def peer_case(state: TargetState, skew_ms: int | None) -> Case:
    peer = structs.replace(ONLINE, target_state=state, clock_skew_ms=skew_ms)
    return case_of(facts=structs.replace(FACTS, peers={NEAR: peer}))


@given(
    state=st.sampled_from([s for s in TargetState if s is not TargetState.LOCAL]),
    skew_ms=st.none() | st.integers(-10_000, 10_000),
)
def test_a_target_passes_both_checks_exactly_when_it_can_be_asked(
    state: TargetState, skew_ms: int | None
) -> None:
    case = peer_case(state, skew_ms)
    found = {verdict(conditions.check_fresh(case)), verdict(conditions.check_reachable(case))}
    usable = state is TargetState.REACHABLE and abs(skew_ms or 0) <= 5_000
    assert (found == {PASS}) is usable
    assert len(found & {STALE, AWAY}) == (0 if usable else 1)
