import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.files.toml_lines import (
    BYTES_MAX,
    TomlFault,
    TomlFile,
    key_lines,
    parse_toml,
    read_toml,
)
from trust_runtime.core.config.toml_values import join_path

EVERYTHING = '''# A file with every form a value can have.
bundle.version = 1

resource = { name = "a } # b", "odd.name" = 'c', more = { deep = [1] } }
[runtime.log]  # a comment = 5
level = """first
third = "no key" \\"""
"""
after = \'\'\'x
]\'\'\'\'
[ runtime . 'web' ]
hosts = [
  "one",  # a ] comment
  ["two", {x = 1}],
]
when = 1979-05-27 07:32:00
[[io.drivers]]
name = "first"
[[io.drivers.parts]]
x = 1
[[io.drivers]]
name = "second"
[[io.drivers.parts]]
x = 2
[io.drivers.more]
last = true'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("bundle", 2),
        ("bundle.version", 2),
        ("resource.name", 4),
        ('resource."odd.name"', 4),
        ("resource.more.deep[0]", 4),
        ("runtime.log", 5),
        ("runtime.log.level", 6),
        ("runtime.log.after", 9),
        ("runtime.web", 11),
        ("runtime.web.hosts", 12),
        ("runtime.web.hosts[0]", 13),
        ("runtime.web.hosts[1]", 14),
        ("runtime.web.hosts[1][1].x", 14),
        ("runtime.web.when", 16),
        ("io.drivers", 17),
        ("io.drivers[0].name", 18),
        ("io.drivers[0].parts[0].x", 20),
        ("io.drivers[1]", 21),
        ("io.drivers[1].name", 22),
        ("io.drivers[1].parts[0].x", 24),
        ("io.drivers[1].more.last", 26),
    ],
)
def test_every_key_has_its_line(path: str, line: int) -> None:
    assert key_lines(EVERYTHING)[path] == line


def paths_in(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield join_path(path, name)
            yield from paths_in(inner, join_path(path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]"
            yield from paths_in(inner, f"{path}[{index}]")


def test_every_path_of_the_document_is_found_and_no_other() -> None:
    assert set(key_lines(EVERYTHING)) == set(paths_in(tomllib.loads(EVERYTHING)))
    crlf = EVERYTHING.replace("\n", "\r\n")
    assert key_lines(crlf) == key_lines(EVERYTHING)


texts = st.text(st.sampled_from("a.#[]{}=,'\" é"), max_size=6)
scalars = st.booleans() | st.integers(-9, 9) | texts
inline = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=6,
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def toml_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[ # ]\n" + "".join(f"{toml_of(item)},\n" for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {toml_of(v)}" for k, v in value.items()) + "}"
    return str(value)


@given(document=st.dictionaries(texts, inline, max_size=3), table=texts)
def test_any_document_is_found_completely(document: dict[str, Any], table: str) -> None:
    lines = [f"[{quoted(table)}]", *(f"{quoted(k)} = {toml_of(v)}" for k, v in document.items())]
    text = "\n".join(lines)
    parsed = tomllib.loads(text)
    assert parsed == {table: document}
    assert set(key_lines(text)) == set(paths_in(parsed))


@given(st.text(max_size=40) | st.text(st.sampled_from("ab=[]{}\"'\n.,#1"), max_size=25))
def test_any_text_is_a_document_or_has_a_fault_with_a_place(text: str) -> None:
    found = parse_toml(text)
    if isinstance(found, TomlFault):
        assert found.reason
        assert 1 <= found.line <= text.count("\n") + 1
        assert found.column >= 1
    else:
        assert set(key_lines(text)) == set(paths_in(found.values))


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        pytest.param(b"a = 1\nb = \n", 2, 5, "Invalid value", id="a value is missing"),
        pytest.param(b"a = 1\na = 2", 2, 6, "Cannot overwrite", id="a key twice"),
        pytest.param(b"a = [1,\n2", 2, 2, "Unclosed array", id="the end is missing"),
        pytest.param(b"\xff\xfe bundle", 1, 1, "no UTF-8", id="garbage"),
        pytest.param(b"a = 1\nb = '\xff'", 2, 6, "no UTF-8", id="garbage further down"),
        pytest.param(b"a = " + b"1" * 5_000, 1, 1, "digits", id="a number too long"),
        pytest.param(b"a = " + b"[" * 20_000, 1, 1, "nested", id="nested too deeply"),
        pytest.param(b"#" * (BYTES_MAX + 1), 1, 1, "longer", id="too long"),
    ],
)
def test_a_fault_has_its_place(
    tmp_path: Path, content: bytes, line: int, column: int, reason: str
) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    found = read_toml(file)
    assert isinstance(found, TomlFault)
    assert (found.line, found.column) == (line, column)
    assert reason in found.reason


def test_a_file_as_long_as_allowed_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"a = 1\n" + b"#" * (BYTES_MAX - 6))
    found = read_toml(file)
    assert isinstance(found, TomlFile)
    assert found.values == {"a": 1}


def test_what_is_no_file(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "absent.toml") is None
    assert read_toml(tmp_path) == TomlFault(reason="is no regular file")
    closed = tmp_path / "plain" / "x.toml"
    closed.parent.write_text("a file")
    found = read_toml(closed)
    assert found is None or isinstance(found, TomlFault)
