"""`services.receipts`: a dispatch does what its preflight was made for, or nothing (B1)."""

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from service_world import ADMIN, Node, Scene, configure, request, shut_down, virtual
from signed_fleet import signer_of
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.audit import Outcome, Verdict
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.ids import BootId, RuntimeId, spiffe_id
from trust_runtime.contracts.policy import AllowRule, Caller, Role
from trust_runtime.contracts.receipt import Receipt, ReceiptClaims, SeenBy
from trust_runtime.contracts.results import DispatchReport, ResultStatus
from trust_runtime.contracts.units import MS_PER_S
from trust_runtime.core.receipt import facts_digest
from trust_runtime.ports.mesh import Silence
from trust_runtime.services.receipts import expected_of
from virtual_time import wait_ms

CONFLICT, NO = DenialCode.CONFLICT, DenialCode.PERMISSION_DENIED
RULE = AllowRule(action="cmd_invoke", target="*")
ENGINEER = Caller(identity="uid:1001", role=Role.ENGINEER)


async def sealed(node: Node, asked: ActionRequest, caller: Caller = ADMIN) -> ActionRequest:
    """Return the request with the receipt of its preflight."""
    wanted = structs.replace(asked, want_receipt=True)
    receipt = (await node.services.actions.preflight(wanted, caller)).receipt
    assert receipt is not None
    return structs.replace(asked, receipt=receipt)


async def dispatch(node: Node, asked: ActionRequest, caller: Caller = ADMIN) -> DispatchReport:
    return await node.services.actions.dispatch(asked, caller)


def moved(report: DispatchReport) -> list[tuple[str, str, SeenBy]]:
    return [(one.runtime_id, one.fact, one.seen_by) for one in report.moved]


@virtual
async def test_while_nothing_moves_a_receipt_lets_its_dispatch_pass(scene: Scene) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-2", "press-1"))
    one.hears(two)  # A later beacon moves nothing.
    await wait_ms(299 * MS_PER_S)
    one.hears(two)
    report = await dispatch(one, asked)
    assert report.ok
    assert report.moved == ()
    assert (len(one.stopped), len(two.stopped)) == (1, 1)


@virtual
async def test_a_receipt_is_given_when_it_is_wanted_and_all_is_allowed(scene: Scene) -> None:
    one, _ = await scene.pair()
    actions = one.services.actions
    plain = shut_down("r", "press-2")
    assert (await actions.preflight(plain, ADMIN)).receipt is None
    denied = structs.replace(shut_down("s", "press-2", "press-9"), want_receipt=True)
    assert (await actions.preflight(denied, ADMIN)).receipt is None
    told = await actions.preflight(structs.replace(plain, want_receipt=True), ADMIN)
    assert told.receipt is not None
    facts = told.receipt.facts
    assert (facts.origin, facts.request_id, facts.role) == ("press-1", "r", Role.ADMIN)
    assert facts.decision_digest == told.decision_digest
    (target,) = facts.targets
    assert target.known is not None
    assert (target.runtime_id, target.known.config_revision) == ("press-2", 0)
    # Without the receipt the answer is the same as ever.
    assert structs.replace(told, receipt=None) == await actions.preflight(plain, ADMIN)


def _configure_rule(node: Node, _: Node) -> None:
    running = node.services.running
    running.settings = structs.replace(running.settings, allow_write=(RULE,))


def _restart(_: Node, other: Node) -> None:
    other.services.running.boot_id = BootId(other.entropy.uuid7())


def _restart_heard(node: Node, other: Node) -> None:
    _restart(node, other)
    node.hears(other)


def _rule_there(_: Node, other: Node) -> None:
    _configure_rule(other, other)


def _rule_there_heard(node: Node, other: Node) -> None:
    _rule_there(node, other)
    node.hears(other)


def _leave(node: Node, other: Node) -> None:
    node.services.peers.pin(other.id, "0" * 64)


HERE, THERE = SeenBy.ORIGIN, SeenBy.TARGET


