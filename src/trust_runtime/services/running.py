"""The settings in force, shared by the services that read them; the config agent replaces them."""

from collections.abc import Mapping
from typing import Any

from trust_runtime.contracts.ids import BootId
from trust_runtime.contracts.settings import Settings
from trust_runtime.contracts.units import NS_PER_MS, MonotonicNs
from trust_runtime.ports.clock import Clock
from trust_runtime.services.in_flight import InFlight


class Running:
    """This process: its settings in force, its incarnation, its age.

    `settings` is what every component reads at the moment it needs a value, so what stands here
    is what runs.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        file_values: Mapping[str, Any],
        boot_id: BootId,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.file_values = dict(file_values)
        self.boot_id = boot_id
        self.ready = False
        self.stopping = False
        self.in_flight = InFlight()
        self._clock = clock
        self._started_ns: MonotonicNs = clock.monotonic_ns()

    @property
    def started_ns(self) -> MonotonicNs:
        """When this process started, by its monotonic clock."""
        return self._started_ns

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the start, by the monotonic clock."""
        return (self._clock.monotonic_ns() - self._started_ns) // NS_PER_MS
