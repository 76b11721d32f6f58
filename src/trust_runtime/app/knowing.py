"""Lets the own identity be judged, told and followed by everything that depends on it."""

from collections.abc import Callable

from trust_runtime.app.parts import Services
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.core.preconditions import unmet_preconditions


def join_identity(services: Services, changed_here: Callable[[], None]) -> None:
    """Join the watch over certificates with health, decisions, the timeline and the beacon."""
    identity, status, running = services.identity, services.status, services.running

    def changed(change: IdentityChange) -> None:
        services.chronicle.identity_changed(change)
        changed_here()

    def ends(days: int) -> None:
        services.chronicle.certificate_ends(days)
        changed_here()

    status.identity_reasons = identity.reasons
    status.unmet = lambda: unmet_preconditions(running.settings, identity.distrust)
    identity.on_change = changed
    identity.on_expiry = ends
