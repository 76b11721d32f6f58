"""What the services of this process measured, under the names of contract 6.19.

What is not built is absent, not zero (D64): the engine's metrics come with the engine.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from trust_runtime.contracts.config import ConfigState
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.metrics import Metric, MetricKind, Sample
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.ports.mesh import Mesh
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.stream import Stream

_PERCENT = 100


class Metrics:
    """Reads every number when asked; keeps none."""

    def __init__(
        self,
        *,
        running: Running,
        peers: Peers,
        fleet: Fleet,
        actions: Actions,
        audit: Audit,
        config: ConfigAgent,
        stream: Stream,
        mesh: Mesh,
    ) -> None:
        self._running = running
        self._peers = peers
        self._fleet = fleet
        self._actions = actions
        self._audit = audit
        self._config = config
        self._stream = stream
        self._mesh = mesh
        self.certificate_ends_in_s: Callable[[], int | None] = lambda: None

    def read(self) -> tuple[Metric, ...]:
        """Return every metric, as of now."""
        return (*self._of_the_fleet(), *self._of_deeds(), *self._of_this_process())

    def _of_the_fleet(self) -> Iterator[Metric]:
        lifecycles = Counter(peer.lifecycle for peer in self._peers)
        yield _gauge(
            "trust_cloud_peers",
            "Known peers, by what this runtime says of their life.",
            [_one(lifecycles[state], state=state) for state in Lifecycle],
        )
        edges = [e for e in self._fleet.topology().edges if e.source == self._own]
        yield Metric(
            name="trust_cloud_edge_rtt_ms",
            help="Round trips of the answered probes of the present window, in milliseconds.",
            kind=MetricKind.SUMMARY,
            samples=tuple(
                _one(edge.latency_ms_p95, target=edge.target, quantile="0.95")
                for edge in edges
                if edge.latency_ms_p95 is not None
            ),
        )
        yield _gauge(
            "trust_cloud_edge_loss_ratio",
            "Share of the probes of the present window that nobody answered, 0 to 1.",
            [
                _one(edge.loss_pct / _PERCENT, target=edge.target)
                for edge in edges
                if edge.loss_pct is not None
            ],
        )
        dropped = {**self._peers.rejected, "queue_full": sum(self._mesh.dropped().values())}
        yield _counter(
            "trust_cloud_mesh_dropped_total",
            "Messages of the mesh that were not used, by reason.",
            [_one(dropped[reason], reason=reason) for reason in sorted(dropped)],
        )

    def _of_deeds(self) -> Iterator[Metric]:
        decisions = sorted(self._audit.decisions.items())
        yield _counter(
            "trust_cloud_decisions_total",
            "Decisions recorded here, at the origin and at the target, since the start.",
            [_one(n, action=a, decision=d, code=code) for (a, d, code), n in decisions],
        )
        yield Metric(
            name="trust_cloud_dispatch_seconds",
            help="From a request to dispatch until its report, in seconds.",
            kind=MetricKind.HISTOGRAM,
            samples=self._actions.dispatch_seconds.samples(),
        )
        yield _counter(
            "trust_cloud_audit_records_total",
            "Records of the audit log since it was begun.",
            [_one(self._audit.head().seq)],
        )
        yield Metric(
            name="trust_cloud_audit_commit_seconds",
            help="From handing audit records over until they are durable, in seconds.",
            kind=MetricKind.HISTOGRAM,
            samples=self._audit.commit_seconds.samples(),
        )

    def _of_this_process(self) -> Iterator[Metric]:
        yield _gauge(
            "trust_runtime_uptime_ms",
            "Since the start of the process, in milliseconds.",
            [_one(self._running.uptime_ms)],
        )
        left_s = self.certificate_ends_in_s()
        yield _gauge(
            "trust_cloud_certificate_expires_seconds",
            "Until the own certificate ends, in seconds; below 0 since it did.",
            [] if left_s is None else [_one(left_s)],
        )
        now = self._config.status().state
        yield _gauge(
            "trust_cloud_config_state",
            "1 for the state that the configuration is in.",
            [_one(int(state is now), state=state) for state in ConfigState],
        )
        yield _gauge(
            "trust_cloud_sse_clients",
            "Clients that listen to the stream of events.",
            [_one(self._stream.readers)],
        )

    @property
    def _own(self) -> RuntimeId:
        return self._running.settings.runtime_id


def _one(value: float, **labels: str | StrEnum) -> Sample:
    return Sample(labels=tuple((name, str(text)) for name, text in labels.items()), value=value)


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    return Metric(name=name, help=text, kind=MetricKind.GAUGE, samples=tuple(samples))


def _counter(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    return Metric(name=name, help=text, kind=MetricKind.COUNTER, samples=tuple(samples))
