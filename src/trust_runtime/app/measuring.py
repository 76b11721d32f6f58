"""Builds what reads the measurements of a process for `/metrics`."""

from trust_runtime.app.parts import Services
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.metrics import Metrics


def build_metrics(services: Services, mesh: Mesh) -> Metrics:
    """Return the reader of everything the services of one process measured."""
    metrics = Metrics(
        running=services.running,
        peers=services.peers,
        fleet=services.fleet,
        actions=services.actions,
        audit=services.audit,
        config=services.config,
        stream=services.stream,
        mesh=mesh,
    )
    metrics.certificate_ends_in_s = lambda: services.identity.expires_in_s
    return metrics
