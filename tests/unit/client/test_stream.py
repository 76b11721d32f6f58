"""`client.stream`: messages from lines."""

from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.client.answers import StreamMessage
from trust_runtime.client.stream import MessageReader


def read(*lines: str) -> list[StreamMessage]:
    reader = MessageReader()
    return [message for line in lines for message in reader.take(line)]


def test_a_message_ends_with_an_empty_line() -> None:
    assert read("id: a-1", "event: state", 'data: {"n":1}') == []
    assert read("id: a-1", "event: state", 'data: {"n":1}', "") == [
        StreamMessage(event_id="a-1", event="state", data={"n": 1})
    ]


def test_comments_and_empty_lines_are_nothing() -> None:
    assert read(": still here", "", "", "retry: 5", "") == []


def test_fields_do_not_leak_into_the_next_message() -> None:
    first, second = read("id: 1", "event: a", "data: {}", "", "data: {}", "")
    assert (first.event_id, second.event_id, second.event) == ("1", "", "message")


def test_what_is_no_json_object_is_passed_over() -> None:
    assert read("data: [1]", "", "data: {", "", 'data: {"n":1}', "")[0].data == {"n": 1}


@given(lines=st.lists(st.text()))
def test_no_line_makes_it_fail(lines: list[str]) -> None:
    read(*lines)
