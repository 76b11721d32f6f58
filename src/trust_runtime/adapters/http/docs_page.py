"""The API document as a page: made here whole, so that it can be read without any script."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

_TEMPLATE: Final = Path(__file__).with_name("docs.html")
_CODE: Final = re.compile(r"`([^`]+)`")
_UNBOUNDED: Final = 2**63 - 1
_STREAM: Final = "text/event-stream"
Operation = tuple[str, str, Mapping[str, Any]]


class Page(Struct, frozen=True):
    """A page and what it may load and run."""

    html: bytes
    """The whole page."""

    policy: str
    """Its Content-Security-Policy: the one style and the one script in it, nothing foreign."""


def render_page(document: Mapping[str, Any]) -> Page:
    """Return the page of an OpenAPI document."""
    template = _TEMPLATE.read_text("utf-8")
    groups = _groups(document)
    parts = {
        "navigation": "".join(_navigation(groups)),
        "version": escape(document["info"]["version"]),
        "description": _text(document["info"]["description"]),
        "operations": "".join(_section(tag, operations) for tag, operations in groups.items()),
        "schemas": "".join(
            _schema(name, schema) for name, schema in document["components"]["schemas"].items()
        ),
    }
    html = re.sub(r"<!--(\w+)-->", lambda found: parts[found[1]], template)
    return Page(html.encode(), _policy(template))


def _policy(template: str) -> str:
    style, script = _content(template, "style"), _content(template, "script")
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _content(template: str, tag: str) -> str:
    return template.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"].items()
            known = {status: _resolved(answer, document) for status, answer in answers}
            whole = {**operation, "responses": known}
            groups.setdefault(operation["tags"][0], []).append((method, path, whole))
    return {tag: groups[tag] for tag in sorted(groups)}


def _resolved(answer: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = answer.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["responses"][name] if name else answer
    return found


def _navigation(groups: Mapping[str, Iterable[Operation]]) -> Iterator[str]:
    for tag, operations in groups.items():
        links = "".join(
            f'<li><a href="#{_id(operation)}">{_badge(method)}<span>{escape(_short(path))}</span>'
            "</a></li>"
            for method, path, operation in operations
        )
        yield f'<div id="nav-group-{escape(tag)}"><h2>{escape(tag)}</h2><ul>{links}</ul></div>'
    yield '<h2>More</h2><ul><li><a href="#schemas"><span>Schemas</span></a></li></ul>'


def _section(tag: str, operations: Iterable[Operation]) -> str:
    articles = "".join(_article(*one) for one in operations)
    heading = f'<h2 class="group">{escape(tag)}</h2>'
    return f'<section class="group" id="group-{escape(tag)}">{heading}{articles}</section>'


def _article(method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = _id(operation)
    found = escape(f"{method} {path} {operation['summary']}".lower())
    door, _, more = operation["description"].partition("\n\n")
    pieces = [
        f'<h3 id="{name}-title">{_badge(method)}<code>{escape(path)}</code></h3>',
        f"<p>{_text(operation['summary'])}</p>",
        *(f"<p>{_text(paragraph)}</p>" for paragraph in more.split("\n\n") if paragraph),
        f'<p class="role">{_text(door)}</p>',
        _parameters(operation.get("parameters", ())),
        _body(operation),
        _answers(operation["responses"]),
        _form(method, path, operation),
    ]
    attributes = f'id="{name}" aria-labelledby="{name}-title" data-text="{found}"'
    return f"<article {attributes}>{''.join(pieces)}</article>"


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"<code>{escape(one['name'])}</code>",
            f"{one['in']}, {_type(one['schema'])}",
            _text(one["description"]),
        )
        for one in parameters
    ]
    return f"<h4>Parameters</h4>{_table(('Name', 'Where, type', 'Meaning'), rows)}" if rows else ""


def _body(operation: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    [(media, content)] = operation["requestBody"]["content"].items()
    return f"<h4>Body</h4><p><code>{media}</code>: {_type(content['schema'])}</p>"


def _answers(responses: Mapping[str, Any]) -> str:
    [(media, content)] = responses["200"]["content"].items()
    rest = [
        (f"<code>{status}</code>", _text(answer["description"]))
        for status, answer in responses.items()
        if status != "200"
    ]
    return (
        f"<h4>Answer</h4><p><code>200</code> <code>{escape(media)}</code>"
        f" {_type(content['schema'])}</p><details><summary>{len(rest)} refusals</summary>"
        f"{_table(('Status', 'Meaning'), rest)}</details>"
    )


def _form(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return what asks the endpoint; only GET, which changes nothing, and which ends."""
    if method != "get" or _STREAM in operation["responses"]["200"]["content"]:
        return ""
    name = _id(operation)
    inputs = "".join(
        f'<label for="{name}-{one["name"]}">{escape(one["name"])}</label>'
        f'<input id="{name}-{one["name"]}" name="{one["name"]}" data-in="{one["in"]}"'
        f' autocomplete="off"{" required" if one["required"] else ""}>'
        for one in operation.get("parameters", ())
    )
    asking = (
        f'<button type="submit">Send {escape(method.upper())}</button>'
        '<p role="status" class="role"></p><pre tabindex="0" hidden></pre>'
    )
    form = f'<form hidden data-path="{escape(path)}">{inputs}{asking}</form>'
    return f"<details><summary>Try it</summary>{form}<noscript>Needs a script.</noscript></details>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{escape(member)}</code>",
            _type(one) + ("" if member in required else ", optional"),
            _text(one.get("description", "")),
        )
        for member, one in schema.get("properties", {}).items()
    ]
    about = f"<p>{_text(schema.get('description', ''))}</p>"
    values = "" if rows else f"<p>{_type(schema)}</p>"
    table = _table(("Member", "Type", "Meaning"), rows) if rows else ""
    summary = f"<summary>{escape(name)}</summary>"
    return f'<details class="schema" id="{_anchor(name)}">{summary}{about}{values}{table}</details>'


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in words, as HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(map(_type, kinds))
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items') or {})}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return escape(kind) + _range(schema)


def _range(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None or most is None:
        return ""
    return f", {least} or more" if most >= _UNBOUNDED else f" {least}..{most}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _text(text: str) -> str:
    """Return text as HTML; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _badge(method: str) -> str:
    return f'<span class="method {escape(method)}">{escape(method.upper())}</span>'


def _short(path: str) -> str:
    return path.removeprefix("/api/runtime-cloud")


def _id(operation: Mapping[str, Any]) -> str:
    return escape(operation["operationId"])


def _anchor(name: str) -> str:
    return escape(f"schema-{name}")
