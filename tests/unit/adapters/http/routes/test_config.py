"""`config`, `config/desired`, `config/history`, `config/rollback` (contract 6.10 to 6.12)."""

from typing import Any

import pytest
from msgspec.structs import replace
from starlette.datastructures import Headers

from http_client import CLOUD, META, STATUS, WRITE, Behind, serving
from trust_runtime.adapters.http.routes.config import parse_if_match
from trust_runtime.contracts.answers import ConfigAnswer, Unanswered
from trust_runtime.contracts.config import (
    EMPTY_ETAG,
    ConfigRollback,
    ConfigState,
    DesiredWrite,
    HistoryItem,
    HistoryParams,
)
from trust_runtime.contracts.decisions import Preflight
from trust_runtime.contracts.denial import DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation, StoreFailed
from trust_runtime.contracts.policy import Caller, Role

DESIRED = f"{CLOUD}/config/desired"
ROLLBACK = f"{CLOUD}/config/rollback"
BACK = {"api_version": "1.0", "actor": "local://tester", "revision": 1}
PREFLIGHT = Preflight(
    api_version="1.0",
    request_id="r",
    connected_via="runtime-a",
    acting_on=("runtime-b",),
    allowed=True,
    decision_digest="sha256:0",
    decisions=(),
)
ADMIN = Caller(identity="local://admin", role=Role.ADMIN, scope=None)


def refused(code: DenialCode, **more: Any) -> Behind:
    answer = ConfigAnswer(
        denial=deny(code, "why", "how", retry_after_ms=more.pop("retry_after_ms", None)),
        audit_id="audit-9",
        desired={"log.level": "warn"},
        reported={"log.level": "info"},
        meta=META,
        status=replace(STATUS, state=ConfigState.PENDING),
        **more,
    )
    return Behind(written=answer)


@pytest.mark.anyio
@pytest.mark.parametrize("query", ["", "?target=runtime-a", "?target=default-site%2Fruntime-a"])
async def test_the_documents_with_the_etag_of_desired(query: str) -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/config{query}")
    assert reply.status == 200
    assert reply.headers["etag"] == f'"{EMPTY_ETAG}"'
    assert list(reply.json) == [
        *("api_version", "runtime_id", "desired", "reported", "effective", "sources"),
        *("meta", "status"),
    ]


ENDPOINTS: list[tuple[str, str, Any]] = [
    ("GET", f"{CLOUD}/config", None),
    ("GET", f"{CLOUD}/config/history", None),
    ("POST", DESIRED, WRITE),
    ("POST", ROLLBACK, BACK),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
@pytest.mark.parametrize(
    "query",
    ["?target=", "?target=%20", "?target=runtime-a&target=runtime-a", "?targt=runtime-a"],
)
async def test_a_target_that_names_nothing_is_400(
    method: str, path: str, body: Any, query: str
) -> None:
    async with serving() as served:
        reply = await served.ask(method, path + query, body)
    assert (reply.status, reply.json["denial_code"]) == (400, "contract_violation")
    assert served.behind.asked == []


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
@pytest.mark.parametrize(
    ("query", "target"), [("", "runtime-a"), ("?target=default-site%2Fruntime-b", "runtime-b")]
)
async def test_the_target_reaches_the_service_by_its_canonical_id(
    method: str, path: str, body: Any, query: str, target: str
) -> None:
    async with serving() as served:
        reply = await served.ask(method, path + query, body)
    assert reply.status == 200
    ((_, asked, *_),) = served.behind.asked
    assert asked == target
    # A read of another runtime is a decision, so it has a record; a local one has none.
    named = method == "POST" or target != "runtime-a"
    assert reply.headers.get("x-trust-audit-id") == ("audit-1" if named else None)


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_a_runtime_that_gave_no_answer_is_told(method: str, path: str, body: Any) -> None:
    silent = Unanswered(
        denial=deny(DenialCode.TARGET_UNREACHABLE, "nobody answers"),
        refused=False,
        preflight=PREFLIGHT,
        audit_id="audit-9",
    )
    async with serving(Behind(silent=silent)) as served:
        reply = await served.ask(method, path + "?target=runtime-b", body)
    assert (reply.status, reply.json["denial_code"]) == (503, "target_unreachable")
    assert reply.headers["x-trust-audit-id"] == "audit-9"


ITEM = HistoryItem(
    revision=2,
    etag=EMPTY_ETAG,
    kind="rollback",
    actor="anna",
    identity="local://admin",
    audit_id="audit-7",
    patch={"log.level": None},
    created_at_ns=7,
)


@pytest.mark.anyio
async def test_the_history_as_it_stands_on_the_wire() -> None:
    items = (replace(ITEM, request_id="r", reached_reported_at_ns=8), ITEM)
    async with serving(Behind(revisions=items)) as served:
        reply = await served.ask("GET", f"{CLOUD}/config/history?limit=2&before=3")
    assert served.behind.asked == [
        ("history", "runtime-a", HistoryParams(limit=2, before=3), ADMIN)
    ]
    assert list(reply.json) == ["api_version", "runtime_id", "items"]
    whole = set(ITEM.__struct_fields__) - {"document", "secret_revisions"}
    assert [sorted(item) for item in reply.json["items"]] == [
        sorted(whole),
        sorted(whole - {"request_id", "reached_reported_at_ns"}),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", HistoryParams()),
        ("?limit=1", HistoryParams(limit=1)),
        ("?limit=500", HistoryParams(limit=500)),
        (f"?before={2**63 - 1}", HistoryParams(before=2**63 - 1)),
        ("?revision=3", HistoryParams(revision=3)),
        ("?revision=0", None),
        ("?revision=3&limit=1", None),
        ("?revision=3&before=4", None),
        ("?limit=0", None),
        ("?limit=501", None),
        ("?limit=-1", None),
        ("?before=0", None),
        (f"?before={2**63}", None),
        ("?before=x", None),
        ("?after=1", None),
    ],
)
async def test_the_limits_of_the_history(query: str, wanted: HistoryParams | None) -> None:
    async with serving() as served:
        reply = await served.ask("GET", f"{CLOUD}/config/history{query}")
    if wanted is None:
        assert (reply.status, served.behind.asked) == (400, [])
    else:
        assert reply.status == 200
        assert served.behind.asked[0][2] == wanted


