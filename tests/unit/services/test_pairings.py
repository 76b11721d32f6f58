"""`services.pairings`: codes are for one use, tokens end for ever, all of it is recorded."""

from typing import Any

import pytest

from fakes.pairings import FakePairings
from fakes.store import FakeStore
from service_world import ADMIN, Node, Scene, virtual
from trust_runtime.contracts.audit import AuditFilter
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.pairing import PairAnswer, PairClaimed, PairStart
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.core.authentication import digest_of
from trust_runtime.services.pairings import ADDRESSES_MAX, Pairings

HERE = "10.0.0.9"
DAY_MS = 24 * 3_600 * 1_000


async def code_for(pairings: Pairings, owner: str = "anna", **more: Any) -> str:
    answer = await pairings.start(PairStart(owner=owner, role="operator", **more), ADMIN)
    assert answer.started is not None, answer.denial
    return answer.started.code


async def claimed(pairings: Pairings, **more: Any) -> PairClaimed:
    answer = await pairings.claim(await code_for(pairings, **more), HERE)
    assert answer.claimed is not None, answer.denial
    return answer.claimed


def owner(pairings: Pairings, token: str) -> Caller | None:
    return pairings.owner_of(digest_of(token.encode()))


def code_of(answer: PairAnswer) -> DenialCode | None:
    return None if answer.denial is None else answer.denial.code


async def recorded(node: Node) -> list[tuple[str, str, str]]:
    records = await node.services.audit.list(AuditFilter(limit=100))
    return [
        (record.action_type, str(record.decision), record.identity)
        for record in reversed(records)
        if record.action_type.startswith("pair.")
    ]


