"""`/metrics`: who may read it, and what one scrape shows of the whole system."""

from __future__ import annotations

import asyncio
import logging

import pytest
from channels.testing import WebsocketCommunicator
from prometheus_client.parser import text_string_to_metric_families

from environments.redis import redis_client
from spoton.asgi import application
from spoton.auth import sessions
from spoton.system import prometheus
from tracking import devices, metrics
from tracking.gpus import gpu_announce
from tracking.tests.socket_client import PATIENCE_S

pytestmark = pytest.mark.django_db
TOKEN = "a token that is long enough for us"


@pytest.fixture(autouse=True)
def token(settings):
    settings.ENV = settings.ENV.model_copy(update={"metrics_token": TOKEN})


@pytest.fixture
def scrape(client):
    """All samples: (name, labels...) to value, labels in the order of their names."""

    def read() -> dict[tuple[str, ...], float]:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        return {
            (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return read


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_is_told(client, header):
    headers = {} if header is None else {"Authorization": header}
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert "spoton_" not in answer.content.decode()


def test_an_empty_setting_is_no_token(client, settings):
    settings.ENV = settings.ENV.model_copy(update={"metrics_token": ""})
    for header in ("Bearer", "Bearer ", f"Bearer {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": header}).status_code == 401


def test_superusers_may_read_with_their_access_token_others_not(client, superuser, admin):
    for user, status in ((superuser, 200), (admin, 401)):
        user.set_password("correct horse")
        user.save()
        _, tokens = sessions.session_begin(request=None, username=user.username, password="correct horse")
        access = tokens.access
        assert client.get("/metrics", headers={"Authorization": f"Bearer {access}"}).status_code == status


# -- what is shown -------------------------------------------------------------------------------------------


def test_one_scrape_shows_what_all_processes_measured(scrape, running):
    found = scrape()
    assert found["spoton_frames_total", "c01", "yard"] == 20
    assert found["spoton_batches_total", "yard", "recorded"] == 2
    assert found["spoton_stage_seconds_count", "record"] == 2
    assert found["spoton_stage_seconds_bucket", "+Inf", "record"] == 2
    assert found["spoton_tasks", "PROCESSING"] == 1
    assert found["spoton_camera_fps", "c01", "yard"] > 0
    assert found["spoton_up", "database"] == 1
    assert found["spoton_redis_memory_bytes",] > 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_buckets_are_cumulative(scrape):
    tally = metrics.Tally()
    for seconds in (0.0001, 0.02, 0.02, 100.0):
        tally.observe(metrics.STAGE, "detect", seconds)
    pipeline = redis_client().pipeline()
    tally.write(pipeline)
    pipeline.execute()
    found = scrape()
    bounds = [f"{bound}" for bound in metrics.BUCKETS_S] + ["+Inf"]
    counts = [found["spoton_stage_seconds_bucket", bound, "detect"] for bound in bounds]
    assert counts == sorted(counts)
    at = dict(zip(bounds, counts, strict=True))
    assert (at["0.0005"], at["0.01"], at["0.025"], at["30.0"], at["+Inf"]) == (1, 1, 3, 3, 4)
    assert found["spoton_stage_seconds_sum", "detect"] == pytest.approx(100.0401)


def test_workers_queues_and_gpus(scrape, monkeypatch):
    devices.announce(hostname="associate@box")
    monkeypatch.setenv("SPOTON_QUEUE", "gpu.0")
    devices.announce(hostname="perceive-gpu.0@box")
    redis_client().lpush("gpu.0", "message")
    reading = {"name": "H100", "memory_used_bytes": 5, "memory_total_bytes": 80, "utilisation": None}
    gpu_announce(hostname="perceive-gpu.0@box", reading=reading)
    found = scrape()
    assert found["spoton_workers", "gpu.0"] == found["spoton_workers", "associate"] == 1
    assert found["spoton_queue_length", "gpu.0"] == 1
    assert found["spoton_gpu_memory_used_bytes", "H100", "box", "gpu.0"] == 5
    assert not [name for name in found if name[0] == "spoton_gpu_utilisation"], "not told, so no series"


def test_counts_outlive_whoever_counted(scrape, running):
    running.delete()
    assert scrape()["spoton_frames_total", "c01", "yard"] == 20


def test_a_part_that_fails_costs_its_part_only(scrape, monkeypatch, caplog):
    monkeypatch.setattr(prometheus, "live_workers", lambda: 1 / 0)
    with caplog.at_level(logging.WARNING):
        found = scrape()
    assert "_workers" in caplog.text
    assert ("spoton_redis_memory_bytes",) in found
    assert not [name for name in found if name[0] == "spoton_workers"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_open_sockets_are_counted(task):
    before = prometheus.CountSockets.open
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    socket = WebsocketCommunicator(application, f"/ws/tracking/{task.pk}", headers=headers)
    await socket.connect(timeout=PATIENCE_S)
    assert prometheus.CountSockets.open == before + 1
    await socket.disconnect()
    for _ in range(100):
        if prometheus.CountSockets.open == before:
            break
        await asyncio.sleep(0.02)
    assert prometheus.CountSockets.open == before
