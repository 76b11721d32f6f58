"""Check the house rules that ruff, mypy and import-linter cannot see.

    python tools/tidy.py [ROOT]

Prints one `FILE:LINE: message` per finding and exits 1 when there is any. Only the standard
library is used, and every file is parsed at most once.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

EXCEPTIONS: Final[Mapping[str, str]] = {}
"""`PATH: NAME: RULE` -> reason. It only shrinks: an entry that excuses nothing is a finding."""

PACKAGE: Final = "src/trust_runtime/"
LINES_MAX: Final = {
    "contracts": 300, "core": 350, "ports": 150, "services": 400,
    "adapters": 400, "client": 400, "app": 300, "bench": 300, "gates": 300, "cli": 300,
    "tools": 400,
}  # fmt: skip
FUNCTION_LINES_MAX: Final = 60
POSITIONAL_MAX: Final = 3
NESTING_MAX: Final = 3

PURE: Final = frozenset({"contracts", "core"})
MIRRORED: Final = frozenset({"contracts", "core", "adapters", "services", "client"})
IMPURE_CALLS: Final = frozenset(
    {"open", "print", "hash", "id", "exec", "eval", "input", "breakpoint", "__import__"}
)
ORDER_FREE: Final = frozenset(
    {"sorted", "set", "frozenset", "len", "sum", "min", "max", "any", "all"}
)
"""Calls whose result does not depend on the order in which they see their argument."""
ORDER_BOUND: Final = frozenset({"list", "tuple", "enumerate", "iter", "map", "zip", "dict", "join"})
"""Calls whose result does: a set handed to one of them has been iterated."""

WAITS: Final = ("wait", "until")
"""How a test's function that polls a condition under a deadline begins; only it may sleep."""

MACHINE_PATH: Final = re.compile(r"(?<![\w.~])/(?:work|root)/")
TODO: Final = re.compile(r"\b(?:TODO|FIXME)\b(?!\(#\d+\))")
DIRECTIVE: Final = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w\s,-]*\])?)"
)
REASON: Final = re.compile(r"[A-Za-z]{3}")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Finding(NamedTuple):
    """One broken rule."""

    path: str
    """Relative to the root, with `/`."""

    line: int
    """Counted from 1."""

    message: str
    """What is wrong and what to do."""

    key: str = ""
    """How `EXCEPTIONS` names it; empty: it cannot be excused."""

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.path}:{self.line}: {self.message}"


def main() -> int:
    """Check the tree named on the command line, or the one this file is in."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent
    findings = check(root, list_files(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def list_files(root: Path) -> list[str]:
    """Return the files git tracks or would track; without git, all but hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is where PATH says
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = {name for name in listed.stdout.split("\0") if name}
    else:
        found = {path.relative_to(root).as_posix() for path in root.glob("[!.]*/**/*")}
        found |= {path.name for path in root.iterdir()}
    return sorted(name for name in found if (root / name).is_file())


def check(
    root: Path, files: Iterable[str], exceptions: Mapping[str, str] = EXCEPTIONS
) -> list[Finding]:
    """Return every finding in `files` (relative to `root`) that is not excused, in order."""
    files = list(files)
    found = list(check_mirrors(root, files))
    for name in files:
        text = _read_text(root / name)
        if text is not None:
            found += check_text(name, text)
    used = {finding.key for finding in found}
    kept = [finding for finding in found if finding.key not in exceptions]
    kept += [
        Finding("tools/tidy.py", 1, f"exception is no longer needed, remove it: {key}")
        for key in exceptions
        if key not in used
    ]
    return sorted(kept)


