"""`GET /metrics`: the whole system in Prometheus' text format, from one scrape of one web server.

Numbers come from Redis and the database, whoever measured them, so that they outlive the workers. Only sockets and
`process_...` are of the web server that answers.
"""

from __future__ import annotations

import hmac
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from environments.redis import redis_client
from spoton.api.envelope import error_body
from spoton.api.methods import read_only
from spoton.auth.authentication import user_of_access_token
from spoton.health import component_states
from spoton.system.open_sockets import CountSockets
from tracking import frames, performance
from tracking import metrics as measured
from tracking.devices import live_workers
from tracking.gpus import gpus
from tracking.live import live_degradation

log = logging.getLogger(__name__)
CAMERA = ("environment", "camera")

_HISTOGRAMS = {
    measured.STAGE: (
        "stage",
        "Time in a stage: queue per camera and batch; decode, detect, embed per frame; associate, record, publish per "
        "batch; deliver from the commit to each socket.",
    ),
    measured.LATENCY: ("to", "From capture to publication and to each socket, of live instants."),
}
# counted in Redis: labels and meaning
_COUNTERS = {
    "batches": (("environment", "mode"), "Batches committed."),
    "frames": (CAMERA, "Frames committed."),
    "detections": (CAMERA, "Detections committed."),
    "problems": (CAMERA, "Parts of a recording or frames that could not be read."),
    "task_retries": (("name",), "Celery tasks that failed and were tried again."),
    "task_failures": (("name",), "Celery tasks that failed for good."),
    "stalls": (
        (),
        "Times that a processing task stood still and the watchdog asked again for what it lacked.",
    ),
}


class SystemCollector(Collector):
    """Collects anew with every scrape. A store that does not answer costs its part, not the others."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("spoton_up", "Whether a component is healthy.", labels=["component"])
        for name, component in component_states().items():
            up.add_metric([name], component["status"] == "healthy")
        yield up
        yield GaugeMetricFamily("spoton_sockets", "Open WebSockets of this web server.", CountSockets.open)
        for part in (_measured, _workers, _processing, _stores):
            yield from _whole(part)


def _whole(part: Callable[[], Iterable[Metric]]) -> list[Metric]:
    try:
        return list(part())
    except Exception:
        log.warning("metrics are incomplete: %s", part.__name__, exc_info=True)
        return []


def _measured() -> Iterator[Metric]:
    """What only grows."""
    measured.deliveries.flush()
    values: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for (name, *labels), value in measured.numbers().items():
        values[name][tuple(labels)] = value
    for name, (label, meaning) in _HISTOGRAMS.items():
        yield _histogram(name, label, meaning, values[name])
    for name, (labels, meaning) in _COUNTERS.items():
        family = CounterMetricFamily(f"spoton_{name}", meaning, labels=labels)
        for key, value in sorted(values[name].items()):
            family.add_metric(key, value)
        if not labels and not values[name]:
            family.add_metric((), 0)
        yield family


def _histogram(name: str, label: str, meaning: str, values: dict[tuple[str, ...], float]) -> Metric:
    family = HistogramMetricFamily(f"spoton_{name}", meaning, labels=[label])
    bounds = [*map(str, measured.BUCKETS_S), "+Inf"]
    for key in sorted({key for key, _ in values}):
        total, buckets = 0.0, []
        for number, bound in enumerate(bounds):
            total += values.get((key, str(number)), 0)
            buckets.append((bound, total))
        family.add_metric([key], buckets, values.get((key, "sum"), 0.0))
    return family


def _workers() -> Iterator[Metric]:
    workers = live_workers()
    yield _gauge("workers", "Live workers by queue.", ("queue",), performance.workers_by_queue(workers))
    yield _gauge("queue_length", "Messages waiting.", ("queue",), performance.queue_lengths(workers))
    devices = gpus(workers)
    for name, meaning in (
        ("memory_used_bytes", "GPU memory in use, by whomever."),
        ("memory_total_bytes", "GPU memory."),
        ("utilisation", "Share of the last moments in which the GPU worked, 0 to 1."),
    ):
        family = GaugeMetricFamily(f"spoton_gpu_{name}", meaning, labels=["host", "queue", "gpu"])
        for device in devices:
            if device[name] is not None:
                family.add_metric([device["host"], device["queue"], device["name"]], device[name])
        yield family


def _processing() -> Iterator[Metric]:
    """What runs now."""
    yield _gauge("tasks", "Active processing tasks by status.", ("status",), performance.tasks_by_status())
    recent = performance.recent()
    fps = GaugeMetricFamily("spoton_camera_fps", "Frames committed per second, lately.", labels=CAMERA)
    lag = GaugeMetricFamily(
        "spoton_camera_lag_seconds", "Capture to publication of a live camera's newest frame.", labels=CAMERA
    )
    dropped: dict[tuple[str, str], int] = defaultdict(int)
    rates: dict[tuple[str, str], float] = defaultdict(float)
    lags: dict[tuple[str, str], float] = {}
    for camera in recent.cameras:
        key = (camera.environment, camera.camera)
        dropped[key] += camera.dropped
        rates[key] += camera.fps or 0.0
        if camera.lag_s is not None:
            lags[key] = camera.lag_s
    for family, values in ((fps, rates), (lag, lags)):
        for key, value in values.items():
            family.add_metric(key, value)
        yield family
    degraded = {task.environment.slug: live_degradation(str(task.pk)) for task in recent.batches}
    yield _gauge(
        "degradation",
        "Steps by which live pictures and rate are reduced, 0: none.",
        ("environment",),
        degraded,
    )
    drops = CounterMetricFamily(
        "spoton_dropped_frames",
        "Frames that active live tasks had to drop; starts anew with a task.",
        labels=CAMERA,
    )
    for key, value in dropped.items():
        drops.add_metric(key, value)
    yield drops
    yield GaugeMetricFamily(
        "spoton_frame_store_frames",
        "Pictures of active tasks in the frame store.",
        performance.stored_frames(list(recent.batches)),
    )
    yield GaugeMetricFamily(
        "spoton_frame_store_bytes", "Size of all pictures in the frame store.", frames.size_bytes()
    )


def _stores() -> Iterator[Metric]:
    memory = redis_client().info("memory")
    yield GaugeMetricFamily("spoton_redis_memory_bytes", "Memory that Redis uses.", memory["used_memory"])
    yield GaugeMetricFamily("spoton_redis_memory_limit_bytes", "Its limit; 0: none.", memory["maxmemory"])


def _gauge(name: str, meaning: str, labels: tuple[str], values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(f"spoton_{name}", meaning, labels=labels)
    for key, value in values.items():
        family.add_metric([key], value)
    return family


registry = CollectorRegistry()
registry.register(SystemCollector())
registry.register(ProcessCollector(registry=None))


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, with the token of the settings; or for a superuser, with an access token."""
    if not _may_read(request.headers.get("Authorization", "")):
        message = "Send SPOTON_METRICS_TOKEN, or a superuser's access token, as a bearer token."
        answer = JsonResponse(error_body("not_authenticated", message), status=401)
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return False
    expected = settings.ENV.metrics_token
    if expected and hmac.compare_digest(token.encode(), expected.encode()):
        return True
    user = user_of_access_token(token)
    return user is not None and user.is_superuser
