"""What both clients send and how they read errors of the connection."""

from typing import Final, TypeVar

import httpx

from trust_runtime.client.calls import CLOUD, Call
from trust_runtime.contracts.errors import NoAnswer

T = TypeVar("T")

TIMEOUT_S: Final = 15.0
SILENCE_S: Final = 60.0
"""A stream says something every 15 s; a longer silence is a dead one."""

EVENTS: Final = f"{CLOUD}/events"


def headers(token: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    return {} if token is None else {"authorization": f"Bearer {token}"}


def content_type(call: Call[T]) -> dict[str, str]:
    """Return the headers that go with the body of a call."""
    return {} if call.body is None else {"content-type": "application/json"}


def resume(last_event_id: str | None) -> dict[str, str]:
    """Return the header that goes on with a stream."""
    return {} if last_event_id is None else {"last-event-id": last_event_id}


def stream_call() -> Call[bytes]:
    """Return the stream as a call, to read a refusal of it."""
    return Call(method="GET", path=EVENTS, route=EVENTS, kind=bytes)


def no_answer(address: httpx.URL, error: httpx.HTTPError) -> NoAnswer:
    """Return what an error of the connection means."""
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer(
            f"{address} did not answer in time", "ask again, or allow more time", late=True
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NoAnswer(
            f"{address} did not prove that it is the runtime: {error}",
            "name the CA bundle of its site with --ca FILE, and a name of its certificate",
        )
    return NoAnswer(
        f"nobody answers at {address}: {error}",
        "start the runtime there, or give the address of another one",
        nobody=isinstance(error, httpx.ConnectError),
    )
