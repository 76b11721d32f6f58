"""`cli.options`: options before or after the command, and output that cannot be forged."""

import json
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.contracts.denial import DenialCode, deny


@pytest.mark.parametrize(
    ("before", "after", "chosen"),
    [
        (None, None, None),
        ("a", None, "a"),
        (None, "b", "b"),
        ("a", "b", "b"),
        ("a", ".", "."),
    ],
)
def test_the_project_after_the_command_wins_over_the_one_before_it(
    before: str | None, after: str | None, chosen: str | None
) -> None:
    outer = click.Context(click.Command("trust-runtime"))
    outer.obj = {"project": None if before is None else Path(before), "verbose": False}
    inner = click.Context(click.Command("play"), parent=outer)
    given = None if after is None else Path(after)
    assert chosen_project(inner, given) == (None if chosen is None else Path(chosen))


def test_a_command_used_alone_has_no_project_before_it() -> None:
    assert chosen_project(click.Context(click.Command("play")), None) is None


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ([], {"project": None, "as_json": False}),
        (["--json"], {"project": None, "as_json": True}),
        (["--project", "x", "--json"], {"project": Path("x"), "as_json": True}),
    ],
)
def test_the_shared_options(arguments: list[str], values: dict[str, object]) -> None:
    seen: list[dict[str, object]] = []

    @click.command()
    @project_option
    @json_option
    def command(**given: object) -> None:
        seen.append(given)

    command.main(arguments, standalone_mode=False)
    assert seen == [values]


def test_json_is_indented_and_keeps_order_and_letters(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"b": deny(DenialCode.CONFLICT, "é", ""), "a": [1, None]})
    text = capsys.readouterr().out
    assert text.startswith('{\n  "b": {\n    "code": "conflict",\n    "reason": "é",\n')
    assert list(json.loads(text)) == ["b", "a"]
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, é and \U0001f600", "plain text, é and \U0001f600"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2Jgone\x07\x00\x7f", "\\x1b[2Jgone\\x07\\x00\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
def test_what_steers_a_terminal_is_shown_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(text=st.text(st.characters(codec=None)))
def test_a_text_becomes_one_printable_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode() == shown
    assert len(shown.splitlines()) <= 1
    if text.isprintable():
        assert shown == text
