"""Environments and tasks as the old client reads them."""

from __future__ import annotations

import pytest

from environments.models import Role
from spoton.compat.tests.conftest import TASKS
from tracking.models import ProcessingTask
from tracking.services import task_fail, task_start, task_stop
from tracking.steering import task_pause
from tracking.tests import factories
from tracking.tests.factories import prepared

pytestmark = pytest.mark.django_db


def test_its_health_says_healthy_at_the_top(web):
    # here no worker runs
    assert web.get("/health")["status"] == "degraded"


def test_environments_with_their_cameras(web):
    assert web.get(f"{TASKS}/environments") == {
        "environments": [
            {
                "environment_id": "yard",
                "display_name": "Yard",
                "cameras": ["c01", "c02"],
                "camera_metadata": {"c01": {"display_name": "C01"}, "c02": {"display_name": "C02"}},
            }
        ]
    }


def test_from_start_to_processing(web, anyone):
    body = {"environment_id": "yard", "debug": False, "render_debug_overlay": False}
    started = web.post(f"{TASKS}/start", body)
    task = ProcessingTask.objects.get()
    assert started["task_id"] == str(task.pk)
    assert (task.created_by, task.mode, task.pacing) == (anyone, "recorded", "realtime")
    assert (task.start, (task.end - task.start).total_seconds()) == (factories.START, 10)
    assert web.get(f"{TASKS}/{task.pk}/status")["status"] == "QUEUED"
    prepared(task)
    assert web.get(f"{TASKS}/{task.pk}/status")["status"] == "PROCESSING"
    listed = {"task_id": str(task.pk), "environment_id": "yard", "status": "PROCESSING"}
    assert web.get(TASKS)["data"]["tasks"] == [listed]


def test_the_newest_recordings_are_shown(web, yard):
    for camera in yard.cameras.all():
        factories.record(camera, 4, at_s=100)
    web.post(f"{TASKS}/start", {"environment_id": "yard"})
    task = ProcessingTask.objects.get()
    assert (task.start - factories.START).total_seconds() == 100
    assert (task.end - task.start).total_seconds() == 4


def test_starting_again_answers_what_is_under_way(web, operator, yard):
    others = task_start(user=operator, environment=yard)
    first = web.post(f"{TASKS}/start", {"environment_id": "yard"})
    assert web.post(f"{TASKS}/start", {"environment_id": "yard"})["task_id"] == first["task_id"]
    assert first["task_id"] != str(others.pk)
    assert ProcessingTask.objects.count() == 2


def test_without_recordings_and_live_cameras_it_says_why(web, yard, switched):
    factories.yard("empty")
    switched("empty")
    assert "live" in web.post(f"{TASKS}/start", {"environment_id": "empty"}, status=422)["message"]


@pytest.mark.parametrize("body", ["text", [1], 5])
def test_bodies_that_are_no_objects_are_refused(web, body):
    assert web.post(f"{TASKS}/start", body, status=422)["message"] == "Send a JSON object."


def test_a_failure_tells_its_reason(web, task):
    task_fail(task_id=str(task.pk), code="model_unavailable", message="No weights.")
    status = web.get(f"{TASKS}/{task.pk}/status")
    assert (status["status"], status["details"]) == ("FAILED", "No weights.")


def test_it_comes_back_to_a_paused_task_and_not_to_one_that_has_ended(web, task, operator):
    task_pause(user=operator, task=task)
    assert [t["status"] for t in web.get(TASKS)["data"]["tasks"]] == ["PROCESSING"]
    ProcessingTask.objects.update(status="COMPLETED")
    assert [t["status"] for t in web.get(TASKS)["data"]["tasks"]] == ["COMPLETED"]


def test_clean_up_stops_what_the_client_has_started_and_nothing_else(web, task, yard):
    own = web.post(f"{TASKS}/start", {"environment_id": "yard"})["task_id"]
    answer = web.ask("DELETE", f"{TASKS}/environment/yard/cleanup")
    assert answer["data"]["message"].startswith("1 ")
    assert ProcessingTask.objects.get(pk=own).status == "STOPPED"
    task.refresh_from_db()
    assert task.status == "PROCESSING"


def test_clean_up_of_one_environment_leaves_the_other(web, annex, switched):
    switched("yard", "annex")
    for name in ("yard", "annex"):
        web.post(f"{TASKS}/start", {"environment_id": name})
    web.ask("DELETE", f"{TASKS}/environment/yard/cleanup")
    states = dict(ProcessingTask.objects.values_list("environment__slug", "status"))
    assert states == {"yard": "STOPPED", "annex": "QUEUED"}


def test_tasks_of_people_can_be_watched_too(web, yard, operator):
    task = task_start(user=operator, environment=yard)
    assert [t["task_id"] for t in web.get(TASKS)["data"]["tasks"]] == [str(task.pk)]
    task_stop(user=factories.person("ada", yard, Role.ADMIN), task=task)
    assert [t["status"] for t in web.get(TASKS)["data"]["tasks"]] == ["STOPPED"]
