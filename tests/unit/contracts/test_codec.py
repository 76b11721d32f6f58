"""`contracts.codec`: contract 1.3, decision D55."""

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.codec import (
    canonical_json,
    convert,
    decode_json,
    digest,
    encode_json,
    nearest,
    pack,
    sha256_hex,
    to_plain,
    unpack,
)
from trust_runtime.contracts.config import EMPTY_ETAG
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.results import ControlReply, TargetReply

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DENIAL = deny(DenialCode.CONFLICT, "twice")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1, 2], "B": None}, '{"B":null,"a":[1,2],"b":1}'),
        ({"ä": "é", "aa": True, "a": 0}, '{"a":0,"aa":true,"ä":"é"}'),
        ({"n": 2**64 - 1, "m": -(2**63)}, '{"m":-9223372036854775808,"n":18446744073709551615}'),
        ({"x": 'a"\\/\n\u2028'}, '{"x":"a\\"\\\\/\\n\u2028"}'),
        ({}, "{}"),
    ],
)
def test_canonical_json_is_what_the_contract_says(value: object, text: str) -> None:
    assert canonical_json(value) == text.encode()


@given(value=VALUES, seed=st.randoms(use_true_random=False))
def test_canonical_json_does_not_depend_on_the_order_of_members(value: object, seed: Any) -> None:
    def shuffled(part: object) -> object:
        if isinstance(part, list):
            return [shuffled(item) for item in part]
        if not isinstance(part, dict):
            return part
        names = list(part)
        seed.shuffle(names)
        return {name: shuffled(part[name]) for name in names}

    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(value=st.dictionaries(TEXTS, st.integers(), max_size=6))
def test_members_stand_in_the_order_of_code_points(value: dict[str, int]) -> None:
    assert list(json.loads(canonical_json(value))) == sorted(value)


def test_plain_json_keeps_the_order_of_the_contract_and_canonical_json_does_not() -> None:
    reply = ControlReply(id=1, ok=True, request_id="r-1", audit_id="audit-1")
    assert list(json.loads(encode_json(reply))) == ["id", "ok", "request_id", "audit_id"]
    assert canonical_json(reply) == b'{"audit_id":"audit-1","id":1,"ok":true,"request_id":"r-1"}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        (
            {"log.level": "debug"},
            "sha256:adfb42fded2cd220f804b460d10d8a465c6d88c28f78f12450a459d6532b410f",
        ),
    ],
)
def test_digests_named_in_the_contract(value: object, expected: str) -> None:
    assert digest(value) == expected
    assert digest({}) == EMPTY_ETAG


@given(content=st.binary(max_size=40))
def test_a_hash_is_sixty_four_lower_case_hex_digits(content: bytes) -> None:
    assert sha256_hex(content) == hashlib.sha256(content).hexdigest()


@given(value=VALUES, other=VALUES)
def test_a_digest_tells_values_apart(value: object, other: object) -> None:
    same = json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(value) == digest(other)) == same


@given(reason=TEXTS, retry_after_ms=st.none() | st.integers(0, 2**63))
def test_a_contract_comes_back_from_its_bytes(reason: str, retry_after_ms: int | None) -> None:
    denial = deny(DenialCode.TIMEOUT, reason, retry_after_ms=retry_after_ms)
    for text in (canonical_json(denial), encode_json(denial)):
        assert decode_json(text, Denial) == denial
    assert convert(to_plain(denial), Denial) == denial


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b'{"code":"timeout"}', b'{"code":"\xff"}'),
        *(b'{"code":"late","reason":"","remedy":""}', b'{"code":"timeout","reason":1,"remedy":""}'),
        b'{"code":"timeout","reason":"\\ud800","remedy":""}',
        b'{"code":"timeout","reason":"","remedy":"","x":' + b"[" * 100_000,
    ],
)
def test_bytes_that_do_not_fit_are_a_contract_violation(content: bytes) -> None:
    with pytest.raises(ContractViolation, match="JSON of Denial") as caught:
        decode_json(content, Denial)
    assert str(caught.value).encode()


