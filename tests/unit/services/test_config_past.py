"""`services.config_past`: the history, and what changed since a writer last looked (6.12)."""

from typing import Any

import pytest
from msgspec import structs

from fakes.disk import State
from port_contracts.store_samples import REVISION
from service_world import ACTOR, SECRET, Node, Scene, virtual
from signed_fleet import settings_of
from trust_runtime.contracts.config import EMPTY_ETAG, ConfigRevision, HistoryParams
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.core.config.change import Change, Present, Refusal
from trust_runtime.core.config.merge import document_etag
from trust_runtime.services.config_past import HISTORY_BYTES_MAX, ConfigPast

DOCUMENTS: list[dict[str, Any]] = [
    {"log.level": "warn"},
    {"log.level": "warn", "mesh.enabled": False},
    {"log.level": "error", "mesh.enabled": False},
    {"mesh.auth_token": SECRET, "log.level": "error"},
]
CONFLICT = Refusal(denial=deny(DenialCode.REVISION_CONFLICT, "the desired one is another"))


def revisions() -> list[ConfigRevision]:
    return [
        structs.replace(
            REVISION,
            revision=number,
            document=document,
            patch=document,
            secret_revisions={"mesh.auth_token": 4} if number == 4 else {},
        )
        for number, document in enumerate(DOCUMENTS, 1)
    ]


def past_of(node: Node, kept: list[ConfigRevision]) -> ConfigPast:
    state: State = node.store.disk.synced
    state.revisions.update({one.revision: one for one in kept})
    return ConfigPast(own=node.id, store=node.store.config)


async def past(scene: Scene) -> tuple[ConfigPast, Present]:
    kept = revisions()
    present = Present(newest=kept[-1], file_values={})
    return past_of(await scene.node(), kept), present


def change(**preconditions: Any) -> Change:
    return Change(
        patch={}, actor=ACTOR, identity="uid:1", audit_id="a", request_id="r", **preconditions
    )


@virtual
async def test_the_newest_come_first_with_everything_but_secrets(scene: Scene) -> None:
    old, _ = await past(scene)
    shown = await old.history(HistoryParams())
    assert (shown.api_version, shown.runtime_id) == ("1.0", settings_of().runtime_id)
    assert [item.revision for item in shown.items] == [4, 3, 2, 1]
    kept = revisions()
    assert [item.etag for item in shown.items] == [
        document_etag(one.document, one.secret_revisions) for one in reversed(kept)
    ]
    assert shown.items[0].patch == {"mesh.auth_token": "<redacted>", "log.level": "error"}
    assert SECRET not in repr(shown)
    first = shown.items[-1]
    assert (first.kind, first.actor, first.identity) == ("write", REVISION.actor, "uid:1000")
    assert (first.audit_id, first.created_at_ns) == (REVISION.audit_id, REVISION.created_at_ns)
    assert (first.request_id, first.reached_reported_at_ns) == (None, None)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (HistoryParams(limit=2), [4, 3]),
        (HistoryParams(limit=2, before=3), [2, 1]),
        (HistoryParams(before=1), []),
        (HistoryParams(before=2), [1]),
        (HistoryParams(limit=500, before=2**63 - 1), [4, 3, 2, 1]),
    ],
)
@virtual
async def test_a_list_goes_on_where_one_ended(
    scene: Scene, wanted: HistoryParams, numbers: list[int]
) -> None:
    old, _ = await past(scene)
    assert [item.revision for item in (await old.history(wanted)).items] == numbers


@virtual
async def test_one_revision_is_shown_with_its_whole_document_but_no_secret(scene: Scene) -> None:
    old, _ = await past(scene)
    (item,) = (await old.history(HistoryParams(revision=4))).items
    assert item.revision == 4
    assert item.document == {"mesh.auth_token": "<redacted>", "log.level": "error"}
    assert item.secret_revisions == {"mesh.auth_token": 4}
    assert SECRET not in repr(item)
    (older,) = (await old.history(HistoryParams(revision=3))).items
    assert (older.document, older.secret_revisions) == (DOCUMENTS[2], {})
    listed = (await old.history(HistoryParams())).items
    assert {(item.document, item.secret_revisions) for item in listed} == {(None, None)}


@virtual
async def test_a_revision_that_is_not_kept_is_refused_with_those_that_are(scene: Scene) -> None:
    old = past_of(await scene.node(), [structs.replace(REVISION, revision=n) for n in (2, 3)])
    for number in (1, 4):
        with pytest.raises(ContractViolation, match=r"1\.\.3, of which the newest 1000 are kept"):
            await old.history(HistoryParams(revision=number))
    with pytest.raises(ContractViolation, match="nothing beside"):
        await old.history(HistoryParams(revision=3, before=3))