def check_text(name: str, text: str) -> Iterator[Finding]:
    """Yield the findings in one text file."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield Finding(name, number, "names a path of one machine; make it relative")
    if not name.endswith(".py"):
        return
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield Finding(name, error.lineno or 1, "does not parse as Python")
        return
    yield from _check_comments(name, text)
    layer = layer_of(name)
    if layer is not None:
        yield from _check_size(name, text, LINES_MAX.get(layer))
        yield from _check_functions(name, tree)
    if layer in PURE:
        yield from _check_purity(name, tree)
        yield from _check_sets(name, tree)
    if layer == "contracts":
        yield from _check_structs(name, tree)
    if name.startswith("tests/"):
        yield from _check_sleeps(name, tree, "")


def layer_of(name: str) -> str | None:
    """Return the layer a file belongs to, `tools`, or None when no size limits apply to it."""
    if name.startswith("tools/"):
        return "tools"
    inside = PurePosixPath(name.removeprefix(PACKAGE)).parts
    return inside[0] if name.startswith(PACKAGE) and len(inside) > 1 else None


def check_mirrors(root: Path, files: Iterable[str]) -> Iterator[Finding]:
    """Yield the modules with functions that have no test of their own."""
    names = set(files)
    for name in sorted(names):
        layer = layer_of(name)
        if layer not in MIRRORED or not name.endswith(".py") or name.endswith("/__init__.py"):
            continue
        module = PurePosixPath(name.removeprefix(PACKAGE))
        mirror = f"tests/unit/{module.parent}/test_{module.name.lstrip('_')}"
        if mirror not in names and _has_functions(root / name, top_only=layer == "contracts"):
            yield Finding(name, 1, f"has no test of its own: {mirror}", f"{name}: : mirror")


def _has_functions(path: Path, *, top_only: bool) -> bool:
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, ValueError):
        return True
    nodes = tree.body if top_only else ast.walk(tree)
    return any(isinstance(node, Function) for node in nodes)


def _read_text(path: Path) -> str | None:
    """Return the file's text, or None for a file that is not text."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _check_comments(name: str, text: str) -> Iterator[Finding]:
    if not (DIRECTIVE.search(text) or TODO.search(text)):
        return  # Tokenizing is the slow part; most files need none of it.
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        number = token.start[0]
        if TODO.search(token.string):
            yield Finding(name, number, "TODO without an issue; write TODO(#12)")
        above = lines[number - 2].strip() if number > 1 else ""
        reasoned = REASON.search(DIRECTIVE.sub("", token.string)) or above.startswith("#")
        if DIRECTIVE.search(token.string) and not reasoned:
            yield Finding(name, number, "noqa or type: ignore without its reason beside it")


def _check_size(name: str, text: str, lines_max: int | None) -> Iterator[Finding]:
    lines = len(text.splitlines())
    if lines_max is not None and lines > lines_max:
        message = f"{lines} lines, the limit of this layer is {lines_max}: split it"
        yield Finding(name, lines_max + 1, message, f"{name}: : lines")


def _check_functions(name: str, tree: ast.Module) -> Iterator[Finding]:
    for owner, node in _functions(tree, ""):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            message = f"{owner} has {lines} lines, the limit is {FUNCTION_LINES_MAX}"
            yield Finding(name, node.lineno, message, f"{name}: {owner}: lines")
        positional = len([*node.args.posonlyargs, *node.args.args]) - _bound(owner, node)
        if positional > POSITIONAL_MAX:
            message = f"{owner} takes {positional} positional parameters, at most {POSITIONAL_MAX}"
            yield Finding(name, node.lineno, message, f"{name}: {owner}: positional")
        depth = max((_nesting(child) for child in node.body), default=0)
        if depth > NESTING_MAX:
            message = f"{owner} nests branches and loops {depth} deep, at most {NESTING_MAX}"
            yield Finding(name, node.lineno, message, f"{name}: {owner}: nesting")


def _functions(node: ast.AST, owner: str) -> Iterator[tuple[str, Function]]:
    """Yield every function below `node` with its dotted name."""
    for child in ast.iter_child_nodes(node):
        inside = owner
        if isinstance(child, Function | ast.ClassDef):
            inside = f"{owner}{child.name}."
        if isinstance(child, Function):
            yield inside.removesuffix("."), child
        yield from _functions(child, inside)


def _bound(owner: str, node: Function) -> int:
    """Return 1 when the first parameter is `self` or `cls`, which nobody passes."""
    first = [*node.args.posonlyargs, *node.args.args][:1]
    return int("." in owner and bool(first) and first[0].arg in {"self", "cls"})


