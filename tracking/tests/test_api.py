"""Processing tasks over REST, as clients see them: shapes, roles, errors; and the document that describes it all."""

from __future__ import annotations

import uuid

import pytest
from rest_framework.test import APIClient

from tracking.models import ProcessingTask
from tracking.planning import person_id
from tracking.services import task_fail
from tracking.tests.factories import MOMENT, assert_error

pytestmark = pytest.mark.django_db
TASKS = "/api/v1/processing-tasks"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def start(client, **fields):
    return client.post(f"{TASKS}/start", {"environment_id": "yard", **fields})


# -- every route, everybody ----------------------------------------------------------------------------------

ROUTES = [
    ("get", TASKS + "/{task}/status"),
    ("post", TASKS + "/{task}/stop"),
    ("post", TASKS + "/{task}/pause"),
    ("post", TASKS + "/{task}/resume"),
    ("post", TASKS + "/{task}/seek"),
    ("get", TASKS + "/{task}/active-persons"),
    ("get", "/api/v1/media/frames/{task}/c01"),
    ("get", "/api/v1/media/frames/{task}/c01/raw"),
    ("get", "/api/v1/media/persons/{person}/image"),
]
OTHERS = [
    ("post", TASKS + "/start"),
    ("get", TASKS + "/active"),
    ("get", "/api/v1/analytics/real-time/metrics?environment_id=yard"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES + OTHERS)
def test_everything_needs_a_token(pictures, method, path):
    path = path.format(task=pictures.pk, person=person_id(pictures, 1))
    answer = getattr(APIClient(), method)(path)
    assert_error(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_strangers_cannot_tell_what_exists(pictures, api_of, stranger, method, path):
    errors = []
    for task, person in ((pictures.pk, person_id(pictures, 1)), (UNKNOWN, UNKNOWN)):
        answer = getattr(api_of(stranger), method)(path.format(task=task, person=person))
        code = "person_not_found" if "persons/" in path and "media" in path else "task_not_found"
        errors.append(assert_error(answer, 404, code))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_members_of_another_role_are_told_apart_only_where_it_matters(pictures, api_of, viewer, method, path):
    path = path.format(task=pictures.pk, person=person_id(pictures, 1))
    answer = getattr(api_of(viewer), method)(path)
    if method == "post":
        error = assert_error(answer, 403, "permission_denied")
        assert error["details"] == {"required_role": "operator", "role": "viewer"}
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(("method", "path"), ROUTES + OTHERS)
def test_wrong_methods_are_refused(pictures, api_of, operator, method, path):
    path = path.format(task=pictures.pk, person=person_id(pictures, 1))
    assert_error(api_of(operator).delete(path), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/v1/nowhere", TASKS + "/not-a-uuid/status", TASKS, "/api/v1"])
def test_unknown_addresses_are_answered_in_the_same_shape(client, path):
    assert_error(client.get(path), 404, "not_found")


# -- starting ------------------------------------------------------------------------------------------------


def test_starting_answers_with_the_task(yard, api_of, operator):
    answer = start(api_of(operator), start="2026-05-04T10:00:02+02:00", end="2026-05-04T08:00:06Z", fps=5)
    body = answer.json()
    assert (answer.status_code, body["success"]) == (202, True)
    assert set(body["meta"]) == {"timestamp", "request_id"}
    data = body["data"]
    assert uuid.UUID(data.pop("task_id"))
    assert MOMENT.fullmatch(data.pop("created_at"))
    cameras = data.pop("camera_status")
    assert cameras == {c: {"frames": 0, "fps": None, "dropped": 0, "problems": []} for c in ("c01", "c02")}
    unchosen = {"requested": "auto", "chosen": None, "reason": "not chosen yet"}
    assert data == {
        "environment_id": "yard",
        "status": "QUEUED",
        "mode": "recorded",
        "pacing": "realtime",
        "start": "2026-05-04T08:00:02.000Z",
        "end": "2026-05-04T08:00:06.000Z",
        "fps": 5.0,
        "cameras": ["c01", "c02"],
        "detector": unchosen,
        "embedder": unchosen,
        "progress": 0.0,
        "batches": {"done": 0, "total": 4},
        "started_at": None,
        "finished_at": None,
        "error": None,
        "degradation": 0,
        "stages": {},
        "frames_per_second": None,
        "lag_s": None,
    }


def test_who_may_start(yard, api_of, viewer, stranger):
    assert_error(start(api_of(viewer)), 403, "permission_denied")
    assert_error(start(api_of(stranger)), 404, "environment_not_found")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"environment_id": None}, "environment_id"),
        ({"environment_id": "../etc"}, "environment_id"),
        ({"mode": "dream"}, "mode"),
        ({"pacing": "warp"}, "pacing"),
        ({"start": "yesterday"}, "start"),
        ({"end": 12}, "end"),
        ({"cameras": []}, "cameras"),
        ({"cameras": "c01"}, "cameras"),
        ({"cameras": ["c 01"]}, "cameras"),
        ({"fps": 0}, "fps"),
        ({"fps": 1000}, "fps"),
        ({"score_threshold": 2}, "score_threshold"),
        ({"score_threshold": "high"}, "score_threshold"),
        ({"detector": ""}, "detector"),
        ({"detector": "yolox:" + "x" * 300}, "detector"),
        ({"detector": "yolox:\x00"}, "detector"),
        ({"detector": "yolox:/etc/passwd"}, "detector"),
        ({"embedder": "onnx:../../secret"}, "embedder"),
        ({"embedder": "oracle"}, "embedder"),
        ({"colour": "blue"}, "colour"),
        ({"plan": {}, "status": "COMPLETED"}, "plan"),
    ],
    ids=str,
)
def test_wrong_fields_are_named(yard, api_of, operator, fields, named):
    error = assert_error(start(api_of(operator), **fields), 422, "validation_error")
    assert named in error["details"]["fields"]
    assert not ProcessingTask.objects.exists()


