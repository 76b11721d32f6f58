import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_runtime.adapters.control_socket.lines import (
    LINE_BYTES_MAX,
    cut_off,
    read_call,
    refuse,
    too_long,
    write_reply,
)
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.codec import encode_json
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.results import ControlReply

VIOLATION = DenialCode.CONTRACT_VIOLATION


def refusal(line: bytes) -> ControlReply:
    reply = read_call(line)
    assert isinstance(reply, ControlReply)
    assert not reply.ok
    assert reply.error
    assert reply.remedy
    return reply


def test_a_whole_call_is_read() -> None:
    line = b'{"id":7,"type":"config.get","params":{"keys":["log.level"]},"request_id":"r-1"}\r\n'

    assert read_call(line) == ControlCall(
        id=7, type="config.get", params={"keys": ["log.level"]}, request_id="r-1"
    )


def test_what_the_command_line_sends_is_read() -> None:
    call = ControlCall(id=1, type="audit.list", params={"limit": 5})

    assert read_call(encode_json(call) + b"\n") == call


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\n", id="blank"),
        pytest.param(b"hello\n", id="no JSON"),
        pytest.param(b'{"id":1,"type":"status"\n', id="cut"),
        pytest.param(b'[{"id":1,"type":"status"}]\n', id="no object"),
        pytest.param(b'{"id":1,"type":"status"}{"id":2,"type":"status"}\n', id="two objects"),
        pytest.param(b'{"id":1,"type":"status","id":2}\n', id="a member twice"),
        pytest.param(b'{"id":1,"type":"status","params":{"x":NaN}}\n', id="not a number"),
        pytest.param(b'{"id":1,"type":"\\ud800"}\n', id="a lone surrogate"),
        pytest.param(b'\xef\xbb\xbf{"id":1,"type":"status"}\n', id="a byte order mark"),
        pytest.param(b'{"id":1,"type":"\xff"}\n', id="no UTF-8"),
        pytest.param(b"[" * 5_000 + b"\n", id="too deep"),
        pytest.param(b'{"id":18446744073709551616,"type":"status"}\n', id="id beyond 64 bits"),
        pytest.param(b'{"id":"1","type":"status"}\n', id="id is a text"),
        pytest.param(b'{"id":true,"type":"status"}\n', id="id is a truth"),
        pytest.param(b'{"id":1.0,"type":"status"}\n', id="id is a fraction"),
        pytest.param(b'{"type":"status"}\n', id="no id"),
    ],
)
def test_what_has_no_readable_id_is_refused_with_id_0(line: bytes) -> None:
    reply = refusal(line)

    assert (reply.id, reply.denial_code) == (0, VIOLATION)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b'{"id":7}\n', "type"),
        (b'{"id":7,"type":5}\n', "type"),
        (b'{"id":7,"type":"status","params":[]}\n', "params"),
        (b'{"id":7,"type":"status","parms":{}}\n', "did you mean 'params'?"),
        (b'{"id":7,"type":"status","dry_run":true}\n', "dry_run"),
    ],
)
def test_a_misfit_keeps_its_id_and_names_the_member(line: bytes, named: str) -> None:
    reply = refusal(line)

    assert (reply.id, reply.denial_code) == (7, VIOLATION)
    assert named in str(reply.error)


def test_a_line_may_have_exactly_the_limit() -> None:
    frame = len(b'{"id":7,"type":""}')
    fits = b'{"id":7,"type":"%s"}' % (b"x" * (LINE_BYTES_MAX - frame))

    assert isinstance(read_call(fits), ControlCall)
    assert read_call(fits + b" ") == too_long()


@pytest.mark.parametrize("reply", [too_long(), cut_off()])
def test_a_line_that_is_no_line_has_no_id(reply: ControlReply) -> None:
    assert (reply.id, reply.ok, reply.denial_code) == (0, False, VIOLATION)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode()))
def test_no_bytes_get_past_the_door_or_break_it(line: bytes) -> None:
    read = read_call(line)

    assert isinstance(read, ControlReply)
    assert write_reply(read).count(b"\n") == 1


@given(
    call_id=st.integers(-(2**63), 2**63 - 1),
    reason=st.text(max_size=40),
)
def test_a_reply_is_one_line_with_its_id(call_id: int, reason: str) -> None:
    line = write_reply(refuse(deny(DenialCode.OVERLOADED, reason), call_id=call_id))

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    shown = json.loads(line)
    assert (shown["id"], shown["ok"], shown["error"]) == (call_id, False, reason)
    assert shown["denial_code"] == "overloaded"
