"""Requests, callers and facts that decisions are tested on, and many of them at once.

Without Hypothesis: processes that decide import this module alone.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec import structs

from trust_runtime.contracts.actions import ActionRequest, ActionType
from trust_runtime.contracts.decisions import CheckOutcome, TargetState
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, site_of
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import AcceptedWrite, TrustReason
from trust_runtime.core.naming import resolve
from trust_runtime.core.policy.case import Case, ConfigFacts, DecisionFacts, Finding, PeerFacts
from trust_runtime.core.policy.payload import verb_of

OWN: Final = RuntimeId("press-1")
NEAR: Final = RuntimeId("press-2")
FAR: Final = RuntimeId("site-b/oven-1")
GHOST: Final = RuntimeId("press-9")
FAR_GHOST: Final = RuntimeId("site-b/oven-9")
SITE_B: Final = SiteName("site-b")

ANY_WRITE: Final = AcceptedWrite(action="*", origin="*")
ONLINE: Final = PeerFacts(target_state=TargetState.REACHABLE, accepts=(ANY_WRITE,))
FILE: Final = {
    "bundle.version": 1,
    "resource.name": "press-1",
    "resource.cycle_interval_ms": 100,
    "runtime.control.endpoint": "unix:///run/press-1/control.sock",
}
FACTS: Final = DecisionFacts(
    own=OWN,
    site=DEFAULT_SITE,
    profile=Profile.DEV,
    config=ConfigFacts(file_values=FILE, document={}),
    peers={NEAR: ONLINE, FAR: ONLINE},
)
CALLER: Final = Caller(identity="local://admin", role=Role.ADMIN)
READ: Final = ActionRequest(
    api_version="1.0",
    request_id="request-1",
    connected_via="press-1",
    target_runtimes=["press-2"],
    actor="local://engineer",
    action_type="status_read",
)
WRITE: Final = structs.replace(
    READ, action_type="cfg_apply", payload={"params": {"log.level": "debug"}}
)
COMMAND: Final = structs.replace(READ, action_type="cmd_invoke", payload={"command": "health"})


class Question(NamedTuple):
    """Everything one decision is taken on."""

    request: ActionRequest
    caller: Caller
    facts: DecisionFacts


def rule(action: str, target: str, origin: str = "*") -> AllowRule:
    """Return one rule of `allow_write`."""
    return AllowRule(action=action, target=target, origin=origin)


def with_peer(peer: RuntimeId, **changes: Any) -> DecisionFacts:
    """Return the usual facts with one peer changed."""
    return structs.replace(
        FACTS, peers={**FACTS.peers, peer: structs.replace(FACTS.peers[peer], **changes)}
    )


def case_of(
    request: ActionRequest = READ,
    *,
    target: str | None = None,
    caller: Caller = CALLER,
    facts: DecisionFacts = FACTS,
) -> Case:
    """Return the case of one target, by default the first of the request."""
    text = request.target_runtimes[0] if target is None else target
    found = resolve(text, own_site=facts.site, known=[facts.own, *facts.peers])
    command = request.action_type == ActionType.CMD_INVOKE
    return Case(
        request=request,
        caller=caller,
        facts=facts,
        action=next((action for action in ActionType if action == request.action_type), None),
        target_text=text,
        target=None if isinstance(found, Denial) else found,
        naming=found if isinstance(found, Denial) else None,
        verb=verb_of(request.payload) if command else None,
    )


def verdict(finding: Finding) -> CheckOutcome | DenialCode:
    """Return the code of a finding that denies, else its outcome."""
    return finding.outcome if finding.denial is None else finding.denial.code


def many_questions() -> Iterator[Question]:
    """Yield some two thousand questions, in the same order in every process."""
    requests = [
        structs.replace(request, target_runtimes=targets, actor=request.actor and actor)
        for request, targets, actor in itertools.product(
            [READ, WRITE, COMMAND, *_odd_requests()],
            [
                ["press-2", "site-b/oven-1", "press-1", "press-9", "default-site/press-2"],
                ["site-b/oven-9", "a/b/c", "oven-1", "press-1"],
                ["press-1", "press-2"],
                [],
            ],
            ["local://engineer", "spiffe://trust/site-b/anna"],
        )
    ]
    scopes = [None, (DEFAULT_SITE,)]
    callers = [
        Caller(identity="token://anna", role=role, scope=scope)
        for role, scope in itertools.product([Role.VIEWER, Role.ENGINEER, Role.ADMIN], scopes)
    ]
    yield from itertools.starmap(Question, itertools.product(requests, callers, _many_facts()))


def _odd_requests() -> list[ActionRequest]:
    return [
        structs.replace(WRITE, payload={"no.such": 1, "log.level": 2, "resource.name": "x"}),
        structs.replace(COMMAND, payload={"command": "shutdown", "params": {"z": 1, "a": 2}}),
        structs.replace(COMMAND, payload={"comand": "health", "ha": {}}),
        structs.replace(READ, action_type="reboot", api_version="2.0", request_id=" "),
        structs.replace(READ, connected_via="press-3", actor=""),
    ]


def _many_facts() -> list[DecisionFacts]:
    peers = {
        NEAR: structs.replace(ONLINE, target_state=TargetState.STALE),
        FAR: structs.replace(ONLINE, trust_reason=TrustReason.IDENTITY_CHANGED, accepts=()),
        RuntimeId("oven-1"): structs.replace(ONLINE, clock_skew_ms=5_001),
        **{RuntimeId(f"site-b/press-{n}"): ONLINE for n in range(8)},
    }
    busy = structs.replace(
        FACTS, peers=peers, allow_write=(rule("cfg_apply", "site-b/*"), rule("*", "*/oven-1"))
    )
    sited = RuntimeId("site-b/press-1")
    return [
        FACTS,
        busy,
        structs.replace(busy, profile=Profile.WAN),
        structs.replace(busy, unmet=("runtime.web.tls=true",), store_fault="the disk is full"),
        structs.replace(busy, own=sited, site=site_of(sited)),
    ]
