"""One trace per batch, as a real collector receives it; nothing at all when it is not configured."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracking import tracing
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.tests.factories import perceived, walk

pytestmark = pytest.mark.django_db(transaction=True)
TIMINGS = {"queue": 50.0, "decode": 10.0, "detect": 30.0, "embed": 20.0}
VARIABLES = ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", *tracing._ENDPOINTS)


@pytest.fixture
def collector():
    """An OTLP collector over HTTP: `spans` and `services` it received, and its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = ExportTraceServiceRequest.FromString(
                self.rfile.read(int(self.headers["Content-Length"]))
            )
            for of_resource in request.resource_spans:
                attributes = {a.key: a.value.string_value for a in of_resource.resource.attributes}
                server.services.add(attributes["service.name"])
                server.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.spans, server.services = [], set()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def configure(monkeypatch):
    def with_variables(**variables: str) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        tracing._tracer.cache_clear()
        tracing._delivered.clear()

    yield with_variables
    if (tracer := tracing._tracer()) is not None:
        tracer.processor.shutdown()
    tracing._tracer.cache_clear()


def by_name(spans) -> dict:
    named = {span.name: span for span in spans}
    assert len(named) == len(spans)
    return named


def test_the_stages_of_a_batch_are_one_trace_though_no_context_travels(task, collector, configure):
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    task_id = str(task.pk)
    tracing.perceived(task_id=task_id, number=0, camera="c01", timings_ms=TIMINGS)
    perceived(task, 0)
    assert commit_ready_batches(task_id=task_id, associate=walk) == 1
    for _ in range(3):
        tracing.delivered(task_id=task_id, number=0, committed_at=time.time() - 0.1)
    tracing.flush()
    spans = by_name(collector.spans)
    assert set(spans) == {
        "batch", "queue", "perceive", "decode", "detect", "embed", "associate", "record", "publish", "deliver"
    }  # fmt: skip
    assert len({span.trace_id for span in spans.values()}) == 1
    root = spans["batch"]
    assert not root.parent_span_id
    for name in ("queue", "perceive", "associate", "record", "publish", "deliver"):
        assert spans[name].parent_span_id == root.span_id
    for name in ("decode", "detect", "embed"):
        assert spans[name].parent_span_id == spans["perceive"].span_id
    assert len({span.span_id for span in spans.values()}) == len(spans)
    detect = spans["detect"]
    assert (detect.end_time_unix_nano - detect.start_time_unix_nano) / 1e6 == pytest.approx(30, abs=0.01)
    assert spans["decode"].end_time_unix_nano <= detect.start_time_unix_nano
    attributes = {a.key: a.value for a in detect.attributes}
    assert attributes["spoton.task"].string_value == task_id
    assert attributes["spoton.camera"].string_value == "c01"
    assert collector.services == {"spoton"}


def test_a_live_batch_begins_with_its_capture(task, collector, configure):
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="yard")
    task.mode = ProcessingTask.Mode.LIVE
    captured = time.time() - 3.0
    stages = {"associate": 3.0, "record": 2.0, "publish": 1.0}
    tracing.batch_committed(task=task, number=4, captured_s=[captured], reports={}, stages_ms=stages)
    tracing.flush()
    root = by_name(collector.spans)["batch"]
    assert root.start_time_unix_nano / 1e9 == pytest.approx(captured, abs=1e-3)
    assert root.end_time_unix_nano / 1e9 >= captured + 3.0
    assert collector.services == {"yard"}


def test_batches_are_traces_of_their_own_and_cameras_spans_of_their_own(task, collector, configure):
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    for number in (0, 1):
        for camera in ("c01", "c02"):
            tracing.perceived(task_id=str(task.pk), number=number, camera=camera, timings_ms=TIMINGS)
    tracing.flush()
    assert len({span.trace_id for span in collector.spans}) == 2
    assert len({span.span_id for span in collector.spans}) == len(collector.spans) == 20


def test_work_that_is_done_twice_is_the_same_span(task, collector, configure):
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    for _ in range(2):
        tracing.perceived(task_id=str(task.pk), number=0, camera="c01", timings_ms=TIMINGS)
    tracing.flush()
    assert len({(span.trace_id, span.span_id) for span in collector.spans}) == 5


def test_a_batch_is_sampled_as_a_whole(task, collector, configure, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    for number in range(40):
        tracing.perceived(task_id=str(task.pk), number=number, camera="c01", timings_ms=TIMINGS)
    tracing.flush()
    traces = {span.trace_id for span in collector.spans}
    assert 0 < len(traces) < 40
    assert len(collector.spans) == 5 * len(traces)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_being_asked_for_nothing_is_imported(variables):
    code = (
        "import os, sys; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'spoton.settings'); import django;"
        "django.setup(); from tracking import tracing;"
        f"tracing.perceived(task_id='t', number=0, camera='c', timings_ms={TIMINGS!r}); tracing.flush();"
        # its metrics are imported by redis-py where it is there
        "sys.exit(any(name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES} | variables
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_collector_that_is_away_costs_no_batch(task, configure):
    configure(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    perceived(task, 0)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 1