def _nesting(node: ast.AST) -> int:
    """Return how deep branches and loops nest in `node`; `with` and `try` decide nothing."""
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return 0  # Counted on its own.
    own = int(isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Match))
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        # `elif` stands beside its `if`, not inside it.
        inside = max(_nesting(child) for child in node.body)
        return max(own + inside, _nesting(node.orelse[0]))
    return own + max((_nesting(child) for child in ast.iter_child_nodes(node)), default=0)


def _check_purity(name: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in IMPURE_CALLS:
            if isinstance(node.func, ast.Name):
                yield Finding(name, node.lineno, f"{node.func.id}() in a pure layer")
        elif isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            yield Finding(name, node.lineno, "async code in a pure layer")
        elif isinstance(node, ast.Global):
            yield Finding(name, node.lineno, "global in a pure layer")


def _called(call: ast.Call) -> str:
    """Return the last name of what is called: `sleep` for `time.sleep()`."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _check_sets(name: str, tree: ast.Module) -> Iterator[Finding]:
    """Yield each place that lets the order of a set, which hashing decides, become visible."""
    harmless: set[ast.AST] = set()
    for node in ast.walk(tree):  # Breadth first: a call is seen before its arguments.
        if isinstance(node, ast.Call) and _called(node) in ORDER_FREE:
            harmless.update(node.args)
        for seen in _iterated(node):
            if node not in harmless and _is_set(seen):
                yield Finding(name, seen.lineno, "iterates a set: sort it first")


def _iterated(node: ast.AST) -> Iterable[ast.expr]:
    """Return the expressions `node` visits one element after the other."""
    if isinstance(node, ast.For):
        return [node.iter]
    if isinstance(node, Comprehension) and not isinstance(node, ast.SetComp):
        return [part.iter for part in node.generators]
    if isinstance(node, ast.Call):
        unpacked = [item.value for item in node.args if isinstance(item, ast.Starred)]
        return unpacked + (node.args if _called(node) in ORDER_BOUND else [])
    if isinstance(node, ast.List | ast.Tuple):
        return [item.value for item in node.elts if isinstance(item, ast.Starred)]
    return [node.value] if isinstance(node, ast.YieldFrom) else []


def _is_set(node: ast.expr) -> bool:
    """Tell whether the text alone shows that `node` is a set."""
    if isinstance(node, ast.BinOp):
        return _is_set(node.left) or _is_set(node.right)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return isinstance(node, ast.Set | ast.SetComp)


def _check_structs(name: str, tree: ast.Module) -> Iterator[Finding]:
    known = {"Struct"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or not known & {_last_name(b) for b in node.bases}:
            continue
        known.add(node.name)
        on = {key.arg for key in node.keywords if getattr(key.value, "value", False) is True}
        if not {"frozen", "kw_only"} <= on:
            yield Finding(name, node.lineno, f"{node.name} is not frozen=True, kw_only=True")
        for field, after in zip(node.body, [*node.body[1:], None], strict=True):
            if _is_field(field) and not _is_text(after):
                yield Finding(name, field.lineno, f"field of {node.name} has no docstring under it")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)


def _is_text(node: ast.stmt | None) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _check_sleeps(name: str, node: ast.AST, function: str) -> Iterator[Finding]:
    """Yield each sleep that is not one step of a function that waits for a condition."""
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, Function) else function
        waits = function.lstrip("_").startswith(WAITS)
        if isinstance(child, ast.Call) and _sleeps(child) and not waits:
            message = "sleep in a test: wait for a condition, in a function named wait_... or until"
            yield Finding(name, child.lineno, message, f"{name}: {function}: sleep")
        yield from _check_sleeps(name, child, inside)


def _sleeps(call: ast.Call) -> bool:
    """Tell whether it is a sleep; `sleep(0)` gives way and waits for nothing."""
    length = call.args[0] if len(call.args) == 1 else None
    return _called(call) == "sleep" and not (isinstance(length, ast.Constant) and not length.value)


if __name__ == "__main__":
    sys.exit(main())
