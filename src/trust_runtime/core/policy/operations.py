"""As which of the three actions an operation on `cmd/action` or `cfg/agent` is decided (6.5)."""

from typing import Any

from msgspec import Struct

from trust_runtime.contracts.actions import VERB_READ, ActionType, ConfigOp
from trust_runtime.contracts.ledger import LEDGER_READ


class Decided(Struct, frozen=True, kw_only=True):
    """The action a decision is taken on."""

    action_type: ActionType
    """One of the three."""

    payload: Any
    """What its payload check is given."""


def decided_as(op: str, payload: Any) -> Decided | None:
    """Return the action that stands for `op` in a decision, or None when there is no such `op`.

    Which keys a rollback changes only the target knows: its agent asks for the role they need.
    """
    if op in set(ActionType):
        return Decided(action_type=ActionType(op), payload=payload)
    if op in (VERB_READ, LEDGER_READ):
        return Decided(action_type=ActionType.STATUS_READ, payload=payload)
    match op:
        case ConfigOp.READ | ConfigOp.HISTORY | ConfigOp.IO_READ:
            return Decided(action_type=ActionType.STATUS_READ, payload={})
        case ConfigOp.WRITE:
            return Decided(action_type=ActionType.CFG_APPLY, payload=_without_header(payload))
        case ConfigOp.ROLLBACK | ConfigOp.IO_WRITE:
            return Decided(action_type=ActionType.CFG_APPLY, payload={"params": {}})
        case _:
            return None


def _without_header(payload: Any) -> Any:
    """Return a write's payload as `cfg_apply` has it: `If-Match` is the agent's to compare."""
    if not isinstance(payload, dict):
        return payload
    return {name: value for name, value in payload.items() if name != "if_match"}
