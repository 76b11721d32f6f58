"""The announcements heard and still standing, at most so many (contract 1.6, 5.1)."""

from collections import OrderedDict
from typing import Final

from trust_runtime.contracts.discovery import Sighting

SIGHTINGS_MAX: Final = 1_024


class SightingTable:
    """Sightings by instance name; when it is full, the one heard longest ago gives way."""

    def __init__(self, *, sightings_max: int = SIGHTINGS_MAX) -> None:
        self._sightings_max = sightings_max
        self._heard: OrderedDict[str, Sighting] = OrderedDict()

    def hear(self, instance: str, sighting: Sighting) -> bool:
        """Keep a sighting; tell whether it is new or differs from the last of that instance."""
        changed = self._heard.get(instance) != sighting
        self._heard[instance] = sighting
        self._heard.move_to_end(instance)
        if len(self._heard) > self._sightings_max:
            self._heard.popitem(last=False)
        return changed

    def forget(self, instance: str) -> None:
        """Drop an instance that said goodbye or ran out, so that its return is new."""
        self._heard.pop(instance, None)

    def __len__(self) -> int:
        return len(self._heard)
