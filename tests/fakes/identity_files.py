"""Files of identity and trust that a test changes. Implements `ports.identity_files`."""

from collections import deque
from collections.abc import Callable

from trust_runtime.contracts.identity import IdentityChange


class FakeIdentityFiles:
    """Gives the changes it was given, one a look; `act` brings each into use."""

    def __init__(self, act: Callable[[IdentityChange], None] = lambda _change: None) -> None:
        self._act = act
        self.changes: deque[IdentityChange] = deque()

    async def look(self) -> IdentityChange | None:
        """See `IdentityFiles.look`."""
        if not self.changes:
            return None
        change = self.changes.popleft()
        self._act(change)
        return change
