"""`adapters.http.bodies`: received within the limit, then one contract type."""

from collections.abc import Iterable

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from http_client import READ
from trust_runtime.adapters.http.bodies import read_body, request_id_of, to_contract
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.errors import BodyTooLarge, ContractViolation


def arriving(chunks: Iterable[bytes], *, ends: bool = True) -> Receive:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})
    messages.reverse()

    async def receive() -> Message:
        return messages.pop()

    return receive


@pytest.mark.anyio
@pytest.mark.parametrize("chunks", [[b"12345"], [b"", b"1", b"2345"], [b"12345", b""]])
async def test_a_body_of_exactly_the_limit_is_accepted(chunks: list[bytes]) -> None:
    assert await read_body(arriving(chunks), Headers(), bytes_max=5) == b"12345"


@pytest.mark.anyio
async def test_one_byte_more_is_refused_without_waiting_for_the_rest() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(arriving([b"12345", b"6"], ends=False), Headers(), bytes_max=5)


@pytest.mark.anyio
async def test_an_announced_length_is_refused_before_the_first_byte() -> None:
    async def receive() -> Message:
        raise AssertionError

    with pytest.raises(BodyTooLarge, match="6 bytes"):
        await read_body(receive, Headers({"content-length": "6"}), bytes_max=5)


@pytest.mark.anyio
async def test_a_client_that_goes_away_is_no_short_body() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(arriving([b"{}"], ends=False), Headers(), bytes_max=5)


def test_an_unknown_member_names_the_nearest() -> None:
    with pytest.raises(ContractViolation, match="did you mean 'dry_run'"):
        to_contract({**READ, "dryrun": True}, ActionRequest)


@pytest.mark.parametrize(("version", "ignored"), [("1.1", True), ("1.0", False), ("2.1", False)])
def test_only_a_newer_minor_may_bring_new_members(*, version: str, ignored: bool) -> None:
    body = {**READ, "api_version": version, "dryrun": True}
    if ignored:
        assert to_contract(body, ActionRequest).dry_run is None
    else:
        with pytest.raises(ContractViolation, match="dryrun"):
            to_contract(body, ActionRequest)


def test_a_version_that_is_no_text_excuses_nothing() -> None:
    with pytest.raises(ContractViolation, match="dryrun"):
        to_contract({**READ, "api_version": 1.1, "dryrun": True}, ActionRequest)


@pytest.mark.parametrize(("budget", "refused"), [(0, False), (-1, True), (None, False)])
def test_unsigned_members_refuse_negatives(*, budget: int | None, refused: bool) -> None:
    body = {**READ, "query_budget_ms": budget}
    if refused:
        with pytest.raises(ContractViolation, match=r"\$\.query_budget_ms"):
            to_contract(body, ActionRequest, unsigned=("query_budget_ms",))
    else:
        made = to_contract(body, ActionRequest, unsigned=("query_budget_ms",))
        assert made.query_budget_ms == budget


@pytest.mark.parametrize(
    ("given", "repeated"),
    [("r-1", "r-1"), ("x" * 128, "x" * 128), ("x" * 129, None), ("", None), (7, None)],
)
def test_a_usable_request_id_is_repeated(given: object, repeated: str | None) -> None:
    assert request_id_of({"request_id": given}) == repeated
    assert request_id_of({}) is None