@pytest.mark.parametrize("body", ["[1, 2]", "null", '"campus"', "17"])
def test_bodies_that_are_no_objects_are_refused(yard, api_of, operator, body):
    answer = api_of(operator).post(f"{TASKS}/start", body, content_type="application/json")
    assert_error(answer, 422, "validation_error")


@pytest.mark.parametrize(
    "body",
    ["{", "{'a': 1}", '{"fps": NaN}', "\x00", "[" * 100_000, b"\xff\xfe{}"],
    ids=lambda body: repr(body[:9]),
)
def test_malformed_json_is_refused(yard, api_of, operator, body):
    answer = api_of(operator).post(f"{TASKS}/start", body, content_type="application/json")
    assert_error(answer, 400, "malformed_request")


def test_only_json_is_taken(yard, api_of, operator):
    answer = api_of(operator).post(f"{TASKS}/start", "environment_id=yard", content_type="text/plain")
    assert_error(answer, 415, "unsupported_media_type")


def test_an_empty_range_tells_what_there_is(yard, api_of, operator):
    answer = start(api_of(operator), start="2020-01-01T00:00:00Z", end="2020-01-02T00:00:00Z")
    error = assert_error(answer, 422, "range_not_available")
    assert error["details"]["available"] == {
        "start": "2026-05-04T08:00:00.000Z",
        "end": "2026-05-04T08:00:10.000Z",
    }


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_time_are_times_too(yard, api_of, operator, moment):
    early = {"start": moment} if moment < "2026" else {"end": moment}
    assert start(api_of(operator), **early).status_code == 202
    assert_error(start(api_of(operator), start=moment, end=moment), 422, "range_not_available")


def test_unknown_cameras_are_named(yard, api_of, operator):
    error = assert_error(start(api_of(operator), cameras=["c99"]), 404, "camera_not_found")
    assert error["details"] == {"missing": ["c99"], "available": ["c01", "c02"]}


# -- watching ------------------------------------------------------------------------------------------------


def test_status_of_a_running_task(running, api_of, viewer):
    data = api_of(viewer).get(f"{TASKS}/{running.pk}/status").json()["data"]
    assert (data["status"], data["progress"], data["batches"]) == (
        "PROCESSING",
        0.2,
        {"done": 2, "total": 10},
    )
    assert data["camera_status"]["c01"]["frames"] == 20
    assert data["stages"]["detect"] == {"median_ms": 0.1, "p95_ms": 0.1}, "ms per frame"
    assert {"associate", "record"} <= set(data["stages"])
    assert data["detector"]["chosen"] == "motion"
    assert MOMENT.fullmatch(data["started_at"])


