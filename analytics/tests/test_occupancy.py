"""Who is where now, from what was recorded last."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from analytics.occupancy import live_metrics
from tracking.commit import commit_ready_batches
from tracking.record import record_tracks
from tracking.services import task_start, task_stop
from tracking.tests.factories import START, Person, Rows, perceived, prepared, walk

PATH = "/api/v1/analytics/real-time/metrics"
AT = START.timestamp()


def commit(task, *numbers):
    perceived(task, *numbers)
    done = commit_ready_batches(task_id=str(task.pk), associate=walk, most=len(numbers))
    assert done == len(numbers)


def zones(metrics: dict) -> dict[str, int]:
    return {zone["slug"]: zone["persons"] for zone in metrics["zone_occupancy"]}


# -- counts --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_people_walk_from_zone_to_zone(yard, task):
    """Both walk from x = 0.5 m at 1 m/s: the door ends at 2 m, the lane at 6 m."""
    commit(task, 0)
    assert zones(live_metrics(yard)) == {"door": 2, "lane": 0}
    commit(task, 1, 2, 3)
    assert zones(live_metrics(yard)) == {"door": 0, "lane": 2}
    commit(task, 4, 5)
    metrics = live_metrics(yard)
    assert zones(metrics) == {"door": 0, "lane": 0}
    assert metrics["total_persons"] == 2
    assert metrics["persons_per_camera"] == {"c01": 2, "c02": 2}
    assert metrics["timestamp"] == "2026-05-04T08:00:05.900Z"


@pytest.mark.django_db
def test_density_is_per_square_metre(yard, task):
    commit(task, 0)
    door = live_metrics(yard)["zone_occupancy"][0]
    assert (door["slug"], door["kind"], door["density_per_m2"]) == ("door", "entrance", 0.25)


@pytest.mark.django_db
def test_people_in_one_view_count_there_and_once_in_all(yard, task):
    box = (0, 0, 10, 10)
    detections = [
        (0, 0, AT, "c01", 1, 1, box, 0.9, (1.0, 1.0)),
        (0, 0, AT, "c01", 2, 2, box, 0.9, (3.0, 1.0)),
        (0, 0, AT, "c02", 1, 1, box, 0.9, (1.0, 1.0)),
    ]
    positions = [(0, AT, 1, 1.0, 1.0, 0, 0, 0.1), (0, AT, 2, 3.0, 1.0, 0, 0, 0.1)]
    persons = [Person(number, AT, AT, []) for number in (1, 2)]
    record_tracks(task=task, rows=Rows(detections, positions, [], persons))
    type(task).objects.filter(pk=task.pk).update(batches_done=1)
    metrics = live_metrics(yard)
    assert metrics["persons_per_camera"] == {"c01": 2, "c02": 1}
    assert metrics["total_persons"] == 2
    assert zones(metrics) == {"door": 1, "lane": 1}


@pytest.mark.django_db
def test_who_left_is_not_counted(yard, task):
    """Now is the newest second: earlier positions are history."""
    commit(task, 0)
    late = AT + 30
    detection = (300, 300, late, "c02", 9, 3, (0, 0, 10, 10), 0.9, (5.0, 1.0))
    position = (300, late, 3, 5.0, 1.0, 0, 0, 0.1)
    record_tracks(task=task, rows=Rows([detection], [position], [], [Person(3, late, late, [])]))
    metrics = live_metrics(yard)
    assert (metrics["total_persons"], metrics["persons_per_camera"]) == (1, {"c01": 0, "c02": 1})
    assert zones(metrics) == {"door": 0, "lane": 1}


@pytest.mark.django_db
def test_inactive_zones_are_left_out(yard, task):
    yard.zones.filter(slug="door").update(is_active=False)
    commit(task, 0)
    assert list(zones(live_metrics(yard))) == ["lane"]


@pytest.mark.django_db
def test_a_running_task_counts_more_than_a_later_one_that_ended(yard, task, operator):
    commit(task, 0)
    later = prepared(task_start(user=operator, environment=yard, pacing="max"))
    commit(later, 0, 1, 2)
    task_stop(user=operator, task=later)
    metrics = live_metrics(yard)
    assert (metrics["task_id"], metrics["task_status"]) == (str(task.pk), "PROCESSING")


@pytest.mark.django_db
def test_of_two_that_run_the_live_one_counts(yard, task, operator):
    """A recording that is processed beside it tells of another time."""
    commit(task, 0)
    later = prepared(task_start(user=operator, environment=yard, pacing="max"))
    commit(later, 0)
    assert live_metrics(yard)["task_id"] == str(later.pk)
    type(task).objects.filter(pk=task.pk).update(mode="live", end=None)
    assert live_metrics(yard)["task_id"] == str(task.pk)


@pytest.mark.django_db
def test_before_anything_was_recorded_there_is_nothing_to_tell(yard, task):
    assert live_metrics(yard) is None


# -- over REST -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_metrics_as_answered(yard, task, api_of, viewer):
    commit(task, 0)
    body = api_of(viewer).get(PATH, {"environment_id": "yard"}).json()
    assert body["success"] is True
    data = body["data"]
    assert set(data) == {
        "environment_id",
        "task_id",
        "task_status",
        "timestamp",
        "total_persons",
        "persons_per_camera",
        "zone_occupancy",
        "avg_dwell_time",
        "crowd_density",
        "alerts",
    }
    assert set(data["zone_occupancy"][0]) == {
        "zone_id",
        "slug",
        "name",
        "kind",
        "persons",
        "max_persons",
        "density_per_m2",
        "avg_dwell_time",
    }
    assert (data["environment_id"], data["total_persons"]) == ("yard", 2)


@pytest.mark.django_db
def test_an_empty_environment_answers_zero(yard, api_of, viewer):
    data = api_of(viewer).get(PATH, {"environment_id": "yard"}).json()["data"]
    assert (data["total_persons"], data["task_id"], data["zone_occupancy"]) == (0, None, [])


@pytest.mark.django_db
def test_errors(yard, api_of, viewer, stranger):
    def code(client, query):
        answer = client.get(PATH, query)
        return answer.status_code, answer.json()["error"]["code"]

    assert code(APIClient(), {"environment_id": "yard"}) == (401, "not_authenticated")
    assert code(api_of(stranger), {"environment_id": "yard"}) == (404, "environment_not_found")
    assert code(api_of(viewer), {"environment_id": "nowhere"}) == (404, "environment_not_found")
    assert code(api_of(viewer), {}) == (422, "validation_error")
    assert code(api_of(viewer), {"environment_id": "a b"}) == (422, "validation_error")
