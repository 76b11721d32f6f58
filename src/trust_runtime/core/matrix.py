"""Who sees whom, put together from the views of all observers (B5). Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.sight import Cell, HeldView, Matrix, PeerView, Row, Sight
from trust_runtime.contracts.units import API_VERSION

_NOT_HEARD: Final = (Sight.CUT, Sight.FROZEN, Sight.LOST)
"""Conclusions from silence: the other side's word may know better."""

_HEARS: Final = (Sight.HEARD, Sight.ONE_WAY)

_PERIODS_APART: Final = 1.2
"""A last view can be younger than the last beacon by that many beacon periods, jitter included."""


def build_matrix(
    own: RuntimeId,
    runtimes: Iterable[RuntimeId],
    views: Mapping[RuntimeId, HeldView],
    *,
    view_age_ms_max: int,
    lost_view_age_ms_max: int,
    silence_ms: int | None = None,
) -> Matrix:
    """Return the matrix over `runtimes`; the same for any order of them.

    Args:
        own: who puts it together.
        runtimes: every known runtime, `own` included.
        views: the newest view of each observer that has one.
        view_age_ms_max: an older view counts as none: what it says was true once.
        lost_view_age_ms_max: the same for an observer that `own` does not hear any more.
        silence_ms: how long one that `own` hears may say nothing; None when it hears none.
    """
    ids = sorted(set(runtimes))
    heard: set[str] = {own}
    if own in views:
        heard |= {line.target for line in views[own].view.peers if line.sight is Sight.HEARD}
    fresh = {
        observer: held
        for observer, held in sorted(views.items())
        if held.age_ms <= (view_age_ms_max if observer in heard else lost_view_age_ms_max)
    }
    lines = {
        (observer, line.target): line
        for observer, held in fresh.items()
        for line in held.view.peers
    }
    rows = []
    for observer in ids:
        held = fresh.get(observer)
        cells = tuple(_cell(observer, target, views=fresh, lines=lines) for target in ids)
        rows.append(
            Row(
                observer=observer,
                view_age_ms=None if held is None else held.age_ms,
                via=None if held is None else held.via,
                stalled_ms=0 if held is None else held.view.stalled_ms,
                cells=cells,
            )
        )
    return Matrix(
        api_version=API_VERSION,
        connected_via=own,
        runtimes=tuple(ids),
        rows=tuple(rows),
        silence_ms=silence_ms,
    )


def _cell(
    observer: RuntimeId,
    target: RuntimeId,
    *,
    views: Mapping[RuntimeId, HeldView],
    lines: Mapping[tuple[RuntimeId, str], PeerView],
) -> Cell:
    if observer == target:
        return Cell(target=target, sight=Sight.SELF)
    held = views.get(observer)
    if held is None:
        return Cell(target=target, sight=Sight.UNKNOWN)
    line = lines.get((observer, target))
    if line is None:
        return Cell(target=target, sight=Sight.NEVER)
    heard_ms = None if line.heard_ago_ms is None else line.heard_ago_ms + held.age_ms
    contradicted = _says_it_hears(target, observer, silent_ms=heard_ms, views=views, lines=lines)
    return Cell(
        target=target,
        sight=Sight.ONE_WAY if line.sight in _NOT_HEARD and contradicted else line.sight,
        lifecycle_state=line.lifecycle_state,
        heard_ago_ms=heard_ms,
    )


def _says_it_hears(
    target: RuntimeId,
    observer: RuntimeId,
    *,
    silent_ms: int | None,
    views: Mapping[RuntimeId, HeldView],
    lines: Mapping[tuple[RuntimeId, str], PeerView],
) -> bool:
    """Tell whether the target itself says, after it fell silent, that it hears the observer.

    A target that froze or died said so before it fell silent, and its last view may have come
    after its last beacon: by one beacon period and its jitter at most. One that stood still lately
    was silent for that reason, and takes for heard whoever it could not hear meanwhile.
    """
    back, line = views.get(target), lines.get((target, observer))
    if back is None or line is None or line.sight not in _HEARS or silent_ms is None:
        return False
    if back.view.stalled_ms > 0:
        return False
    return back.age_ms + _PERIODS_APART * back.view.beacon_period_ms < silent_ms
