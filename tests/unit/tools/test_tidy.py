"""`tools.tidy`: every rule fails on a broken sample and is silent on the mended one."""

import subprocess
from pathlib import Path

import pytest

import tidy

CORE = "src/trust_runtime/core/x.py"
CONTRACT = "src/trust_runtime/contracts/x.py"
PORT = "src/trust_runtime/ports/x.py"
TEST = "tests/unit/core/test_x.py"
NESTED = """
def f(items):
    for item in items:
        with item:
            while item:
                if item:
                    {body}
"""
STRUCT = """
class A(Struct, frozen=True, kw_only=True):
    one: int
    {after}
"""
# Written in pieces, so that this file does not itself contain what the rules look for.
MACHINE = "/wor" + "k/main"
HOME = "/roo" + "t/.cache"
TO_DO = "TO" + "DO"
NO_QA = "# no" + "qa"
IGNORE = "# type: ig" + "nore[misc]"

BROKEN = [
    pytest.param(CORE, "print(1)", "print() in a pure layer", id="print"),
    pytest.param(CORE, "x = open('f')", "open() in a pure layer", id="open"),
    pytest.param(CONTRACT, "x = hash(1)", "hash() in a pure layer", id="hash"),
    pytest.param(CORE, "x = id(1)", "id() in a pure layer", id="id"),
    pytest.param(CORE, "exec('')", "exec() in a pure layer", id="exec"),
    pytest.param(CORE, "x = eval('')", "eval() in a pure layer", id="eval"),
    pytest.param(CORE, "x = input()", "input() in a pure layer", id="input"),
    pytest.param(CORE, "async def f(): ...", "async code", id="async def"),
    pytest.param(CORE, "def f():\n    global x", "global in a pure layer", id="global"),
    pytest.param(CORE, "for x in {1, 2}: ...", "iterates a set", id="set literal"),
    pytest.param(CORE, "x = [y for y in set(z)]", "iterates a set", id="set() in a list"),
    pytest.param(CORE, "x = (y for y in {1} | z)", "iterates a set", id="union in a generator"),
    pytest.param(CORE, "x = {y: 1 for y in {1, 2}}", "iterates a set", id="set in a dict"),
    pytest.param(CORE, "x = list({1, 2})", "iterates a set", id="list of a set"),
    pytest.param(CORE, "x = ','.join({a, b})", "iterates a set", id="joined set"),
    pytest.param(CORE, "x = [*{1, 2}]", "iterates a set", id="unpacked set"),
    pytest.param(CORE, "f(*set(x))", "iterates a set", id="set as arguments"),
    pytest.param(CORE, "def f():\n    yield from {1, 2}", "iterates a set", id="yield from"),
    pytest.param(CONTRACT, "class A(Struct): ...", "not frozen=True", id="mutable"),
    pytest.param(CONTRACT, "class A(Struct, frozen=True): ...", "kw_only", id="positional struct"),
    pytest.param(CONTRACT, "class A(msgspec.Struct, kw_only=True): ...", "frozen", id="dotted"),
    pytest.param(CONTRACT, "class A(Struct): ...\nclass B(A): ...", "B is not", id="heir"),
    pytest.param(CONTRACT, STRUCT.format(after="two: int"), "no docstring", id="bare field"),
    pytest.param(PORT, "def f(a, b, c, d): ...", "4 positional parameters", id="positional"),
    pytest.param(
        PORT,
        "class P(Protocol):\n    def f(self, a, b, c, d): ...",
        "P.f takes 4 positional",
        id="positional in a protocol",
    ),
    pytest.param(PORT, "def f():\n" + "    x = 1\n" * 60, "has 61 lines", id="long function"),
    pytest.param(PORT, NESTED.format(body="if item: ..."), "nests branches", id="nesting"),
    pytest.param(PORT, "x = 1\n" * 151, "151 lines", id="long port"),
    pytest.param(CORE, "x = 1\n" * 351, "351 lines", id="long core"),
    pytest.param(TEST, "def test_x():\n    time.sleep(1)", "sleep in a test", id="sleep"),
    pytest.param(TEST, "async def test_x():\n    await sleep(x)", "sleep in a test", id="asleep"),
    pytest.param(PORT, f"x = 1  # {TO_DO}: later", "without an issue", id="to do"),
    pytest.param(PORT, f"x = 1  {NO_QA}: E501", "without its reason", id="noqa"),
    pytest.param(PORT, f"x = 1  {NO_QA}", "without its reason", id="bare noqa"),
    pytest.param(PORT, f"x = 1  {IGNORE}", "without its reason", id="type ignore"),
    pytest.param("docs/a.md", f"see {MACHINE}", "path of one machine", id="machine path"),
    pytest.param(PORT, f"x = '{HOME}'", "path of one machine", id="home in code"),
    pytest.param(PORT, "def", "does not parse", id="syntax"),
]

