"""`core.policy.operations`: as which action an operation is decided."""

from typing import Any

import pytest

from trust_runtime.contracts.actions import ActionType, ConfigOp
from trust_runtime.core.policy.operations import decided_as

WRITE = {"params": {"log.level": "warn"}, "expected_revision": 1, "expected_etag": "e"}


@pytest.mark.parametrize("action", list(ActionType))
@pytest.mark.parametrize("payload", [None, 1, {"if_match": "x"}])
def test_an_action_is_decided_as_itself(action: ActionType, payload: Any) -> None:
    decided = decided_as(action, payload)
    assert decided is not None
    assert (decided.action_type, decided.payload) == (action, payload)


@pytest.mark.parametrize(
    ("op", "payload", "action", "as_payload"),
    [
        (ConfigOp.READ, {"x": 1}, ActionType.STATUS_READ, {}),
        (ConfigOp.HISTORY, {"limit": 5}, ActionType.STATUS_READ, {}),
        (ConfigOp.WRITE, WRITE, ActionType.CFG_APPLY, WRITE),
        (ConfigOp.WRITE, {**WRITE, "if_match": "e"}, ActionType.CFG_APPLY, WRITE),
        (ConfigOp.WRITE, [1], ActionType.CFG_APPLY, [1]),
        (ConfigOp.ROLLBACK, {"revision": 1}, ActionType.CFG_APPLY, {"params": {}}),
    ],
)
def test_an_operation_is_decided_as_a_read_or_a_configuration_write(
    op: ConfigOp, payload: Any, action: ActionType, as_payload: Any
) -> None:
    decided = decided_as(op, payload)
    assert decided is not None
    assert (decided.action_type, decided.payload) == (action, as_payload)


@pytest.mark.parametrize("op", ["", "config.everything", "config.stage", "cmd_everything"])
def test_what_nobody_knows_is_decided_as_nothing(op: str) -> None:
    assert decided_as(op, {}) is None
