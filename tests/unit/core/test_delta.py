"""`core.delta`: what turns one state into the next."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.fleet import Edge, Node, Topology, TrustState
from trust_runtime.contracts.history import RecordedState
from trust_runtime.contracts.presence import Lifecycle, LinkState
from trust_runtime.core.delta import apply, diff, rebuild

NODE = Node(
    runtime_id="runtime-a",
    site="default-site",
    display_name="runtime-a",
    role="MEMBER",
    lifecycle_state=Lifecycle.ONLINE,
    trust_state=TrustState.TRUSTED,
    last_seen_ns=1,
    uptime_ms=1,
)
EDGE = Edge(
    source="runtime-a",
    target="runtime-b",
    channel_type="mesh_t2_ops",
    state=LinkState.HEALTHY,
    stale=False,
    latency_ms_p95=8.0,
    loss_pct=0.0,
    last_ok_ns=1,
)
STATE = Topology(nodes=(NODE,), edges=(EDGE,), host_groups=(("runtime-a",),))
EMPTY = Topology(nodes=(), edges=(), host_groups=())


def with_node(**changes: object) -> Topology:
    return structs.replace(STATE, nodes=(structs.replace(NODE, **changes),))


def with_edge(**changes: object) -> Topology:
    return structs.replace(STATE, edges=(structs.replace(EDGE, **changes),))


def test_the_passing_of_time_alone_is_no_change() -> None:
    assert diff(STATE, STATE) is None
    assert diff(STATE, with_node(last_seen_ns=9, uptime_ms=9)) is None
    assert diff(STATE, with_edge(last_ok_ns=9)) is None


def test_a_little_latency_is_no_change_and_a_quarter_is() -> None:
    assert diff(STATE, with_edge(latency_ms_p95=9.999)) is None
    assert diff(STATE, with_edge(latency_ms_p95=10.0)) is not None
    assert diff(STATE, with_edge(latency_ms_p95=6.0)) is not None
    assert diff(STATE, with_edge(loss_pct=0.99)) is None
    assert diff(STATE, with_edge(loss_pct=1.0)) is not None
    assert diff(STATE, with_edge(latency_ms_p95=None)) is not None


def test_each_other_change_is_one() -> None:
    for changed in (
        with_node(lifecycle_state=Lifecycle.STALE),
        with_node(boot_id="other"),
        with_edge(state=LinkState.STALE),
        with_edge(stale=True),
        structs.replace(STATE, host_groups=()),
        structs.replace(STATE, nodes=()),
        structs.replace(STATE, edges=()),
    ):
        assert diff(STATE, changed) is not None
        assert diff(changed, STATE) is not None


NODES = st.builds(
    lambda name, state, boot: structs.replace(
        NODE, runtime_id=name, lifecycle_state=state, boot_id=boot
    ),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(Lifecycle),
    st.none() | st.sampled_from(["1", "2"]),
)
EDGES = st.builds(
    lambda source, target, state: structs.replace(EDGE, source=source, target=target, state=state),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(LinkState),
)
TOPOLOGIES = st.builds(
    lambda nodes, edges, groups: Topology(
        nodes=tuple(sorted(nodes, key=lambda n: n.runtime_id)),
        edges=tuple(sorted(edges, key=lambda e: (e.source, e.target))),
        host_groups=groups,
    ),
    st.lists(NODES, unique_by=lambda n: n.runtime_id),
    st.lists(EDGES, unique_by=lambda e: (e.source, e.target)),
    st.sampled_from([(), (("a",),), (("a", "b"),)]),
)


@given(before=TOPOLOGIES, after=TOPOLOGIES)
def test_a_difference_applied_gives_the_second_state(before: Topology, after: Topology) -> None:
    delta = diff(before, after)
    assert (before if delta is None else apply(before, delta)) == after


@settings(max_examples=50)
@given(states=st.lists(TOPOLOGIES, min_size=1, max_size=8), at=st.integers(0, 7))
def test_any_recorded_instant_is_rebuilt(states: list[Topology], at: int) -> None:
    entries = [RecordedState(at_ns=0, whole=states[0])]
    for number, (before, after) in enumerate(itertools.pairwise(states), 1):
        delta = diff(before, after)
        if delta is not None:
            entries.append(RecordedState(at_ns=number, delta=delta))
    at = min(at, len(states) - 1)
    assert rebuild(entry for entry in entries if entry.at_ns <= at) == states[at]


def test_nothing_is_known_after_the_end_nor_without_a_keyframe() -> None:
    whole = RecordedState(at_ns=1, whole=STATE)
    ended = RecordedState(at_ns=2, ended=True)
    delta = RecordedState(at_ns=3, delta=diff(STATE, EMPTY))
    assert rebuild([whole, ended]) is None
    assert rebuild([delta]) is None
    assert rebuild([whole, ended, delta]) is None
    assert rebuild([whole, ended, structs.replace(whole, at_ns=4)]) == STATE
    assert rebuild([]) is None
