"""The environment endpoints as clients see them."""

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from environments.services import recording_register

pytestmark = pytest.mark.django_db
PATHS = ("", "/cameras", "/zones", "/date-ranges", "/floor-plan")


@pytest.fixture
def recording(camera):
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the night on which Zurich's clocks go back
    return recording_register(camera=camera, uri="a.mp4", started_at=start, duration_s=3600, fps=10)


def test_the_list_tells_what_is_there(api_of, viewer, recording):
    body = api_of(viewer).get("/api/v1/environments").json()
    assert body["success"] is True
    assert body["data"] == [
        {
            "environment_id": "yard",
            "name": "Yard",
            "description": "Two cameras and two zones.",
            "timezone": "Europe/Zurich",
            "camera_count": 2,
            "zone_count": 2,
            "has_data": True,
            "last_data_at": "2026-10-25T01:30:00.000Z",
        }
    ]
    assert set(body["meta"]["pagination"]) == {"next", "previous"}


def test_a_stranger_gets_an_empty_list(api_of, stranger, yard):
    assert api_of(stranger).get("/api/v1/environments").json()["data"] == []


def test_the_list_costs_the_same_however_many_there_are(
    api_of, superuser, yard, django_assert_max_num_queries
):
    for number in range(5):
        yard.pk, yard.slug = None, f"copy-{number}"
        yard.save()
    with django_assert_max_num_queries(2):
        body = api_of(superuser).get("/api/v1/environments?limit=4").json()
    assert len(body["data"]) == 4
    rest = api_of(superuser).get(body["meta"]["pagination"]["next"]).json()
    slugs = [item["environment_id"] for item in body["data"] + rest["data"]]
    assert slugs == ["copy-0", "copy-1", "copy-2", "copy-3", "copy-4", "yard"]


def test_details_are_enough_to_draw_a_map(api_of, operator, recording):
    data = api_of(operator).get("/api/v1/environments/yard").json()["data"]
    assert data["role"] == "operator"
    plan = data["map"]
    assert plan["image_url"] == "/api/v1/environments/yard/floor-plan"
    assert (plan["image_width_px"], plan["image_height_px"]) == (200, 160)
    assert plan["image_to_map"] == [[0.1, 0.0, 0.0], [0.0, -0.1, 16.0]]
    assert plan["bounds_m"] == {"min_x": 0.0, "min_y": 0.0, "max_x": 20.0, "max_y": 16.0}
    gate, wall = data["cameras"]
    assert gate["camera_id"] == "c01"
    assert (gate["position_m"], gate["height_m"]) == ([10.0, 2.0], 6.0)
    assert (gate["heading_deg"], gate["tilt_deg"]) == (90.0, 45.0)
    assert all(0 <= x <= 20 and 0 <= y <= 16 for x, y in gate["footprint_m"])
    assert (wall["calibration_quality"], wall["position_m"], wall["footprint_m"]) == (
        "uncalibrated",
        None,
        [],
    )
    assert [zone["slug"] for zone in data["zones"]] == ["door", "lane"]
    assert data["zones"][0]["area_m2"] == 8.0
    assert data["available_date_ranges"][0]["duration_s"] == 3600.0
    assert data["calibration_data"]["c02"]["homography_image_to_map"] is None
    assert len(data["calibration_data"]["c01"]["homography_image_to_map"]) == 3


def test_live_addresses_stay_inside(api_of, viewer, camera):
    camera.live_uri = "rtsp://admin:hunter2@10.0.0.9/stream"
    camera.save()
    for path in PATHS[:-1]:
        answer = api_of(viewer).get(f"/api/v1/environments/yard{path}")
        assert b"hunter2" not in answer.content
        assert b"10.0.0.9" not in answer.content
    assert api_of(viewer).get("/api/v1/environments/yard/cameras").json()["data"][0]["has_live"] is True


def test_cameras_and_zones_come_in_order(api_of, viewer, camera):
    camera.order = 9
    camera.save()
    api = api_of(viewer)
    cameras = api.get("/api/v1/environments/yard/cameras").json()["data"]
    assert [item["camera_id"] for item in cameras] == ["c02", "c01"]
    zones = api.get("/api/v1/environments/yard/zones?limit=1").json()
    assert zones["data"][0]["polygon_m"] == [[8.0, 14.0], [12.0, 14.0], [12.0, 16.0], [8.0, 16.0]]
    following = api.get(zones["meta"]["pagination"]["next"]).json()
    assert following["data"][0]["slug"] == "lane"


def test_local_times_carry_the_offset_in_force(api_of, viewer, recording):
    data = api_of(viewer).get("/api/v1/environments/yard/date-ranges").json()["data"]
    assert data["cameras"][0]["ranges"] == data["common"]
    (day,) = data["days"]["local"]
    assert day["date"] == "2026-10-25"
    (span,) = day["cameras"]["c01"]
    # half an hour before and after the clock was set back from 3 to 2: one hour has passed
    assert span["start_local"] == "2026-10-25T02:30:00.000+02:00"
    assert span["end_local"] == "2026-10-25T02:30:00.000+01:00"
    assert span["duration_s"] == 3600.0
    assert data["days"]["utc"][0]["cameras"]["c01"][0]["start"] == "2026-10-25T00:30:00.000Z"


def test_the_floor_plan_is_revalidated_not_sent_again(api_of, viewer, yard, png):
    api = api_of(viewer)
    answer = api.get("/api/v1/environments/yard/floor-plan", HTTP_ACCEPT="image/png")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer.content == png
    assert answer["Cache-Control"].startswith("private")
    again = api.get("/api/v1/environments/yard/floor-plan", HTTP_IF_NONE_MATCH=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_no_floor_plan_is_said(api_of, viewer, yard):
    yard.floor_plan = ""
    yard.save()
    api = api_of(viewer)
    answer = api.get("/api/v1/environments/yard/floor-plan", HTTP_ACCEPT="image/png")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "floor_plan_not_found")
    assert api.get("/api/v1/environments/yard").json()["data"]["map"]["image_url"] is None


@pytest.mark.parametrize("path", PATHS)
def test_unknown_and_foreign_environments_look_the_same(api_of, stranger, yard, path):
    answers = [api_of(stranger).get(f"/api/v1/environments/{slug}{path}") for slug in ("yard", "nowhere")]
    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["success"] is False
        assert answer.json()["error"]["code"] == "environment_not_found"
    assert answers[0].json()["error"] == answers[1].json()["error"]


@pytest.mark.parametrize("path", ["", *(f"/yard{path}" for path in PATHS)])
def test_everything_needs_a_token(yard, path):
    answer = APIClient().get(f"/api/v1/environments{path}")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_nothing_can_be_written_here(api_of, superuser, yard):
    answer = api_of(superuser).delete("/api/v1/environments/yard")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