@pytest.mark.anyio
async def test_a_rollback_reaches_the_service_and_is_answered_like_a_write() -> None:
    body = {**BACK, "expected_revision": 2, "request_id": "b-1"}
    async with serving() as served:
        reply = await served.ask("POST", ROLLBACK, body)
    assert (reply.status, list(reply.json)) == (
        200,
        ["ok", "changed", "audit_id", "meta", "status"],
    )
    assert served.behind.asked == [
        (
            "rollback",
            "runtime-a",
            ConfigRollback(
                api_version="1.0",
                actor="local://tester",
                revision=1,
                expected_revision=2,
                request_id="b-1",
            ),
            ADMIN,
        )
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"revision": -1}, "revision"),
        ({"revision": "1"}, "revision"),
        ({"revision": True}, "revision"),
        ({"expected_revision": -1}, "expected_revision"),
        ({"revison": 1}, "did you mean 'revision'"),
        ({"revision": None}, "revision"),
    ],
)
async def test_a_rollback_out_of_form_is_400(changes: dict[str, Any], named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", ROLLBACK, {**BACK, **changes})
    assert reply.status == 400
    assert named in reply.json["error"]
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_a_write_reaches_the_service_and_shows_what_became_of_it() -> None:
    body = {**WRITE, "expected_revision": 0, "expected_etag": EMPTY_ETAG, "request_id": "w-1"}
    async with serving() as served:
        reply = await served.ask("POST", DESIRED, body, headers={"If-Match": f'"{EMPTY_ETAG}"'})
    assert reply.status == 200
    assert list(reply.json) == ["ok", "changed", "audit_id", "meta", "status"]
    assert (reply.json["ok"], reply.json["changed"]) == (True, True)
    assert reply.headers["x-trust-audit-id"] == reply.json["audit_id"] == "audit-1"
    expected = DesiredWrite(
        api_version="1.0",
        actor="local://tester",
        desired={"log.level": "debug"},
        expected_revision=0,
        expected_etag=EMPTY_ETAG,
        request_id="w-1",
    )
    assert served.behind.asked == [("write", "runtime-a", expected, ADMIN, EMPTY_ETAG)]


@pytest.mark.anyio
async def test_a_replay_says_so() -> None:
    answer = ConfigAnswer(replayed=True, audit_id="audit-1", meta=META, status=STATUS)
    async with serving(Behind(written=answer)) as served:
        reply = await served.ask("POST", DESIRED, WRITE)
    assert (reply.json["replayed"], reply.json["changed"]) == (True, False)


@pytest.mark.anyio
@pytest.mark.parametrize(("if_match_failed", "status"), [(False, 409), (True, 412)])
async def test_a_conflict_shows_the_present_documents(
    *, if_match_failed: bool, status: int
) -> None:
    behind = refused(DenialCode.REVISION_CONFLICT, if_match_failed=if_match_failed)
    async with serving(behind) as served:
        reply = await served.ask("POST", DESIRED, {**WRITE, "request_id": "w-1"})
    assert reply.status == status
    assert list(reply.json) == [
        *("ok", "denial_code", "error", "remedy", "request_id", "required_action"),
        *("desired", "reported", "meta", "status"),
    ]
    assert reply.json["required_action"] == "rebase_required"
    assert reply.json["desired"] == {"log.level": "warn"}
    assert reply.json["reported"] == {"log.level": "info"}
    assert reply.json["status"]["state"] == "pending"
    assert reply.headers["x-trust-audit-id"] == "audit-9"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "status", "extra"),
    [
        (DenialCode.CONTRACT_VIOLATION, 400, []),
        (DenialCode.PERMISSION_DENIED, 403, []),
        (DenialCode.ACL_DENIED_CFG_WRITE, 403, ["required_action"]),
        (DenialCode.CONFLICT, 409, []),
    ],
)
async def test_other_denials_have_their_status(
    code: DenialCode, status: int, extra: list[str]
) -> None:
    async with serving(refused(code, retry_after_ms=1_500)) as served:
        reply = await served.ask("POST", DESIRED, WRITE)
    assert reply.status == status
    assert list(reply.json) == ["ok", "denial_code", "error", "remedy", *extra]
    assert reply.json["denial_code"] == code.value
    assert reply.headers["retry-after"] == "2"


