"""Check 9: does the payload fit its action (contract 8.1, 8.2, 14.4)."""

from typing import Any, Final, assert_never

from trust_runtime.contracts.actions import (
    VERBS,
    ActionRequest,
    ActionType,
    VerbRead,
    VerbSpec,
)
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.core.config.merge import redact
from trust_runtime.core.config.patch import PATCH_KEYS_MAX, check_patch, form_problems
from trust_runtime.core.policy.case import Case, Finding, denied, passed, skipped

_CFG_MEMBERS: Final = ("params", "expected_revision", "expected_etag", "ha")
_CMD_MEMBERS: Final = ("command", "params", "ha")
_INSTEAD: Final = {
    "tasks.stats": "for what is measured without one: GET /metrics, or trust-runtime api metrics"
}
"""What answers the same question in this version, for verbs that are not built."""


def patch_of(payload: object) -> object:
    """Return the merge patch of a `cfg_apply` payload; no dict means it has none."""
    if not isinstance(payload, dict):
        return None
    if "params" in payload:
        return payload["params"]
    return {name: value for name, value in payload.items() if name != "ha"}


def verb_of(payload: object) -> VerbSpec | None:
    """Return the verb a `cmd_invoke` payload names, or None when there is no such verb."""
    command = payload.get("command") if isinstance(payload, dict) else None
    return VERBS.get(command) if isinstance(command, str) else None


def verb_asked(request: ActionRequest) -> VerbSpec | None:
    """Return the verb a request asks for, or None when it is no request for a known one."""
    if isinstance(request, VerbRead):
        return VERBS.get(request.verb)
    return verb_of(request.payload) if request.action_type == ActionType.CMD_INVOKE else None


def params_of(payload: object) -> dict[str, Any]:
    """Return the parameters of a `cmd_invoke` payload that passed its check."""
    params = payload.get("params") if isinstance(payload, dict) else None
    return params if isinstance(params, dict) else {}


def check_payload(case: Case, *, form_only: bool = False) -> Finding:
    """Deny a payload that does not fit, naming the member and what is allowed.

    Args:
        case: the case.
        form_only: leave the values of configuration keys to whoever compares revisions first.
    """
    denial: Denial | None
    match case.action:
        case None:
            return skipped("payload", "no known action")
        case ActionType.STATUS_READ:
            if case.verb is None:
                return passed("payload", "not used by this action")
            denial = _shape_denial(case.request.payload, _CMD_MEMBERS) or verb_denial(
                case.verb, params_of(case.request.payload), local=False
            )
        case ActionType.CFG_APPLY:
            denial = _config_denial(case, form_only=form_only)
        case ActionType.CMD_INVOKE:
            denial = command_denial(case.request.payload)
        case _:
            assert_never(case.action)
    if denial is None:
        return passed("payload", "fits the action")
    return denied("payload", denial.code, detail=denial.reason, remedy=denial.remedy)


def command_denial(payload: object) -> Denial | None:
    """Return why a `cmd_invoke` payload cannot be executed, or None."""
    shape = _shape_denial(payload, _CMD_MEMBERS)
    if shape is not None:
        return shape
    assert isinstance(payload, dict)  # noqa: S101 - the shape was just checked
    command = payload.get("command")
    if not isinstance(command, str) or not command.strip():
        return _violation("payload.command is missing or blank", "name the verb in payload.command")
    params = payload.get("params")
    if params is not None and not isinstance(params, dict):
        return _violation("payload.params is no object", "send payload.params as an object")
    verb = VERBS.get(command)
    if verb is None:
        hint = nearest(command, list(VERBS))
        return _violation(f"command {command!r} is unknown{hint}", "use a verb of the reference")
    if command == "config.set":
        return _violation("config.set is not a command", "use action_type cfg_apply")
    if verb.local_only:
        return _violation(f"{command} is local only", "use the control socket of the target")
    return verb_denial(verb, params_of(payload), local=False)


