"""`adapters.http.field_docs`: the words below fields."""

import sys
from types import ModuleType

import msgspec
import pytest

from trust_runtime.adapters.http import field_docs
from trust_runtime.adapters.http.field_docs import describe_fields
from trust_runtime.contracts.answers import HeldRecord
from trust_runtime.contracts.audit import AuditRecord
from trust_runtime.contracts.config import SettingProblem


def test_words_are_those_below_the_field() -> None:
    assert describe_fields(SettingProblem)["value"].startswith("The value as JSON text")


def test_a_field_is_called_as_in_json() -> None:
    said = describe_fields(SettingProblem)
    assert "path" not in said
    assert said["key"].startswith("TOML path")


def test_see_another_contract_gives_the_words_of_that_one() -> None:
    said = describe_fields(AuditRecord)
    assert said["actor"] == "The claim."
    assert said["seq"].startswith("1, 2, 3")


def test_inherited_fields_are_described_too() -> None:
    said = describe_fields(HeldRecord)
    assert said["held_by"] == "Canonical id of the holder."
    assert said["actor"] == "The claim."


def test_without_source_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("trust_runtime.gone")
    monkeypatch.setitem(sys.modules, "trust_runtime.gone", module)
    kind = msgspec.defstruct("Kind", [("x", int)], module="trust_runtime.gone")
    assert describe_fields(kind) == {}
    assert field_docs.describe_fields(msgspec.defstruct("Foreign", [("x", int)])) == {}