def test_status_of_a_failed_task(running, api_of, viewer):
    task_fail(task_id=str(running.pk), code="model_unavailable", message="No weights.")
    data = api_of(viewer).get(f"{TASKS}/{running.pk}/status").json()["data"]
    assert (data["status"], data["error"]) == (
        "FAILED",
        {"code": "model_unavailable", "message": "No weights."},
    )


def test_active_tasks_are_those_that_go_on(running, api_of, viewer, operator, stranger):
    (only,) = api_of(viewer).get(f"{TASKS}/active").json()["data"]
    assert only["task_id"] == str(running.pk)
    assert api_of(stranger).get(f"{TASKS}/active").json()["data"] == []
    api_of(operator).post(f"{TASKS}/{running.pk}/stop")
    assert api_of(viewer).get(f"{TASKS}/active").json()["data"] == []


def test_active_persons_are_those_in_view_at_the_end(running, api_of, viewer):
    data = api_of(viewer).get(f"{TASKS}/{running.pk}/active-persons").json()["data"]
    one, two = sorted(data["persons"], key=lambda p: p["map_coords"][1])
    assert one == {
        "global_person_id": str(person_id(running, 1)),
        "cameras": ["c01", "c02"],
        "map_coords": [2.4, 1.0],
        "first_detected_time": "2026-05-04T08:00:00.000Z",
        "last_seen_time": "2026-05-04T08:00:01.900Z",
        "tracking_duration": 1.9,
    }
    assert two["map_coords"] == [2.4, 2.0]


def test_before_the_first_batch_nobody_is_there(task, api_of, viewer):
    assert api_of(viewer).get(f"{TASKS}/{task.pk}/active-persons").json()["data"] == {"persons": []}


# -- stopping ------------------------------------------------------------------------------------------------


def test_stopping_twice(running, api_of, operator):
    answer = api_of(operator).post(f"{TASKS}/{running.pk}/stop")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "STOPPED")
    error = assert_error(api_of(operator).post(f"{TASKS}/{running.pk}/stop"), 409, "task_not_running")
    assert error["details"] == {"status": "STOPPED"}


def test_pausing_resuming_and_seeking(running, api_of, operator):
    post = api_of(operator).post
    assert post(f"{TASKS}/{running.pk}/pause").json()["data"]["status"] == "PAUSED"
    error = assert_error(post(f"{TASKS}/{running.pk}/pause"), 409, "task_not_running")
    assert error["details"] == {"status": "PAUSED"}
    assert post(f"{TASKS}/{running.pk}/resume").json()["data"]["status"] == "PROCESSING"
    assert_error(post(f"{TASKS}/{running.pk}/seek", {}), 422, "validation_error")
    assert_error(
        post(f"{TASKS}/{running.pk}/seek", {"timestamp": "2031-01-01T00:00:00Z"}), 422, "validation_error"
    )


def test_viewers_do_not_steer(running, api_of, viewer):
    for action in ("pause", "resume", "stop"):
        assert_error(api_of(viewer).post(f"{TASKS}/{running.pk}/{action}"), 403, "permission_denied")


# -- the document --------------------------------------------------------------------------------------------


def test_the_openapi_document_is_valid_and_complete(tmp_path):
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_the_document_describes_what_is_answered(client, api_of, operator, yard):
    schema = client.get("/api/schema/?format=json").json()
    assert schema["openapi"].startswith("3.1")
    operation = schema["paths"]["/api/v1/processing-tasks/start"]["post"]
    described = operation["responses"]["202"]["content"]["application/json"]["schema"]
    assert described["required"] == ["success", "data", "meta"]
    name = described["properties"]["data"]["$ref"].rpartition("/")[2]
    answered = start(api_of(operator)).json()["data"]
    assert set(schema["components"]["schemas"][name]["properties"]) == set(answered)
    assert {"401", "403", "404", "422", "429"} <= set(operation["responses"])


@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
def test_the_document_can_be_read_in_a_browser(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/html")
