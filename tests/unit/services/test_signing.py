from typing import Any

import pytest
from msgspec import structs

from fakes.clock import FakeClock
from signed_fleet import NOW_S, OTHER, OWN, Chance, boot, signer_of
from trust_runtime.contracts.codec import canonical_json, sha256_hex
from trust_runtime.contracts.envelope import (
    BROADCAST,
    ActionClaims,
    BroadcastClaims,
    MeshMessage,
    TokenType,
)
from trust_runtime.contracts.errors import TokenInvalid
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.contracts.keyspace import action_key, beacon_key, edges_key
from trust_runtime.contracts.policy import Role
from trust_runtime.services.signing import Signing, body_digest

THIRD = RuntimeId("press-3")
BODY = b'{"action_type":"cfg_apply"}'
REQUEST = ActionClaims(
    iss=spiffe_id(OWN),
    aud=spiffe_id(OTHER),
    sub="spiffe://trust/default-site/erik",
    role=Role.ENGINEER,
    caller="local://admin",
    op="cfg_apply",
    request_id="r-1",
    audit_id="audit-1",
    digest=body_digest(BODY),
    jti="jti-1",
    iat=NOW_S,
    exp=NOW_S + 1,
    deadline_ns=NOW_S * 1_000_000_000 + 7,
)


def signing(runtime: RuntimeId = OWN, *, key: str = "first") -> Signing:
    return Signing(
        own=runtime,
        signer=signer_of(runtime, key),
        clock=FakeClock(),
        entropy=Chance(),
    )


def beacon(content: object = "word", **changes: Any) -> MeshMessage:
    message = signing(OTHER).broadcast(
        TokenType.BEACON, beacon_key(OTHER), content, seq=3, boot_id=boot(7)
    )
    return structs.replace(message, **changes)


def signed(kind: TokenType, claims: object) -> bytes:
    return signer_of(OTHER).sign(kind, claims)


def test_a_digest_names_its_algorithm() -> None:
    assert body_digest(b"") == "sha256:" + sha256_hex(b"")


def test_a_broadcast_says_who_when_and_what() -> None:
    message = beacon({"b": 1, "a": 2})
    signer, claims = signing().read_broadcast(TokenType.BEACON, message)

    assert message.body == b'{"a":2,"b":1}'
    assert (signer.runtime_id, signer.pin) == (OTHER, signer_of(OTHER).own_pin)
    assert claims == BroadcastClaims(
        iss="spiffe://trust/site-b/press-2",
        aud=BROADCAST,
        sub="spiffe://trust/site-b/press-2",
        digest=body_digest(message.body),
        iat=NOW_S,
        sent_ns=NOW_S * 1_000_000_000,
        seq=3,
        boot_id=boot(7),
    )


@pytest.mark.parametrize(
    "message",
    [
        beacon(body=b'"another word"'),
        beacon(body=b""),
        beacon(key=beacon_key(THIRD)),
        beacon(key=edges_key(OWN)),
        beacon(key="truST/site-b"),
        beacon(key="other/site-b/press-2/svc/beacon"),
        beacon(token=b""),
        beacon(token=beacon().token[:-4] + b"AAAA"),
        beacon(token=beacon().token.replace(b".", b"")),
    ],
    ids=["body", "empty", "stranger", "own", "no key", "other root", "none", "cut", "undotted"],
)
def test_what_the_owner_did_not_say_is_refused(message: MeshMessage) -> None:
    with pytest.raises(TokenInvalid):
        signing().read_broadcast(TokenType.BEACON, message)


@pytest.mark.parametrize("other", [kind for kind in TokenType if kind is not TokenType.BEACON])
def test_a_token_of_one_kind_is_not_another(other: TokenType) -> None:
    with pytest.raises(TokenInvalid, match="typ"):
        signing().read_broadcast(other, beacon())


def test_a_broadcast_to_somebody_is_none() -> None:
    claims = signing().read_broadcast(TokenType.BEACON, beacon())[1]
    addressed = structs.replace(claims, aud=spiffe_id(OWN))

    with pytest.raises(TokenInvalid, match="not over this message"):
        signing().read_broadcast(
            TokenType.BEACON, beacon(token=signed(TokenType.BEACON, addressed))
        )


def test_signed_claims_of_another_shape_are_undecodable() -> None:
    token = signed(TokenType.BEACON, {"iss": spiffe_id(OTHER), "seq": "three"})

    with pytest.raises(TokenInvalid) as refused:
        signing().read_broadcast(TokenType.BEACON, beacon(token=token))
    assert refused.value.undecodable


def test_a_member_of_a_newer_version_is_no_reason_to_refuse() -> None:
    claims = signing().read_broadcast(TokenType.BEACON, beacon())[1]
    newer = {**structs.asdict(claims), "colour": "red"}

    read = signing().read_broadcast(TokenType.BEACON, beacon(token=signed(TokenType.BEACON, newer)))

    assert read[1] == claims


def test_an_action_is_read_as_it_was_sent() -> None:
    message = signing().action(action_key(OTHER), BODY, REQUEST)

    signer, claims = signing(OTHER).read_action(message)

    assert (message.key, message.body) == (action_key(OTHER), BODY)
    assert (signer.runtime_id, claims) == (OWN, REQUEST)


def test_an_action_of_another_shape_is_undecodable() -> None:
    token = signed(TokenType.ACTION, {"iss": spiffe_id(OTHER)})

    with pytest.raises(TokenInvalid) as refused:
        signing().read_action(MeshMessage(key=action_key(OWN), body=BODY, token=token))
    assert refused.value.undecodable


def test_nobody_signs_in_the_name_of_another() -> None:
    message = signing(THIRD).action(action_key(OTHER), BODY, REQUEST)

    with pytest.raises(TokenInvalid, match="iss"):
        signing(OTHER).read_action(message)


def reply(request: ActionClaims = REQUEST, *, by: RuntimeId = OTHER) -> MeshMessage:
    return signing(by).reply(request, action_key(OTHER), {"status": "executed"})


def test_a_reply_answers_its_request() -> None:
    message = reply()

    signer = signing().read_reply(REQUEST, message)

    assert signer.runtime_id == OTHER
    assert message.body == canonical_json({"status": "executed"})


@pytest.mark.parametrize(
    "message",
    [
        reply(structs.replace(REQUEST, jti="jti-2")),
        reply(structs.replace(REQUEST, iss=spiffe_id(THIRD))),
        reply(by=THIRD),
        structs.replace(reply(), body=b'{"status":"failed"}'),
        structs.replace(reply(), token=b""),
    ],
    ids=["another request", "another asker", "another target", "another body", "unsigned"],
)
def test_only_the_asked_target_answers_and_only_this_request(message: MeshMessage) -> None:
    with pytest.raises(TokenInvalid):
        signing().read_reply(REQUEST, message)


def test_a_reply_of_another_shape_is_undecodable() -> None:
    token = signed(TokenType.REPLY, {"iss": spiffe_id(OTHER)})

    with pytest.raises(TokenInvalid) as refused:
        signing().read_reply(REQUEST, structs.replace(reply(), token=token))
    assert refused.value.undecodable


def test_the_own_pin_is_that_of_the_key() -> None:
    assert signing().own_pin == signer_of(OWN).own_pin != signing(key="second").own_pin
