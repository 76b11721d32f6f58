"""The words that contracts say about their fields, for the API document.

A field's docstring is a string below it: Python keeps none of them, so they are read from the
source, once for each module.
"""

import ast
import inspect
import re
import sys
from functools import cache
from typing import Any, Final

from msgspec import structs

_SEE: Final = re.compile(r"See `(\w+)`")


def describe_fields(kind: type[Any]) -> dict[str, str]:
    """Return what each field of a contract means, by its name in JSON; inherited ones too."""
    said: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        said |= _said_by(owner.__module__, owner.__name__)
    return {
        field.encode_name: text
        for field in structs.fields(kind)
        if (text := said.get(field.name)) is not None
    }


def _said_by(module: str, name: str) -> dict[str, str]:
    """Return the docstrings below the fields of one class; `See X` gives those of class X."""
    if not module.startswith("trust_runtime."):
        return {}
    classes = _classes(module)
    said = dict(classes.get(name, {}))
    for field, text in said.items():
        see = _SEE.match(text)
        if see is not None:
            said[field] = classes.get(see[1], {}).get(field, text)
    return said


@cache
def _classes(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings below fields, by class; nothing where the source is not there."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError):
        return {}
    return {node.name: _fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> dict[str, str]:
    said = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = inspect.cleandoc(text)
            case _:
                continue
    return said
