"""`adapters.http.body_reader`: what is said about a text, and in which bytes."""

import io

import pytest

from trust_runtime.adapters.http.body_reader import (
    LENGTH_BYTES,
    Said,
    answer_all,
    judge,
    length_of,
)
from trust_runtime.contracts.codec import unpack
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation


def test_values_and_what_is_wrong_are_said_as_the_door_says_them() -> None:
    assert judge(b'{"a":[1,-0.5,"x"]}', bytes_max=99) == Said(members={"a": [1, -0.5, "x"]})
    said = judge(b'{"a":[0,NaN]}', bytes_max=99).misfit
    assert said is not None
    shown = ContractViolation(said.path, said.value, said.allowed)
    assert str(shown) == "$.a[1]: got 'NaN'; allowed: a finite number"


def test_the_limit_is_the_callers() -> None:
    with pytest.raises(BodyTooLarge):
        judge(b'{"a":1}', bytes_max=6)


@pytest.mark.parametrize("cut", [b"", b"\0", b"\0\0\0\x07", b'\0\0\0\x07{"a":1'])
def test_one_answer_for_each_text_until_the_input_ends_wherever(cut: bytes) -> None:
    texts = [b'{"a":1}', b"[]", b'{"b":2}']
    outgoing = io.BytesIO()
    incoming = io.BytesIO(b"".join(length_of(text) + text for text in texts) + cut)
    answer_all(incoming, outgoing, bytes_max=99)
    outgoing.seek(0)
    said = []
    while head := outgoing.read(LENGTH_BYTES):
        said.append(unpack(outgoing.read(int.from_bytes(head, "big")), Said))
    assert said == [judge(text, bytes_max=99) for text in texts]
