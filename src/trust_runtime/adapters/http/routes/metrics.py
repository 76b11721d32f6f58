"""`GET /metrics`: what was measured, in the text format of Prometheus (contract 6.19)."""

from typing import Final

from starlette.responses import Response

from trust_runtime.adapters.http.answers import text_answer
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.contracts.metrics import Metric, MetricKind, Sample

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REFUSED: Final = "trust_cloud_http_refused_total"
_LARGEST_EXACT: Final = 2**53


async def get_metrics(_asked: Asked, backend: Backend) -> Response:
    """Return what was measured, in the text format 0.0.4 of Prometheus."""
    refused = Metric(
        name=REFUSED,
        help="Requests refused before any decision, by the stage that refused.",
        kind=MetricKind.COUNTER,
        samples=tuple(
            Sample(labels=(("stage", stage),), value=backend.refused[stage])
            for stage in sorted(backend.refused)
        ),
    )
    metrics = sorted((*backend.metrics(), refused), key=lambda metric: metric.name)
    return text_answer("".join(map(render, metrics)), media_type=MEDIA_TYPE)


def render(metric: Metric) -> str:
    """Return one metric as its lines."""
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [f"# HELP {metric.name} {text}", f"# TYPE {metric.name} {metric.kind}"]
    for sample in metric.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
        shown = f"{{{labels}}}" if labels else ""
        lines.append(f"{metric.name}{sample.suffix}{shown} {_number(sample.value)}")
    return "".join(line + "\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """Return a number as the format has it: whole ones in digits, others as they are shortest."""
    if abs(value) < _LARGEST_EXACT and value == int(value):
        return str(int(value))
    return repr(float(value))
