import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_samples import json_values
from trust_runtime.core.config.toml_values import choice_of, join_path, values_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(
            'runtime.log.level = "debug"', {"runtime.log.level": "debug"}, id="dotted key"
        ),
        pytest.param(
            '[runtime.log]\nlevel = "debug"', {"runtime.log.level": "debug"}, id="a table"
        ),
        pytest.param(
            'runtime = {log = {level = "debug"}}', {"runtime.log.level": "debug"}, id="inline"
        ),
        pytest.param("[runtime.web]", {}, id="an empty table has no values"),
        pytest.param(
            "[runtime.mesh.subscribe]\na = 1", {"runtime.mesh.subscribe": {"a": 1}}, id="a map"
        ),
        pytest.param(
            "[runtime.opcua]\na.b = 1", {"runtime.opcua": {"a": {"b": 1}}}, id="unknown table"
        ),
        pytest.param("runtime.web = 1", {"runtime.web": 1}, id="a table that is none"),
        pytest.param(
            '"runtime.web".enabled = true',
            {'"runtime.web"': {"enabled": True}},
            id="a quoted name is no path",
        ),
        pytest.param('runtime.log.level = " DEBUG "', {"runtime.log.level": "debug"}, id="an enum"),
        pytest.param(
            'runtime.retain.mode = "None"', {"runtime.retain.mode": "none"}, id="a later enum"
        ),
        pytest.param(
            'runtime.log.level = " Loud"', {"runtime.log.level": " Loud"}, id="no such name"
        ),
        pytest.param('resource.name = " A "', {"resource.name": " A "}, id="a text stays"),
        pytest.param(
            '[[runtime.cloud.wan.allow_write]]\naction = "CFG_Apply"\ntarget = "A"',
            {"runtime.cloud.wan.allow_write": [{"action": "cfg_apply", "target": "A"}]},
            id="the action of a rule",
        ),
        pytest.param(
            'runtime.cloud.wan.allow_write = ["CFG_APPLY"]',
            {"runtime.cloud.wan.allow_write": ["CFG_APPLY"]},
            id="a rule that is none",
        ),
    ],
)
def test_paths_and_values(text: str, values: dict[str, Any]) -> None:
    assert values_of(tomllib.loads(text)) == values


@given(
    st.dictionaries(
        st.sampled_from(["runtime", "web", "a.b", "cloud", ""]),
        st.recursive(
            json_values,
            lambda inner: st.dictionaries(st.sampled_from(["web", "log", "cloud", "x"]), inner),
            max_leaves=5,
        ),
    )
)
def test_any_document_has_values_and_no_known_table_among_them(document: dict[str, Any]) -> None:
    for path, value in values_of(document).items():
        assert path not in ("runtime", "runtime.web") or not isinstance(value, dict)


plain_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


@given(table=plain_texts, names=st.lists(plain_texts, min_size=2, max_size=2))
def test_different_names_have_different_paths(table: str, names: list[str]) -> None:
    same = join_path(table, names[0]) == join_path(table, names[1])
    assert same is (names[0] == names[1])


@given(json_values)
def test_only_a_known_name_is_changed(value: object) -> None:
    taken = choice_of(value, ("dev",))
    assert taken is value or taken == "dev"
