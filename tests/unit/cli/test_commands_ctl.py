"""`cli.commands_ctl`: what a command line means."""

from pathlib import Path
from typing import Any

import click
import pytest

from answering_process import answering
from command_line import CommandLine
from trust_runtime.cli.commands_ctl import parse_action


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
    with pytest.raises(click.UsageError, match="the JSON of call"):
        parse_action("call", ("status", '{"a": 1, "a": 2}'))


def test_a_key_that_is_asked_for_and_is_not_there_is_told(
    command: CommandLine, project: Path, tmp_path: Path
) -> None:
    with answering(tmp_path / "c.sock", config__get={"log.level": "info"}):
        whole = command("ctl", "config-get", "--project", project)
        found = command("ctl", "config-get", "log.level", "--project", project)
        missing = command("ctl", "config-get", "log.level", "log.levl", "--project", project)
    assert (whole.code, found.code, missing.code) == (0, 0, 1)
    assert '"log.level": "info"' in missing.out
    assert "log.levl has no value here (did you mean 'log.level'?)" in missing.err
