"""`client.wire`: what both clients send, and how they read errors of the connection."""

import httpx
import pytest

from trust_runtime.client import calls
from trust_runtime.client.wire import content_type, headers, no_answer, resume, stream_call
from trust_runtime.contracts.errors import Refused

ADDRESS = httpx.URL("http://127.0.0.1:18081")


def test_a_token_goes_into_the_header_and_nowhere_else() -> None:
    assert headers("secret") == {"authorization": "Bearer secret"}
    assert headers(None) == {}


def test_a_body_is_json_and_nothing_has_no_type() -> None:
    assert content_type(calls.state()) == {}
    sent = calls.remove_link("a", "b")
    assert (sent.method, content_type(sent)) == ("DELETE", {})


def test_a_stream_goes_on_where_it_ended() -> None:
    assert resume("a-1") == {"last-event-id": "a-1"}
    assert resume(None) == {}
    with pytest.raises(Refused, match="64 clients"):
        stream_call().read(503, b'{"denial_code":"overloaded","error":"64 clients listen"}')


def test_silence_and_absence_are_told_apart() -> None:
    late = no_answer(ADDRESS, httpx.ReadTimeout("slow"))
    absent = no_answer(ADDRESS, httpx.ConnectError("refused"))
    assert (late.late, absent.late) == (True, False)
    assert all("127.0.0.1:18081" in error.reason and error.remedy for error in (late, absent))