@pytest.mark.parametrize("kind", [dict, TargetReply])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_endless_nesting_is_a_contract_violation_too(kind: type[Any], opening: bytes) -> None:
    content = b'{"status":"executed","response":{"ok":true,"result":' + opening * 100_000
    with pytest.raises(ContractViolation):
        decode_json(content, kind)


@given(content=st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(content: bytes) -> None:
    for kind in (dict, Denial, TargetReply):
        try:
            decode_json(content, kind)
        except ContractViolation as error:
            caught = error.path
            assert caught == "$"


REQUEST = {
    "api_version": "1.0",
    "request_id": "r-1",
    "connected_via": "runtime-a",
    "target_runtimes": ["runtime-b"],
    "actor": "me",
    "action_type": "status_read",
}


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"dryrun": True}, "$.dryrun", "a known member (did you mean 'dry_run'?)"),
        ({"zzz": 1}, "$.zzz", "a known member"),
        ({"actor": 5}, "$.actor", "Expected `str`, got `int`"),
        ({"target_runtimes": ["a", None]}, "$.target_runtimes[1]", "Expected `str`, got `null`"),
        ({"on_denied": "maybe"}, "$.on_denied", "Invalid enum value 'maybe'"),
    ],
)
def test_a_misfit_names_its_place(change: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        convert(REQUEST | change, ActionRequest)
    assert (caught.value.path, caught.value.allowed) == (path, text)


def test_a_missing_member_is_named_at_the_place_it_is_missing_from() -> None:
    with pytest.raises(ContractViolation, match="missing required field `actor`") as caught:
        convert({k: v for k, v in REQUEST.items() if k != "actor"}, ActionRequest)
    assert caught.value.path == "$"


def test_what_is_no_object_at_all_is_refused() -> None:
    with pytest.raises(ContractViolation, match=r"^\$: "):
        convert([], ActionRequest)


def test_unknown_members_pass_only_when_asked_for() -> None:
    later = REQUEST | {"dryrun": True}
    assert convert(later, ActionRequest, known_only=False) == convert(REQUEST, ActionRequest)


def test_a_member_is_known_by_the_name_it_has_on_the_wire() -> None:
    class Renamed(msgspec.Struct, frozen=True, kw_only=True):
        origin: str = msgspec.field(name="from")

    assert convert({"from": "a"}, Renamed).origin == "a"
    with pytest.raises(ContractViolation, match=r"\$\.origin"):
        convert({"origin": "a", "from": "b"}, Renamed)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("dry_run", " (did you mean 'dry_run'?)"),
        ("dryrun", " (did you mean 'dry_run'?)"),
        ("actors", " (did you mean 'actor'?)"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_the_nearest_known_word(word: str, hint: str) -> None:
    assert nearest(word, ["dry_run", "actor", "payload"]) == hint


def test_a_word_too_long_to_be_a_misspelling_is_near_nothing() -> None:
    assert nearest("a" * 128, ["a" * 127]) != ""
    assert nearest("a" * 129, ["a" * 128]) == ""


@given(order=st.permutations(["item-1", "item-2", "item-3"]))
def test_the_nearest_word_does_not_depend_on_the_order_of_the_known(order: list[str]) -> None:
    assert nearest("item-4", order) == nearest("item-4", sorted(order)) != ""


def test_plain_values_omit_what_the_contract_omits() -> None:
    reply = ControlReply(id=1, ok=True, result={"a": 1})
    assert to_plain(reply) == {"id": 1, "ok": True, "result": {"a": 1}}
    assert to_plain(DENIAL)["code"] == "conflict"


@given(value=VALUES)
def test_what_is_packed_is_unpacked(value: object) -> None:
    given_back = unpack(pack(value), object)
    # Equality alone would let 1, 1.0 and true pass for each other.
    assert json.dumps(given_back) == json.dumps(value)
