"""`adapters.http.naming`: runtimes in query parameters."""

import pytest

from http_client import Behind
from trust_runtime.adapters.http.errors import Refusal
from trust_runtime.adapters.http.naming import addressed, named_runtime
from trust_runtime.contracts.ids import RuntimeId


@pytest.mark.parametrize(
    ("own", "text", "named"),
    [
        ("runtime-a", "runtime-a", "runtime-a"),
        ("runtime-a", "default-site/runtime-a", "runtime-a"),
        ("runtime-a", "site-b/runtime-a", "site-b/runtime-a"),
        ("site-b/press", "press", "site-b/press"),
        ("site-b/press", "runtime-z", "runtime-z"),
    ],
)
def test_any_accepted_spelling_is_resolved(own: str, text: str, named: str) -> None:
    behind = Behind(own=RuntimeId(own), peers=frozenset({RuntimeId("runtime-z")}))
    assert named_runtime(text, behind.backend()) == named


@pytest.mark.parametrize("text", ["", " ", "a/b/c", "a b", "press"])
def test_what_names_nothing_or_two_is_400(text: str) -> None:
    peers = frozenset({RuntimeId("press"), RuntimeId("site-b/press")})
    behind = Behind(own=RuntimeId("site-b/runtime-a"), peers=peers)
    found = named_runtime(text, behind.backend())
    assert isinstance(found, Refusal)
    assert found.status == 400
    assert addressed(text, behind.backend()) == found


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (None, "runtime-a"),
        ("runtime-a", "runtime-a"),
        ("default-site/runtime-a", "runtime-a"),
        ("runtime-b", "runtime-b"),
    ],
)
def test_the_connected_runtime_is_meant_when_none_is_named(text: str | None, target: str) -> None:
    assert addressed(text, Behind().backend()) == target
