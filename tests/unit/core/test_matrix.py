"""`core.matrix`: who sees whom."""

from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import HeldView, Matrix, PeerView, Sight, View
from trust_runtime.core.matrix import build_matrix

A, B, C = (RuntimeId(f"runtime-{name}") for name in "abc")
AGE_MS_MAX = 12_000
LOST_MS_MAX = 2_500


def line(target: str, sight: Sight, *, heard_ago_ms: int | None = 100) -> PeerView:
    state = Lifecycle.ONLINE if sight is Sight.HEARD else Lifecycle.STALE
    return PeerView(target=target, lifecycle_state=state, sight=sight, heard_ago_ms=heard_ago_ms)


def held(observer: str, *lines: PeerView, age_ms: int = 0, stalled_ms: int = 0) -> HeldView:
    view = View(
        observer=observer,
        boot_id="boot",
        beacon_period_ms=1_000,
        stalled_ms=stalled_ms,
        peers=lines,
    )
    return HeldView(view=view, age_ms=age_ms)


def sights(matrix: Matrix, observer: RuntimeId) -> list[Sight]:
    (row,) = [row for row in matrix.rows if row.observer == observer]
    return [cell.sight for cell in row.cells]


def build(views: dict[RuntimeId, HeldView]) -> Matrix:
    return build_matrix(
        A, [C, A, B], views, view_age_ms_max=AGE_MS_MAX, lost_view_age_ms_max=LOST_MS_MAX
    )


def test_rows_and_cells_stand_in_the_order_of_ids() -> None:
    matrix = build({A: held(A, line(B, Sight.HEARD), line(C, Sight.DEAD))})
    assert matrix.runtimes == (A, B, C)
    assert [row.observer for row in matrix.rows] == [A, B, C]
    assert sights(matrix, A) == [Sight.SELF, Sight.HEARD, Sight.DEAD]
    assert sights(matrix, B) == [Sight.UNKNOWN, Sight.SELF, Sight.UNKNOWN]


def test_a_view_of_the_allowed_age_counts_and_an_older_one_does_not() -> None:
    for sight, age_ms_max in ((Sight.HEARD, AGE_MS_MAX), (Sight.FROZEN, LOST_MS_MAX)):
        own = held(A, line(B, sight))
        young, old = (held(B, line(A, Sight.HEARD), age_ms=age_ms_max + n) for n in (0, 1))
        assert sights(build({A: own, B: young}), B)[0] is Sight.HEARD
        assert sights(build({A: own, B: old}), B)[0] is Sight.UNKNOWN


def test_who_says_after_it_fell_silent_that_it_hears_is_one_way() -> None:
    # Last beacon 2301 ms ago, its view 1100 ms ago: 1201 ms apart, one more than a beacon period.
    silent = held(A, line(B, Sight.CUT, heard_ago_ms=2_301))
    says = held(B, line(A, Sight.HEARD), age_ms=1_100)
    assert sights(build({A: silent, B: says}), A)[1] is Sight.ONE_WAY


def test_who_said_so_before_it_fell_silent_is_what_the_observer_found() -> None:
    frozen = held(A, line(B, Sight.FROZEN, heard_ago_ms=2_300))
    said = held(B, line(A, Sight.HEARD), age_ms=1_100)
    assert sights(build({A: frozen, B: said}), A)[1] is Sight.FROZEN


def test_who_stood_still_lately_contradicts_nobody() -> None:
    frozen = held(A, line(B, Sight.FROZEN, heard_ago_ms=9_000))
    for stalled_ms, sight in ((0, Sight.ONE_WAY), (1, Sight.FROZEN)):
        says = held(B, line(A, Sight.HEARD), stalled_ms=stalled_ms)
        assert sights(build({A: frozen, B: says}), A)[1] is sight


def test_who_gets_hails_of_the_silent_side_makes_it_one_way() -> None:
    silent = held(A, line(B, Sight.CUT, heard_ago_ms=9_000))
    hails = held(B, line(A, Sight.ONE_WAY))
    matrix = build({A: silent, B: hails})
    assert (sights(matrix, A)[1], sights(matrix, B)[0]) == (Sight.ONE_WAY, Sight.ONE_WAY)


def test_a_refused_connection_is_not_overruled() -> None:
    dead = held(A, line(B, Sight.DEAD, heard_ago_ms=9_000))
    said = held(B, line(A, Sight.HEARD))
    assert sights(build({A: dead, B: said}), A)[1] is Sight.DEAD


def test_the_age_of_a_beacon_includes_the_age_of_the_view() -> None:
    matrix = build({B: held(B, line(A, Sight.HEARD, heard_ago_ms=400), age_ms=250)})
    (row,) = [row for row in matrix.rows if row.observer == B]
    assert (row.view_age_ms, row.cells[0].heard_ago_ms) == (250, 650)


def test_a_stall_is_told_with_the_row() -> None:
    matrix = build({B: held(B, line(A, Sight.OBSERVER_STALLED), stalled_ms=900)})
    (row,) = [row for row in matrix.rows if row.observer == B]
    assert (row.stalled_ms, row.cells[0].sight) == (900, Sight.OBSERVER_STALLED)


@given(data=st.data())
def test_the_order_of_the_facts_does_not_matter(data: st.DataObject) -> None:
    ids = [A, B, C]
    views = {
        observer: held(
            observer,
            *(
                line(target, data.draw(st.sampled_from(Sight)))
                for target in ids
                if target != observer
            ),
            age_ms=data.draw(st.integers(0, 2 * AGE_MS_MAX)),
        )
        for observer in ids
    }
    shuffled = dict(data.draw(st.permutations(list(views.items()))))
    order = data.draw(st.permutations(ids))
    ages = {"view_age_ms_max": AGE_MS_MAX, "lost_view_age_ms_max": LOST_MS_MAX}
    one = build_matrix(A, ids, views, **ages)
    other = build_matrix(A, [*order, A], shuffled, **ages)
    assert canonical_json(one) == canonical_json(other)
    assert len(one.rows) == 3
    assert all(len(row.cells) == 3 for row in one.rows)
