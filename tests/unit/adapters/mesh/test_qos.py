"""`adapters.mesh.qos`: contract 5.4, column QoS."""

import pytest
from zenoh import CongestionControl, Priority

from trust_runtime.adapters.mesh.qos import answer_qos_of, qos_of

DROP, BLOCK = CongestionControl.DROP, CongestionControl.BLOCK


@pytest.mark.parametrize(
    ("key", "priority", "congestion_control"),
    [
        ("truST/s/n/svc/beacon", Priority.INTERACTIVE_HIGH, DROP),
        ("truST/s/n/svc/probe", Priority.DATA, DROP),
        ("truST/s/n/svc/ha/line-1", Priority.REAL_TIME, BLOCK),
        ("truST/s/n/_meta/identity", Priority.DATA, DROP),
        ("truST/s/n/cmd/action", Priority.INTERACTIVE_HIGH, BLOCK),
        ("truST/s/n/cfg/agent", Priority.INTERACTIVE_HIGH, BLOCK),
        ("truST/s/n/diag/audit", Priority.BACKGROUND, DROP),
        ("truST/s/n/diag/timeline", Priority.BACKGROUND, DROP),
        ("truST/s/n/diag/edges", Priority.BACKGROUND, DROP),
        ("truST/s/n/mesh/data/speed", Priority.DATA_HIGH, DROP),
        ("truST/s/active/io/line-1/speed", Priority.REAL_TIME, BLOCK),
        ("elsewhere", Priority.DATA, DROP),
    ],
)
def test_each_key_of_the_contract(
    key: str, priority: Priority, congestion_control: CongestionControl
) -> None:
    assert qos_of(key) == (priority, congestion_control)


@pytest.mark.parametrize(
    ("key", "priority", "congestion_control"),
    [
        ("truST/s/n/diag/audit", Priority.DATA, DROP),
        ("truST/s/n/svc/probe", Priority.DATA, DROP),
        ("truST/s/n/cmd/action", Priority.INTERACTIVE_HIGH, BLOCK),
        ("truST/s/n/svc/ha/line-1", Priority.REAL_TIME, BLOCK),
    ],
)
def test_an_answer_is_never_overtaken_by_the_end_of_its_query(
    key: str, priority: Priority, congestion_control: CongestionControl
) -> None:
    assert answer_qos_of(key) == (priority, congestion_control)
