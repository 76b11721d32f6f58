"""Control requests that come over HTTP, for this runtime or for another one (6.16, 14.3)."""

from typing import Any

from msgspec import Struct, field

from trust_runtime.contracts.denial import Denial


class ControlRequest(Struct, frozen=True, kw_only=True):
    """The verb a proxy is to run."""

    type: str
    """Its name."""

    params: dict[str, Any] = field(default_factory=dict)
    """Its parameters; of `config.set` the patch."""

    request_id: str | None = None
    """Key of idempotency; absent: one is chosen here."""


class ProxyRequest(Struct, frozen=True, kw_only=True):
    """The body of `POST control/proxy`; texts are as given."""

    api_version: str
    """`MAJOR.MINOR`."""

    actor: str
    """The claim."""

    target_runtime: str
    """Whose verb, in any accepted spelling."""

    control_request: ControlRequest
    """What to run there."""

    query_budget_ms: int | None = None
    """How long the caller waits, in milliseconds; capped at 10 000; absent: 1500."""

    ha: Any = None
    """What the caller expects of a redundancy group; not in this version."""


class DirectRequest(Struct, frozen=True, kw_only=True):
    """The body of `POST /api/control`: one control request to this runtime."""

    id: int = 1
    """Repeated in the reply."""

    type: str
    """The verb."""

    params: dict[str, Any] = field(default_factory=dict)
    """Its parameters; of `config.set` the patch."""

    request_id: str | None = None
    """Key of idempotency; absent: one is chosen here."""


class NotProxied(Struct, frozen=True, kw_only=True):
    """Why a request was no request: its form, before any decision."""

    denial: Denial
    """The reason."""

    audit_id: str
    """The record of the refusal."""
