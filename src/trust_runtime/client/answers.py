"""What a client reads that no contract of the runtime has."""

from typing import Any

from msgspec import Struct, field

from trust_runtime.contracts.config import ConfigMeta, ConfigStatus


class ConfigConflict(Struct, frozen=True, kw_only=True):
    """The present documents, with a write that was refused for them."""

    desired: dict[str, Any]
    """Asked for, secrets redacted."""
    reported: dict[str, Any]
    """Read back."""
    meta: ConfigMeta
    """Present revisions."""
    status: ConfigStatus
    """Present state."""


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether a runtime is ready, and if not, which part is not."""

    ok: bool
    """Every check passes."""
    checks: dict[str, str] = field(default_factory=dict)
    """What each part says."""


class StreamMessage(Struct, frozen=True, kw_only=True):
    """One server-sent event."""

    event_id: str
    """To go on from."""
    event: str
    """`snapshot`, `reset`, `state`, `timeline`, `audit`, `config`, ..."""
    data: dict[str, Any]
    """The content."""