@virtual
async def test_before_the_first_write_no_revision_is_kept(scene: Scene) -> None:
    old = past_of(await scene.node(), [])
    with pytest.raises(ContractViolation, match=r"1\.\.0"):
        await old.history(HistoryParams(revision=1))


@pytest.mark.parametrize("limit", [15, 16, 17, 32, 40])
@virtual
async def test_many_are_read_page_by_page(scene: Scene, limit: int) -> None:
    kept = [structs.replace(REVISION, revision=number) for number in range(1, 41)]
    old = past_of(await scene.node(), kept)
    shown = await old.history(HistoryParams(limit=limit))
    assert [item.revision for item in shown.items] == list(range(40, 40 - limit, -1))


@virtual
async def test_long_revisions_make_a_short_list_that_can_be_gone_on_with(scene: Scene) -> None:
    long = {"discovery.host_group": "x" * (HISTORY_BYTES_MAX // 3)}
    kept = [structs.replace(REVISION, revision=n, patch=long) for n in range(1, 6)]
    old = past_of(await scene.node(), kept)
    found: list[int] = []
    before = None
    while page := (await old.history(HistoryParams(before=before))).items:
        assert len(page) <= 2
        found += [item.revision for item in page]
        before = page[-1].revision
    assert found == [5, 4, 3, 2, 1]


@virtual
async def test_a_revision_longer_than_the_list_may_be_is_shown_alone(scene: Scene) -> None:
    long = {"discovery.host_group": "x" * (HISTORY_BYTES_MAX + 1)}
    kept = [structs.replace(REVISION, revision=n, patch=long) for n in range(1, 3)]
    old = past_of(await scene.node(), kept)
    assert [item.revision for item in (await old.history(HistoryParams())).items] == [2]


@pytest.mark.parametrize(
    ("number", "found"), [(0, False), (-1, False), (1, True), (4, True), (5, False), (2**70, False)]
)
@virtual
async def test_a_revision_is_known_or_not(scene: Scene, number: int, *, found: bool) -> None:
    old, present = await past(scene)
    revision = await old.revision(number, newest=present.revision)
    assert (revision is not None) == found
    assert revision is None or revision.document == DOCUMENTS[number - 1]


@pytest.mark.parametrize(
    ("expected", "keys"),
    [
        ({"expected_revision": 3}, "mesh.auth_token, mesh.enabled"),
        ({"expected_revision": 1}, "log.level, mesh.auth_token"),
        ({"expected_revision": 0}, "log.level, mesh.auth_token"),
        ({"expected_etag": EMPTY_ETAG}, "log.level, mesh.auth_token"),
        ({"expected_etag": document_etag(DOCUMENTS[0], {})}, "log.level, mesh.auth_token"),
        ({"if_match": document_etag(DOCUMENTS[2], {})}, "mesh.auth_token, mesh.enabled"),
        # The one that fails is the one that is explained.
        (
            {"expected_revision": 4, "if_match": document_etag(DOCUMENTS[2], {})},
            "mesh.auth_token, mesh.enabled",
        ),
    ],
)
@virtual
async def test_a_conflict_names_the_keys_that_changed(
    scene: Scene, expected: dict[str, Any], keys: str
) -> None:
    old, present = await past(scene)
    told = await old.explain(CONFLICT, change(**expected), present)
    assert told.denial.reason == f"{CONFLICT.denial.reason}; changed since then: {keys}"
    assert structs.replace(told.denial, reason="") == structs.replace(CONFLICT.denial, reason="")
    assert SECRET not in told.denial.reason


@pytest.mark.parametrize(
    "expected",
    [{"expected_revision": 5}, {"expected_revision": 2**70}, {"expected_etag": "sha256:0"}],
)
@virtual
async def test_what_was_never_there_is_not_explained(
    scene: Scene, expected: dict[str, Any]
) -> None:
    old, present = await past(scene)
    assert await old.explain(CONFLICT, change(**expected), present) == CONFLICT


@virtual
async def test_a_document_that_came_back_differs_in_no_key(scene: Scene) -> None:
    old, present = await past(scene)
    back = structs.replace(revisions()[0], revision=5)
    present = structs.replace(present, newest=back)
    told = await old.explain(CONFLICT, change(expected_revision=1), present)
    assert told.denial.reason.endswith("changed since then: no key in the end")


@virtual
async def test_another_refusal_stays_as_it_is(scene: Scene) -> None:
    old, present = await past(scene)
    other = Refusal(denial=deny(DenialCode.CONTRACT_VIOLATION, "no"))
    assert await old.explain(other, change(expected_revision=1), present) == other
