"""`/api/v1/system/...` as operators and administrators see it."""

from __future__ import annotations

import pytest

from environments.redis import redis_client
from tracking import devices
from tracking.queues import lists_of
from tracking.tests import factories
from tracking.tests.factories import assert_error

pytestmark = pytest.mark.django_db
STATUS, PERFORMANCE, CAMERAS = (
    f"/api/v1/system/{name}" for name in ("status", "performance", "cameras/status")
)


ADMINISTRATORS = {"admin", "superuser"}


@pytest.mark.parametrize(
    ("path", "may"),
    [(STATUS, {"operator", *ADMINISTRATORS}), (PERFORMANCE, ADMINISTRATORS), (CAMERAS, ADMINISTRATORS)],
)
def test_who_may_read_what(api_of, request, path, may):
    for role in ("stranger", "viewer", "operator", "admin", "superuser"):
        answer = api_of(request.getfixturevalue(role)).get(path)
        if role in may:
            assert answer.status_code == 200
        else:
            assert_error(answer, 403, "permission_denied")


@pytest.mark.parametrize("path", [STATUS, PERFORMANCE, CAMERAS])
def test_nobody_in_particular_is_told_nothing(client, path):
    assert_error(client.get(path), 401, "not_authenticated")


def test_status_tells_components_versions_and_tasks(api_of, operator, task):
    devices.announce(hostname="perceive-cpu.0@box")
    data = api_of(operator).get(STATUS).json()["data"]
    assert data["status"] == "degraded"
    assert data["components"]["database"] == {"status": "healthy"}
    assert data["versions"]["postgresql"].startswith("18")
    assert {"redis", "vector", "django", "celery"} <= set(data["versions"])
    assert data["tasks"] == {"QUEUED": 0, "INITIALIZING": 0, "PROCESSING": 1, "PAUSED": 0}


def test_performance_tells_stages_rates_queues_and_workers(api_of, admin, running, monkeypatch):
    monkeypatch.setenv("SPOTON_QUEUE", "cpu.0")
    devices.announce(hostname="perceive-cpu.0@box")
    redis_client().delete(*lists_of("cpu.0"), *lists_of("associate"))
    redis_client().lpush("cpu.0", "a message")
    data = api_of(admin).get(PERFORMANCE).json()["data"]
    assert {"detect", "associate", "record", "publish"} <= set(data["stages"])
    assert data["stages"]["detect"] == {"median_ms": 0.1, "p95_ms": 0.1}
    assert data["workers"] == {"cpu.0": 1}
    assert data["queues"] == {
        "cpu.0": 1,
        "associate": 0,
        "maintenance": 0,
        "media": 0,
        "exports": 0,
        "reports": 0,
    }
    assert data["devices"] == []
    assert [(c["environment_id"], c["camera_id"]) for c in data["cameras"]] == [
        ("yard", "c01"),
        ("yard", "c02"),
    ]
    first = data["cameras"][0]
    assert first["fps"] > 0
    assert (first["lag_s"], first["dropped"]) == (None, 0)
    assert first["last_frame_at"] == "2026-05-04T08:00:01.900Z"
    assert data["frames_per_second"] == pytest.approx(sum(c["fps"] for c in data["cameras"]), abs=0.01)


def test_cameras_of_other_environments_are_not_shown(api_of, running):
    other = factories.yard("other")
    admin = factories.person("olga", other, "admin")
    assert api_of(admin).get(PERFORMANCE).json()["data"]["cameras"] == []
    shown = api_of(admin).get(CAMERAS).json()["data"]
    assert {camera["environment_id"] for camera in shown} == {"other"}


def test_cameras_that_nobody_processes_are_idle(api_of, admin, running):
    running.status = "STOPPED"
    running.save()
    states = {c["camera_id"]: c for c in api_of(admin).get(CAMERAS).json()["data"]}
    assert states["c01"]["state"] == "idle"
    assert (states["c01"]["fps"], states["c01"]["task_id"]) == (None, None)
    assert states["c01"]["last_frame_at"] == "2026-05-04T08:00:01.900Z"


def test_cameras_that_are_processed_tell_their_task(api_of, admin, running):
    states = api_of(admin).get(CAMERAS).json()["data"]
    assert {(c["state"], c["task_id"]) for c in states} == {("processing", str(running.pk))}
