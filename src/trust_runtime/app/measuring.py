"""Builds what reads the measurements of a process for `/metrics`."""

from trust_runtime.app.parts import Services
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.metrics import Metrics


def build_metrics(services: Services, mesh: Mesh) -> Metrics:
    """Return the reader of everything the services of one process measured."""
    return Metrics(
        running=services.running,
        peers=services.peers,
        fleet=services.fleet,
        actions=services.actions,
        audit=services.audit,
        config=services.config,
        stream=services.stream,
        mesh=mesh,
    )
