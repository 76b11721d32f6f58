"""`contracts.actions`: contract 1.6, 6.7, 8.1, 14.4."""

import pytest

from trust_runtime.contracts import actions
from trust_runtime.contracts.actions import VERBS, ActionRequest, ActionType, OnDenied
from trust_runtime.contracts.codec import convert
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.policy import Role

NEEDED = {
    "api_version": "1.0",
    "request_id": "r-1",
    "connected_via": "runtime-a",
    "target_runtimes": ["runtime-b"],
    "actor": "local://engineer",
    "action_type": "status_read",
}
BUILT = {"status", "health", "config.get", "config.set", "shutdown", "audit.list", "audit.get"}
BUILT |= {"pair.start", "pair.list", "pair.revoke", "pair.claim"}
LOCAL_ONLY = {
    *("pair.start", "pair.list", "pair.revoke", "pair.claim"),
    *("audit.list", "audit.get"),  # Not through dispatch in this version.
}
DEBUG = {
    *("var.read", "var.forced", "debug.state", "debug.stack", "debug.variables"),
    *("breakpoints.list", "eval", "pause", "resume", "step_in", "step_over", "step_out"),
    *("breakpoints.set", "breakpoints.clear", "breakpoints.clear_all", "breakpoints.clear_id"),
    *("set", "var.force", "var.unforce", "io.force", "io.unforce"),
}
ROLES = {
    Role.VIEWER: {
        *("status", "health", "tasks.stats", "events.tail", "events", "faults", "config.get"),
        *("io.list", "io.read", "var.list", "audit.list", "audit.get", "audit.heads"),
        *("var.read", "var.forced", "debug.state", "debug.stack", "debug.variables"),
        "breakpoints.list",
        "pair.claim",  # Nobody has to be anybody for it.
    },
    Role.OPERATOR: {"pause", "resume", "restart"},
    Role.ENGINEER: {
        *("eval", "step_in", "step_over", "step_out", "breakpoints.set", "breakpoints.clear"),
        *("breakpoints.clear_all", "breakpoints.clear_id", "set", "var.force", "var.unforce"),
        *("io.write", "io.force", "io.unforce", "config.set"),
    },
    Role.ADMIN: {
        *("program.reload", "bytecode.reload", "shutdown"),
        *("pair.start", "pair.list", "pair.revoke"),
    },
}


NAMED = {name for names in ROLES.values() for name in names}
OWN = [verb for verb in VERBS.values() if verb.name not in NAMED]
"""Verbs between the product's own commands and its own process."""


def test_every_verb_of_the_contract_has_its_role() -> None:
    assert {
        role: {name for name in NAMED if name in VERBS and VERBS[name].role is role}
        for role in Role
    } == ROLES


def test_what_is_built_what_is_local_and_what_needs_debug() -> None:
    assert {name for name in NAMED if VERBS[name].built} == BUILT
    assert {name for name in NAMED if VERBS[name].local_only} == LOCAL_ONLY
    assert {name for name in NAMED if VERBS[name].debug} == DEBUG


def test_a_verb_the_contract_does_not_name_is_local_and_built() -> None:
    assert {"audit.verify", "peers.list", "peers.pin"} <= {verb.name for verb in OWN}
    assert all(verb.local_only and verb.built for verb in OWN)
    assert VERBS["peers.pin"].role is Role.ADMIN


def test_a_verb_is_found_under_its_own_name() -> None:
    assert all(name == verb.name for name, verb in VERBS.items())
    # A second row of one name would silently win over the first.
    assert len(VERBS) == len(actions._TABLE)


def test_parameters_of_the_verbs_that_take_some() -> None:
    assert {name: VERBS[name].params for name in NAMED if VERBS[name].params} == {
        "config.get": ("keys",),
        "config.set": ("*",),
        "audit.list": ("request_id", "actor", "runtime", "limit", "cursor"),
        "audit.get": ("audit_id",),
        "shutdown": ("confirm",),
        "pair.start": ("owner", "role", "scope", "token_days", "replaces", "overlap_s"),
        "pair.claim": ("code",),
        "pair.revoke": ("token_id",),
    }


def test_the_numbers_and_names_of_the_contract() -> None:
    assert actions.TARGETS_MAX == 256
    assert (actions.QUERY_BUDGET_MS_DEFAULT, actions.QUERY_BUDGET_MS_MAX) == (1_500, 10_000)
    assert [action.value for action in ActionType] == ["cfg_apply", "status_read", "cmd_invoke"]
    assert [choice.value for choice in OnDenied] == ["abort", "continue"]


def test_a_request_needs_six_members_and_no_more() -> None:
    request = convert(NEEDED, ActionRequest)
    assert request.target_runtimes == ["runtime-b"]
    assert request.payload == {}
    left_out = (request.query_budget_ms, request.dry_run, request.on_denied)
    assert left_out == (None, None, None)
    assert request.expected_decision_digest is None


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_each_of_the_six_is_needed(name: str) -> None:
    with pytest.raises(ContractViolation, match=name):
        convert({key: value for key, value in NEEDED.items() if key != name}, ActionRequest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("api_version", 1.0), ("request_id", None), ("target_runtimes", "runtime-b")),
        *(("target_runtimes", [1]), ("query_budget_ms", "5"), ("query_budget_ms", 1.5)),
        *(("query_budget_ms", True), ("dry_run", "true"), ("dry_run", 1), ("on_denied", "Abort")),
        ("expected_decision_digest", 5),
    ],
)
def test_a_wrong_type_is_refused_naming_the_member(name: str, value: object) -> None:
    with pytest.raises(ContractViolation) as caught:
        convert(NEEDED | {name: value}, ActionRequest)
    assert caught.value.path.startswith(f"$.{name}")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("dryrun", "dry_run"), ("on_deny", "on_denied"), ("payloads", "payload")],
)
def test_a_misspelt_member_is_never_ignored(name: str, hint: str) -> None:
    with pytest.raises(ContractViolation, match=f"did you mean '{hint}'"):
        convert(NEEDED | {name: True}, ActionRequest)


@pytest.mark.parametrize("payload", [None, 5, "x", [], {"params": {}}])
def test_a_payload_is_taken_as_it_is(payload: object) -> None:
    assert convert(NEEDED | {"payload": payload}, ActionRequest).payload == payload
