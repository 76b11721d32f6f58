import pytest

from trust_runtime.bench.catalog import LATER, WORKLOADS


def test_a_workload_is_in_this_version_or_it_is_not() -> None:
    assert not set(WORKLOADS) & set(LATER)
    assert {"dispatch", "mesh-zenoh", "preflight", "state-http", "startup"} <= set(WORKLOADS)
    assert "t0-shm" in LATER


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_its_defaults_can_be_asked_for(name: str) -> None:
    assert WORKLOADS[name].samples >= 1
    assert WORKLOADS[name].payload_bytes >= 8
    assert WORKLOADS[name].what
