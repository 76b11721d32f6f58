"""What the payloads of the example pack are answered (contract 16.5), in memory."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import FILE, rule
from decision_strategies import IDS, SITES
from trust_runtime.contracts.actions import ActionRequest, ActionType
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.config import KeyEffect
from trust_runtime.contracts.decisions import CheckOutcome, TargetState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, name_of, site_of
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import AcceptedWrite
from trust_runtime.core.config.allow_rules import read_rules
from trust_runtime.core.config.keys import KEYS
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts, PeerFacts
from trust_runtime.core.policy.inbound import decide_inbound
from trust_runtime.core.policy.preflight import decide

PACK = Path(__file__).parents[4] / "examples" / "runtime_cloud"
OWN, NEAR = RuntimeId("runtime-a"), RuntimeId("runtime-b")
FAR, FAR_SITE = RuntimeId("site-b/runtime-b"), SiteName("site-b")
ADMIN = Caller(identity="local://admin", role=Role.ADMIN)
RUNNING = PeerFacts(
    target_state=TargetState.REACHABLE,
    accepts=(AcceptedWrite(action="cfg_apply", origin="default-site/runtime-a"),),
    profile=Profile.DEV,
)
"""`runtime-b-site-b-dev.toml`, running."""

STOPPED = DenialCode.TARGET_UNREACHABLE
NO, STALE = DenialCode.PERMISSION_DENIED, DenialCode.STALE_DATA


def body(name: str) -> dict[str, Any]:
    found: dict[str, Any] = decode_json((PACK / name).read_bytes(), dict[str, Any])
    return found


def asked(name: str) -> ActionRequest:
    return decode_json((PACK / name).read_bytes(), ActionRequest)


def quickstart(*rules: AllowRule, **peers: PeerFacts) -> DecisionFacts:
    near = PeerFacts(target_state=TargetState.REACHABLE, profile=Profile.DEV)
    named = {RuntimeId(name.replace("__", "/").replace("_", "-")): peers[name] for name in peers}
    return DecisionFacts(
        own=OWN,
        site=DEFAULT_SITE,
        profile=Profile.DEV,
        allow_write=rules,
        config=ConfigFacts(file_values=FILE, document={}),
        peers={NEAR: near, **named},
    )


def posted() -> tuple[AllowRule, ...]:
    """Return the rules of `config-allow-site-b.json`, as the runtime reads them."""
    value = body("config-allow-site-b.json")["desired"]["runtime_cloud.wan.allow_write"]
    return read_rules(value, DEFAULT_SITE)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        pytest.param(TargetState.REACHABLE, None, id="running"),
        pytest.param(TargetState.OFFLINE, STOPPED, id="stopped with Ctrl+C"),
        pytest.param(TargetState.STALE, STALE, id="killed less than 30 s ago"),
        pytest.param(TargetState.PARTITIONED, STALE, id="killed longer ago"),
        pytest.param(TargetState.UNKNOWN, STOPPED, id="never started"),
    ],
)
def test_a_status_read_of_runtime_b(state: TargetState, code: DenialCode | None) -> None:
    facts = quickstart(runtime_b=PeerFacts(target_state=state))
    if state is TargetState.UNKNOWN:
        facts = structs.replace(facts, peers={})
    answer = decide(asked("dispatch-status-read.json"), ADMIN, facts)
    assert (answer.allowed, answer.denial_code) == (code is None, code)
    assert answer.decisions[0].target_state is state


@pytest.mark.parametrize(
    "name", ["preflight-cross-site-deny.json", "preflight-cross-site-allow.json"]
)
@pytest.mark.parametrize(
    ("rules", "far", "state", "code"),
    [
        pytest.param((), None, TargetState.UNKNOWN, NO, id="no rule, nobody there"),
        pytest.param((), RUNNING, TargetState.REACHABLE, NO, id="no rule, running"),
        *(
            pytest.param((), structs.replace(RUNNING, target_state=state), state, NO, id=f"{state}")
            for state in (TargetState.STALE, TargetState.PARTITIONED, TargetState.OFFLINE)
        ),
        pytest.param(posted(), None, TargetState.UNKNOWN, STOPPED, id="the rule, nobody there"),
        pytest.param(posted(), RUNNING, TargetState.REACHABLE, None, id="the rule, running"),
        pytest.param(
            *(posted(), structs.replace(RUNNING, accepts=()), TargetState.REACHABLE, NO),
            id="the rule here, none there",
        ),
    ],
)
def test_a_write_into_site_b(
    name: str,
    rules: tuple[AllowRule, ...],
    far: PeerFacts | None,
    *,
    state: TargetState,
    code: DenialCode | None,
) -> None:
    facts = quickstart(*rules) if far is None else quickstart(*rules, site_b__runtime_b=far)
    answer = decide(asked(name), ADMIN, facts)
    (decision,) = answer.decisions
    assert (answer.allowed, answer.denial_code) == (code is None, code)
    assert (decision.runtime_id, decision.target_state) == (FAR, state)
    failed = [c.check for c in decision.checks if c.outcome is CheckOutcome.DENY]
    if not rules:
        assert failed[0] == "cross_site"
        assert "cross-site write action" in (answer.denial_reason or "")


@pytest.mark.parametrize("state", [None, *TargetState])
@pytest.mark.parametrize("unmet", [(), ("runtime.web.tls=true",)])
def test_in_wan_policy_speaks_before_reachability(
    state: TargetState | None, unmet: tuple[str, ...]
) -> None:
    """A down, unheard or doubtful target changes nothing of what is forbidden (decision 12)."""
    far = None if state is None else structs.replace(RUNNING, target_state=state)
    facts = quickstart() if far is None else quickstart(site_b__runtime_b=far)
    facts = structs.replace(facts, profile=Profile.WAN, unmet=unmet)
    answer = decide(asked("preflight-cross-site-deny.json"), ADMIN, facts)
    checks = {check.check: check.outcome for check in answer.decisions[0].checks}
    assert answer.denial_code is (DenialCode.NOT_CONFIGURED if unmet else NO)
    assert checks["cross_site"] is checks["wan_allowlist"] is CheckOutcome.DENY


ADMINS = [spec.key for spec in KEYS if spec.role is Role.ADMIN or spec.effect is KeyEffect.FILE]
LIVE = [s.key for s in KEYS if s.role is Role.ADMIN and s.effect is KeyEffect.LIVE]
ALL = (rule("*", "*"),)


@given(
    key=st.sampled_from([*ADMINS, "no.such.key"]),
    more=st.sampled_from([{}, {"log.level": "debug"}]),
    pair=st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)),
    flat=st.booleans(),
    profile=st.sampled_from(Profile),
)
def test_keys_that_are_never_written_across_sites(
    key: str,
    more: dict[str, Any],
    pair: tuple[RuntimeId, RuntimeId],
    *,
    flat: bool,
    profile: Profile,
) -> None:
    """Whatever the rules say: an admin's key stays an admin's of the target's own site."""
    own, target = pair
    patch = {**more, key: None}
    request = structs.replace(
        asked("preflight-cross-site-allow.json"),
        connected_via=f"{site_of(own)}/{name_of(own)}",
        target_runtimes=[f"{site_of(target)}/{name_of(target)}"],
        payload=patch if flat else {"params": patch},
    )
    open_ = structs.replace(RUNNING, accepts=(AcceptedWrite(action="*", origin="*"),))
    facts = structs.replace(
        quickstart(*ALL), own=own, site=site_of(own), profile=profile, peers={target: open_}
    )
    there = structs.replace(facts, own=target, site=site_of(target), peers={own: open_})
    inbound = decide_inbound(request, ADMIN, there, origin=own)
    if site_of(own) != site_of(target):
        answer = decide(request, ADMIN, facts)
        assert answer.denial_code is DenialCode.ACL_DENIED_CFG_WRITE
        assert inbound is not None
    elif key in LIVE:
        assert inbound is None


@given(
    action=st.sampled_from([ActionType.CFG_APPLY, ActionType.CMD_INVOKE]),
    own=st.sampled_from(IDS),
    target=st.sampled_from(IDS),
    site=st.sampled_from(SITES),
)
def test_the_site_of_the_actor_decides_nothing(
    action: ActionType, own: RuntimeId, target: RuntimeId, site: SiteName
) -> None:
    request = structs.replace(
        asked("preflight-cross-site-allow.json"),
        connected_via=f"{site_of(own)}/{name_of(own)}",
        target_runtimes=[f"{site_of(target)}/{name_of(target)}"],
        action_type=action,
        payload={"command": "health"} if action is ActionType.CMD_INVOKE else {},
    )
    facts = structs.replace(quickstart(), own=own, site=site_of(own), peers={target: RUNNING})
    claimed = structs.replace(request, actor=f"spiffe://trust/{site}/anna")
    first, second = (decide(r, ADMIN, facts).decisions[0].checks for r in (request, claimed))
    assert first == second
