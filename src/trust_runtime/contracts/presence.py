"""What this runtime knows of a peer's life, and what it concludes (contract 5.3, 2.4)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.audit import ChainHead
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import BootId, RuntimeId
from trust_runtime.contracts.units import MonotonicNs

BEACON_PERIOD_MS_MAX: Final = 60_000
"""Nobody announces a longer beacon period (contract 4.2)."""


@unique
class Lifecycle(StrEnum):
    """How alive a peer looks from here; another runtime may see it otherwise."""

    ONLINE = "online"
    STALE = "stale"
    PARTITIONED = "partitioned"
    OFFLINE = "offline"


@unique
class TrustReason(StrEnum):
    """Why a peer is untrusted."""

    IDENTITY_CHANGED = "identity_changed"
    DUPLICATE_INSTANCE = "duplicate_instance"
    CHAIN_INVALID = "chain_invalid"
    EXPIRED = "expired"
    SIGNATURE_INVALID = "signature_invalid"
    REVOKED = "revoked"
    NEVER_SEEN = "never_seen"


class PresenceLimits(Struct, frozen=True, kw_only=True):
    """When silence becomes a verdict (`runtime.cloud.presence`)."""

    beacon_period_ms: int = 1_000
    """How often this runtime sends its beacon, 100..60 000 ms."""

    stale_after_ms: int = 2_000
    """Silence always forgiven, at least 2000 ms, however short the peer's period."""

    partition_after_ms: int = 30_000
    """How long not online, in milliseconds, counts as partitioned; above `stale_after_ms`."""

    lease_ms: int = 1_000
    """Transport lease this runtime announces, 250..10 000 ms."""

    forget_after_ms: int = 604_800_000
    """A peer unseen for this long is dropped; 0 = never."""


class PeerEvidence(Struct, frozen=True, kw_only=True):
    """The newest evidence of one peer's life, by this process's monotonic clock."""

    tokens: frozenset[BootId] = frozenset()
    """Incarnations whose liveliness token is held now."""

    beacon_boot: BootId | None = None
    """Incarnation of the last valid beacon; None before the first one in this process."""

    beacon_at_ns: MonotonicNs | None = None
    """When the last valid beacon arrived."""

    beacon_period_ms: int = 1_000
    """How often the peer promised a beacon; its own signed word."""

    contact_lost_at_ns: MonotonicNs | None = None
    """When the peer was last known to be in contact but is no longer; loaded peers: the start."""

    left_cleanly: bool = False
    """True once a valid beacon said `leaving`; only a new beacon makes it False again."""


class ConfigReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The configuration part of a beacon."""

    state: str
    """`in_sync`, `pending`, `blocked` or `error`."""
    desired_revision: int
    """Newest revision asked for."""
    reported_revision: int
    """Newest revision fully in force."""
    desired_etag: str
    """Fingerprint of the desired document."""
    schema: str
    """Digest of the table of configuration keys."""


class WebReport(Struct, frozen=True, kw_only=True):
    """The web listener of a beacon's sender."""

    port: int
    """TCP port."""
    tls: bool
    """Whether it serves TLS."""


class MeshReport(Struct, frozen=True, kw_only=True):
    """The mesh listener of a beacon's sender."""

    port: int
    """TCP port; 0 for a client, which does not listen."""
    tls: bool
    """Whether its links are TLS."""
    role: str
    """`peer` or `client`."""
    addresses: tuple[str, ...] = ()
    """Concrete `IP:PORT` it listens on; hints to dial, nothing else."""


class AcceptedWrite(Struct, frozen=True, kw_only=True):
    """One inbound rule that matches the sender's own id (contract 9.2)."""

    action: str
    """`cfg_apply`, `cmd_invoke`, `status_read` or `*`."""
    origin: str
    """Pattern over origins."""


class BeaconStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a runtime says of itself, signed, every period (contract 5.3).

    Raises:
        ContractViolation: a period out of range: nobody may promise silence for ever.
    """

    lifecycle: str
    """`running` or `leaving`."""
    period_ms: int
    """How often it promises a beacon, 1..60 000 ms."""
    seq: int
    """1, 2, 3, ... per boot."""
    boot_id: BootId
    """Its incarnation."""
    version: str
    """Product version."""
    api_version: str
    """`1.0`."""
    uptime_ms: int
    """Since its start, by its monotonic clock."""
    health: str
    """`healthy`, `degraded` or `faulted`."""
    health_reasons: tuple[str, ...] = ()
    """Why it is not healthy."""
    engine_state: str
    """`absent` in this version: no program engine."""
    profile: str
    """Its profile."""
    control_mode: str
    """`production` or `debug`."""
    debug_enabled: bool
    """Whether debug-gated verbs are usable."""
    accepts: tuple[AcceptedWrite, ...] = ()
    """Inbound rules that match its own id."""
    accepts_cut: bool = False
    """Whether it has more of them than a beacon has room for."""
    config: ConfigReport
    """Its configuration."""
    web: WebReport | None = None
    """Its web listener; None when web is off."""
    mesh: MeshReport
    """Its mesh listener."""
    host_key: str
    """Equal for runtimes of one host (contract 5.5)."""
    audit_head: ChainHead
    """Head of its audit chain."""

    def __post_init__(self) -> None:
        if not 1 <= self.period_ms <= BEACON_PERIOD_MS_MAX:
            raise ContractViolation("period_ms", self.period_ms, f"1..{BEACON_PERIOD_MS_MAX}")


class PeerRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a peer over restarts."""

    runtime_id: RuntimeId
    """Whose record."""

    pin: str | None = None
    """SHA-256 hex of its public key (DER SubjectPublicKeyInfo); None while unpinned."""

    trust_reason: TrustReason | None = None
    """Why it is untrusted; None when trusted."""

    left_cleanly: bool = False
    """Whether its last word was `leaving`."""

    last_seen_ns: int = 0
    """Observer's wall clock at the last valid beacon; 0 if never."""

    addresses: tuple[str, ...] = ()
    """Last known `IP:PORT` of its mesh listener."""

    status: BeaconStatus | None = None
    """Its last valid beacon."""


@unique
class LinkState(StrEnum):
    """How a measured link does (contract 7.3)."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STALE = "stale"
    FAILED = "failed"
