"""`core.config.diff`: what differs, and the patch between two documents."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.core.config.diff import differences, patch_between
from trust_runtime.core.config.merge import changed_keys, merge_patch

SECRET = "hunter2-but-very-much-longer-than-that"  # noqa: S105 - what must never be shown

VALUES = st.recursive(
    st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": []}, {"a": []}),
        ({"a": True}, {"a": 1}, {"a": 1}),
        ({"m": {"x": 1, "y": 1}}, {"m": {"x": 1, "y": 2}}, {"m": {"y": 2}}),
        ({"m": {"x": 1}}, {"m": {}}, {"m": {"x": None}}),
        ({"m": {"x": 1}}, {"m": 1}, {"m": 1}),
        ({"m": 1}, {"m": {"x": 1}}, {"m": {"x": 1}}),
        ({"l": [1, 2]}, {"l": [1]}, {"l": [1]}),
    ],
)
def test_the_patch_says_only_what_changes(
    before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]
) -> None:
    made = patch_between(before, after)
    assert made == patch
    assert [type(value) for value in made.values()] == [type(value) for value in patch.values()]


@settings(max_examples=200, deadline=None)
@given(before=DOCUMENTS, after=DOCUMENTS)
def test_a_patch_between_two_documents_leads_from_one_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    patch = patch_between(before, after)
    assert changed_keys(merge_patch(before, patch), after) == ()
    assert tuple(sorted(patch)) == changed_keys(before, after)
    # And back again: a rollback of the rollback.
    assert changed_keys(merge_patch(after, patch_between(after, before)), before) == ()


def test_documents_are_compared_key_by_key() -> None:
    rows = differences(
        {
            "desired": {"log.level": "debug", "mesh.enabled": True, "web.listen": "a"},
            "reported": {"log.level": "info", "mesh.enabled": True},
            "file": {"log.level": "info", "mesh.enabled": True, "discovery.enabled": False},
        }
    )
    assert [(row.key, row.values) for row in rows] == [
        ("discovery.enabled", {"file": False}),
        ("log.level", {"desired": "debug", "reported": "info", "file": "info"}),
        ("web.listen", {"desired": "a"}),
    ]


def test_only_the_keys_of_the_named_documents_are_compared() -> None:
    documents = {"desired": {"a": 1}, "reported": {"a": 1, "b": 1}, "file": {"c": 1}}
    rows = differences(documents, keys_of=("desired", "reported"))
    assert [row.key for row in rows] == ["a", "b"]


def test_true_is_not_one_and_absent_is_not_null() -> None:
    assert [r.key for r in differences({"x": {"a": True}, "y": {"a": 1}})] == ["a"]
    (row,) = differences({"x": {"a": None}, "y": {}})
    assert row.values == {"x": None}


def test_a_secret_differs_without_being_shown() -> None:
    rows = differences({"1": {"mesh.auth_token": SECRET}, "2": {"mesh.auth_token": SECRET + "2"}})
    assert [(row.key, row.values) for row in rows] == [
        ("mesh.auth_token", {"1": "<redacted>", "2": "<redacted>"})
    ]
    assert differences({"1": {"mesh.auth_token": SECRET}, "2": {"mesh.auth_token": SECRET}}) == ()


@settings(max_examples=100, deadline=None)
@given(one=DOCUMENTS, two=DOCUMENTS)
def test_two_documents_differ_where_a_write_would_change_them(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    rows = differences({"one": one, "two": two})
    assert tuple(row.key for row in rows) == changed_keys(one, two)
    assert differences({"one": one, "two": dict(one)}) == ()
