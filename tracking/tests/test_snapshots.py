"""Snapshots over REST: taken and deleted by operators, seen by members, in a folder or in a bucket."""

from __future__ import annotations

import uuid

import httpx
import pytest
from django.core.files.storage import storages
from rest_framework.test import APIClient

from environments.redis import redis_client
from tracking import frames, picture_files
from tracking.models import ProcessingTask, Snapshot
from tracking.tasks import delete_pictures
from tracking.tests.factories import assert_error, queued
from tracking.tests.factories import yard as make_yard

pytestmark = pytest.mark.django_db


def take(client, task, camera="c01", **fields):
    return client.post(f"/api/v1/media/frames/{task.pk}/{camera}/snapshot", fields)


@pytest.fixture
def taken(pictures, api_of, operator, picture_storage):
    """A snapshot's body over REST."""
    answer = take(api_of(operator), pictures, t="2026-05-04T08:00:00Z", note="door left open")
    assert answer.status_code == 201
    return answer.json()["data"]


def test_a_snapshot_is_the_frame_as_it_was_captured(pictures, taken, api_of, viewer, picture_storage):
    assert {k: v for k, v in taken.items() if k not in ("snapshot_id", "url", "created_at")} == {
        "environment_id": "yard",
        "task_id": str(pictures.pk),
        "camera_id": "c01",
        "captured_at": "2026-05-04T08:00:00.000Z",
        "width": 640,
        "height": 360,
        "note": "door left open",
        "taken_by": "oona",
    }
    original = frames.get(task_id=pictures.pk, camera="c01", instant=0).jpeg
    redis_client().flushall()
    (signed,) = api_of(viewer).post("/api/v1/media/sign", {"paths": [taken["url"]]}).json()["data"]["urls"]
    assert APIClient().get(signed["url"]).status_code == (200 if picture_storage == "local" else 302)
    answer = api_of(viewer).get(taken["url"])
    if picture_storage == "local":
        assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "image/jpeg", original)
        assert answer["Cache-Control"] == "private, no-cache"
        assert api_of(viewer).get(taken["url"], HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    else:
        assert (answer.status_code, answer["Cache-Control"]) == (302, "no-store")
        assert httpx.get(answer["Location"]).content == original


def test_without_a_time_it_is_the_last_processed_frame(pictures, api_of, operator):
    body = take(api_of(operator), pictures, "c02").json()["data"]
    assert (body["camera_id"], body["captured_at"], body["note"]) == ("c02", "2026-05-04T08:00:01.900Z", "")


def test_what_cannot_be_taken(pictures, api_of, operator, viewer, stranger):
    error = assert_error(take(api_of(viewer), pictures), 403, "permission_denied")
    assert error["details"] == {"required_role": "operator", "role": "viewer"}
    assert_error(take(api_of(stranger), pictures), 404, "task_not_found")
    assert take(api_of(None), pictures).status_code == 401
    client = api_of(operator)
    assert_error(take(client, pictures, "c99"), 404, "camera_not_found")
    assert_error(take(client, pictures, t="2030-01-01T00:00:00Z"), 404, "frame_not_available")
    error = assert_error(take(client, pictures, t="noon", quality=3), 422, "validation_error")
    assert set(error["details"]["fields"]) == {"t"}
    assert set(assert_error(take(client, pictures, q=3), 422, "validation_error")["details"]["fields"]) == {
        "q"
    }
    assert not Snapshot.objects.exists()


def test_snapshots_are_listed_page_by_page_newest_first(pictures, api_of, operator, viewer, stranger):
    for note in ("a", "b", "c"):
        take(api_of(operator), pictures, t="2026-05-04T08:00:00Z", note=note)
    address, notes = "/api/v1/media/snapshots?environment_id=yard&limit=2", []
    while address:
        body = api_of(viewer).get(address).json()
        notes.append([snapshot["note"] for snapshot in body["data"]])
        address = body["meta"]["pagination"]["next"]
    assert notes == [["c", "b"], ["a"]]
    assert_error(
        api_of(stranger).get("/api/v1/media/snapshots?environment_id=yard"), 404, "environment_not_found"
    )
    assert_error(api_of(viewer).get("/api/v1/media/snapshots"), 422, "validation_error")
    make_yard("lot").memberships.create(user=viewer, role="viewer")
    assert api_of(viewer).get("/api/v1/media/snapshots?environment_id=lot").json()["data"] == []


def test_the_list_takes_the_same_queries_however_long_it_is(
    pictures, api_of, operator, django_assert_max_num_queries
):
    for _ in range(5):
        take(api_of(operator), pictures, t="2026-05-04T08:00:00Z")
    with django_assert_max_num_queries(4):
        api_of(operator).get("/api/v1/media/snapshots?environment_id=yard")


def test_operators_delete_snapshots_and_the_file_follows(
    taken, api_of, operator, viewer, stranger, django_capture_on_commit_callbacks
):
    address = f"/api/v1/media/snapshots/{taken['snapshot_id']}"
    name = Snapshot.objects.get().file
    assert_error(api_of(viewer).delete(address), 403, "permission_denied")
    assert_error(api_of(stranger).delete(address), 404, "picture_not_found")
    assert_error(api_of(stranger).get(taken["url"]), 404, "picture_not_found")
    assert storages["pictures"].exists(name)
    with django_capture_on_commit_callbacks(execute=True):
        assert api_of(operator).delete(address).status_code == 204
    assert ("tracking.delete_pictures", []) in queued("media")
    assert delete_pictures() == 1
    assert not storages["pictures"].exists(name)
    assert_error(api_of(operator).delete(address), 404, "picture_not_found")


def test_files_of_snapshots_go_with_their_task(taken):
    name = Snapshot.objects.get().file
    ProcessingTask.objects.all().delete()
    assert delete_pictures() == 1
    assert not storages["pictures"].exists(name)


def test_what_does_not_exist(api_of, viewer, yard):
    for path in (f"snapshots/{uuid.uuid4()}/image", f"crops/{uuid.uuid4()}/image"):
        assert_error(api_of(viewer).get(f"/api/v1/media/{path}"), 404, "picture_not_found")


def test_administrators_see_snapshots(taken, client, admin_user, picture_storage):
    client.force_login(admin_user)
    page = client.get("/admin/tracking/snapshot/").content.decode()
    assert "door left open" in page
    image = client.get(f"/admin/tracking/snapshot/{taken['snapshot_id']}/image")
    assert image.status_code == (200 if picture_storage == "local" else 302)
    assert client.get(f"/admin/tracking/snapshot/{uuid.uuid4()}/image").status_code == 404
    assert client.get(f"/admin/tracking/snapshot/{taken['snapshot_id']}/change/").status_code == 200
    assert client.post("/admin/tracking/snapshot/add/").status_code == 403
    picture_files.delete(Snapshot.objects.get().file)