def verb_denial(verb: VerbSpec, params: dict[str, Any], *, local: bool) -> Denial | None:
    """Return why a known verb cannot run with these parameters, or None.

    Args:
        verb: the verb.
        params: its parameters.
        local: True at the control socket, which needs no `confirm`.
    """
    if not verb.built:
        why = "" if verb.needs is None else f": it needs {verb.needs}"
        return deny(
            DenialCode.NOT_CONFIGURED,
            f"verb {verb.name} is not in this version{why}",
            _INSTEAD.get(verb.name, "use a version that has it"),
        )
    if "*" not in verb.params:
        for name in params:
            if name not in verb.params:
                hint = nearest(name, list(verb.params))
                return _violation(
                    f"params.{name} is unknown to {verb.name}{hint}",
                    "allowed: " + (", ".join(verb.params) or "no parameters"),
                )
    if verb.name == "shutdown":
        return _confirm_denial(params, local=local)
    return _keys_denial(params) if verb.name == "config.get" else None


def _confirm_denial(params: dict[str, Any], *, local: bool) -> Denial | None:
    confirm = params.get("confirm")
    if confirm is True or (local and confirm is None):
        return None
    return _violation(
        "shutdown needs params.confirm = true", "send params {confirm: true} when you mean it"
    )


def _keys_denial(params: dict[str, Any]) -> Denial | None:
    keys = params.get("keys")
    if keys is None or (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        return None
    return _violation("params.keys is no list of texts", "send the config keys wanted as a list")


def _config_denial(case: Case, *, form_only: bool) -> Denial | None:
    payload = case.request.payload
    if not isinstance(payload, dict):
        return _violation("payload is no object", "send the patch in payload.params")
    if "params" in payload:
        shape = _shape_denial(payload, _CFG_MEMBERS)
        if shape is not None:
            return shape
    elif "ha" in payload:
        return _no_ha()
    expected = payload.get("expected_revision")
    if "params" in payload and not _is_revision(expected):
        return _violation("payload.expected_revision is no integer >= 0", "send a revision number")
    etag = payload.get("expected_etag")
    if "params" in payload and not isinstance(etag, str | None):
        return _violation("payload.expected_etag is no text", "send the etag of GET config")
    patch = patch_of(payload)
    if not isinstance(patch, dict):
        return _violation("payload.params is no object", "send the patch as an object of keys")
    return _patch_denial(case, patch, form_only=form_only)


def _patch_denial(case: Case, patch: dict[str, Any], *, form_only: bool) -> Denial | None:
    if len(patch) > PATCH_KEYS_MAX:
        return _violation(
            f"the patch has {len(patch)} keys", f"send at most {PATCH_KEYS_MAX} keys at once"
        )
    if case.is_local and not form_only:
        config = case.facts.config
        problems = check_patch(
            patch, file_values=config.file_values, document=config.document
        ).problems
    else:
        problems = form_problems(patch)
    if not problems:
        return None
    return _violation("; ".join(problems), "correct the keys named; see GET config")


def _shape_denial(payload: object, members: tuple[str, ...]) -> Denial | None:
    if not isinstance(payload, dict):
        return _violation("payload is no object", "send payload as an object")
    for name in payload:
        if name not in members:
            hint = nearest(name, list(members))
            return _violation(
                f"payload.{name} is unknown{hint}", "allowed beside it: " + ", ".join(members)
            )
    if "ha" in payload:
        return _no_ha()
    return None


def _no_ha() -> Denial:
    return deny(
        DenialCode.NOT_CONFIGURED,
        "payload.ha: redundancy groups are not in this version",
        "leave payload.ha out",
    )


def _is_revision(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _violation(reason: str, remedy: str) -> Denial:
    return deny(DenialCode.CONTRACT_VIOLATION, reason, remedy)


def redacted_payload(payload: object) -> object:
    """Return the payload with values of secret config keys replaced, for its digest (10.1)."""
    if not isinstance(payload, dict):
        return payload
    redacted = redact({name: value for name, value in payload.items() if name != "params"})
    params = payload.get("params")
    if isinstance(params, dict):
        redacted["params"] = redact(params)
    elif "params" in payload:
        redacted["params"] = params
    return redacted
