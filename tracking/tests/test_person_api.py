"""Who is who, over REST: shapes, roles, errors."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tracking.models import PersonChange
from tracking.tests.factories import MOMENT, assert_error
from tracking.tests.people import Walk, ended, instants_of, who, write

pytestmark = pytest.mark.django_db
PERSONS = "/api/v1/tracking/persons"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def three(task):
    """Three persons one after another, and a fourth beside the first."""
    write(
        task,
        Walk(1, 0, 9),
        Walk(2, 10, 19, look=(1, 0.1, 0)),
        Walk(3, 20, 29, look=(0, 1, 0)),
        Walk(4, 0, 9, y_m=3.5, weight=0),
    )
    ended(task)
    return [who(task, n) for n in (1, 2, 3, 4)]


@pytest.fixture
def merged(three, api_of, operator) -> dict:
    """2 was merged into 1."""
    answer = api_of(operator).post(
        f"{PERSONS}/{three[0].pk}/merge", {"with": str(three[1].pk), "reason": "same bag"}
    )
    assert answer.status_code == 201
    return answer.json()["data"]


# -- everybody -----------------------------------------------------------------------------------------------

ROUTES = [
    ("post", PERSONS + "/{person}/merge", {"with": "{other}"}),
    ("post", PERSONS + "/{person}/split", {"from": "2026-05-04T08:00:00.500Z"}),
    ("get", PERSONS + "/{person}/history", None),
    ("post", "/api/v1/tracking/person-changes/{change}/undo", None),
    ("post", PERSONS + "/feedback", {"person_id": "{person}", "candidate_id": "{other}", "verdict": "up"}),
    ("get", PERSONS + "/feedback?environment_id=yard", None),
    ("post", PERSONS + "/search", {"person_id": "{person}"}),
]
READS = {"/history", "?environment_id=yard", "/search"}


def call(client, route, person, other, change):
    method, path, body = route
    names = {"person": person, "other": other, "change": change}
    filled = body and {key: value.format(**names) for key, value in body.items()}
    return getattr(client, method)(path.format(**names), filled)


@pytest.mark.parametrize("route", ROUTES)
def test_everything_needs_a_token(three, merged, route):
    answer = call(APIClient(), route, three[0].pk, three[2].pk, merged["change_id"])
    assert_error(answer, 401, "not_authenticated")


@pytest.mark.parametrize("route", ROUTES)
def test_strangers_cannot_tell_what_exists(three, merged, api_of, stranger, route):
    known = call(api_of(stranger), route, three[0].pk, three[2].pk, merged["change_id"])
    unknown = call(api_of(stranger), route, UNKNOWN, UNKNOWN, UNKNOWN)
    assert known.status_code == unknown.status_code == 404
    assert known.json()["error"] == unknown.json()["error"]


@pytest.mark.parametrize("route", ROUTES)
def test_viewers_read_and_operators_decide(three, merged, api_of, viewer, operator, route):
    answer = call(api_of(viewer), route, three[0].pk, three[2].pk, merged["change_id"])
    if any(route[1].endswith(read) for read in READS):
        assert answer.status_code == 200
    else:
        error = assert_error(answer, 403, "permission_denied")
        assert error["details"] == {"required_role": "operator", "role": "viewer"}
        answer = call(api_of(operator), route, three[0].pk, three[2].pk, merged["change_id"])
        assert answer.status_code in (200, 201)


@pytest.mark.parametrize("route", [route for route in ROUTES if route[2]])
def test_unknown_and_missing_fields_are_named(three, merged, api_of, operator, route):
    method, path, body = route
    path = path.format(person=three[0].pk)
    error = assert_error(api_of(operator).post(path, {}), 422, "validation_error")
    assert set(error["details"]["fields"]) <= set(body)
    answer = call(api_of(operator), (method, path, {**body, "colour": "red"}), three[0].pk, three[2].pk, "")
    assert set(assert_error(answer, 422, "validation_error")["details"]["fields"]) == {"colour"}


# -- deciding ------------------------------------------------------------------------------------------------


def test_merge(three, merged, operator):
    one, two, *_ = three
    assert MOMENT.fullmatch(merged.pop("created_at"))
    assert merged == {
        "change_id": str(PersonChange.objects.get().pk),
        "kind": "merge",
        "source": "operator",
        "person_id": str(one.pk),
        "other_id": str(two.pk),
        "reason": "same bag",
        "details": {},
        "created_by": operator.username,
        "undone_at": None,
        "undone_by": None,
    }
    assert instants_of(one) == list(range(20))


def test_errors_of_merging(three, merged, api_of, operator):
    one, two, _, four = three
    client = api_of(operator)
    answer = client.post(f"{PERSONS}/{one.pk}/merge", {"with": str(four.pk)})
    error = assert_error(answer, 409, "persons_overlap")
    assert error["details"]["camera"] == "c01"
    answer = client.post(f"{PERSONS}/{two.pk}/merge", {"with": str(one.pk)})
    assert_error(answer, 409, "same_person")
    answer = client.post(f"{PERSONS}/{two.pk}/merge", {"with": UNKNOWN})
    assert_error(answer, 404, "person_not_found")


def test_split_and_undo(three, task, api_of, operator):
    one, client = three[0], api_of(operator)
    body = {"from": "2026-05-04T08:00:00.500Z", "task_id": str(task.pk)}
    split = client.post(
        f"{PERSONS}/{one.pk}/split", {**body, "tracks": [{"camera_id": "c01", "track_id": 1}]}
    )
    assert split.status_code == 201
    change = split.json()["data"]
    assert (instants_of(one), instants_of(change["other_id"])) == ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])
    undo = f"/api/v1/tracking/person-changes/{change['change_id']}/undo"
    undone = client.post(undo).json()["data"]
    assert (undone["undone_by"], instants_of(one)) == (operator.username, list(range(10)))
    assert_error(client.post(undo), 409, "person_change_undone")
    answer = client.post(f"{PERSONS}/{one.pk}/split", {"from": "2026-05-04T09:00:00Z"})
    assert_error(answer, 422, "nothing_to_split")
    answer = client.post(
        f"{PERSONS}/{one.pk}/split", {**body, "tracks": [{"camera_id": "c9", "track_id": 1}]}
    )
    assert_error(answer, 404, "camera_not_found")


def test_undoing_is_refused_where_later_changes_build_on_it(three, merged, api_of, operator):
    client = api_of(operator)
    later = client.post(f"{PERSONS}/{three[2].pk}/merge", {"with": str(three[1].pk)}).json()["data"]
    answer = client.post(f"/api/v1/tracking/person-changes/{merged['change_id']}/undo")
    error = assert_error(answer, 409, "person_change_blocked")
    assert error["details"] == {"change_ids": [later["change_id"]]}
    assert later["other_id"] == str(three[0].pk), "the old id stands for whom it was merged into"


# -- reading -------------------------------------------------------------------------------------------------


def test_history_of_either_id(three, merged, api_of, viewer):
    client = api_of(viewer)
    for person in three[:2]:
        answer = client.get(f"{PERSONS}/{person.pk}/history").json()
        assert [change["change_id"] for change in answer["data"]] == [merged["change_id"]]
        assert answer["meta"]["pagination"] == {"next": None, "previous": None}
    assert client.get(f"{PERSONS}/{three[2].pk}/history").json()["data"] == []


def test_feedback_is_given_and_listed(three, api_of, operator, viewer):
    one, two, three_, _ = three
    body = {"person_id": str(one.pk), "candidate_id": str(two.pk), "verdict": "down", "confidence": 0.8}
    given = api_of(operator).post(f"{PERSONS}/feedback", {**body, "notes": "taller", "source": "console"})
    assert given.status_code == 201
    data = given.json()["data"]
    assert (data["verdict"], data["notes"], data["change_id"]) == ("down", "taller", None)
    place = {"person_id": str(one.pk), "verdict": "up", "task_id": str(one.detections.first().task_id)}
    given = api_of(operator).post(
        f"{PERSONS}/feedback", {**place, "camera_id": "c01", "at": "2026-05-04T08:00:00.500Z"}
    )
    assert given.json()["data"]["camera_id"] == "c01"
    listed = api_of(viewer).get(f"{PERSONS}/feedback?environment_id=yard&person_id={two.pk}").json()["data"]
    assert listed == [data]
    assert len(api_of(viewer).get(f"{PERSONS}/feedback?environment_id=yard&limit=1").json()["data"]) == 1
    answer = api_of(viewer).get(f"{PERSONS}/feedback?environment_id=yard&person_id={three_.pk}")
    assert answer.json()["data"] == []


def test_search_by_person(three, api_of, viewer):
    one, two, three_, _ = three
    client = api_of(viewer)
    data = client.post(f"{PERSONS}/search", {"person_id": str(one.pk)}).json()["data"]
    assert (data["global_person_id"], data["merged"]) == (str(one.pk), False)
    assert [p["global_person_id"] for p in data["persons"]] == [str(two.pk), str(three_.pk)]
    assert data["persons"][0] == {
        "global_person_id": str(two.pk),
        "similarity": 0.995,
        "embedder": "descriptor",
        "first_detected_time": "2026-05-04T08:00:01.000Z",
        "last_seen_time": "2026-05-04T08:00:01.900Z",
    }
    late = {"person_id": str(one.pk), "start": "2026-05-04T08:00:02Z"}
    data = client.post(f"{PERSONS}/search", late).json()["data"]
    assert [p["global_person_id"] for p in data["persons"]] == [str(three_.pk)]
    answer = client.post(f"{PERSONS}/search", {**late, "end": "2026-05-04T08:00:01Z"})
    assert_error(answer, 422, "range_not_available")


def test_an_old_id_says_that_it_was_merged(three, merged, api_of, viewer):
    one, two, three_, _ = three
    data = api_of(viewer).post(f"{PERSONS}/search", {"person_id": str(two.pk)}).json()["data"]
    assert (data["global_person_id"], data["merged"]) == (str(one.pk), True)
    assert [p["global_person_id"] for p in data["persons"]] == [str(three_.pk)]


def test_the_administration_shows_history_and_feedback(three, merged, client, admin_user, api_of, operator):
    body = {"person_id": str(three[0].pk), "candidate_id": str(three[2].pk), "verdict": "down"}
    api_of(operator).post(f"{PERSONS}/feedback", body)
    client.force_login(admin_user)
    for page in ("personchange", "personfeedback"):
        listed = client.get(f"/admin/tracking/{page}/")
        assert listed.status_code == 200
        assert str(three[0].pk).encode() in listed.content
    change = client.get(f"/admin/tracking/personchange/{merged['change_id']}/change/")
    assert change.status_code == 200
    assert b'name="reason"' not in change.content