@pytest.mark.parametrize(
    ("happens", "facts"),
    [
        pytest.param(_configure_rule, [("press-1", "policy", HERE)], id="the origin's rules"),
        pytest.param(_restart_heard, [("press-2", "boot_id", HERE)], id="a restart that was heard"),
        pytest.param(_restart, [("press-2", "boot_id", THERE)], id="a restart nobody heard of"),
        pytest.param(_rule_there_heard, [("press-2", "policy", HERE)], id="its rules, heard"),
        pytest.param(_rule_there, [("press-2", "policy", THERE)], id="its rules, unheard"),
        pytest.param(_leave, [("press-1", "decision", HERE)], id="trust in the target"),
    ],
)
@virtual
async def test_what_moved_stops_a_dispatch_and_is_named(
    scene: Scene, happens: Callable[[Node, Node], None], facts: list[tuple[str, str, SeenBy]]
) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-2"))
    happens(one, two)
    report = await dispatch(one, asked)
    (result,) = report.results
    assert (report.ok, report.denial_code) == (False, CONFLICT)
    assert (result.status, result.denial_code) == (ResultStatus.DENIED, CONFLICT)
    assert "moved since the receipt was made" in (result.denial_reason or "")
    assert moved(report) == facts
    assert two.stopped == []
    by_target = facts[0][2] is THERE
    assert len(one.line.asked) == by_target
    (record,) = one.records(request_id="r")[-1:]
    assert (record.outcome, record.denial_code) == (Outcome.DENIED, CONFLICT)
    if by_target:
        (there,) = two.records(request_id="r")
        assert (there.decision, there.outcome) == (Verdict.DENIED, Outcome.DENIED)
    row = await one.services.rows.find("r")
    assert row is not None
    assert row.report.moved == report.moved


@virtual
async def test_a_configuration_that_moved_is_seen_by_whoever_knows(scene: Scene) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, configure("r", "press-2"))
    other = configure("s", "press-2", payload={"params": {"log.level": "warn"}})
    assert (await dispatch(one, other)).ok
    unheard = await dispatch(one, asked)
    assert moved(unheard) == [
        ("press-2", "config_revision", THERE),
        ("press-2", "config_etag", THERE),
    ]
    one.hears(two)
    heard = await dispatch(one, asked)
    assert moved(heard) == [
        ("press-2", "config_revision", HERE),
        ("press-2", "config_etag", HERE),
    ]
    assert (heard.moved[0].expected, heard.moved[0].found) == ("0", "1")
    assert sorted(two.store.disk.synced.revisions) == [1]


@virtual
async def test_one_target_that_moved_stops_all(scene: Scene) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-1", "press-2"))
    _restart_heard(one, two)
    report = await dispatch(one, asked)
    assert [r.status for r in report.results] == [ResultStatus.DENIED] * 2
    assert [len(r.moved) for r in report.results] == [0, 1]
    assert (one.stopped, two.stopped) == ([], [])


@virtual
async def test_a_lower_role_is_a_fact_that_moved(scene: Scene) -> None:
    one, _ = await scene.pair()
    asked = await sealed(one, configure("r", "press-2"))
    report = await dispatch(one, asked, ENGINEER)
    assert moved(report) == [("press-1", "decision", HERE), ("press-1", "role", HERE)]


@virtual
async def test_a_write_that_was_done_is_answered_by_the_first_execution(scene: Scene) -> None:
    """The write itself has moved the configuration; a lost answer must not look like a conflict."""
    one, two = await scene.pair()
    asked = await sealed(one, configure("r", "press-2"))
    lost = 0

    async def lose_first(message: MeshMessage, timeout_ms: int) -> MeshMessage | Silence:
        nonlocal lost
        answer = await one.line.pass_on(message, timeout_ms)
        lost += 1
        return Silence.NOBODY if lost == 1 else answer

    one.line.ask = lose_first
    report = await dispatch(one, asked)
    assert report.ok
    assert report.results[0].replayed
    assert sorted(two.store.disk.synced.revisions) == [1]


def _altered_seal(asked: Receipt) -> Receipt:
    head, payload, signature = asked.seal.split(".")
    turned = ("A" if payload[5] != "A" else "B") + payload[6:]
    return structs.replace(asked, seal=f"{head}.{payload[:5]}{turned}.{signature}")


def _altered_facts(asked: Receipt) -> Receipt:
    return structs.replace(asked, facts=structs.replace(asked.facts, role=Role.VIEWER))


