"""`core.policy.access`: checks 8 and 12 to 16 (contract 8.1, 8.2, 9.2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import (
    ANY_WRITE,
    CALLER,
    COMMAND,
    FACTS,
    FAR,
    FAR_GHOST,
    GHOST,
    NEAR,
    ONLINE,
    OWN,
    READ,
    SITE_B,
    WRITE,
    case_of,
    rule,
    verdict,
    with_peer,
)
from decision_strategies import IDS, PATTERNS
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.decisions import CheckOutcome, TargetState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, site_of, spelled_in
from trust_runtime.contracts.policy import AllowRule, Profile, Role, allows
from trust_runtime.contracts.presence import AcceptedWrite, TrustReason
from trust_runtime.core.policy import access
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.core.trust import trust_remedy

PASS, SKIP = CheckOutcome.PASS, CheckOutcome.SKIP
NO, NO_WRITE = DenialCode.PERMISSION_DENIED, DenialCode.ACL_DENIED_CFG_WRITE
WAN = structs.replace(FACTS, profile=Profile.WAN)
PLANT = structs.replace(FACTS, profile=Profile.PLANT)

Wanted = CheckOutcome | DenialCode


def config(**keys: Any) -> ActionRequest:
    """Return a configuration write of these keys, `__` for each dot."""
    patch = {key.replace("__", "."): value for key, value in keys.items()}
    return structs.replace(WRITE, payload={"params": patch})


def command(name: object) -> ActionRequest:
    return structs.replace(COMMAND, payload={"command": name})


REBOOT = structs.replace(READ, action_type="reboot")
ROLES: list[Any] = [
    pytest.param(READ, Role.VIEWER, NO, id="status_read"),
    pytest.param(config(), Role.ENGINEER, NO_WRITE, id="an empty patch"),
    pytest.param(config(log__level="warn"), Role.ENGINEER, NO_WRITE, id="an engineer's key"),
    pytest.param(config(web__enabled=True), Role.ADMIN, NO_WRITE, id="an admin's key"),
    pytest.param(
        config(log__level="warn", web__enabled=None), Role.ADMIN, NO_WRITE, id="one of two keys"
    ),
    pytest.param(config(log__levle="warn"), Role.ADMIN, NO_WRITE, id="a key nobody knows"),
    pytest.param(
        structs.replace(WRITE, payload={"log.level": "warn"}), Role.ENGINEER, NO_WRITE, id="flat"
    ),
    pytest.param(structs.replace(WRITE, payload=[1]), Role.ENGINEER, NO_WRITE, id="no patch"),
    pytest.param(command("health"), Role.OPERATOR, NO, id="a viewer's verb"),
    pytest.param(command("restart"), Role.OPERATOR, NO, id="an operator's verb"),
    pytest.param(command("io.write"), Role.ENGINEER, NO, id="an engineer's verb"),
    pytest.param(command("shutdown"), Role.ADMIN, NO, id="an admin's verb"),
    pytest.param(command("reboot"), Role.OPERATOR, NO, id="no verb"),
    pytest.param(command(7), Role.OPERATOR, NO, id="a command that is no text"),
]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("request_", "least", "code"), ROLES)
def test_role(request_: ActionRequest, least: Role, code: DenialCode, role: Role) -> None:
    caller = structs.replace(CALLER, role=role)
    case = case_of(request_, caller=caller)
    assert access.role_required(case) is least
    finding = access.check_role(case)
    if allows(role, least):
        assert verdict(finding) is PASS
        return
    assert verdict(finding) is code
    assert finding.detail == f"requires role {least}, caller has {role}"
    assert finding.as_check().remedy == f"obtain role {least}"


def test_an_unknown_action_needs_no_role_to_be_refused() -> None:
    case = case_of(REBOOT, caller=structs.replace(CALLER, role=Role.VIEWER))
    assert access.role_required(case) is None
    assert verdict(access.check_role(case)) is SKIP


@pytest.mark.parametrize(
    ("request_", "target", "wanted"),
    [
        pytest.param(config(web__enabled=True), NEAR, PASS, id="an admin's key in the own site"),
        pytest.param(config(web__enabled=True), FAR, NO_WRITE, id="an admin's key elsewhere"),
        pytest.param(config(log__level="warn"), FAR, PASS, id="an engineer's key elsewhere"),
        pytest.param(command("shutdown"), NEAR, PASS, id="an admin's verb in the own site"),
        pytest.param(command("shutdown"), FAR, NO, id="an admin's verb elsewhere"),
        pytest.param(command("io.write"), FAR, PASS, id="an engineer's verb elsewhere"),
    ],
)
def test_an_admin_counts_as_engineer_across_sites(
    request_: ActionRequest, target: str, wanted: Wanted
) -> None:
    finding = access.check_role(case_of(request_, target=target))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        assert finding.detail == (
            "requires role admin, across sites every caller counts as engineer"
        )
        assert finding.as_check().remedy == (
            "obtain role admin at a runtime of the target's own site"
        )


@pytest.mark.parametrize(
    ("scope", "actor", "wanted"),
    [
        pytest.param(None, "spiffe://trust/site-c/anna", SKIP, id="a caller without scope"),
        pytest.param((SITE_B,), "spiffe://trust/site-b/anna", PASS, id="within"),
        pytest.param((SITE_B,), "spiffe://trust/site-c/anna", NO, id="outside"),
        pytest.param((SITE_B,), "spiffe://trust/site-bad/anna", NO, id="a longer name"),
        pytest.param((SITE_B,), "spiffe://trust/site/anna", NO, id="a shorter name"),
        pytest.param((SITE_B,), "spiffe://trust/default-site/anna", NO, id="the default site"),
        pytest.param((DEFAULT_SITE,), "spiffe://trust/default-site/anna", PASS, id="its own"),
        pytest.param((SiteName("a"), SITE_B), "spiffe://trust/site-b/x", PASS, id="the second"),
        pytest.param((), "spiffe://trust/site-b/anna", NO, id="no site at all"),
        pytest.param((), "local://engineer", PASS, id="free text claims no site"),
    ],
)
def test_actor_scope(scope: tuple[SiteName, ...] | None, actor: str, wanted: Wanted) -> None:
    request = structs.replace(READ, actor=actor)
    finding = access.check_actor_scope(
        case_of(request, caller=structs.replace(CALLER, scope=scope))
    )
    assert verdict(finding) is wanted
    denied = isinstance(wanted, DenialCode)
    assert finding.as_check().remedy == ("use an actor of the token's site" if denied else None)


RULES: list[Any] = [
    pytest.param((), NO, id="no rule"),
    pytest.param((rule("cfg_apply", "site-b/oven-1"),), PASS, id="action and id"),
    pytest.param((rule("*", "*"),), PASS, id="everything"),
    pytest.param((rule("cfg_apply", "site-b/*"),), PASS, id="a whole site"),
    pytest.param((rule("cfg_apply", "*/oven-1"),), PASS, id="a name in every site"),
    pytest.param((rule("cmd_invoke", "*"),), NO, id="another action"),
    pytest.param((rule("status_read", "*"),), NO, id="an action that needs no rule"),
    pytest.param((rule("*", "site-b*"),), NO, id="a star that matches no slash"),
    pytest.param((rule("*", "site-b/oven-2"),), NO, id="another id"),
    pytest.param((rule("*", "oven-1"),), NO, id="the name alone"),
    pytest.param((rule("*", "*", "press-1"),), PASS, id="from this runtime"),
    pytest.param((rule("*", "*", "press-2"),), NO, id="from another runtime"),
    pytest.param((rule("*", "*", "site-b/*"),), NO, id="from another site"),
    pytest.param((rule("cmd_invoke", "*"), rule("*", "site-b/*")), PASS, id="the second rule"),
]


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(("rules", "wanted"), RULES)
def test_a_write_across_sites_needs_an_outbound_rule(
    rules: tuple[AllowRule, ...], wanted: Wanted, profile: Profile
) -> None:
    facts = structs.replace(FACTS, allow_write=rules, profile=profile)
    finding = access.check_cross_site(case_of(WRITE, target=FAR, facts=facts))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        assert "cross-site write action cfg_apply to site-b/oven-1" in finding.detail
        assert finding.as_check().remedy == (
            "add an allow_write rule at the origin:"
            ' {action = "cfg_apply", target = "site-b/oven-1"}'
        )


@pytest.mark.parametrize(
    ("request_", "target", "wanted"),
    [
        pytest.param(READ, FAR, SKIP, id="a read across sites"),
        pytest.param(WRITE, OWN, SKIP, id="a write here"),
        pytest.param(WRITE, NEAR, SKIP, id="a write in the own site"),
        pytest.param(WRITE, FAR, NO, id="a write across sites"),
        pytest.param(COMMAND, FAR, NO, id="a command across sites"),
        pytest.param(WRITE, FAR_GHOST, NO, id="a write to nobody known across sites"),
        pytest.param(WRITE, "a/b/c", SKIP, id="no target"),
        pytest.param(REBOOT, FAR, SKIP, id="no known action"),
    ],
)
def test_what_crosses_a_site(request_: ActionRequest, target: str, wanted: Wanted) -> None:
    assert verdict(access.check_cross_site(case_of(request_, target=target))) is wanted


def test_the_actor_never_says_what_crosses_a_site() -> None:
    """On an unsited origin `site-b/...` is across, whatever site the actor claims (9.3)."""
    request = structs.replace(WRITE, actor="spiffe://trust/site-b/anna")
    assert verdict(access.check_cross_site(case_of(request, target=FAR))) is NO


@pytest.mark.parametrize(
    ("facts", "request_", "target", "wanted"),
    [
        pytest.param(FACTS, WRITE, NEAR, SKIP, id="dev"),
        pytest.param(PLANT, WRITE, NEAR, SKIP, id="plant"),
        pytest.param(WAN, WRITE, NEAR, NO, id="wan, the own site"),
        pytest.param(WAN, COMMAND, NEAR, NO, id="wan, a command"),
        pytest.param(WAN, WRITE, FAR, NO, id="wan, another site"),
        pytest.param(WAN, WRITE, GHOST, NO, id="wan, nobody known"),
        pytest.param(WAN, WRITE, OWN, SKIP, id="wan, here"),
        pytest.param(WAN, READ, NEAR, SKIP, id="wan, a read"),
        pytest.param(WAN, WRITE, "a/b/c", SKIP, id="wan, no target"),
        pytest.param(
            structs.replace(WAN, allow_write=(rule("cfg_apply", "press-2"),)),
            *(WRITE, NEAR, PASS),
            id="wan, a rule",
        ),
        pytest.param(
            structs.replace(WAN, allow_write=(rule("cfg_apply", "press-3"),)),
            *(WRITE, NEAR, NO),
            id="wan, a rule for another",
        ),
    ],
)
def test_wan_allowlist(
    facts: DecisionFacts, request_: ActionRequest, target: str, wanted: Wanted
) -> None:
    finding = access.check_wan_allowlist(case_of(request_, target=target, facts=facts))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        assert finding.as_check().remedy == (
            "add an allow_write rule at the origin:"
            f' {{action = "{request_.action_type}", target = "{target}"}}'
        )


SEEN_AND_UNFIT = [
    TrustReason.IDENTITY_CHANGED,
    TrustReason.CHAIN_INVALID,
    TrustReason.EXPIRED,
    TrustReason.SIGNATURE_INVALID,
    TrustReason.REVOKED,
]
RENEW = trust_remedy(Profile.PLANT)
PIN = "check the identity, then trust-runtime pki import-bundle --pin"
STOP = "stop all but one process with the id press-2"


@pytest.mark.parametrize(
    ("reason", "profile", "request_", "wanted", "remedy"),
    [
        pytest.param(None, Profile.DEV, WRITE, PASS, None, id="trusted"),
        *(
            pytest.param(reason, profile, request_, wanted, remedy, id=f"{reason}-{name}")
            for reason in SEEN_AND_UNFIT
            for name, profile, request_, wanted, remedy in [
                ("dev write", Profile.DEV, WRITE, NO, PIN),
                ("dev command", Profile.DEV, COMMAND, NO, PIN),
                ("dev read", Profile.DEV, READ, PASS, None),
                ("plant read", Profile.PLANT, READ, NO, RENEW),
                ("wan read", Profile.WAN, READ, NO, RENEW),
            ]
        ),
        pytest.param(
            *(TrustReason.DUPLICATE_INSTANCE, Profile.DEV, WRITE, NO, STOP), id="write to two"
        ),
        pytest.param(
            *(TrustReason.DUPLICATE_INSTANCE, Profile.DEV, READ, NO, STOP), id="read of two"
        ),
        pytest.param(TrustReason.NEVER_SEEN, Profile.DEV, WRITE, SKIP, None, id="never seen"),
        pytest.param(
            *(TrustReason.NEVER_SEEN, Profile.WAN, READ, SKIP, None), id="never seen, wan read"
        ),
    ],
)
def test_trust_in_the_target(
    reason: TrustReason | None,
    profile: Profile,
    request_: ActionRequest,
    *,
    wanted: Wanted,
    remedy: str | None,
) -> None:
    facts = structs.replace(with_peer(NEAR, trust_reason=reason), profile=profile)
    finding = access.check_trust(case_of(request_, facts=facts))
    assert verdict(finding) is wanted
    assert finding.as_check().remedy == remedy
    if remedy is not None:
        assert finding.detail == f"press-2 is untrusted: {reason}"


@pytest.mark.parametrize(
    ("request_", "target", "wanted"),
    [
        pytest.param(WRITE, OWN, SKIP, id="here"),
        pytest.param(WRITE, GHOST, SKIP, id="nobody known"),
        pytest.param(WRITE, "a/b/c", SKIP, id="no target"),
    ],
)
def test_no_trust_is_asked_where_nobody_was_seen(
    request_: ActionRequest, target: str, wanted: Wanted
) -> None:
    assert verdict(access.check_trust(case_of(request_, target=target))) is wanted


@pytest.mark.parametrize(
    ("request_", "target", "wanted"),
    [
        pytest.param(WRITE, OWN, NO, id="a write here"),
        pytest.param(WRITE, NEAR, NO, id="a write"),
        pytest.param(COMMAND, GHOST, NO, id="a command to nobody known"),
        pytest.param(READ, NEAR, PASS, id="a read"),
        pytest.param(READ, OWN, SKIP, id="a read here"),
    ],
)
def test_an_origin_that_does_not_trust_itself_writes_nothing(
    request_: ActionRequest, target: str, wanted: Wanted
) -> None:
    facts = structs.replace(FACTS, own_trust_reason=TrustReason.EXPIRED)
    finding = access.check_trust(case_of(request_, target=target, facts=facts))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        assert finding.detail == "press-1 itself is untrusted: expired"
        assert finding.as_check().remedy is not None


def accepting(*accepts: AcceptedWrite, peer: RuntimeId = FAR, **more: Any) -> DecisionFacts:
    return with_peer(peer, accepts=accepts, **more)


def accepted(action: str, origin: str) -> AcceptedWrite:
    return AcceptedWrite(action=action, origin=origin)


@pytest.mark.parametrize(
    ("facts", "request_", "target", "wanted"),
    [
        pytest.param(accepting(), WRITE, FAR, NO, id="it accepts nothing"),
        pytest.param(accepting(ANY_WRITE), WRITE, FAR, PASS, id="it accepts everything"),
        pytest.param(
            *(accepting(accepted("cfg_apply", "press-1")), WRITE, FAR, PASS), id="action and origin"
        ),
        pytest.param(accepting(accepted("cmd_invoke", "*")), WRITE, FAR, NO, id="another action"),
        pytest.param(accepting(accepted("*", "press-2")), WRITE, FAR, NO, id="another origin"),
        pytest.param(
            accepting(accepted("*", "press-2"), accepted("*", "press-*")),
            *(WRITE, FAR, PASS),
            id="the second rule",
        ),
        pytest.param(accepting(), READ, FAR, SKIP, id="a read"),
        pytest.param(accepting(peer=NEAR), WRITE, NEAR, SKIP, id="the own site"),
        pytest.param(
            structs.replace(accepting(peer=NEAR), profile=Profile.PLANT),
            *(WRITE, NEAR, SKIP),
            id="the own site in plant",
        ),
        pytest.param(
            structs.replace(accepting(peer=NEAR), profile=Profile.WAN),
            *(WRITE, NEAR, NO),
            id="the own site in wan",
        ),
        pytest.param(
            accepting(peer=NEAR, profile=Profile.WAN), WRITE, NEAR, NO, id="it is in wan itself"
        ),
        pytest.param(
            structs.replace(accepting(peer=NEAR, profile=Profile.DEV), profile=Profile.WAN),
            *(WRITE, NEAR, SKIP),
            id="the own site in wan, but not the target",
        ),
        pytest.param(accepting(accepts_cut=True), WRITE, FAR, SKIP, id="it has more rules"),
        pytest.param(
            accepting(ANY_WRITE, accepts_cut=True), WRITE, FAR, PASS, id="more, but this is enough"
        ),
        pytest.param(structs.replace(FACTS, profile=Profile.WAN), WRITE, OWN, SKIP, id="here"),
        pytest.param(FACTS, WRITE, FAR_GHOST, SKIP, id="nobody known"),
        pytest.param(
            accepting(trust_reason=TrustReason.NEVER_SEEN), WRITE, FAR, SKIP, id="never seen"
        ),
        pytest.param(
            accepting(target_state=TargetState.OFFLINE), WRITE, FAR, NO, id="its last word counts"
        ),
        pytest.param(FACTS, WRITE, "a/b/c", SKIP, id="no target"),
    ],
)
def test_target_policy(
    facts: DecisionFacts, request_: ActionRequest, target: str, wanted: Wanted
) -> None:
    finding = access.check_target_policy(case_of(request_, target=target, facts=facts))
    assert verdict(finding) is wanted
    if isinstance(wanted, DenialCode):
        # At a target with a site a bare name would mean that site.
        origin = "default-site/press-1" if target == FAR else "press-1"
        assert finding.as_check().remedy == (
            "add the inbound rule at the target:"
            f' {{action = "cfg_apply", target = "{target}", from = "{origin}"}}'
        )


@given(
    target=st.sampled_from(IDS),
    own=st.sampled_from(IDS),
    rules=st.lists(st.sampled_from(PATTERNS).map(lambda pattern: rule("*", pattern)), max_size=3),
    profile=st.sampled_from(Profile),
)
def test_the_rule_a_remedy_names_is_the_one_that_was_missing(
    target: RuntimeId, own: RuntimeId, rules: list[AllowRule], profile: Profile
) -> None:
    facts = structs.replace(
        *(FACTS,),
        own=own,
        site=site_of(own),
        peers={peer: ONLINE for peer in IDS if peer != own},
        allow_write=tuple(rules),
        profile=profile,
    )
    long_form = f"{site_of(target)}/{target.rpartition('/')[2]}"
    mended = structs.replace(facts, allow_write=(*rules, rule("cfg_apply", target)))
    for check in (access.check_cross_site, access.check_wan_allowlist):
        before = check(case_of(WRITE, target=long_form, facts=facts))
        after = check(case_of(WRITE, target=long_form, facts=mended))
        if verdict(before) is NO:
            assert f'target = "{spelled_in(facts.site, target)}"' in (
                before.as_check().remedy or ""
            )
            assert verdict(after) is PASS
        else:
            assert verdict(after) is verdict(before)
