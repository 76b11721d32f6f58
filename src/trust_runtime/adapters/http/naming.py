"""Runtimes named in query parameters: any accepted spelling, resolved to the canonical id."""

from trust_runtime.adapters.http.endpoint import Backend
from trust_runtime.adapters.http.errors import Refusal, refusal_of
from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.ids import RuntimeId, site_of
from trust_runtime.core.naming import resolve


def named_runtime(text: str, backend: Backend) -> RuntimeId | Refusal:
    """Return the runtime `text` names, or why it names none."""
    known = {backend.own, *backend.fleet.decision_facts().peers}
    found = resolve(text, own_site=site_of(backend.own), known=known)
    return refusal_of(found) if isinstance(found, Denial) else found


def addressed(text: str | None, backend: Backend) -> RuntimeId | Refusal:
    """Return the runtime `?target=` names, the connected one without it, or why it names none."""
    return backend.own if text is None else named_runtime(text, backend)
