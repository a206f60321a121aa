"""What is known of a person: figures whose truth follows from how they walked, ranges, roles."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from rest_framework.test import APIClient

from environments.models import Camera
from tracking.changes import person_merge
from tracking.models import Detection, Person, Position
from tracking.person_details import current_camera, evenly, person_details
from tracking.tests.factories import FPS, START, assert_error
from tracking.tests.people import Walk, at, ended, started, who, write

pytestmark = pytest.mark.django_db
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def path(person_id):
    return f"/api/v1/tracking/persons/{person_id}/details"


@pytest.fixture
def walked(task):
    """1 walks east at 1 m/s from x = 0 to 4.9 m."""
    write(task, Walk(1, 0, 49))
    return task


# -- figures -------------------------------------------------------------------------------------------------


def test_a_walk_of_five_seconds(walked, yard):
    person = who(walked, 1)
    details = person_details(person=person)
    assert details["global_person_id"] == str(person.pk)
    assert details["environment_id"] == "yard"
    assert details["first_detected_time"] == "2026-05-04T08:00:00.000Z"
    assert details["last_seen_time"] == "2026-05-04T08:00:04.900Z"
    assert details["available"] == {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:04.900Z"}
    assert details["tracking_duration"] == 4.9
    assert details["detection_confidence"] == pytest.approx(0.9)
    assert details["movement_metrics"]["max_speed"] == pytest.approx(1.0)
    assert details["movement_metrics"]["dwell_time"] == pytest.approx(4.9)
    assert details["movement_metrics"]["total_distance"] == pytest.approx(4.9)
    assert details["movement_metrics"]["average_speed"] == pytest.approx(1.0)
    seconds = {"first": "2026-05-04T08:00:00.000Z", "last": "2026-05-04T08:00:04.900Z", "seconds": 4.9}
    assert details["cameras"] == [{"camera": "c01", **seconds}]
    assert details["tasks"] == [
        {"task_id": str(walked.pk), "mode": "recorded", "status": "PROCESSING", **seconds}
    ]
    assert details["cropped_images"] == [f"/api/v1/media/persons/{person.pk}/image?camera=c01"]


def test_zones_are_visited_one_after_another(walked):
    """The door ends at x = 2 m, the lane begins there."""
    door, lane = person_details(person=who(walked, 1))["zones"]
    assert (door["zone"], door["entries"], door["dwell_time"]) == ("door", 1, pytest.approx(2.0))
    assert (lane["zone"], lane["entries"], lane["dwell_time"]) == ("lane", 1, pytest.approx(2.9))
    assert (door["first"], lane["last"]) == ("2026-05-04T08:00:00.000Z", "2026-05-04T08:00:04.900Z")


def test_history_holds_every_instant_where_there_are_few(walked):
    history = person_details(person=who(walked, 1))["position_history"]
    assert len(history) == 50
    assert history[7] == {
        "timestamp": "2026-05-04T08:00:00.700Z",
        "camera": "c01",
        "track_id": 1,
        "bbox": [70.0, 100.0, 110.0, 180.0],
        "map_coords": [0.7, 1.0],
    }


def test_history_is_thinned_evenly_over_the_time_they_were_there(task):
    """Two seconds, a break of nearly a minute, two seconds: no entry is wasted on the break."""
    write(task, Walk(1, 0, 19), Walk(2, 600, 619, x_m=-60.0))
    person_merge(person=who(task, 1), other=who(task, 2))
    details = person_details(person=who(task, 1), points=9)
    times = [entry["timestamp"][14:23] for entry in details["position_history"]]
    assert len(times) == 9
    assert sum(time < "00:30" for time in times) in (4, 5)
    assert (times[0], times[-1]) == ("00:00.000", "01:01.900")
    assert details["tracking_duration"] == 61.9
    assert details["movement_metrics"]["dwell_time"] == pytest.approx(3.8, abs=0.2)


def test_moments_lie_evenly_over_stays():
    moments = [moment.timestamp() for moment in evenly([(0.0, 10.0), (100.0, 120.0)], 4)]
    assert moments == pytest.approx([0, 100, 110, 120], abs=2e-3)
    assert [m.timestamp() for m in evenly([(5.0, 5.0)], 3)] == pytest.approx([5, 5, 5], abs=2e-3)


def test_cameras_in_the_order_in_which_they_saw_the_person(task):
    write(task, Walk(1, 0, 9, camera="c02", path=False))
    write(task, Walk(2, 10, 39, camera="c01"))
    person_merge(person=who(task, 1), other=who(task, 2))
    details = person_details(person=who(task, 1))
    assert [(c["camera"], c["first"][17:23], c["seconds"]) for c in details["cameras"]] == [
        ("c02", "00.000", 0.9),
        ("c01", "01.000", 2.9),
    ]
    assert [url.partition("=")[2] for url in details["cropped_images"]] == ["c02", "c01"]


def test_what_two_tasks_saw_of_the_same_time_counts_once(task, yard, operator):
    """The same recording processed again in the same way names the same persons."""
    write(task, Walk(1, 0, 49))
    ended(task)
    again = started(yard, operator)
    write(again, Walk(1, 0, 49))
    assert who(again, 1) == who(task, 1)
    details = person_details(person=who(task, 1))
    assert [t["task_id"] for t in details["tasks"]] == sorted([str(task.pk), str(again.pk)])
    assert details["cameras"][0]["seconds"] == 4.9
    assert details["movement_metrics"]["dwell_time"] == pytest.approx(4.9)
    assert details["movement_metrics"]["total_distance"] < 5
    assert len(details["position_history"]) == 50


def test_without_a_place_on_the_map_nothing_is_said_of_movement(walked):
    Position.objects.all().delete()
    Detection.objects.update(map_x=None, map_y=None)
    details = person_details(person=who(walked, 1))
    metrics = details["movement_metrics"]
    assert metrics == {
        "average_speed": None,
        "max_speed": None,
        "total_distance": None,
        "dwell_time": pytest.approx(4.9),
    }
    assert details["zones"] == []
    assert details["position_history"][0]["map_coords"] is None


def test_an_hour_at_ten_frames_a_second(task, yard):
    """36,000 boxes and as many positions."""
    rows, last = 36_000, START + timedelta(seconds=3599.9)
    person = Person.objects.create(id=uuid.uuid4(), environment=yard, first_seen_at=START, last_seen_at=last)
    values = [START, person.pk, task.pk, Camera.objects.get(environment=yard, slug="c01").pk, rows - 1]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tracking_detection (captured_at, person_id, task_id, camera_id, track_id, instant, frame,"
            " x1, y1, x2, y2, confidence) SELECT %s + g * interval '100 ms', %s, %s, %s, 7, g, g, 0, 0, 1, 2, 0.5"
            " FROM generate_series(0, %s) g",
            values,
        )
        cursor.execute(
            "INSERT INTO tracking_position (captured_at, person_id, task_id, instant, x_m, y_m, vx_m_s, vy_m_s,"
            " sigma_m) SELECT %s + g * interval '100 ms', %s, %s, g, 3 + sin(g / 100.0), 2 + cos(g / 100.0), 0, 0.1,"
            " 0.1 FROM generate_series(0, %s) g",
            [*values[:3], rows - 1],
        )
    details = person_details(person=person, points=5000)
    # round a circle of 1 m radius at 0.1 rad/s; chords of half a metre are a little shorter than arcs
    assert details["movement_metrics"]["total_distance"] == pytest.approx(360, rel=0.03)
    assert details["movement_metrics"]["dwell_time"] == pytest.approx(3599.9)
    assert len(details["position_history"]) == 5000


# -- now -----------------------------------------------------------------------------------------------------


def test_the_current_camera_is_that_of_a_running_task(task):
    write(task, Walk(1, 0, 29), Walk(2, 40, 59, camera="c02"))
    assert current_camera(who(task, 2)) == "c02"
    assert current_camera(who(task, 1)) is None, "gone for three seconds"
    ended(task)
    assert current_camera(who(task, 2)) is None


# -- ranges --------------------------------------------------------------------------------------------------


def test_figures_are_of_the_range(walked):
    details = person_details(person=who(walked, 1), start=at(1), end=at(3))
    assert (details["first_detected_time"][17:23], details["last_seen_time"][17:23]) == ("01.000", "02.900")
    assert details["available"]["end"] == "2026-05-04T08:00:04.900Z"
    assert details["tracking_duration"] == 1.9
    assert len(details["position_history"]) == 2 * FPS
    assert [zone["zone"] for zone in details["zones"]] == ["door", "lane"]


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-05-04T08:00:03Z&end=2026-05-04T08:00:01Z",
        "start=2026-05-04T09:00:00Z",
        "end=2026-05-04T08:00:00Z",
    ],
)
def test_a_range_without_the_person_tells_when_they_were_seen(walked, api_of, viewer, query):
    answer = api_of(viewer).get(f"{path(who(walked, 1).pk)}?{query}")
    error = assert_error(answer, 422, "range_not_available")
    available = {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:04.900Z"}
    assert error["details"] == {"available": available}


def test_a_break_within_what_was_seen_is_no_range_either(task, api_of, viewer):
    write(task, Walk(1, 0, 9), Walk(2, 60, 69))
    person_merge(person=who(task, 1), other=who(task, 2))
    query = "start=2026-05-04T08:00:02Z&end=2026-05-04T08:00:05Z"
    answer = api_of(viewer).get(f"{path(who(task, 1).pk)}?{query}")
    assert_error(answer, 422, "range_not_available")


@pytest.mark.parametrize("query", ["points=0", "points=5001", "points=x", "start=yesterday"])
def test_wrong_options_are_named(walked, api_of, viewer, query):
    answer = api_of(viewer).get(f"{path(who(walked, 1).pk)}?{query}")
    error = assert_error(answer, 422, "validation_error")
    assert set(error["details"]["fields"]) == {query.partition("=")[0]}


# -- who may -------------------------------------------------------------------------------------------------


def test_viewers_read(walked, api_of, viewer):
    answer = api_of(viewer).get(path(who(walked, 1).pk))
    assert answer.status_code == 200
    assert answer.json()["data"]["merged"] is False


def test_an_older_id_stands_for_whom_it_was_merged_into(task, api_of, viewer):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    one, two = who(task, 1), who(task, 2)
    person_merge(person=one, other=two)
    data = api_of(viewer).get(path(two.pk)).json()["data"]
    assert (data["global_person_id"], data["merged"]) == (str(one.pk), True)
    assert data["last_seen_time"] == "2026-05-04T08:00:02.900Z"


def test_strangers_cannot_tell_who_exists(walked, api_of, stranger):
    answers = [api_of(stranger).get(path(pk)) for pk in (who(walked, 1).pk, UNKNOWN)]
    errors = [assert_error(answer, 404, "person_not_found") for answer in answers]
    assert errors[0] == errors[1]
    assert_error(APIClient().get(path(UNKNOWN)), 401, "not_authenticated")
