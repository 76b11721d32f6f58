"""`cli.commands_ctl`: what a command line means."""

from typing import Any

import click
import pytest

from trust_runtime.cli.commands_ctl import parse_action
from trust_runtime.contracts.errors import ContractViolation


@pytest.mark.parametrize(
    ("action", "words", "verb", "params"),
    [
        ("status", (), "status", {}),
        ("audit.verify", (), "audit.verify", {}),
        ("config-get", (), "config.get", {}),
        ("config-get", ("log.level",), "config.get", {"keys": ["log.level"]}),
        ("config-set", ("log.level", "debug"), "config.set", {"log.level": "debug"}),
        ("config-set", ("log.level", "null"), "config.set", {"log.level": None}),
        ("config-set", ("web.allowed_hosts", '["x"]'), "config.set", {"web.allowed_hosts": ["x"]}),
        ("restart", ("warm",), "restart", {"mode": "warm"}),
        ("step-in", (), "step_in", {}),
        ("stats", (), "tasks.stats", {}),
        ("call", ("stats",), "tasks.stats", {}),
        ("call", ("config.get", '{"keys": []}'), "config.get", {"keys": []}),
        ("call", ("status",), "status", {}),
    ],
)
def test_words_become_parameters(
    action: str, words: tuple[str, ...], verb: str, params: dict[str, Any]
) -> None:
    assert parse_action(action, words) == (verb, params)


@pytest.mark.parametrize(
    ("action", "words", "said"),
    [
        ("stauts", (), "did you mean 'status'"),
        ("status", ("more",), "takes no words"),
        ("config-set", ("log.level",), "takes 2 words"),
        ("call", (), "ctl call VERB"),
        ("call", ("status", "{}", "x"), "ctl call VERB"),
    ],
)
def test_what_does_not_fit_is_said(action: str, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        parse_action(action, words)


def test_the_json_of_call_is_strict() -> None:
    with pytest.raises(ContractViolation):
        parse_action("call", ("status", '{"a": 1, "a": 2}'))
