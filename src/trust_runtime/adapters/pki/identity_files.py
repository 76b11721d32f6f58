"""Watches the files of identity and trust. Implements `ports.identity_files.IdentityFiles`."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trust_runtime.adapters.pki.identity_state import IdentityState, read_state
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.signer import JwsSigner
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.contracts.ids import SiteName

FEDERATION_FILES_MAX: Final = 1_024

_Stamp = tuple[tuple[str, int, int, int], ...]


class ProjectIdentityFiles:
    """Looks at names, sizes and times first, and reads only what changed."""

    def __init__(self, layout: IdentityLayout, state: IdentityState, signer: JwsSigner) -> None:
        """Go on from `state`, which `signer` uses."""
        self._layout = layout
        self._state = state
        self._signer = signer
        # None: what changed since `state` was read is found by the first look.
        self._stamp: _Stamp | None = None

    async def look(self) -> IdentityChange | None:
        """See `IdentityFiles.look`."""
        state = await asyncio.to_thread(self._read)
        if state is None:
            return None
        change = _difference(self._state, state)
        self._state = state
        self._signer.adopt(state)
        return change

    def _read(self) -> IdentityState | None:
        # Taken before the reading: what changes meanwhile is found by the next look.
        stamp = tuple(_stamps(self._layout))
        if stamp == self._stamp:
            return None
        state = read_state(self._layout, self._state.own, before=self._state)
        self._stamp = stamp
        return state


def _difference(before: IdentityState, after: IdentityState) -> IdentityChange | None:
    sites = sorted(before.trust.sites.keys() | after.trust.sites.keys())
    trust = tuple(SiteName(s) for s in sites if _of(before, s) != _of(after, s))
    own = _pair(before) != _pair(after)
    told = before.facts().notes != after.facts().notes or before.problem != after.problem
    return IdentityChange(own=own, trust=trust) if own or trust or told else None


def _of(state: IdentityState, site: SiteName) -> object:
    found = state.trust.sites.get(site)
    return None if found is None else (found.anchors, found.lists, found.crl_problem)


def _pair(state: IdentityState) -> object:
    return None if state.identity is None else (state.identity.chain, state.identity.pin)


def _stamps(layout: IdentityLayout) -> Iterator[tuple[str, int, int, int]]:
    for path in (layout.key, layout.certificate, layout.own_bundle, layout.own_crl):
        yield _stamp(path)
    try:
        with os.scandir(layout.federation) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return
    for name in names[:FEDERATION_FILES_MAX]:
        yield _stamp(layout.federation / name)


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    # The inode too: files are replaced, and two of one size can have one time.
    return (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
