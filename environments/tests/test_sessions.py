"""Analysis sessions: kept from request to request, changed without losing anything, forgotten when unused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from environments import sessions
from environments.models import AnalysisSession, Membership, Recording, Role
from environments.services import environment_load, membership_set, recording_register
from environments.tasks import forget_expired_sessions
from environments.tests.conftest import make_user
from spoton.celery import app

pytestmark = pytest.mark.django_db
PATH = "/api/v1/environments/yard/sessions"
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
AVAILABLE = {"start": "2026-01-05T09:00:00.000Z", "end": "2026-01-05T10:00:00.000Z"}
MINUTE = {"start": "2026-01-05T09:01:00Z", "end": "2026-01-05T09:02:00Z"}


@pytest.fixture(autouse=True)
def _an_hour_of_the_gate(camera):
    recording_register(camera=camera, uri="a.mp4", started_at=NINE, duration_s=3600, fps=10)


@pytest.fixture
def mine(api_of, operator):
    return api_of(operator)


@pytest.fixture
def boss(yard, api_of) -> Any:
    user = make_user("bea")
    membership_set(user=user, environment=yard, role=Role.ADMIN)
    return api_of(user)


def created(api, **fields) -> dict[str, Any]:
    answer = api.post(PATH, {**MINUTE, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


def of(session) -> str:
    return f"{PATH}/{session['session_id']}"


def error_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# -- begin ---------------------------------------------------------------------------------------------------


def test_a_session_is_kept(mine):
    session = created(mine, name="Rush hour", cameras=["c01"], state={"zoom": 2, "none": None})
    assert session | {"session_id": 0, "created_at": 0, "updated_at": 0, "expires_at": 0} == {
        "session_id": 0,
        "environment_id": "yard",
        "owner": "oona",
        "name": "Rush hour",
        "start": "2026-01-05T09:01:00.000Z",
        "end": "2026-01-05T09:02:00.000Z",
        "cameras": ["c01"],
        "state": {"zoom": 2},
        "version": 1,
        "created_at": 0,
        "updated_at": 0,
        "expires_at": 0,
    }
    assert mine.get(of(session)).json()["data"]["state"] == {"zoom": 2}


def test_without_particulars_it_is_all_there_is(mine):
    session = mine.post(PATH, {}).json()["data"]
    assert {"start": session["start"], "end": session["end"]} == AVAILABLE
    assert (session["cameras"], session["state"], session["name"]) == (["c01", "c02"], {}, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "2026-01-05T09:02:00Z", "end": "2026-01-05T09:01:00Z"},
        {"start": "2026-01-05T09:01:00Z", "end": "2026-01-05T09:01:00Z"},
        {"start": "2026-01-05T10:00:00Z", "end": "2026-01-05T11:00:00Z"},
        {"start": "2027-01-01T00:00:00Z"},
    ],
)
def test_a_range_without_data_is_answered_with_the_one_there_is(mine, fields):
    answer = mine.post(PATH, fields)
    assert error_of(answer) == (422, "range_not_available")
    assert answer.json()["error"]["details"] == {"available": AVAILABLE}
    assert not AnalysisSession.objects.exists()


def test_the_range_is_that_of_the_chosen_cameras(mine):
    answer = mine.post(PATH, {"cameras": ["c02"]})
    assert error_of(answer) == (422, "range_not_available")
    assert answer.json()["error"]["details"] == {"available": None}


def test_an_unknown_camera_is_named(mine):
    answer = mine.post(PATH, {"cameras": ["c01", "c09"]})
    assert error_of(answer) == (404, "camera_not_found")
    assert answer.json()["error"]["details"]["missing"] == ["c09"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": []}, "state"),
        ({"state": {"x": "y" * 65536}}, "state"),
        ({"cameras": []}, "cameras"),
        ({"name": "x" * 121}, "name"),
        ({"start": "yesterday"}, "start"),
        ({"zoom": 1}, "zoom"),
    ],
)
def test_wrong_fields_are_named(mine, body, field):
    answer = mine.post(PATH, body)
    assert error_of(answer) == (422, "validation_error")
    assert list(answer.json()["error"]["details"]["fields"]) == [field]


def test_somebody_who_never_deletes_is_stopped(mine, boss, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    first, _ = created(mine), created(mine)
    answer = mine.post(PATH, MINUTE)
    assert error_of(answer) == (409, "session_limit_reached")
    assert answer.json()["error"]["details"] == {"limit": 2}
    created(boss)
    assert mine.delete(of(first)).status_code == 204
    created(mine)
    AnalysisSession.objects.update(expires_at=timezone.now())
    created(mine)


# -- change --------------------------------------------------------------------------------------------------


def test_state_is_merged_and_null_removes(mine):
    session = created(mine, state={"zoom": 2, "filters": {"zone": "door", "speed": 3}, "selected": "x"})
    answer = mine.patch(of(session), {"state": {"filters": {"zone": "lane"}, "selected": None, "page": 1}})
    data = answer.json()["data"]
    assert data["state"] == {"zoom": 2, "filters": {"zone": "lane"}, "page": 1}
    assert (data["version"], data["cameras"], data["start"]) == (2, ["c01", "c02"], session["start"])
    kept = mine.get(of(session)).json()["data"]
    assert kept | {"expires_at": 0} == data | {"expires_at": 0}


def test_a_stale_version_is_a_conflict(mine):
    session = created(mine, state={"zoom": 1})
    assert mine.patch(of(session), {"version": 1, "state": {"zoom": 2}}).json()["data"]["version"] == 2
    answer = mine.patch(of(session), {"version": 1, "state": {"zoom": 3}, "name": "late"})
    assert error_of(answer) == (409, "conflict")
    assert answer.json()["error"]["details"] == {"version": 2}
    kept = mine.get(of(session)).json()["data"]
    assert (kept["version"], kept["state"], kept["name"]) == (2, {"zoom": 2}, "")
    assert mine.patch(of(session), {"version": 2, "name": "now"}).json()["data"]["name"] == "now"


def test_the_whole_state_is_bounded_not_only_what_is_sent(mine):
    session = created(mine, state={"a": "x" * 40_000})
    answer = mine.patch(of(session), {"state": {"b": "x" * 40_000}})
    assert error_of(answer) == (422, "validation_error")
    assert "at most 65536" in answer.json()["error"]["details"]["fields"]["state"][0]
    assert mine.patch(of(session), {"state": {"a": None, "b": "x" * 40_000}}).status_code == 200


def test_a_change_of_range_or_cameras_is_checked_with_what_stays(mine):
    session = created(mine)
    answer = mine.patch(of(session), {"start": "2026-01-05T09:02:00Z"})
    assert error_of(answer) == (422, "range_not_available")
    assert error_of(mine.patch(of(session), {"cameras": ["c02"]})) == (422, "range_not_available")
    assert error_of(mine.patch(of(session), {"cameras": ["c09"]})) == (404, "camera_not_found")
    changed = mine.patch(of(session), {"end": "2026-01-05T09:30:00Z", "cameras": ["c01"]}).json()["data"]
    assert (changed["end"], changed["cameras"]) == ("2026-01-05T09:30:00.000Z", ["c01"])
    # the recordings are gone: the session stays as it is, and other things can be changed
    Recording.objects.all().delete()
    assert mine.patch(of(session), {"name": "kept"}).json()["data"]["end"] == changed["end"]


# -- who -----------------------------------------------------------------------------------------------------


def test_viewers_begin_none(api_of, viewer):
    assert error_of(api_of(viewer).post(PATH, MINUTE)) == (403, "permission_denied")
    assert api_of(viewer).get(PATH).json()["data"] == []


def test_a_session_is_its_owners_and_the_admins(mine, boss, yard, api_of):
    session = created(mine, state={"secret": 1})
    other = make_user("otto")
    membership_set(user=other, environment=yard, role=Role.OPERATOR)
    theirs = api_of(other)
    assert theirs.get(PATH).json()["data"] == []
    for answer in (
        theirs.get(of(session)),
        theirs.patch(of(session), {"name": "x"}),
        theirs.delete(of(session)),
    ):
        assert error_of(answer) == (404, "session_not_found")
    unknown = theirs.get(f"{PATH}/{uuid4()}")
    assert unknown.json()["error"] == theirs.get(of(session)).json()["error"]
    assert [row["owner"] for row in boss.get(PATH).json()["data"]] == ["oona"]
    assert boss.patch(of(session), {"name": "seen"}).json()["data"]["owner"] == "oona"
    assert boss.delete(of(session)).status_code == 204
    assert error_of(mine.get(of(session))) == (404, "session_not_found")


def test_who_is_an_operator_no_more_only_reads(mine, operator, yard):
    session = created(mine)
    membership_set(user=operator, environment=yard, role=Role.VIEWER)
    assert mine.get(of(session)).status_code == 200
    assert error_of(mine.patch(of(session), {"name": "x"})) == (403, "permission_denied")
    assert error_of(mine.delete(of(session))) == (403, "permission_denied")
    Membership.objects.filter(user=operator).delete()
    assert error_of(mine.get(of(session))) == (404, "environment_not_found")


def test_a_session_belongs_to_one_environment(mine, operator, definition):
    other = environment_load(definition={**definition, "slug": "other"})
    membership_set(user=operator, environment=other, role=Role.OPERATOR)
    session = created(mine)
    answer = mine.get(f"/api/v1/environments/other/sessions/{session['session_id']}")
    assert error_of(answer) == (404, "session_not_found")


def test_strangers_learn_nothing(api_of, stranger, mine):
    session = created(mine)
    for answer in (
        api_of(stranger).get(PATH),
        api_of(stranger).post(PATH, MINUTE),
        api_of(stranger).get(of(session)),
        api_of(stranger).delete(of(session)),
    ):
        assert error_of(answer) == (404, "environment_not_found")


def test_the_list_comes_in_pages_newest_first_and_without_state(mine):
    made = [created(mine, name=str(n), state={"n": n})["session_id"] for n in range(5)]
    page = mine.get(f"{PATH}?limit=3").json()
    rest = mine.get(page["meta"]["pagination"]["next"]).json()
    assert [row["session_id"] for row in page["data"] + rest["data"]] == made[::-1]
    assert "state" not in page["data"][0]
    assert rest["meta"]["pagination"]["next"] is None


# -- forgetting ----------------------------------------------------------------------------------------------


def test_use_puts_the_end_off(mine):
    session = created(mine)
    soon = timezone.now() + timedelta(minutes=1)
    for use in (lambda: mine.get(of(session)), lambda: mine.patch(of(session), {"name": "x"})):
        AnalysisSession.objects.update(expires_at=soon)
        assert use().status_code == 200
        left = AnalysisSession.objects.get().expires_at - timezone.now()
        assert timedelta(days=29) < left <= sessions.LIFETIME


def test_expired_sessions_are_gone_at_once_and_deleted_daily(mine):
    session, other = created(mine), created(mine)
    AnalysisSession.objects.filter(pk=session["session_id"]).update(expires_at=timezone.now())
    assert error_of(mine.get(of(session))) == (404, "session_not_found")
    assert [row["session_id"] for row in mine.get(PATH).json()["data"]] == [other["session_id"]]
    assert forget_expired_sessions() == 1
    assert forget_expired_sessions() == 0
    assert str(AnalysisSession.objects.get().pk) == other["session_id"]


def test_the_maintenance_worker_is_asked_to_forget():
    entry = settings.CELERY_BEAT_SCHEDULE["forget expired sessions"]
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
    assert app.amqp.router.route({}, entry["task"])["queue"].name == "maintenance"