SOUND = [
    pytest.param(CORE, "x = sorted({1, 2})", id="sorted set"),
    pytest.param(CORE, "x = sorted(y for y in {1, 2})", id="sorted generator"),
    pytest.param(CORE, "x = {y for y in {1, 2}}", id="set of a set"),
    pytest.param(CORE, "x = 1 in {1, 2}", id="membership"),
    pytest.param(CORE, "x = view.open()", id="a method named open"),
    pytest.param(PORT, "async def f(): print(await g())", id="async outside pure layers"),
    pytest.param(CONTRACT, STRUCT.format(after='"""Doc."""'), id="documented field"),
    pytest.param(
        CONTRACT,
        "class A(Struct, frozen=True, kw_only=True, tag='a'):\n    b: ClassVar[int] = 1",
        id="class variable",
    ),
    pytest.param(PORT, "class P:\n    def f(self, a, b, c, *, d): ...", id="keyword-only"),
    pytest.param(PORT, "def f():\n" + "    x = 1\n" * 59, id="60 lines"),
    pytest.param(PORT, NESTED.format(body="pass"), id="three deep"),
    pytest.param(
        PORT,
        "def f(x):\n    if x: ...\n    elif x: ...\n    elif x: ...\n    elif x: ...\n",
        id="elif is not deeper",
    ),
    pytest.param(PORT, "x = 1\n" * 150, id="150 lines of port"),
    pytest.param(TEST, "def wait_until():\n    time.sleep(1)", id="sleep of a wait"),
    pytest.param(TEST, "async def until():\n    await asyncio.sleep(1)", id="sleep of until"),
    pytest.param(TEST, "async def test_x():\n    await asyncio.sleep(0)", id="giving way"),
    pytest.param(PORT, f"x = 1  # {TO_DO}(#12): later", id="to do with issue"),
    pytest.param(PORT, f"x = 1  {NO_QA}: E501 - a long address", id="noqa with reason"),
    pytest.param(PORT, f"# The stub lacks it.\nx = 1  {IGNORE}", id="reason above"),
    pytest.param("docs/a.md", "https://host" + MACHINE, id="path of an address"),
]


@pytest.mark.parametrize(("name", "text", "message"), BROKEN)
def test_each_rule_sees_a_broken_sample(name: str, text: str, message: str) -> None:
    findings = list(tidy.check_text(name, text))
    assert [finding for finding in findings if message in finding.message], findings


@pytest.mark.parametrize(("name", "text"), SOUND)
def test_sound_samples_pass(name: str, text: str) -> None:
    assert list(tidy.check_text(name, text)) == []


def _write(root: Path, name: str, text: str) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return name


@pytest.mark.parametrize(
    ("module", "mirror"),
    [
        ("contracts/ids.py", "contracts/test_ids.py"),
        ("core/policy/access.py", "core/policy/test_access.py"),
        ("adapters/sqlite/_rows.py", "adapters/sqlite/test_rows.py"),
        ("services/fleet.py", "services/test_fleet.py"),
    ],
)
def test_a_module_with_functions_needs_its_mirror(tmp_path: Path, module: str, mirror: str) -> None:
    source = _write(tmp_path, f"src/trust_runtime/{module}", "def f(): ...\n")

    (finding,) = tidy.check(tmp_path, [source])
    assert finding.message == f"has no test of its own: tests/unit/{mirror}"

    test = _write(tmp_path, f"tests/unit/{mirror}", "")
    assert tidy.check(tmp_path, [source, test]) == []


@pytest.mark.parametrize("module", ["contracts/x.py", "core/__init__.py", "app/x.py", "ports/x.py"])
def test_modules_without_decisions_need_none(tmp_path: Path, module: str) -> None:
    text = "class A:\n    def f(self): ...\n"
    assert tidy.check(tmp_path, [_write(tmp_path, f"src/trust_runtime/{module}", text)]) == []


def test_an_exception_excuses_one_finding_and_must_be_needed(tmp_path: Path) -> None:
    name = _write(tmp_path, PORT, "def f(a, b, c, d): ...\n")
    key = f"{PORT}: f: positional"

    assert len(tidy.check(tmp_path, [name])) == 1
    assert tidy.check(tmp_path, [name], {key: "the library calls it so"}) == []

    _write(tmp_path, PORT, "def f(a, b, c): ...\n")
    (finding,) = tidy.check(tmp_path, [name], {key: "the library calls it so"})
    assert "no longer needed" in finding.message


def test_bytes_that_are_no_text_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89\xff" + MACHINE.encode())
    assert tidy.check(tmp_path, ["picture.png"]) == []


def test_the_program_prints_the_place_and_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["tidy.py", str(tmp_path)])
    assert tidy.main() == 0

    _write(tmp_path, "docs/a.md", f"one\nsee {MACHINE}\n")
    assert tidy.main() == 1
    assert capsys.readouterr().out.startswith("docs/a.md:2: names a path of one machine")


def test_files_that_git_ignores_are_not_ours(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # noqa: S607 - git is where PATH says
    _write(tmp_path, ".gitignore", "made/\n")
    _write(tmp_path, "made/a.md", MACHINE)
    _write(tmp_path, "kept/a.md", "fine")
    assert tidy.list_files(tmp_path) == [".gitignore", "kept/a.md"]
