"""`adapters.http.answers`: what every JSON answer carries."""

from email.utils import parsedate_to_datetime

from trust_runtime.adapters.http.answers import (
    audit_header,
    bytes_answer,
    json_answer,
    page_answer,
    text_answer,
)


def test_common_headers() -> None:
    answer = json_answer({"b": 1, "a": None}, status=201, headers={"etag": '"x"'})
    assert (answer.status_code, bytes(answer.body)) == (201, b'{"b":1,"a":null}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == '"x"'
    assert answer.headers["content-length"] == "16"
    assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None


def test_ready_bytes_are_sent_as_they_are() -> None:
    assert bytes(bytes_answer(b"[1]").body) == b"[1]"


def test_the_audit_header_is_there_when_there_is_a_record() -> None:
    assert audit_header("audit-1") == {"x-trust-audit-id": "audit-1"}
    assert audit_header(None) == {}


def test_a_text_and_a_page_carry_the_common_headers_too() -> None:
    text = text_answer("a 1\n", media_type="text/plain; version=0.0.4; charset=utf-8")
    page = page_answer(b"<p>", policy="default-src 'none'")
    assert (bytes(text.body), bytes(page.body)) == (b"a 1\n", b"<p>")
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == "default-src 'none'"
    for answer in (text, page):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
