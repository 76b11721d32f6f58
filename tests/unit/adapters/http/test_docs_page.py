"""`adapters.http.docs_page`: the page is whole without a script, and nothing in it is foreign."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from http_client import serving
from trust_runtime.adapters.http.docs_page import render_page
from trust_runtime.adapters.http.openapi import build_openapi
from trust_runtime.adapters.http.table import ROUTES

PAGE = render_page(build_openapi(ROUTES))
HTML = PAGE.html.decode()
_VOID = {"meta", "link", "input", "br"}


class Reader(HTMLParser):
    """Notes what a page consists of, and that its tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value))
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def document(**changes: Any) -> dict[str, Any]:
    operation = {
        "operationId": "get_x",
        "tags": ["x"],
        "summary": "Return x.",
        "description": "Open.",
        "responses": {"200": {"description": "Done.", "content": {"text/plain": {"schema": {}}}}},
        **changes,
    }
    return {
        "info": {"version": "1", "description": "What `it` is."},
        "paths": {"/x": {"get": operation}},
        "components": {"schemas": {}, "responses": {}},
    }


def test_every_endpoint_is_there_without_a_script() -> None:
    text = re.sub(r"<script>.*</script>", "", HTML, flags=re.DOTALL)
    for route in ROUTES:
        assert f"<code>{route.path}</code>" in text
        assert f'id="{route.handler.__name__}"' in text


def test_tags_nest_ids_are_unique_and_links_lead_somewhere() -> None:
    reader = read(HTML)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    for link in reader.links:
        assert link in ("data:,", "/api/openapi.json") or link.removeprefix("#") in reader.ids


def test_the_policy_admits_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", HTML, flags=re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{hashed}'" in PAGE.policy
    assert PAGE.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in PAGE.policy
    reader = read(HTML)
    assert not [a for a in reader.attributes if a[1].startswith("on") or a[1] == "style"]


def test_markup_in_a_document_is_shown_not_obeyed() -> None:
    evil = "<img src=x onerror=alert(1)>`<b>`"
    parameter = {"name": "q", "in": "query", "required": False, "description": evil}
    page = render_page(
        document(summary=evil, parameters=[{**parameter, "schema": {"type": "string"}}])
    )
    assert b"<img" not in page.html
    assert b"<b>" not in page.html
    assert b"&lt;img" in page.html


def test_only_get_is_tried_and_never_a_stream() -> None:
    assert b"<form" in render_page(document()).html
    endless = {"200": {"description": "", "content": {"text/event-stream": {"schema": {}}}}}
    assert b"<form" not in render_page(document(responses=endless)).html
    paths = re.findall(r'<form hidden data-path="([^"]*)"', HTML)
    gets = {route.path for route in ROUTES if route.method == "GET"}
    assert set(paths) == {path for path in gets if not path.endswith("/events")}


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({}, b"anything"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, b"integer 1..9"),
        ({"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, b"integer, 0 or more"),
        ({"type": "integer", "minimum": 0, "maximum": 2**63 - 2}, b"0..9223372036854775806"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, b"query, string<"),
        ({"enum": ["a", "b"]}, b"<code>a</code> | <code>b</code>"),
        ({"type": "array", "items": {"type": "string"}}, b"list of string"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, b"object of string"),
        ({"$ref": "#/components/schemas/Alive"}, b'<a href="#schema-Alive">Alive</a>'),
    ],
)
def test_types_are_said_in_words(schema: dict[str, Any], shown: bytes) -> None:
    one = {"name": "q", "in": "query", "required": False, "description": "", "schema": schema}
    assert shown in render_page(document(parameters=[one])).html


@pytest.mark.anyio
async def test_the_server_sends_the_page_to_everybody() -> None:
    async with serving() as served:
        reply = await served.ask("GET", "/api/docs", headers={"Forwarded": "for=x"})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"] == PAGE.policy
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.raw == PAGE.html
