"""What this runtime says of itself: the `status` verb, its beacon, its health, readiness."""

from collections.abc import Callable
from typing import Any, Final

from trust_runtime.contracts.answers import Readiness
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.fleet import Health
from trust_runtime.contracts.presence import (
    BeaconStatus,
    ConfigReport,
    Lifecycle,
    MeshReport,
    WebReport,
)
from trust_runtime.contracts.units import API_VERSION, CLOCK_SKEW_MS_MAX
from trust_runtime.core.config.keys import CONFIG_SCHEMA_DIGEST
from trust_runtime.core.policy.inbound import announced_writes
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.link_refusals import LinkRefusals
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.store_health import StoreHealth

ENGINE_ABSENT: Final = "absent"
_CONTROL_MODE: Final = "production"
_GOOD: Final = ("ok", "open", "off", ENGINE_ABSENT)
_SKEWED_MAX: Final = 8
"""So many are named: with the own clock wrong all differ, and a beacon has at most 8 KiB."""


class Status:
    """Reads the parts of this process; every value is measured when asked."""

    def __init__(  # noqa: PLR0913 - one port or service each
        self,
        *,
        version: str,
        host_key: str,
        mesh_addresses: tuple[str, ...],
        running: Running,
        peers: Peers,
        config: ConfigAgent,
        audit: Audit,
        health: StoreHealth,
        mesh: Mesh,
    ) -> None:
        self._version = version
        self._host_key = host_key
        self._mesh_addresses = mesh_addresses
        self._running = running
        self._peers = peers
        self._config = config
        self._audit = audit
        self._health = health
        self._mesh = mesh
        self.mesh_problem: str | None = None
        self.refused_links: LinkRefusals | None = None
        self.reach_problem: str | None = None
        self.discovery_problem: str | None = None
        self.web_port: int | None = None
        self.control_open = False
        self.io_restart_required: Callable[[], bool] = lambda: False
        self.identity_reasons: Callable[[], tuple[str, ...]] = lambda: ()
        self.mesh_reopen_required = False
        self.unmet: Callable[[], tuple[str, ...]] = lambda: ()
        self.on_change: Callable[[], None] = lambda: None

    def degraded_reasons(self) -> tuple[str, ...]:
        """Return why this runtime is not healthy, each naming its part."""
        reasons: list[str] = []
        if self._health.fault is not None:
            reasons.append(f"state store: {self._health.fault}")
        if self.mesh_problem is not None:
            reasons.append(f"mesh: {self.mesh_problem}")
        if self.refused_links is not None:
            reasons += (f"mesh: {reason}" for reason in self.refused_links.reasons())
        if self.reach_problem is not None:
            reasons.append(f"reach: {self.reach_problem}")
        if self.discovery_problem is not None:
            reasons.append(f"discovery: {self.discovery_problem}")
        if self._peers.own_trust_reason is not None:
            reasons.append(f"identity: {self._peers.own_trust_reason}")
        reasons.extend(self.identity_reasons())
        skewed = [
            f"clock skew: {peer.record.runtime_id} differs by {peer.clock_skew_ms} ms"
            for peer in self._peers
            if peer.lifecycle is Lifecycle.ONLINE
            and abs(peer.clock_skew_ms or 0) > CLOCK_SKEW_MS_MAX
        ]
        reasons.extend(skewed[:_SKEWED_MAX])
        if len(skewed) > _SKEWED_MAX:
            reasons.append(f"clock skew: {len(skewed) - _SKEWED_MAX} more differ")
        return tuple(reasons)

    def beacon(self) -> BeaconStatus:
        """Return the beacon's content; the sender fills in `seq` and `lifecycle`."""
        settings = self._running.settings
        reasons = self.degraded_reasons()
        meta, status = self._config.report()
        announced = announced_writes(settings.runtime_id, settings.allow_write)
        mesh_port = settings.mesh.listen.port if settings.mesh.role == "peer" else 0
        return BeaconStatus(
            lifecycle="running",
            period_ms=settings.presence.beacon_period_ms,
            seq=0,
            boot_id=self._running.boot_id,
            version=self._version,
            api_version=API_VERSION,
            uptime_ms=self._running.uptime_ms,
            health=Health.DEGRADED if reasons else Health.HEALTHY,
            health_reasons=reasons,
            engine_state=ENGINE_ABSENT,
            profile=settings.profile,
            control_mode=_CONTROL_MODE,
            debug_enabled=False,
            accepts=announced.rules,
            accepts_cut=announced.cut,
            config=ConfigReport(
                state=status.state,
                desired_revision=meta.desired_revision,
                reported_revision=meta.reported_revision,
                desired_etag=meta.desired_etag,
                schema=CONFIG_SCHEMA_DIGEST,
            ),
            web=None
            if self.web_port is None
            else WebReport(port=self.web_port, tls=settings.web.tls),
            mesh=MeshReport(
                port=mesh_port,
                tls=settings.mesh.tls,
                role=settings.mesh.role,
                addresses=self._mesh_addresses,
            ),
            host_key=self._host_key,
            audit_head=self._audit.head(),
        )

    def status(self) -> dict[str, Any]:
        """Return the result of verb `status`; what is not measured is not there."""
        settings = self._running.settings
        return {
            "state": "ready" if self._running.ready else "boot",
            "engine": ENGINE_ABSENT,
            "program": "none",
            "resource": settings.name,
            "plc_name": settings.name,
            "runtime_id": settings.runtime_id,
            "version": self._version,
            "uptime_ms": self._running.uptime_ms,
            "profile": settings.profile,
            "control_mode": _CONTROL_MODE,
            "debug_enabled": False,
            "mesh": {
                "state": self._mesh_state(),
                "tls": settings.mesh.tls,
                "refused": {} if self.refused_links is None else self.refused_links.counts(),
                "peers": sum(1 for peer in self._peers if peer.lifecycle is Lifecycle.ONLINE),
                "dropped": sum(self._mesh.dropped().values()),
                "rejected": dict(sorted(self._peers.rejected.items())),
                "reopen_required": self.mesh_reopen_required,
            },
            "config": self._config.status(),
            "degraded_reasons": self.degraded_reasons(),
            "io_restart_required": self.io_restart_required(),
        }

    def health(self) -> dict[str, Any]:
        """Return the result of verb `health`."""
        reasons = self.degraded_reasons()
        return {
            "ok": not reasons,
            "state": "ready" if self._running.ready else "boot",
            "engine": ENGINE_ABSENT,
            "health": Health.DEGRADED if reasons else Health.HEALTHY,
            "reasons": reasons,
        }

    def readiness(self) -> Readiness:
        """Return the answer of `/readyz`; an absent engine is said, and holds nothing up."""
        checks = {
            "engine": ENGINE_ABSENT,
            "state_db": "ok" if self._health.fault is None else self._health.fault,
            "control": "ok" if self.control_open else "control socket is not open",
            "mesh": self._mesh_state(),
            "profile": f"needs {', '.join(unmet)}" if (unmet := self.unmet()) else "ok",
        }
        if self._running.stopping:
            checks["process"] = "stopping"
        failing = [name for name, value in checks.items() if value not in _GOOD]
        code = DenialCode.TRANSPORT_FAILURE
        if failing == ["profile"]:
            code = DenialCode.NOT_CONFIGURED
        return Readiness(ok=not failing, checks=checks, denial_code=code if failing else None)

    def _mesh_state(self) -> str:
        if not self._running.settings.mesh.enabled:
            return "off"
        if self._mesh.is_open:
            return "open"
        return self.mesh_problem or "opening"
