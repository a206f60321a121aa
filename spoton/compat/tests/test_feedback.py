"""Thumbs up and down: kept, listed, followed, and undoable."""

from __future__ import annotations

import pytest

from environments.models import Role
from spoton.compat.late import follow_ended
from tracking.changes import change_undo
from tracking.models import PersonFeedback, ProcessingTask
from tracking.tests import factories
from tracking.tests.people import Walk, ended, instants_of, snapshot, who, write

pytestmark = pytest.mark.django_db

PATH = "/api/v1/feedback/reidentification"


@pytest.fixture
def two(task):
    """Two persons one after the other, both by c01; the first as two tracks."""
    write(task, Walk(1, 0, 9), Walk(1, 10, 14, track=7, path=False), Walk(2, 20, 29))
    return [who(task, n) for n in (1, 2)]


@pytest.fixture
def say(web, task, two):
    def post(decision, person, candidate=None, *, status=200, **more):
        body = {
            "global_person_id": str(person.pk)[:8],
            "candidate_person_id": candidate and str(candidate.pk)[:8],
            "match_id": "track_007",
            "environment_id": "yard",
            "camera_id": "c01",
            "frame_number": 0,
            "decision": decision,
            "event_timestamp": "2026-05-04T08:00:01.000Z",
            "session_id": str(task.pk),
            "source": "web_reid_review",
            "confidence": 0.91,
            "notes": None,
            "metadata": {"track_id": 7, "bbox": {"x1": 1.5}},
        }
        return web.post(PATH, {**body, **more}, status=status)

    return post


def test_thumbs_up_on_another_person_merges_and_can_be_undone(say, two, anyone):
    one, other = two
    before = snapshot()
    given = say("thumbs_up", one, other)
    assert instants_of(one) == [*range(15), *range(20, 30)]
    feedback = PersonFeedback.objects.get()
    assert (str(feedback.pk), feedback.created_by) == (given["feedback_id"], anyone)
    change_undo(change=feedback.change)
    assert snapshot() == before


def test_thumbs_down_on_another_person_takes_the_merge_back(say, two):
    one, other = two
    before = snapshot()
    say("thumbs_up", one, other)
    say("thumbs_down", one, other)
    assert snapshot() == before


def test_thumbs_down_on_a_card_makes_that_track_somebody_else(say, two, task):
    one, _ = two
    ended(task)
    before = snapshot()
    say("thumbs_down", one)
    feedback = PersonFeedback.objects.get()
    assert instants_of(one) == list(range(10))
    assert instants_of(feedback.change.other_id) == list(range(10, 15))
    change_undo(change=feedback.change)
    assert snapshot() == before


def test_while_the_task_runs_thumbs_down_waits_for_its_end(say, two, task, anyone):
    one, _ = two
    given = say("thumbs_down", one)
    assert follow_ended() == 0
    assert instants_of(one) == list(range(15))
    ended(task)
    assert follow_ended() == 1
    assert instants_of(one) == list(range(10))
    feedback = PersonFeedback.objects.get()
    assert (str(feedback.pk), feedback.created_by) == (given["feedback_id"], anyone)
    assert instants_of(feedback.change.other_id) == list(range(10, 15))
    assert follow_ended() == 0


def test_what_cannot_be_followed_in_the_end_says_why(say, two, task):
    _, other = two
    say("thumbs_down", other, metadata={"track_id": 2})
    ended(task)
    assert follow_ended() == 1
    feedback = PersonFeedback.objects.get()
    assert feedback.change is None
    assert "Everything of this person" in feedback.details["not_followed"]
    assert follow_ended() == 0


def test_thumbs_up_on_a_card_only_confirms(say, two):
    before = snapshot()
    assert say("thumbs_up", two[0])["decision"] == "thumbs_up"
    assert snapshot() == before


def test_the_list_has_what_the_client_shows(web, say, two):
    one, other = two
    say("thumbs_up", one)
    say("thumbs_down", one, other)
    answer = web.get(PATH + "?limit=1&offset=1")
    assert answer["total"] == 2
    (item,) = answer["items"]
    recorded = item.pop("recorded_at")
    assert item == {
        "feedback_id": str(PersonFeedback.objects.earliest("created_at").pk),
        "decision": "thumbs_up",
        "global_person_id": str(one.pk)[:8],
        "candidate_person_id": None,
        "event_timestamp": "2026-05-04T08:00:01.000Z",
        "camera_id": "c01",
        "environment_id": "yard",
        "session_id": item["session_id"],
        "confidence": 0.91,
        "source": "web_reid_review",
        "match_id": "track_007",
        "notes": "",
        "metadata": {"track_id": 7, "bbox": {"x1": 1.5}},
    }
    assert factories.MOMENT.fullmatch(recorded)
    assert [i["decision"] for i in web.get(PATH + "?decision=thumbs_down")["items"]] == ["thumbs_down"]
    assert web.get(PATH + f"?start_time={recorded}")["total"] == 2
    assert web.get(PATH + f"?end_time={recorded}")["total"] == 0


@pytest.mark.parametrize(
    "query",
    ["limit=many", "offset=-1", "start_time=now", "end_time=2026-05-04", "start_time=2026-99-99T00:00Z"],
)
def test_impossible_filters_are_refused(web, query):
    assert web.get(f"{PATH}?{query}", status=422)["message"]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"said": "thumbs"}, 422),
        ({"confidence": "sure"}, 422),
        ({"confidence": 2}, 422),
        ({"global_person_id": "detection:track_005"}, 404),
        ({"global_person_id": "00000000"}, 404),
        ({"global_person_id": None}, 404),
        ({"candidate_person_id": "nobody"}, 404),
        ({"camera_id": "c99"}, 404),
        ({"camera_id": "c02"}, 404),
        ({"metadata": {"track_id": 99}}, 404),
        ({"notes": "a null \0 character"}, 422),
        ({"metadata": {"x": {"y": "\ud800"}}}, 422),
    ],
)
def test_what_is_wrong_is_refused_and_not_kept(say, two, wrong, status):
    said = wrong.pop("said", "thumbs_down")
    assert say(said, two[0], status=status, **wrong)["message"]
    assert not PersonFeedback.objects.exists()


def test_large_bodies_are_refused(say, two):
    assert say("thumbs_up", two[0], status=422, metadata={"x": "y" * 70_000})["message"]


def test_persons_of_other_environments_are_unknown(say, annex):
    other = factories.person("omar", annex, Role.OPERATOR)
    foreign = factories.prepared(factories.services.task_start(user=other, environment=annex))
    write(foreign, Walk(1, 0, 9))
    assert say("thumbs_down", who(foreign, 1), status=404)["message"]


def test_feedback_of_people_is_listed_too_but_not_that_of_other_environments(web, two, operator, switched):
    from tracking.feedback import feedback_give

    feedback_give(user=operator, person=two[0], candidate=two[1], verdict="down")
    (item,) = web.get(PATH)["items"]
    assert (item["candidate_person_id"], item["camera_id"], item["metadata"]) == (
        str(two[1].pk)[:8],
        None,
        {},
    )
    switched("elsewhere")
    assert web.get(PATH) == {"total": 0, "items": []}
    assert ProcessingTask.objects.count() == 1