def _sealed_anew(own: str, key: str, kind: TokenType) -> Callable[[Receipt], Receipt]:
    def seal(asked: Receipt) -> Receipt:
        signer, who = signer_of(RuntimeId(own), key), spiffe_id(RuntimeId(own))
        claims = ReceiptClaims(
            iss=who, aud=who, digest=facts_digest(asked.facts), jti="j", iat=0, exp=2**40
        )
        return structs.replace(asked, seal=signer.sign(kind, claims).decode())

    return seal


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        pytest.param(_altered_seal, "the seal of the receipt is not good", id="altered seal"),
        pytest.param(_altered_facts, "not those sealed", id="altered facts"),
        pytest.param(
            _sealed_anew("press-1", "second", TokenType.RECEIPT), "a key that is not", id="own name"
        ),
        pytest.param(
            _sealed_anew("press-2", "first", TokenType.RECEIPT), "was made by", id="another runtime"
        ),
        pytest.param(
            _sealed_anew("press-1", "first", TokenType.EVENT), "the seal", id="another use"
        ),
        pytest.param(lambda asked: structs.replace(asked, seal=""), "the seal", id="no seal"),
        pytest.param(lambda asked: structs.replace(asked, seal="\ud800"), "the seal", id="no text"),
        pytest.param(lambda asked: structs.replace(asked, seal="a" * 20_000), "", id="too long"),
    ],
)  # fmt: skip
@virtual
async def test_what_this_runtime_did_not_seal_lets_nothing_pass(
    scene: Scene, forge: Callable[[Receipt], Receipt], words: str
) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-2"))
    assert asked.receipt is not None
    report = await dispatch(one, structs.replace(asked, receipt=forge(asked.receipt)))
    assert (report.ok, report.denial_code) == (False, NO)
    assert words in (report.denial_reason or "")
    assert (one.line.asked, two.stopped) == ([], [])
    assert one.records(request_id="r")[-1].denial_code is NO


@virtual
async def test_a_receipt_of_another_origin_is_refused_here(scene: Scene) -> None:
    one, two = await scene.pair()
    there = await sealed(two, structs.replace(shut_down("r", "press-2"), connected_via="press-2"))
    asked = structs.replace(there, connected_via="press-1")
    report = await dispatch(one, asked)
    assert report.denial_code is NO
    assert "made by press-2, not by press-1" in (report.denial_reason or "")
    assert two.stopped == []


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "s"},
        {"target_runtimes": ["press-1"]},
        {"target_runtimes": ["press-2", "press-1"]},
        {"actor": "spiffe://trust/default-site/berta"},
        {"action_type": "cfg_apply", "payload": {"params": {}}},
        {"payload": {"command": "health"}},
    ],
)
@virtual
async def test_a_receipt_of_another_request_is_refused(
    scene: Scene, changes: dict[str, Any]
) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-2"))
    report = await dispatch(one, structs.replace(asked, **changes))
    assert report.denial_code is CONFLICT
    assert "for another request than this one: r" in (report.denial_reason or "")
    assert (one.stopped, two.stopped) == ([], [])


@virtual
async def test_a_receipt_expires(scene: Scene) -> None:
    one, two = await scene.pair()
    asked = await sealed(one, shut_down("r", "press-2"))
    await wait_ms(300 * MS_PER_S)
    one.hears(two)
    report = await dispatch(one, asked)
    assert report.denial_code is CONFLICT
    assert "has expired" in (report.denial_reason or "")
    assert two.stopped == []


@cache
def a_receipt() -> Receipt:
    found: list[Receipt] = []

    @virtual
    async def make(scene: Scene) -> None:
        one, _ = await scene.pair()
        asked = await sealed(one, shut_down("r", "press-2"))
        assert asked.receipt is not None
        found.append(asked.receipt)

    make()
    return found[0]


@settings(max_examples=60)
@given(place=st.integers(0, 5_000), letter=st.sampled_from("AZaz09-_.=x"))
def test_no_letter_of_a_seal_can_be_another(place: int, letter: str) -> None:
    receipt = a_receipt()
    at = place % len(receipt.seal)
    if receipt.seal[at] == letter:
        return
    changed = receipt.seal[:at] + letter + receipt.seal[at + 1 :]

    @virtual
    async def play(scene: Scene) -> None:
        one, two = await scene.pair()
        broken = structs.replace(
            shut_down("r", "press-2"), receipt=structs.replace(receipt, seal=changed)
        )
        report = await dispatch(one, broken)
        assert report.denial_code is NO
        assert two.stopped == []

    play()


def test_the_seal_covers_the_facts_by_their_fingerprint() -> None:
    receipt = a_receipt()
    payload = receipt.seal.split(".")[1]
    claims = decode_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), dict)
    assert claims["digest"] == facts_digest(receipt.facts)
    assert claims["exp"] - claims["iat"] == 300


def test_a_target_is_told_what_the_receipt_says_of_it() -> None:
    receipt = a_receipt()
    asked = structs.replace(shut_down("r", "press-2"), receipt=receipt)
    (sealed_target,) = receipt.facts.targets
    told = expected_of(asked, RuntimeId(sealed_target.runtime_id))
    assert told == sealed_target.known
    assert expected_of(request("r", "status_read", "press-2"), RuntimeId("press-2")) is None