@virtual
async def test_a_code_gives_a_token_once(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    code = await code_for(pairings)
    answer = await pairings.claim(code, HERE)
    assert answer.claimed is not None
    site = node.services.running.settings.site
    assert owner(pairings, answer.claimed.token) == Caller(
        identity="token://anna", role=Role.OPERATOR, scope=(site,)
    )
    assert code_of(await pairings.claim(code, HERE)) is DenialCode.PERMISSION_DENIED
    assert await recorded(node) == [
        ("pair.start", "allowed", ADMIN.identity),
        ("pair.claim", "allowed", "token://anna"),
        ("pair.claim", "denied", "unknown"),
    ]


@virtual
async def test_a_code_lives_five_minutes(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    code = await code_for(pairings)
    node.clock.advance_ms(300_000)
    assert code_of(await pairings.claim(code, HERE)) is DenialCode.PERMISSION_DENIED
    late = await code_for(pairings)
    node.clock.advance_ms(299_999)
    assert (await pairings.claim(late, HERE)).claimed is not None


@virtual
async def test_five_wrong_guesses_burn_every_code(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    codes = [await code_for(pairings, name) for name in ("anna", "ben")]
    for number in range(4):
        answer = await pairings.claim("AAAA-AAAA-AAAAA", f"10.0.1.{number}")
        assert code_of(answer) is DenialCode.PERMISSION_DENIED
    assert (await pairings.claim(codes[0], HERE)).claimed is not None, "four burn nothing"
    await pairings.claim("AAAA-AAAA-AAAAA", "10.0.1.9")
    refused = await pairings.claim(codes[1], HERE)
    assert code_of(refused) is DenialCode.PERMISSION_DENIED
    fresh = await code_for(pairings)
    assert (await pairings.claim(fresh, HERE)).claimed is not None, "a new code starts anew"


@virtual
async def test_an_address_has_five_tries_a_minute_and_others_their_own(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    for _ in range(5):
        assert code_of(await pairings.claim("x", HERE)) is DenialCode.PERMISSION_DENIED
    code = await code_for(pairings)
    before = len(await recorded(node))
    limited = await pairings.claim(code, HERE)
    assert limited.denial is not None
    assert (limited.denial.code, limited.denial.retry_after_ms) == (DenialCode.OVERLOADED, 60_000)
    assert len(await recorded(node)) == before, "what was not looked at is no decision"
    assert (await pairings.claim(code, "10.0.0.8")).claimed is not None
    node.clock.advance_ms(60_000)
    again = await code_for(pairings)
    assert (await pairings.claim(again, HERE)).claimed is not None


@virtual
async def test_the_table_of_addresses_is_bounded(scene: Scene) -> None:
    pairings = (await scene.node()).services.pairings
    for _ in range(6):
        await pairings.claim("x", HERE)
    for number in range(ADDRESSES_MAX):
        await pairings.claim("x", f"10.1.{number // 256}.{number % 256}")
    assert code_of(await pairings.claim("x", HERE)) is DenialCode.PERMISSION_DENIED


@virtual
async def test_a_further_code_of_the_same_owner_ends_the_first(scene: Scene) -> None:
    pairings = (await scene.node()).services.pairings
    first, second = await code_for(pairings), await code_for(pairings)
    assert code_of(await pairings.claim(first, HERE)) is DenialCode.PERMISSION_DENIED
    assert (await pairings.claim(second, HERE)).claimed is not None


@virtual
async def test_a_revoked_token_is_refused_at_once_and_after_every_restart(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    kept, lost = await claimed(pairings), await claimed(pairings)
    told: list[bool] = []
    pairings.on_ended = lambda: told.append(owner(pairings, lost.token) is None)
    answer = await pairings.revoke(lost.token_id, ADMIN)
    assert answer.revoked is not None
    assert not answer.revoked.revoked.enabled
    assert told == [True], "whoever listens is told when it is refused already"
    node.store.disk.crash(keep_unsynced=False)
    again = Pairings(
        running=node.services.running,
        store=FakePairings(FakeStore(node.store.disk)),
        audit=node.services.audit,
        health=node.services.health,
        clock=node.clock,
        entropy=node.entropy,
    )
    again.load(await again._store.load())
    assert owner(again, lost.token) is None
    assert owner(again, kept.token) is not None


@virtual
async def test_an_unknown_token_cannot_be_revoked(scene: Scene) -> None:
    node = await scene.node()
    answer = await node.services.pairings.revoke("pt-x", ADMIN)
    assert code_of(answer) is DenialCode.PEER_NOT_AVAILABLE
    assert await recorded(node) == [("pair.revoke", "denied", ADMIN.identity)]


@virtual
async def test_the_list_shows_uses_and_no_secret(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    one = await claimed(pairings)
    node.clock.advance_ms(5_000)
    assert owner(pairings, one.token) is not None
    answer = await pairings.list(ADMIN)
    assert answer.page is not None
    (shown,) = answer.page.items
    assert (shown.owner, shown.enabled) == ("anna", True)
    assert shown.last_used_ns == node.clock.wall_ns()
    assert one.token not in str(answer)
    assert digest_of(one.token.encode()).hex() not in str(answer)
    assert (await recorded(node))[-1] == ("pair.list", "allowed", ADMIN.identity)


@virtual
async def test_a_token_that_expired_stays_so_when_the_clock_is_set_back(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    one = await claimed(pairings, token_days=1)
    node.clock.advance_ms(DAY_MS)
    assert owner(pairings, one.token) is None
    await pairings._look()
    node.clock.step_wall_ms(-DAY_MS)
    assert owner(pairings, one.token) is None
    assert [kept.shown.enabled for kept in await pairings._store.load()] == [False]


@virtual
async def test_a_token_is_replaced_with_an_overlap(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    old = await claimed(pairings)
    new = await claimed(pairings, replaces=old.token_id, overlap_s=60)
    assert owner(pairings, old.token) is not None
    node.clock.advance_ms(60_000)
    assert owner(pairings, old.token) is None
    assert owner(pairings, new.token) is not None


@virtual
async def test_nothing_is_given_out_that_could_not_be_kept(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    code = await code_for(pairings)
    node.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await pairings.claim(code, HERE)
    assert await pairings._store.load() == ()
    answer = await pairings.claim(code, HERE)
    assert answer.claimed is not None, "the code was not used up"
    node.store.fail_write(1)
    with pytest.raises(StoreFailed):
        await pairings.revoke(answer.claimed.token_id, ADMIN)
    assert owner(pairings, answer.claimed.token) is not None


@virtual
async def test_no_secret_is_in_what_is_kept(scene: Scene) -> None:
    node = await scene.node()
    pairings = node.services.pairings
    code = await code_for(pairings)
    answer = await pairings.claim(code, HERE)
    assert answer.claimed is not None
    owner(pairings, answer.claimed.token)
    kept = node.everything_kept() + repr(node.store.disk.synced.tokens)
    assert answer.claimed.token not in kept
    assert code not in kept
    assert code.replace("-", "") not in kept