@pytest.mark.anyio
async def test_a_failed_store_is_503_with_its_own_remedy() -> None:
    async with serving(Behind(fault=StoreFailed("state.db: disk full", "free space"))) as served:
        reply = await served.ask("POST", DESIRED, {**WRITE, "request_id": "w-1"})
    assert (reply.status, reply.json) == (
        503,
        {
            "ok": False,
            "denial_code": "transport_failure",
            "error": "state.db: disk full",
            "remedy": "free space",
            "request_id": "w-1",
        },
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({**WRITE, "desired": []}, "desired"),
        ({**WRITE, "expected_revision": -1}, "expected_revision"),
        ({**WRITE, "expected_revison": 1}, "did you mean 'expected_revision'"),
        ({"api_version": "1.0", "desired": {}}, "actor"),
    ],
)
async def test_a_misfit_is_400_and_nothing_is_written(body: dict[str, Any], named: str) -> None:
    async with serving() as served:
        reply = await served.ask("POST", DESIRED, body)
    assert reply.status == 400
    assert named in reply.json["error"]
    assert served.behind.asked == []


@pytest.mark.anyio
async def test_a_malformed_if_match_writes_nothing() -> None:
    async with serving() as served:
        reply = await served.ask("POST", DESIRED, WRITE, headers={"If-Match": 'W/"a"'})
    assert reply.status == 400
    assert "If-Match" in reply.json["error"]
    assert served.behind.asked == []


@pytest.mark.parametrize(
    ("values", "etag"), [([], None), (['"sha256:0"'], "sha256:0"), (["*"], "*"), ([' "a" '], "a")]
)
def test_if_match(values: list[str], etag: str | None) -> None:
    headers = Headers(raw=[(b"if-match", value.encode()) for value in values])
    assert parse_if_match(headers) == etag


@pytest.mark.parametrize(
    "values",
    [
        *(["a"], [""], ['""'], ['W/"a"'], ['"a'], ['a"'], ['"a", "b"'], ['"a""b"'], ['"*'], ["**"]),
        *(['"a"', '"a"'], ["*", "*"], ['"a b"']),
    ],
)
def test_if_match_is_one_strong_etag(values: list[str]) -> None:
    headers = Headers(raw=[(b"if-match", value.encode()) for value in values])
    with pytest.raises(ContractViolation, match="If-Match"):
        parse_if_match(headers)
