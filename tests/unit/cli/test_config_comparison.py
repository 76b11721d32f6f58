"""`cli.config_comparison`: what `config diff` compares; the answers are laid ready."""

from typing import Any, TypeVar

import click
import pytest
from msgspec import structs

from http_client import META, STATUS
from trust_runtime.cli.config_comparison import Comparison, compare, comparison_lines
from trust_runtime.client import Client, Refused
from trust_runtime.client.calls import CLOUD, Call
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.config import ConfigHistory, ConfigView, HistoryItem

T = TypeVar("T")


class Answering(Client):
    """A client whose runtime is a table: path and query to status and content."""

    def __init__(self, answers: dict[tuple[str, str], tuple[int, object]]) -> None:
        super().__init__("http://127.0.0.1:1")
        self._answers = answers

    def send(self, call: Call[T]) -> T:
        query = "&".join(f"{name}={value}" for name, value in call.query.items())
        status, content = self._answers[call.path.removeprefix(CLOUD), query]
        return call.read(status, encode_json(content))


def view(runtime_id: str = "b", **documents: dict[str, Any]) -> ConfigView:
    none: dict[str, Any] = {"desired": {}, "reported": {}, "effective": {}, "sources": {}}
    return ConfigView(
        api_version="1.0",
        runtime_id=runtime_id,
        meta=structs.replace(META, desired_revision=NEWEST),
        status=STATUS,
        **{**none, **documents},
    )


def revision(number: int, document: dict[str, Any], **secrets: int) -> ConfigHistory:
    item = HistoryItem(
        revision=number,
        etag="e",
        kind="write",
        actor="anna",
        identity="local://admin",
        audit_id="audit-1",
        patch={},
        created_at_ns=1,
        document=document,
        secret_revisions={name.replace("__", "."): of for name, of in secrets.items()},
    )
    return ConfigHistory(api_version="1.0", runtime_id="b", items=(item,))


def lines_of(found: Comparison) -> list[list[str]]:
    return [line.split() for line in comparison_lines(found)]


NEWEST = 7
HIDDEN_KEY = "mesh.auth_token"
HIDDEN = {HIDDEN_KEY: "<redacted>"}


def test_without_a_word_desired_and_reported() -> None:
    shown = view(desired={"log.level": "debug"}, reported={"log.level": "info"})
    found = compare(Answering({}), shown, target=None, against=None)
    assert lines_of(found) == [
        ["KEY", "DESIRED", "REPORTED"],
        ["log.level", '"debug"', '"info"'],
    ]
    same = compare(Answering({}), view(), target=None, against=None)
    assert comparison_lines(same) == ["reported is as desired"]


def test_a_revision_and_the_newest_with_a_secret_that_changed_and_one_that_did_not() -> None:
    asked = Answering(
        {
            ("/config/history", "target=b&revision=1"): (
                200,
                revision(1, {"log.level": "warn", **HIDDEN}, mesh__auth_token=1),
            ),
            ("/config/history", f"target=b&revision={NEWEST}"): (
                200,
                revision(NEWEST, {"web.tls": False, **HIDDEN}, mesh__auth_token=NEWEST),
            ),
        }
    )
    found = compare(asked, view(), target="b", against="1")
    first, newest = "revision 1", f"revision {NEWEST}"
    assert found.compared == (first, newest)
    assert {one.key: one.values for one in found.differences} == {
        "log.level": {first: "warn"},
        HIDDEN_KEY: {first: "<redacted>", newest: "<redacted>"},
        "web.tls": {newest: False},
    }
    assert lines_of(found)[1] == ["log.level", '"warn"', "-"]

    unchanged = Answering(
        {
            ("/config/history", f"revision={number}"): (
                200,
                revision(number, HIDDEN, mesh__auth_token=1),
            )
            for number in (1, NEWEST)
        }
    )
    assert compare(unchanged, view(), target=None, against="1").differences == ()


def test_revision_0_is_the_empty_document_and_needs_no_history() -> None:
    newest = revision(NEWEST, {"log.level": "warn"})
    asked = Answering({("/config/history", f"revision={NEWEST}"): (200, newest)})
    found = compare(asked, view(), target=None, against="0")
    assert [one.values for one in found.differences] == [{f"revision {NEWEST}": "warn"}]


def test_a_revision_that_is_not_kept_is_refused_as_the_runtime_says() -> None:
    refusal = {
        "ok": False,
        "denial_code": "contract_violation",
        "error": "revision: got 1; allowed: 1..2000, of which the newest 1000 are kept",
        "remedy": "correct it",
    }
    asked = Answering({("/config/history", "revision=1"): (400, refusal)})
    with pytest.raises(Refused, match="the newest 1000 are kept"):
        compare(asked, view(), target=None, against="1")


def test_another_runtime_by_what_is_in_force_and_secrets_are_not_compared() -> None:
    other = view("a", effective={"log.level": "info", "web.tls": False, **HIDDEN})
    asked = Answering({("/config", "target=a"): (200, other)})
    shown = view(effective={"log.level": "debug", "web.tls": False, **HIDDEN})
    found = compare(asked, shown, target="b", against="a")
    assert lines_of(found) == [
        ["KEY", "A", "B"],
        ["log.level", '"info"', '"debug"'],
        ["not", "compared,", "as", "they", "are", "secret:", HIDDEN_KEY],
    ]


@pytest.mark.parametrize(
    ("against", "said"),
    [("", "is blank"), (" ", "is blank"), ("b", "the runtime itself"), (str(2**63), "no revision")],
)
def test_what_cannot_be_compared_is_a_usage_error(against: str, said: str) -> None:
    asked = Answering({("/config", f"target={against}"): (200, view())})
    with pytest.raises(click.UsageError, match=said):
        compare(asked, view(), target="b", against=against)
