"""The dashboard: numbers that follow from the rows, in the shapes that the old client can bear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from spoton.compat import dashboard
from spoton.compat.figures import Seen, figures, visits_of
from tracking.models import ProcessingTask
from tracking.tests.factories import START
from tracking.tests.people import Walk, started, write

pytestmark = pytest.mark.django_db

PATH = "/api/v1/analytics/dashboard?environment_id=yard&window_hours="


def minute(environment):
    return figures(environment, since=START, until=START + timedelta(minutes=1))


def numbers(value):
    """Every leaf of the answer that is a number."""
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers(inner)]
    if isinstance(value, list):
        return [n for inner in value for n in numbers(inner)]
    return [value] if isinstance(value, int | float) else []


def test_without_data_the_required_numbers_are_zero_and_the_other_blocks_absent(web):
    answer = web.get(PATH + "8760")
    assert answer["status"] == "success"
    assert answer["data"] == {
        "summary": {"total_detections": 0, "average_confidence_percent": 0.0, "system_uptime_percent": 0.0},
        "cameras": [
            {
                "camera_id": name,
                "detections": 0,
                "unique_entities": 0,
                "average_confidence_percent": 0.0,
                "uptime_percent": 0.0,
            }
            for name in ("c01", "c02")
        ],
        "charts": {"detections_per_bucket": [], "average_confidence_trend": []},
    }


def test_what_was_counted(running):
    data = minute(running.environment)
    assert data["summary"] == {
        "total_detections": 80,
        "average_confidence_percent": 90.0,
        "system_uptime_percent": 100.0,
    }
    assert data["cameras"][0] == {
        "camera_id": "c01",
        "detections": 40,
        "unique_entities": 2,
        "average_confidence_percent": 90.0,
        "uptime_percent": 100.0,
    }
    # 48 buckets of 1.25 s
    assert data["charts"]["detections_per_bucket"] == [
        {"timestamp": "2026-05-04T08:00:00.000Z", "detections": 52},
        {"timestamp": "2026-05-04T08:00:01.250Z", "detections": 28},
    ]
    assert data["charts"]["average_confidence_trend"] == 2 * [{"confidence_percent": 90.0}]
    # in minutes: everybody was seen for 1.9 s by each camera
    assert data["person_statistics"] == {"uniquePersons": 2, "averageDetectionTime": 0.032}


def test_dwell_times_are_complete_blocks_in_minutes(running):
    dwell = minute(running.environment)["dwell_time"]
    assert dwell["trends"] is None
    assert [camera["cameraId"] for camera in dwell["data"]] == ["c01", "c02"]
    first = dwell["data"][0]
    assert {first[f"{kind}DwellTime"] for kind in ("average", "median", "min", "max")} == {0.032}
    groups = first["dwellTimeDistribution"]
    assert [g["range"] for g in groups] == ["0-0.5 min", "0.5-1 min", "1-5 min", "5-15 min", "15 min +"]
    assert groups[0] == {"range": "0-0.5 min", "count": 2, "percentage": 100.0, "avgConfidence": 0.9}
    assert [g["count"] for g in groups[1:]] == [0, 0, 0, 0]


def test_blocks_that_nothing_measures_are_absent(running):
    assert not {"traffic_flow", "heatmap"} & set(minute(running.environment))


def test_frames_that_did_not_come_lower_the_uptime(running):
    totals = running.camera_totals
    totals["c02"]["frames"] = 15
    ProcessingTask.objects.update(camera_totals=totals)
    data = minute(running.environment)
    assert [camera["uptime_percent"] for camera in data["cameras"]] == [100.0, 75.0]
    assert data["summary"]["system_uptime_percent"] == 87.5


def test_only_the_window_counts(running):
    data = figures(
        running.environment,
        since=START + timedelta(seconds=1),
        until=START + timedelta(seconds=1.5),
    )
    assert data["summary"]["total_detections"] == 5 * 2 * 2
    later = START + timedelta(seconds=20)
    empty = figures(running.environment, since=later, until=later + timedelta(hours=1))
    assert empty["summary"]["total_detections"] == 0
    assert "person_statistics" not in empty


def seen(person, first_s, last_s, *, n=1):
    at = [START + timedelta(seconds=s) for s in (first_s, last_s)]
    return Seen(1, person, START, n, 0.9 * n, *at)


@pytest.mark.parametrize(
    ("tracks", "minutes"),
    [
        ([("a", 0, 60)], [1]),
        # a track that was lost for some seconds, and one that overlaps
        ([("a", 0, 60), ("a", 70, 120)], [2]),
        ([("a", 0, 120), ("a", 30, 60)], [2]),
        # gone and back: the time away is no stay
        ([("a", 0, 60), ("a", 3600, 3660)], [1, 1]),
        ([("a", 0, 60), ("b", 61, 121)], [1, 1]),
        ([], []),
    ],
)
def test_visits(tracks, minutes):
    found = visits_of([seen(*track) for track in reversed(tracks)])
    assert [visit.minutes for visit in found] == minutes


def test_the_same_recording_processed_twice_is_one_visit(running, operator):
    write(started(running.environment, operator), Walk(1, 0, 19))
    data = minute(running.environment)
    assert data["summary"]["total_detections"] == 100
    assert data["cameras"][0]["uptime_percent"] == 100.0
    counted = [sum(g["count"] for g in c["dwellTimeDistribution"]) for c in data["dwell_time"]["data"]]
    assert counted == [2, 2]


@pytest.mark.parametrize("hours", ["", "0", "-1", "nan", "inf", "10000", "many"])
def test_impossible_windows_are_refused(web, hours):
    assert "window_hours" in web.get(PATH + hours, status=422)["message"]


def test_it_is_counted_once_for_all_who_look(web, anyone, running, django_assert_max_num_queries):
    ProcessingTask.objects.update(start=timezone.now())
    first = web.get(PATH + "24")
    with django_assert_max_num_queries(2):  # who asks, and whether they may
        assert web.get(PATH + "24") == first


def test_who_comes_while_it_is_counted_gets_that_result_or_is_told_to_come_back(web, yard, monkeypatch):
    lock = f"compat-dashboard:{yard.pk}:24:counting"
    cache.set(lock, 1)
    monkeypatch.setattr(dashboard, "PATIENCE_S", 0.0)
    assert "being counted" in web.get(PATH + "24", status=503)["message"]
    monkeypatch.setattr(dashboard, "PATIENCE_S", 5.0)
    key = lock.removesuffix(":counting")
    monkeypatch.setattr(dashboard.time, "sleep", lambda _: cache.set(key, b'{"status": "success"}'))
    assert web.get(PATH + "24") == {"status": "success"}


def test_numbers_are_numbers(web, running):
    answer = web.get(PATH + "8760")["data"]
    assert numbers(answer["summary"]) == list(answer["summary"].values())
    for camera in answer["cameras"]:
        assert len(numbers(camera)) == 4


def test_the_statistics_tell_of_the_stores(web):
    service = web.get("/api/v1/analytics/system/statistics")["data"]["database_service"]["integrated_service"]
    assert service["database_status"] == {"connected": True}
    assert service["cache_stats"]["redis_info"]["connected_clients"] >= 1
