"""`core.policy.payload`: check 9, and what the executor reads from a payload (8.1, 8.2, 10.1)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import (
    COMMAND,
    FACTS,
    GHOST,
    NEAR,
    OWN,
    READ,
    WRITE,
    case_of,
    verdict,
)
from decision_strategies import any_json, payloads
from trust_runtime.contracts.actions import VERBS, ActionType
from trust_runtime.contracts.decisions import CheckOutcome
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.core.config.patch import PATCH_KEYS_MAX
from trust_runtime.core.policy.case import ConfigFacts
from trust_runtime.core.policy.payload import (
    check_payload,
    command_denial,
    params_of,
    patch_of,
    redacted_payload,
    verb_denial,
    verb_of,
)

PASS, SKIP = CheckOutcome.PASS, CheckOutcome.SKIP
BAD, UNSET = DenialCode.CONTRACT_VIOLATION, DenialCode.NOT_CONFIGURED

SPARE_KEYS = {f"no.such.{number}": None for number in range(PATCH_KEYS_MAX)}
TOO_MANY = {**SPARE_KEYS, "log.level": "warn"}


def told(denial: Denial | None) -> str:
    """Return everything a denial says, or nothing."""
    return "" if denial is None else f"{denial.code}: {denial.reason}; {denial.remedy}"


@pytest.mark.parametrize(
    ("payload", "code", "says"),
    [
        pytest.param({}, None, "", id="an absent payload"),
        pytest.param({"log.level": "warn"}, None, "", id="flat"),
        pytest.param({"params": {}}, None, "", id="an empty patch"),
        pytest.param({"params": {"log.level": "warn"}}, None, "", id="nested"),
        pytest.param({"params": {"log.level": None}}, None, "", id="a deleted key"),
        pytest.param([], BAD, "payload is no object", id="a list"),
        pytest.param(None, BAD, "payload is no object", id="null"),
        pytest.param("log.level", BAD, "payload is no object", id="a text"),
        pytest.param({"params": None}, BAD, "payload.params is no object", id="params null"),
        pytest.param({"params": []}, BAD, "payload.params is no object", id="params a list"),
        pytest.param(
            *({"params": {}, "parms": 1}, BAD, "payload.parms is unknown (did you mean 'params'?)"),
            id="a member misspelt",
        ),
        pytest.param(
            *({"params": {}, "log.level": "warn"}, BAD, "payload.log.level is unknown"),
            id="flat and nested at once",
        ),
        pytest.param({"params": {}, "expected_revision": 0}, None, "", id="revision 0"),
        pytest.param({"params": {}, "expected_revision": None}, None, "", id="revision null"),
        pytest.param(
            {"params": {}, "expected_revision": -1}, BAD, "expected_revision", id="revision -1"
        ),
        pytest.param(
            {"params": {}, "expected_revision": True}, BAD, "expected_revision", id="revision true"
        ),
        pytest.param(
            {"params": {}, "expected_revision": "1"}, BAD, "expected_revision", id="revision a text"
        ),
        pytest.param(
            {"params": {}, "expected_revision": 1.0}, BAD, "expected_revision", id="revision 1.0"
        ),
        pytest.param({"params": {}, "expected_etag": "sha256:aa"}, None, "", id="an etag"),
        pytest.param({"params": {}, "expected_etag": None}, None, "", id="etag null"),
        pytest.param({"params": {}, "expected_etag": 1}, BAD, "expected_etag", id="etag a number"),
        pytest.param(
            *({"expected_revision": 1}, BAD, "unknown config key 'expected_revision'"),
            id="flat, a revision is a key",
        ),
        pytest.param({"ha": {}}, UNSET, "payload.ha", id="flat ha"),
        pytest.param({"params": {}, "ha": None}, UNSET, "payload.ha", id="ha beside params"),
        pytest.param(
            {"params": {"log.levle": "warn"}}, BAD, "unknown config key 'log.levle'", id="no key"
        ),
        pytest.param({"resource.name": "x"}, BAD, "resource.name", id="a key of the file"),
        pytest.param(
            {"log.levle": 1, "resource.name": "x"}, BAD, "'log.levle'", id="two, the first"
        ),
        pytest.param(
            {"log.levle": 1, "resource.name": "x"}, BAD, "resource.name", id="two, the second"
        ),
        pytest.param(TOO_MANY, BAD, "the patch has 129 keys; send at most 128", id="too many keys"),
        pytest.param(SPARE_KEYS, BAD, "unknown config key 'no.such.0'", id="as many as allowed"),
    ],
)
@pytest.mark.parametrize("target", [OWN, NEAR, GHOST])
def test_configuration(payload: Any, code: DenialCode | None, says: str, target: str) -> None:
    finding = check_payload(case_of(structs.replace(WRITE, payload=payload), target=target))
    assert verdict(finding) is (PASS if code is None else code)
    assert says in told(finding.denial)


def test_a_value_is_judged_where_the_configuration_is_known() -> None:
    request = structs.replace(WRITE, payload={"params": {"log.level": "loud"}})
    assert verdict(check_payload(case_of(request, target=NEAR))) is PASS
    finding = check_payload(case_of(request, target=OWN))
    assert verdict(finding) is BAD
    assert "log.level" in finding.detail
    assert '"loud"' in finding.detail


def test_a_value_is_judged_with_the_documents_it_joins() -> None:
    request = structs.replace(WRITE, payload={"runtime_cloud.presence.partition_after_ms": 5_000})
    stale = {"runtime_cloud.presence.stale_after_ms": 5_000}
    config = ConfigFacts(file_values=FACTS.config.file_values, document=stale)
    assert verdict(check_payload(case_of(request, target=OWN))) is PASS
    facts = structs.replace(FACTS, config=config)
    assert verdict(check_payload(case_of(request, target=OWN, facts=facts))) is BAD


@pytest.mark.parametrize(
    ("payload", "code", "says"),
    [
        pytest.param({"command": "status"}, None, "", id="no params"),
        pytest.param({"command": "status", "params": {}}, None, "", id="empty params"),
        pytest.param({"command": "status", "params": None}, None, "", id="params null"),
        pytest.param({"command": "config.get", "params": {"keys": []}}, None, "", id="no keys"),
        pytest.param(
            {"command": "config.get", "params": {"keys": ["log.level"]}}, None, "", id="a key"
        ),
        pytest.param({"command": "config.get", "params": {"keys": None}}, None, "", id="keys null"),
        pytest.param(
            {"command": "config.get", "params": {"keys": "log.level"}}, BAD, "keys", id="keys text"
        ),
        pytest.param(
            {"command": "config.get", "params": {"keys": 5}}, BAD, "params.keys", id="keys a number"
        ),
        pytest.param(
            {"command": "config.get", "params": {"keys": ["a", 1]}}, BAD, "keys", id="keys mixed"
        ),
        pytest.param(
            {"command": "shutdown", "params": {"confirm": True}}, None, "", id="confirmed"
        ),
        pytest.param({"command": "shutdown"}, BAD, "confirm", id="not confirmed"),
        pytest.param(
            {"command": "shutdown", "params": {"confirm": False}}, BAD, "confirm", id="refused"
        ),
        pytest.param({"command": "shutdown", "params": {"confirm": 1}}, BAD, "confirm", id="1"),
        pytest.param(
            {"command": "shutdown", "params": {"confirm": "true"}}, BAD, "confirm", id="a word"
        ),
        pytest.param({}, BAD, "payload.command", id="an absent payload"),
        pytest.param([], BAD, "payload is no object", id="a list"),
        pytest.param({"command": None}, BAD, "payload.command", id="command null"),
        pytest.param({"command": 1}, BAD, "payload.command", id="command a number"),
        pytest.param({"command": " \t"}, BAD, "payload.command", id="command blank"),
        pytest.param({"command": "status "}, BAD, "'status ' is unknown", id="not trimmed"),
        pytest.param({"command": "statsu"}, BAD, "did you mean 'status'", id="misspelt"),
        pytest.param({"comand": "status"}, BAD, "did you mean 'command'", id="a member misspelt"),
        pytest.param({"command": "status", "ha": {}}, UNSET, "payload.ha", id="ha"),
        pytest.param({"command": "status", "params": []}, BAD, "payload.params", id="params list"),
        pytest.param({"command": "status", "params": 0}, BAD, "payload.params", id="params 0"),
        pytest.param(
            {"command": "status", "params": {"x": 1}}, BAD, "allowed: no parameters", id="a param"
        ),
        pytest.param(
            *({"command": "config.get", "params": {"kyes": []}}, BAD, "did you mean 'keys'"),
            id="a param misspelt",
        ),
        pytest.param(
            *({"command": "config.set", "params": {"log.level": "warn"}}, BAD, "use action_type"),
            id="config.set",
        ),
        pytest.param({"command": "pair.start"}, BAD, "local only", id="local only"),
        pytest.param({"command": "peers.list"}, BAD, "control socket", id="local only and built"),
        pytest.param({"command": "restart"}, UNSET, "not in this version", id="not built"),
        pytest.param(
            {"command": "restart", "params": {"x": 1}}, UNSET, "not in this version", id="unbuilt"
        ),
    ],
)
def test_command(payload: Any, code: DenialCode | None, says: str) -> None:
    denial = command_denial(payload)
    assert (denial and denial.code) is code
    assert says in told(denial)
    finding = check_payload(case_of(structs.replace(COMMAND, payload=payload)))
    assert finding.denial == denial
    assert verdict(finding) is (PASS if code is None else code)


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_is_decided_by_its_entry_in_the_table(name: str) -> None:
    verb = VERBS[name]
    params = {"confirm": True} if name == "shutdown" else {}
    denial = command_denial({"command": name, "params": params})
    if verb.local_only or name == "config.set":
        assert (denial and denial.code) is BAD
    else:
        assert (denial and denial.code) is (None if verb.built else UNSET)
    assert verb_of({"command": name}) is verb


@pytest.mark.parametrize(
    ("params", "at_the_socket", "from_afar"),
    [
        pytest.param({}, None, BAD, id="no word"),
        pytest.param({"confirm": None}, None, BAD, id="null"),
        pytest.param({"confirm": True}, None, None, id="confirmed"),
        pytest.param({"confirm": False}, BAD, BAD, id="refused"),
        pytest.param({"now": True}, BAD, BAD, id="another parameter"),
    ],
)
def test_the_control_socket_needs_no_confirmation(
    params: dict[str, Any], at_the_socket: DenialCode | None, from_afar: DenialCode | None
) -> None:
    for local, code in ((True, at_the_socket), (False, from_afar)):
        denial = verb_denial(VERBS["shutdown"], params, local=local)
        assert (denial and denial.code) is code


@pytest.mark.parametrize(
    ("verb", "reason", "remedy"),
    [
        ("tasks.stats", "it needs a program engine", "trust-runtime api metrics"),
        ("pause", "it needs a program engine", "use a version that has it"),
        ("audit.heads", "verb audit.heads is not in this version", "use a version that has it"),
    ],
)
def test_a_verb_that_is_not_built_says_what_is_missing(verb: str, reason: str, remedy: str) -> None:
    denial = verb_denial(VERBS[verb], {}, local=True)
    assert denial is not None
    assert denial.code is DenialCode.NOT_CONFIGURED
    assert denial.reason.endswith(reason)
    assert remedy in denial.remedy


def test_a_verb_of_any_parameters_takes_any() -> None:
    assert verb_denial(VERBS["config.set"], {"anything": 1}, local=True) is None


@pytest.mark.parametrize(
    ("payload", "patch"),
    [
        pytest.param({"params": {"a": 1}, "ha": 1}, {"a": 1}, id="nested"),
        pytest.param({"params": None}, None, id="nested, but no object"),
        pytest.param({"a": 1, "ha": 1}, {"a": 1}, id="flat, without ha"),
        pytest.param({}, {}, id="empty"),
        pytest.param([1], None, id="no object"),
    ],
)
def test_patch_of(payload: Any, patch: Any) -> None:
    assert patch_of(payload) == patch


@pytest.mark.parametrize(
    ("payload", "params"),
    [
        ({"command": "status", "params": {"a": 1}}, {"a": 1}),
        ({"command": "status", "params": None}, {}),
        ({"command": "status", "params": [1]}, {}),
        ({"command": "status"}, {}),
        (None, {}),
    ],
)
def test_params_of(payload: Any, params: dict[str, Any]) -> None:
    assert params_of(payload) == params


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"command": []}, {"command": "statsu"}, "status"]
)
def test_no_verb_is_found_where_none_is_named(payload: Any) -> None:
    assert verb_of(payload) is None


@pytest.mark.parametrize(
    ("payload", "redacted"),
    [
        pytest.param(
            {"params": {"mesh.auth_token": "s", "log.level": "warn"}, "expected_revision": 1},
            {"params": {"mesh.auth_token": "<redacted>", "log.level": "warn"},
             "expected_revision": 1},
            id="nested",
        ),
        pytest.param(
            {"mesh.auth_token": "s", "log.level": "warn"},
            {"mesh.auth_token": "<redacted>", "log.level": "warn"},
            id="flat",
        ),
        pytest.param({"params": {"log.level": "warn"}}, {"params": {"log.level": "warn"}}, id="no"),
        pytest.param({"params": [1]}, {"params": [1]}, id="params that are none"),
        pytest.param({"params": None}, {"params": None}, id="params null"),
        pytest.param([1], [1], id="no object"),
        pytest.param(None, None, id="null"),
    ],
)  # fmt: skip
def test_secret_values_are_no_part_of_a_recorded_digest(payload: Any, redacted: Any) -> None:
    assert redacted_payload(payload) == redacted


@given(secret=st.text(min_size=12), rest=payloads(any_json))
def test_no_secret_survives_redaction(secret: str, rest: Any) -> None:
    base = rest if isinstance(rest, dict) else {}
    for payload in (
        {**base, "mesh.auth_token": secret},
        {**base, "params": {"mesh.auth_token": secret}},
    ):
        assert json.dumps(secret) not in json.dumps(redacted_payload(payload))


@given(payload=any_json)
def test_reading_the_status_ignores_its_payload(payload: Any) -> None:
    assert verdict(check_payload(case_of(structs.replace(READ, payload=payload)))) is PASS


@given(payload=payloads(any_json) | any_json, target=st.sampled_from([OWN, NEAR, "a/b/c"]))
def test_no_payload_does_more_than_be_denied(payload: Any, target: str) -> None:
    for action in ActionType:
        request = structs.replace(READ, action_type=action, payload=payload)
        finding = check_payload(case_of(request, target=target))
        assert verdict(finding) in (PASS, BAD, UNSET)
        if finding.denial is not None:
            assert finding.denial.remedy.strip()
            assert finding.detail.strip()
    unknown = structs.replace(READ, action_type="reboot", payload=payload)
    assert verdict(check_payload(case_of(unknown, target=target))) is SKIP


@given(payload=payloads(any_json))
def test_an_allowed_payload_gives_its_executor_what_it_needs(payload: Any) -> None:
    if verdict(check_payload(case_of(structs.replace(WRITE, payload=payload)))) is PASS:
        assert isinstance(patch_of(payload), dict)
    if verdict(check_payload(case_of(structs.replace(COMMAND, payload=payload)))) is PASS:
        verb = verb_of(payload)
        assert verb is not None
        assert verb.built
        assert not verb.local_only
        assert set(params_of(payload)) <= set(verb.params)
