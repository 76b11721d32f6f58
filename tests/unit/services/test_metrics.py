"""`services.metrics`: real numbers under the names of the contract, and nothing that is not."""

import re
from pathlib import Path
from typing import cast

import pytest

from signed_fleet import OTHER
from trust_runtime.adapters.http.routes.metrics import REFUSED
from trust_runtime.contracts.config import ConfigState
from trust_runtime.contracts.metrics import Metric
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.services.actions import Actions
from trust_runtime.services.histogram import Histogram
from trust_runtime.services.metrics import Metrics
from trust_runtime.services.stream import Stream
from whole_runtime import Whole

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


class Timed:
    """What measures dispatches."""

    def __init__(self) -> None:
        self.dispatch_seconds = Histogram()


class Measured(Whole):
    """A runtime whose measurements are read."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream(self.running.boot_id)
        self.timed = Timed()
        self.metrics = Metrics(
            running=self.running,
            peers=self.peers,
            fleet=self.fleet,
            actions=cast("Actions", self.timed),
            audit=self.audit,
            config=self.config,
            stream=self.stream,
            mesh=self.wire,
        )

    def of(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the samples of one metric by their labels."""
        [metric] = [metric for metric in self.metrics.read() if metric.name == name]
        return {sample.labels: sample.value for sample in metric.samples}


@pytest.fixture
def here() -> Measured:
    return Measured()


def test_the_document_names_exactly_what_is_told(here: Measured) -> None:
    told: dict[str, Metric] = {metric.name: metric for metric in here.metrics.read()}
    rows = re.findall(
        r"^\| `(\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE
    )
    assert sorted(name for name, _, _ in rows) == sorted([*told, REFUSED])
    for name, labels, kind in rows:
        if name == REFUSED:
            continue
        assert told[name].kind == kind, name
        for sample in told[name].samples:
            shown = [label for label, _ in sample.labels if label != "le"]
            assert shown == [label for label in labels.split(",") if label], name


def test_names_end_in_their_unit_or_in_total(here: Measured) -> None:
    for metric in here.metrics.read():
        assert (metric.kind == "counter") is metric.name.endswith("_total")
        assert metric.help.endswith(".")


def test_peers_are_counted_by_every_state(here: Measured) -> None:
    empty = {(("state", str(state)),): 0 for state in Lifecycle}
    assert here.of("trust_cloud_peers") == empty
    here.online(OTHER)
    assert here.of("trust_cloud_peers") == {**empty, (("state", "online"),): 1}


def test_what_is_not_measured_has_no_sample(here: Measured) -> None:
    here.online(OTHER)
    assert here.of("trust_cloud_edge_rtt_ms") == {}
    assert here.of("trust_cloud_edge_loss_ratio") == {}


def test_uptime_config_and_listeners_are_those_of_now(here: Measured) -> None:
    before_ms = here.of("trust_runtime_uptime_ms")[()]
    here.pass_ns(1_500_000_000)
    assert here.of("trust_runtime_uptime_ms") == {(): before_ms + 1_500}
    states = here.of("trust_cloud_config_state")
    assert states == {
        (("state", str(state)),): int(state is ConfigState.IN_SYNC) for state in ConfigState
    }
    assert here.of("trust_cloud_sse_clients") == {(): 0}
    here.stream.join(None)
    assert here.of("trust_cloud_sse_clients") == {(): 1}


def test_decisions_and_durations_are_those_the_services_counted(here: Measured) -> None:
    here.audit.decisions["status_read", "denied", "permission_denied"] += 2
    here.audit.decisions["preflight", "allowed", ""] += 1
    here.timed.dispatch_seconds.observe(3_000_000)
    here.audit.commit_seconds.observe(1)
    assert here.of("trust_cloud_decisions_total") == {
        (("action", "preflight"), ("decision", "allowed"), ("code", "")): 1,
        (("action", "status_read"), ("decision", "denied"), ("code", "permission_denied")): 2,
    }
    assert here.of("trust_cloud_dispatch_seconds")[("le", "0.0025"),] == 0
    assert here.of("trust_cloud_dispatch_seconds")[("le", "0.005"),] == 1
    assert here.of("trust_cloud_audit_commit_seconds")[("le", "0.001"),] == 1
    assert here.of("trust_cloud_audit_records_total") == {(): here.audit.head().seq}


def test_unused_messages_are_counted_by_reason(here: Measured) -> None:
    here.peers.rejected["signature"] = 4
    dropped = here.of("trust_cloud_mesh_dropped_total")
    assert dropped[("reason", "signature"),] == 4
    assert dropped[("reason", "queue_full"),] == sum(here.wire.dropped().values())
