from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_samples import small_json_values
from trust_runtime.contracts.config import EMPTY_ETAG
from trust_runtime.core.config.merge import (
    changed_keys,
    document_etag,
    is_secret,
    merge_patch,
    redact,
)

documents = st.dictionaries(
    st.text("ab", min_size=1, max_size=2), small_json_values.filter(lambda value: value is not None)
)
patches = st.dictionaries(st.text("ab", min_size=1, max_size=2), small_json_values)
DEBUG_ETAG = "sha256:adfb42fded2cd220f804b460d10d8a465c6d88c28f78f12450a459d6532b410f"


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396(original: Any, patch: Any, result: Any) -> None:
    # One level down, where an example may also be a list or a text.
    assert merge_patch({"key": original}, {"key": patch}) == {"key": result}
    if isinstance(original, dict) and isinstance(patch, dict):
        assert merge_patch(original, patch) == result


def test_the_null_of_rfc_7396_deletes_a_key() -> None:
    assert merge_patch({"key": {"a": "foo"}, "other": 1}, {"key": None}) == {"other": 1}


@given(document=documents, patch=patches)
def test_a_patch_says_what_holds_afterwards(document: Any, patch: Any) -> None:
    merged = merge_patch(document, patch)
    for key in document.keys() - patch.keys():
        assert merged[key] == document[key]
    for key, value in patch.items():
        assert (key in merged) is (value is not None)
        if not isinstance(value, dict):
            assert merged.get(key) == value


@given(document=documents, patch=patches)
def test_the_same_patch_twice_is_the_patch_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once
    assert changed_keys(once, merge_patch(once, patch)) == ()


@given(document=documents, patch=patches)
def test_nothing_given_is_changed(document: Any, patch: Any) -> None:
    before = repr((document, patch))
    merge_patch(document, patch)
    assert repr((document, patch)) == before


@given(document=documents)
def test_an_empty_patch_changes_nothing(document: Any) -> None:
    assert merge_patch(document, {}) == document


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {}, ()),
        ({"a": 1}, {"a": 1}, ()),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, ("a", "b")),
        ({"a": 1}, {}, ("a",)),
        ({}, {"a": 1}, ("a",)),
        ({"a": 1}, {"a": True}, ("a",)),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, ()),
        ({"a": [1, 2]}, {"a": [2, 1]}, ("a",)),
    ],
)
def test_which_keys_changed(before: Any, after: Any, changed: tuple[str, ...]) -> None:
    assert changed_keys(before, after) == changed


@given(first=documents, second=documents)
def test_documents_have_one_etag_exactly_when_no_key_changed(first: Any, second: Any) -> None:
    same = document_etag(first, {}) == document_etag(second, {})
    assert same is (changed_keys(first, second) == ())


def test_the_etags_of_the_contract() -> None:
    assert document_etag({}, {}) == EMPTY_ETAG
    assert document_etag({"log.level": "debug"}, {}) == DEBUG_ETAG


def test_a_secret_counts_in_the_etag_by_its_revision_alone() -> None:
    first = document_etag({"mesh.auth_token": "one"}, {"mesh.auth_token": 1})
    assert document_etag({"mesh.auth_token": "two"}, {"mesh.auth_token": 1}) == first
    assert document_etag({"mesh.auth_token": "one"}, {"mesh.auth_token": 2}) != first
    shown = {"mesh.auth_token": "<redacted:1>"}
    assert document_etag(shown, {"mesh.auth_token": 1}) == first


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("mesh.auth_token", True),
        ("runtime.mesh.auth_token", True),
        ("control.auth_token", True),
        ("log.level", False),
        ("nobody.knows", False),
    ],
)
def test_which_names_are_secret(name: str, *, secret: bool) -> None:
    assert is_secret(name) is secret
    shown = redact({name: "value", "log.level": "info"})
    assert shown == {"log.level": "info", name: "<redacted>" if secret else shown[name]}
    assert ("value" in shown.values()) is (not secret and name != "log.level")


def test_the_deletion_of_a_secret_is_no_secret() -> None:
    assert redact({"mesh.auth_token": None}) == {"mesh.auth_token": None}
