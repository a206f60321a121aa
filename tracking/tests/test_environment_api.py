"""What an environment has when, over REST: recordings and results, per day, in local time, of a part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from environments.models import Recording
from environments.services import recording_register
from tracking.models import ProcessingTask
from tracking.tests.factories import assert_error
from tracking.tests.factories import yard as make_yard
from tracking.tests.test_processed import live

pytestmark = pytest.mark.django_db
PATH = "/api/v1/environments/yard/date-ranges"


@pytest.fixture
def ranges(api_of, viewer):
    def get(query: str = ""):
        answer = api_of(viewer).get(PATH + query)
        assert answer.status_code == 200, answer.content
        return answer.json()["data"]

    return get


def record(yard, start: datetime, hours: float, camera: str = "c01") -> None:
    recording_register(
        camera=yard.cameras.get(slug=camera),
        uri=f"{start}.mp4",
        started_at=start,
        duration_s=hours * 3600,
        fps=10,
    )


def test_results_stand_beside_recordings(ranges, running):
    data = ranges()
    recorded = {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:10.000Z", "duration_s": 10.0}
    processed = {**recorded, "end": "2026-05-04T08:00:02.000Z", "duration_s": 2.0}
    assert data["cameras"] == [
        {"camera_id": slug, "ranges": [recorded], "processed": [processed]} for slug in ("c01", "c02")
    ]
    assert (data["common"], data["processed"]) == ([recorded], [processed])
    (day,) = data["days"]["utc"]
    assert (day["date"], day["processed"]) == ("2026-05-04", [processed])
    (local,) = data["days"]["local"]
    assert local["processed"][0]["end_local"] == "2026-05-04T08:00:02.000+00:00"


def test_an_environment_with_only_live_results_has_data(api_of, viewer, yard, ranges):
    Recording.objects.all().delete()
    api = api_of(viewer)
    assert api.get("/api/v1/environments").json()["data"][0]["has_data"] is False
    live(yard, start_s=0, instants=50)
    (item,) = api.get("/api/v1/environments").json()["data"]
    details = api.get("/api/v1/environments/yard").json()["data"]
    assert item["has_data"] is details["has_data"] is True
    assert item["last_data_at"] == details["last_data_at"] == "2026-05-04T08:00:05.000Z"
    span = {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:05.000Z", "duration_s": 5.0}
    assert details["available_date_ranges"] == [span]
    data = ranges()
    assert (data["start"], data["end"], data["common"]) == (span["start"], span["end"], [])
    assert [day["date"] for day in data["days"]["local"]] == ["2026-05-04"]
    assert data["days"]["utc"][0]["cameras"] == {}


def test_available_is_what_all_recorded_or_what_has_results(api_of, viewer, yard):
    live(yard, start_s=100, instants=10)
    spans = api_of(viewer).get("/api/v1/environments/yard").json()["data"]["available_date_ranges"]
    assert [span["duration_s"] for span in spans] == [10.0, 1.0]


def test_an_environment_tells_all_that_clients_rely_on(api_of, viewer, running):
    data = api_of(viewer).get("/api/v1/environments/yard").json()["data"]
    assert data.keys() >= {
        "environment_id", "name", "description", "timezone", "cameras", "zones", "available_date_ranges",
        "calibration_data", "has_data", "last_data_at", "role", "map", "camera_count", "zone_count",
    }  # fmt: skip


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)])
def test_local_days_have_as_many_hours_as_clocks_make_them(ranges, yard, day, hours):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    record(yard, start, 72)
    live(yard, start_s=0, instants=1)
    task = ProcessingTask.objects.get()
    task.start, task.last_instant = start, 72 * 36000 - 1
    task.save()
    local = {d["date"]: d for d in ranges("?tz=Europe/Zurich")["days"]["local"]}
    for spans in (local[day]["cameras"]["c01"], local[day]["processed"]):
        assert [span["duration_s"] for span in spans] == [hours * 3600.0]
        assert spans[0]["start_local"].startswith(f"{day}T00:00:00.000")
    # UTC knows no such days
    assert ranges()["days"]["utc"][1]["processed"][0]["duration_s"] == 86400.0


def test_the_zone_of_local_days_can_be_chosen(ranges, yard):
    assert ranges()["timezone"] == "UTC"
    data = ranges("?tz=Pacific/Auckland")
    assert data["timezone"] == "Pacific/Auckland"
    assert data["days"]["local"][0]["cameras"]["c01"][0]["start_local"] == "2026-05-04T20:00:00.000+12:00"
    assert data["days"]["utc"] == ranges()["days"]["utc"]


@pytest.mark.parametrize("tz", ["Mars/Olympus", "../../etc/passwd", "x" * 65, "%00"])
def test_an_unknown_zone_is_refused(api_of, viewer, yard, tz):
    error = assert_error(api_of(viewer).get(f"{PATH}?tz={tz}"), 422, "validation_error")
    assert list(error["details"]["fields"]) == ["tz"]


def test_a_part_is_cut_at_its_ends(ranges, running):
    data = ranges("?start=2026-05-04T08:00:01Z&end=2026-05-04T08:00:05Z")
    assert (data["start"], data["end"]) == ("2026-05-04T08:00:01.000Z", "2026-05-04T08:00:05.000Z")
    assert [s["duration_s"] for s in (*data["common"], *data["processed"])] == [4.0, 1.0]
    assert data["days"]["utc"][0]["cameras"]["c02"][0]["duration_s"] == 4.0
    assert ranges("?start=2026-05-04T08:00:07Z")["common"][0]["duration_s"] == 3.0
    assert ranges("?end=2026-05-04T08:00:07Z")["common"][0]["duration_s"] == 7.0


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-05-04T08:00:05Z&end=2026-05-04T08:00:01Z",
        "start=2026-05-04T08:00:05Z&end=2026-05-04T08:00:05Z",
        "start=2026-05-04T08:00:10Z",
        "end=2026-05-04T08:00:00Z",
        "start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z",
    ],
)
def test_a_part_without_anything_is_answered_with_what_there_is(api_of, viewer, yard, query):
    error = assert_error(api_of(viewer).get(f"{PATH}?{query}"), 422, "range_not_available")
    available = {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:10.000Z"}
    assert error["details"] == {"available": available}


def test_an_empty_environment_has_no_part(api_of, viewer, yard, ranges):
    Recording.objects.all().delete()
    assert (ranges()["start"], ranges()["processed"], ranges()["days"]) == (
        None,
        [],
        {"utc": [], "local": []},
    )
    error = assert_error(api_of(viewer).get(f"{PATH}?start=2026-05-04T08:00:00Z"), 422, "range_not_available")
    assert error["details"] == {"available": None}


@pytest.mark.parametrize("query", ["start=yesterday", "end=2026-99-01"])
def test_times_that_are_none_are_named(api_of, viewer, yard, query):
    error = assert_error(api_of(viewer).get(f"{PATH}?{query}"), 422, "validation_error")
    assert list(error["details"]["fields"]) == [query.partition("=")[0]]


def test_a_session_may_look_at_live_results(api_of, operator, yard):
    Recording.objects.all().delete()
    live(yard, start_s=0, instants=50)
    answer = api_of(operator).post("/api/v1/environments/yard/sessions", {"cameras": ["c01"]})
    assert answer.status_code == 201
    assert answer.json()["data"]["end"] == "2026-05-04T08:00:05.000Z"
    other = api_of(operator).post("/api/v1/environments/yard/sessions", {"cameras": ["c02"]})
    assert_error(other, 422, "range_not_available")


def test_results_of_others_stay_theirs(api_of, viewer, yard):
    other = make_yard("other")
    live(other, start_s=86400, instants=50)
    (item,) = api_of(viewer).get("/api/v1/environments").json()["data"]
    assert item["last_data_at"] == "2026-05-04T08:00:10.000Z"
