"""`core.policy.inbound`: the target decides for itself (contract 8.3, 9.2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import (
    CALLER,
    COMMAND,
    FACTS,
    FAR,
    GHOST,
    NEAR,
    READ,
    WRITE,
    Question,
    rule,
    with_peer,
)
from decision_strategies import ACTIONS, IDS, PATTERNS, any_json, payloads, questions, worsenings
from trust_runtime.contracts.actions import VERBS, ActionRequest, ActionType
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import STANDARD_REMEDY, Denial, DenialCode
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.contracts.policy import AllowRule, Profile, Role
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.policy.case import DecisionFacts
from trust_runtime.core.policy.inbound import (
    ANNOUNCED_BYTES_MAX,
    accepted_writes,
    announced_writes,
    counted,
    decide_inbound,
)
from trust_runtime.core.policy.patterns import pattern_matches
from trust_runtime.core.trust import trust_remedy

NO, NO_WRITE = DenialCode.PERMISSION_DENIED, DenialCode.ACL_DENIED_CFG_WRITE
BAD, UNSET = DenialCode.CONTRACT_VIOLATION, DenialCode.NOT_CONFIGURED
LONG = ("*", "site-a/*", *(f"site-{number}/" + "x" * 100 for number in range(40)))
OPEN = structs.replace(FACTS, allow_write=(rule("*", "*"),))
ADMINS_KEY = structs.replace(WRITE, payload={"params": {"web.enabled": True}})
SHUTDOWN = structs.replace(COMMAND, payload={"command": "shutdown", "params": {"confirm": True}})
PAUSE = structs.replace(COMMAND, payload={"command": "pause"})


def judged(
    request: ActionRequest,
    origin: RuntimeId = NEAR,
    *,
    role: Role = Role.ADMIN,
    facts: DecisionFacts = FACTS,
) -> Denial | None:
    caller = structs.replace(CALLER, identity=f"spiffe://trust/{origin}", role=role)
    return decide_inbound(request, caller, facts, origin=origin)


def code_of(denial: Denial | None) -> DenialCode | None:
    return None if denial is None else denial.code


@pytest.mark.parametrize(
    ("request_", "origin", "role", "code"),
    [
        pytest.param(READ, NEAR, Role.VIEWER, None, id="a viewer reads"),
        pytest.param(WRITE, NEAR, Role.OPERATOR, NO_WRITE, id="an operator configures"),
        pytest.param(WRITE, NEAR, Role.ENGINEER, None, id="an engineer configures"),
        pytest.param(ADMINS_KEY, NEAR, Role.ENGINEER, NO_WRITE, id="an engineer, an admin's key"),
        pytest.param(ADMINS_KEY, NEAR, Role.ADMIN, None, id="an admin, an admin's key"),
        pytest.param(ADMINS_KEY, FAR, Role.ADMIN, NO_WRITE, id="an admin of another site"),
        pytest.param(WRITE, FAR, Role.ADMIN, None, id="another site, an engineer's key"),
        pytest.param(COMMAND, NEAR, Role.VIEWER, NO, id="a viewer commands"),
        pytest.param(COMMAND, NEAR, Role.OPERATOR, None, id="an operator commands"),
        pytest.param(SHUTDOWN, NEAR, Role.ENGINEER, NO, id="an engineer, an admin's verb"),
        pytest.param(SHUTDOWN, NEAR, Role.ADMIN, None, id="an admin, an admin's verb"),
        pytest.param(SHUTDOWN, FAR, Role.ADMIN, NO, id="another site, an admin's verb"),
    ],
)
def test_the_role_the_origin_claims(
    request_: ActionRequest, origin: RuntimeId, role: Role, code: DenialCode | None
) -> None:
    denial = judged(request_, origin, role=role, facts=OPEN)
    assert code_of(denial) is code
    if denial is not None:
        assert denial.remedy.startswith("obtain role ")


@pytest.mark.parametrize(
    ("rules", "origin", "profile", "code"),
    [
        pytest.param((), NEAR, Profile.DEV, None, id="the own site"),
        pytest.param((), NEAR, Profile.PLANT, None, id="the own site in plant"),
        pytest.param((), NEAR, Profile.WAN, NO, id="the own site in wan"),
        pytest.param((), FAR, Profile.DEV, NO, id="another site"),
        pytest.param((rule("*", "*"),), FAR, Profile.DEV, None, id="everything"),
        pytest.param((rule("*", "*"),), NEAR, Profile.WAN, None, id="everything in wan"),
        pytest.param((rule("cfg_apply", "press-1"),), FAR, Profile.DEV, None, id="this runtime"),
        pytest.param((rule("cfg_apply", "press-2"),), FAR, Profile.DEV, NO, id="another runtime"),
        pytest.param((rule("cfg_apply", "site-b/*"),), FAR, Profile.DEV, NO, id="outbound only"),
        pytest.param((rule("cmd_invoke", "*"),), FAR, Profile.DEV, NO, id="another action"),
        pytest.param((rule("*", "*", "site-b/*"),), FAR, Profile.DEV, None, id="its site"),
        pytest.param((rule("*", "*", "site-c/*"),), FAR, Profile.DEV, NO, id="another origin"),
        pytest.param(
            (rule("*", "*", "site-c/*"), rule("*", "*", FAR)), FAR, Profile.DEV, None, id="second"
        ),
    ],
)
def test_inbound_rules(
    rules: tuple[AllowRule, ...], origin: RuntimeId, profile: Profile, code: DenialCode | None
) -> None:
    facts = structs.replace(FACTS, allow_write=rules, profile=profile)
    denial = judged(WRITE, origin, facts=facts)
    assert code_of(denial) is code
    assert judged(READ, origin, facts=facts) is None
    if denial is not None:
        what = "cross-site write action" if origin == FAR else "remote write"
        assert f"{what} cfg_apply from {origin}" in denial.reason
        assert denial.remedy == (
            "add an allow_write rule at the target:"
            f' {{action = "cfg_apply", target = "press-1", from = "{origin}"}}'
        )


@pytest.mark.parametrize(
    ("reason", "profile", "read", "write"),
    [
        pytest.param(None, Profile.WAN, None, None, id="trusted"),
        pytest.param(TrustReason.NEVER_SEEN, Profile.DEV, None, None, id="never seen"),
        pytest.param(TrustReason.IDENTITY_CHANGED, Profile.DEV, None, NO, id="dev"),
        pytest.param(TrustReason.IDENTITY_CHANGED, Profile.PLANT, NO, NO, id="plant"),
        pytest.param(TrustReason.EXPIRED, Profile.WAN, NO, NO, id="wan"),
        pytest.param(TrustReason.DUPLICATE_INSTANCE, Profile.DEV, NO, NO, id="two of them"),
    ],
)
def test_trust_in_the_origin(
    reason: TrustReason | None,
    profile: Profile,
    read: DenialCode | None,
    write: DenialCode | None,
) -> None:
    facts = structs.replace(
        with_peer(NEAR, trust_reason=reason), profile=profile, allow_write=(rule("*", "*"),)
    )
    assert code_of(judged(READ, facts=facts)) is read
    denial = judged(WRITE, facts=facts)
    assert code_of(denial) is write
    if denial is not None:
        assert denial.reason == f"press-2 is untrusted here: {reason}"
        assert denial.remedy == trust_remedy(profile)


def test_an_origin_that_is_no_peer_yet_is_judged_by_its_signature_alone() -> None:
    assert judged(WRITE, GHOST) is None


def test_a_target_that_does_not_trust_itself_writes_nothing() -> None:
    facts = structs.replace(FACTS, own_trust_reason=TrustReason.DUPLICATE_INSTANCE)
    assert code_of(judged(WRITE, facts=facts)) is NO
    assert judged(READ, facts=facts) is None


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param({"params": {"log.level": "warn"}}, None, id="a key and value that fit"),
        pytest.param({"params": {"log.level": "loud"}}, BAD, id="a value that does not fit"),
        pytest.param(
            {"params": {"log.level": "unknown config key"}}, BAD, id="a value with those words"
        ),
        pytest.param({"params": {"resource.name": "x"}}, BAD, id="a key of the file"),
        pytest.param({"params": {"log.levle": 1}}, DenialCode.SCHEMA_MISMATCH, id="no such key"),
        pytest.param({"log.levle": 1}, DenialCode.SCHEMA_MISMATCH, id="no such key, flat"),
        pytest.param(
            *({"log.level": "loud", "log.levle": 1}, DenialCode.SCHEMA_MISMATCH),
            id="no such key beside a bad value",
        ),
    ],
)
def test_what_only_the_targets_schema_tells(payload: Any, code: DenialCode | None) -> None:
    denial = judged(structs.replace(WRITE, payload=payload))
    assert code_of(denial) is code
    if denial is not None and code is DenialCode.SCHEMA_MISMATCH:
        assert "unknown config key 'log.levle'" in denial.reason
        assert denial.remedy == STANDARD_REMEDY[DenialCode.SCHEMA_MISMATCH]


def test_the_code_does_not_follow_the_words_of_a_payload() -> None:
    request = structs.replace(COMMAND, payload={"command": "unknown config key"})
    assert code_of(judged(request)) is BAD


def test_an_unknown_key_hides_no_other_denial() -> None:
    request = structs.replace(WRITE, payload={"log.levle": 1})
    unmet = structs.replace(FACTS, unmet=("runtime.web.tls=true",))
    assert code_of(judged(request, facts=unmet)) is UNSET


@pytest.mark.parametrize(("is_open", "code"), [(True, None), (False, UNSET)])
def test_the_own_debug_gate(
    monkeypatch: pytest.MonkeyPatch, *, is_open: bool, code: DenialCode | None
) -> None:
    facts = structs.replace(FACTS, debug_enabled=is_open)
    assert code_of(judged(PAUSE, facts=facts)) is UNSET  # However it stands: not built.
    monkeypatch.setitem(VERBS, "pause", structs.replace(VERBS["pause"], built=True))
    denial = judged(PAUSE, facts=facts)
    assert code_of(denial) is code
    if denial is not None:
        assert denial.remedy == "set control.debug_enabled on the target"


@pytest.mark.parametrize(
    ("changes", "request_", "role", "code"),
    [
        pytest.param({}, READ, Role.ADMIN, None, id="nothing is wrong"),
        pytest.param(
            {"unmet": ("runtime.web.tls=true",)}, READ, Role.ADMIN, UNSET, id="an unmet profile"
        ),
        pytest.param(
            *({"unmet": ("identity",)}, structs.replace(WRITE, payload=[]), Role.VIEWER, UNSET),
            id="an unmet profile before all else",
        ),
        pytest.param(
            *({"store_fault": "full"}, READ, Role.ADMIN, DenialCode.TRANSPORT_FAILURE),
            id="no records",
        ),
        pytest.param(
            *({"store_fault": "full"}, WRITE, Role.VIEWER, NO_WRITE), id="a role before no records"
        ),
        pytest.param(
            *({}, structs.replace(WRITE, payload=[]), Role.VIEWER, BAD), id="payload before role"
        ),
        pytest.param(
            *({"own_trust_reason": TrustReason.EXPIRED, "store_fault": "full"}, WRITE),
            *(Role.ADMIN, DenialCode.TRANSPORT_FAILURE),
            id="no records before trust",
        ),
        pytest.param(
            {}, structs.replace(READ, action_type="reboot"), Role.ADMIN, BAD, id="no known action"
        ),
    ],
)
def test_order(
    changes: dict[str, Any], request_: ActionRequest, *, role: Role, code: DenialCode | None
) -> None:
    assert code_of(judged(request_, role=role, facts=structs.replace(FACTS, **changes))) is code


def test_trust_stands_before_the_inbound_rule() -> None:
    facts = with_peer(FAR, trust_reason=TrustReason.EXPIRED)
    denial = judged(WRITE, FAR, facts=facts)
    assert denial is not None
    assert "untrusted" in denial.reason


@given(
    own=st.sampled_from(IDS),
    rules=st.lists(
        st.builds(rule, st.sampled_from(ACTIONS), st.sampled_from(PATTERNS), st.sampled_from(LONG)),
        max_size=60,
    ),
)
def test_what_a_beacon_announces_is_accepted_and_fits_and_a_cut_is_told(
    own: RuntimeId, rules: list[AllowRule]
) -> None:
    accepted, announced = accepted_writes(own, rules), announced_writes(own, rules)
    distinct = list(dict.fromkeys(accepted))
    assert list(announced.rules) == distinct[: len(announced.rules)]
    assert announced.cut is (len(announced.rules) < len(distinct))
    room = len(encode_json(announced.rules))
    assert room <= ANNOUNCED_BYTES_MAX + 2
    if announced.cut:
        assert room + len(encode_json(distinct[len(announced.rules)])) >= ANNOUNCED_BYTES_MAX


@given(
    own=st.sampled_from(IDS),
    rules=st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(PATTERNS)), max_size=4),
)
def test_a_beacon_announces_exactly_the_rules_about_its_sender(
    own: RuntimeId, rules: list[tuple[str, str]]
) -> None:
    given_rules = [rule("cfg_apply", target, origin) for target, origin in rules]
    accepted = accepted_writes(own, given_rules)
    assert [entry.origin for entry in accepted] == [
        origin for target, origin in rules if pattern_matches(target, own)
    ]
    assert all(entry.action == "cfg_apply" for entry in accepted)


def inbound(question: Question, origin: RuntimeId) -> Denial | None:
    return decide_inbound(question.request, question.caller, question.facts, origin=origin)


@given(question=questions(), origin=st.sampled_from(IDS), data=st.data())
def test_nothing_worse_opens_a_target(
    question: Question, origin: RuntimeId, data: st.DataObject
) -> None:
    if origin == question.facts.own:
        return
    before = inbound(question, origin)
    after = inbound(data.draw(worsenings(question)), origin)
    assert before is None or after is not None


@given(question=questions(payloads(any_json) | any_json), origin=st.sampled_from(IDS))
def test_every_question_has_an_answer_with_a_remedy(question: Question, origin: RuntimeId) -> None:
    denial = inbound(question, origin)
    assert inbound(question, origin) == denial
    if denial is None:
        assert question.request.action_type in set(ActionType)
    else:
        assert denial.reason.strip()
        assert denial.remedy.strip()


@given(question=questions(), origin=st.sampled_from(IDS))
def test_no_write_from_another_site_runs_without_an_inbound_rule(
    question: Question, origin: RuntimeId
) -> None:
    facts = question.facts
    if inbound(question, origin) is None and question.request.action_type != "status_read":
        assert facts.unmet == ()
        assert facts.own_trust_reason is None
        crosses = site_of(origin) != facts.site or facts.profile is Profile.WAN
        assert not crosses or any(
            entry.action in ("*", question.request.action_type)
            and pattern_matches(entry.origin, origin)
            for entry in accepted_writes(facts.own, facts.allow_write)
        )


@pytest.mark.parametrize(
    ("origin", "role", "counts"),
    [
        (NEAR, Role.ADMIN, Role.ADMIN),
        (NEAR, Role.VIEWER, Role.VIEWER),
        (FAR, Role.ADMIN, Role.ENGINEER),
        (FAR, Role.ENGINEER, Role.ENGINEER),
        (FAR, Role.OPERATOR, Role.OPERATOR),
    ],
)
def test_across_sites_a_role_counts_as_engineer_at_most(
    origin: RuntimeId, role: Role, counts: Role
) -> None:
    caller = structs.replace(CALLER, role=role)
    assert counted(caller, origin=origin, own=FACTS.own) == structs.replace(caller, role=counts)


@pytest.mark.parametrize(
    ("patch", "code", "by_form"),
    [
        ({"log.level": "loud"}, BAD, None),
        ({"log.level": "warn"}, None, None),
        ({"resource.name": "x"}, BAD, BAD),
        ({"log.levl": "warn"}, DenialCode.SCHEMA_MISMATCH, DenialCode.SCHEMA_MISMATCH),
    ],
)
def test_values_are_left_to_the_agent_when_only_the_form_is_asked_for(
    patch: dict[str, Any], code: DenialCode | None, by_form: DenialCode | None
) -> None:
    request = structs.replace(WRITE, payload={"params": patch})
    assert code_of(decide_inbound(request, CALLER, FACTS, origin=NEAR)) is code
    assert code_of(decide_inbound(request, CALLER, FACTS, origin=NEAR, form_only=True)) is by_form


def test_the_form_alone_still_asks_for_the_role() -> None:
    caller = structs.replace(CALLER, role=Role.OPERATOR)
    denial = decide_inbound(WRITE, caller, FACTS, origin=NEAR, form_only=True)
    assert code_of(denial) is NO_WRITE
