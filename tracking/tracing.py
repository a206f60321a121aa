"""OpenTelemetry traces, when configured: one per batch, from capture to the first browser of each web server.

No context travels with the messages: a span's ids follow from what it is (task, batch, camera, stage), so every stage,
in whatever process, names its trace and its parent by itself, and work done twice gives the same span. Configured by
OpenTelemetry's own variables, `OTEL_EXPORTER_OTLP_ENDPOINT` above all; without it no part of it is loaded.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tracking.metrics import never_fails
from tracking.models import ProcessingTask

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PERCEIVING = ("decode", "detect", "embed")
# batches whose first delivery was told; far more than are delivered at once
_delivered: deque[tuple[str, int]] = deque(maxlen=256)


@never_fails
def perceived(*, task_id: str, number: int, camera: str, timings_ms: Mapping[str, float]) -> None:
    """One camera's share of a batch was perceived, just now.

    Frames are decoded, detected in and embedded by turns; the three spans show the sums, one after the other.
    """
    if (tracer := _tracer()) is None:
        return
    trace = _Batch(tracer, task_id, number)
    end = time.time()
    begin = end - sum(timings_ms[stage] for stage in PERCEIVING) / 1e3
    trace.span("queue", begin - timings_ms["queue"] / 1e3, begin, camera=camera)
    trace.span("perceive", begin, end, camera=camera)
    for stage in PERCEIVING:
        until = begin + timings_ms[stage] / 1e3
        trace.span(stage, begin, until, parent="perceive", camera=camera)
        begin = until


@never_fails
def batch_committed(
    *,
    task: ProcessingTask,
    number: int,
    captured_s: Sequence[float],
    reports: Mapping[str, Mapping[str, Any]],
    stages_ms: Mapping[str, float],
) -> None:
    """A batch was associated, recorded and published, just now. Arguments as in `metrics.batch_measured`.

    The trace's root begins with the capture; of a recording, whose capture is long past, with the slowest camera.
    """
    if (tracer := _tracer()) is None:
        return
    trace = _Batch(tracer, str(task.pk), number)
    end = time.time()
    begin = end - sum(stages_ms.values()) / 1e3
    waited = max((sum(report["timings_ms"].values()) for report in reports.values()), default=0.0) / 1e3
    live = task.mode == ProcessingTask.Mode.LIVE
    since = min(captured_s) if live and captured_s else begin - waited
    trace.span("batch", since, end, parent=None, environment=task.environment.slug, mode=str(task.mode))
    for stage in ("associate", "record", "publish"):
        until = begin + stages_ms[stage] / 1e3
        trace.span(stage, begin, until)
        begin = until


@never_fails
def delivered(*, task_id: str, number: int, committed_at: float) -> None:
    """A socket of this web server was sent a batch's updates, just now. Only its first socket counts."""
    if (tracer := _tracer()) is None or (task_id, number) in _delivered:
        return
    _delivered.append((task_id, number))
    _Batch(tracer, task_id, number).span("deliver", committed_at, time.time())


def flush() -> None:
    """Send what waits; for processes that end without notice."""
    if _tracer.cache_info().currsize and (tracer := _tracer()) is not None:
        tracer.processor.force_flush(2000)


class _Tracer:
    """OpenTelemetry's exporter, sampler and resource, as its environment variables want them."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk import trace as sdk
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import Decision

        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "spoton"}))
        provider = sdk.TracerProvider(resource=resource)
        # also added to the provider, which sends what waits when the process ends in order
        self.processor = BatchSpanProcessor(OTLPSpanExporter())
        provider.add_span_processor(self.processor)
        self._trace, self._sdk, self._provider, self._sampled = (
            trace,
            sdk,
            provider,
            Decision.RECORD_AND_SAMPLE,
        )

    def context(self, trace_id: int, span_id: int) -> Any:
        decision = self._provider.sampler.should_sample(None, trace_id, "batch").decision
        flags = self._trace.TraceFlags(decision == self._sampled)
        return self._trace.SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags)

    def export(
        self, name: str, context: Any, parent: Any, begin: float, end: float, attributes: dict
    ) -> None:
        self.processor.on_end(
            self._sdk.ReadableSpan(
                name,
                context=context,
                parent=parent,
                resource=self._provider.resource,
                attributes=attributes,
                start_time=int(begin * 1e9),
                end_time=int(end * 1e9),
            )
        )


class _Batch:
    """The trace of one batch."""

    def __init__(self, tracer: _Tracer, task_id: str, number: int) -> None:
        self._tracer, self._task_id, self._number = tracer, task_id, number

    def span(
        self, name: str, begin: float, end: float, *, parent: str | None = "batch", **attributes: Any
    ) -> None:
        """One stage, from `begin` to `end` (UNIX seconds)."""
        camera = attributes.get("camera", "")
        above = None if parent is None else self._context(parent, "" if parent == "batch" else camera)
        attributes = {"task": self._task_id, "batch": self._number, **attributes}
        named = {f"spoton.{key}": value for key, value in attributes.items()}
        self._tracer.export(name, self._context(name, camera), above, begin, end, named)

    def _context(self, name: str, camera: str) -> Any:
        trace_id, span_id = (
            _number(self._task_id, self._number),
            _number(self._task_id, self._number, name, camera),
        )
        return self._tracer.context(trace_id, span_id & (1 << 64) - 1)


def _number(*what: object) -> int:
    """128 bits that follow from `what`."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:16], "big")


def configured() -> bool:
    """Whether OpenTelemetry's variables ask for traces."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    none = os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return any(os.environ.get(name) for name in _ENDPOINTS) and not off and not none


@cache
def _tracer() -> _Tracer | None:
    if not configured():
        return None
    try:
        return _Tracer()
    except ImportError as error:
        log.warning("no traces: %s; pip install -r requirements-tracing.txt", error)
        return None
