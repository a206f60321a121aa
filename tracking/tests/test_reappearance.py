"""Persons of tasks that ended are matched with those of other tasks, once, and only where it is clear."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from tracking import schedule
from tracking.changes import change_undo
from tracking.commit import close_task, commit_ready_batches
from tracking.feedback import feedback_give
from tracking.models import Detection, LookVariation, Person, PersonChange, ProcessingTask
from tracking.reappearance import persons_match
from tracking.services import task_stop
from tracking.tests.factories import START, finish, perceived, queued, record, walk
from tracking.tests.people import Walk, ended, instants_of, snapshot, started, who, write

pytestmark = pytest.mark.django_db
RNG = np.random.default_rng(4)
LOOKS = RNG.normal(size=(12, 32)) + 1.0


def crowd(task: ProcessingTask, people: range, *, noise: float = 0.02, **fields) -> ProcessingTask:
    """These people side by side in one camera for two seconds, then the task ends."""
    rng = np.random.default_rng(task.pk.int % 2**32)
    looks = {p: LOOKS[p] + noise * rng.normal(size=LOOKS.shape[1]) for p in people}
    write(task, *(Walk(p, 0, 19, y_m=0.5 + p, look=tuple(looks[p]), **fields) for p in people))
    return ended(task)


@pytest.fixture
def morning(task) -> ProcessingTask:
    """Persons 0 to 7 at eight o'clock."""
    task = crowd(task, range(8))
    assert persons_match(task_id=str(task.pk)) == []
    return task


@pytest.fixture
def later(yard, operator):
    """A task over ten seconds of recordings some hours later."""

    def make(hours: float, **fields) -> ProcessingTask:
        for camera in yard.cameras.all():
            record(camera, at_s=hours * 3600)
        return started(yard, operator, start=START + timedelta(hours=hours), **fields)

    return make


def matched(task: ProcessingTask) -> list[PersonChange]:
    return persons_match(task_id=str(task.pk))


def test_who_comes_back_is_recognised(morning, later):
    noon = crowd(later(4), range(3, 11))
    changes = matched(noon)
    assert {(c.kind, c.source, c.created_by) for c in changes} == {("merge", "appearance", None)}
    expected = {(who(morning, p).pk, who(noon, p).pk) for p in range(3, 8)}
    assert {(c.person_id, c.other_id) for c in changes} == expected, "who was there first keeps their id"
    assert all(c.details["similarity"] > 0.98 and c.details["score"] >= 5.5 for c in changes)
    assert len(instants_of(who(morning, 3))) == 40
    assert len(instants_of(who(noon, 9))) == 20


def test_a_redelivered_message_changes_nothing(morning, later):
    noon = crowd(later(4), range(8))
    assert len(matched(noon)) == 8
    before = snapshot()
    assert matched(noon) == matched(morning) == []
    assert snapshot() == before


def test_it_goes_on_from_day_to_day(morning, later):
    noon, evening = crowd(later(4), range(8)), crowd(later(10), range(8))
    matched(noon)
    matched(evening)
    assert len(set(Detection.objects.values_list("person_id", flat=True))) == 8
    assert len(instants_of(who(morning, 0))) == 60


@pytest.mark.parametrize(
    ("hours", "limit", "found"), [(4, 24.0, 8), (30, 24.0, 0), (30, 48.0, 8), (4, 0.0, 0)]
)
def test_memory_reaches_so_many_hours(morning, later, monkeypatch, hours, limit, found):
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"match_hours": limit}))
    task = crowd(later(hours), range(8))
    assert len(matched(task)) == found
    task.refresh_from_db()
    assert task.matched_at is not None


LIGHT = np.linalg.qr(np.random.default_rng(9).normal(size=(32, 3)))[0].T


@pytest.mark.parametrize("learned", [True, False], ids=["learned", "not learned"])
def test_in_another_light_who_comes_back_is_recognised_if_the_task_has_learned_what_light_does(
    later, task, learned
):
    rng, noon = np.random.default_rng(3), later(4)
    for each in (task, noon):
        looks = LOOKS[:8] + rng.normal(0, 8, (8, 3)) @ LIGHT
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        variation = (LIGHT.astype(np.float32), np.full(3, 0.999)) if learned else None
        write(
            each, *(Walk(p, 0, 19, y_m=0.5 + p, look=tuple(looks[p])) for p in range(8)), variation=variation
        )
        changes = matched(ended(each))
    assert len(changes) >= 6 if learned else changes == []
    assert {(c.person_id, c.other_id) for c in changes} <= {
        (who(task, p).pk, who(noon, p).pk) for p in range(8)
    }
    assert not LookVariation.objects.exists(), "nobody needs it any more"


def test_what_was_learned_of_looks_of_another_length_is_left_aside(morning, later):
    """Somebody has put another network under the same name."""
    noon = later(4)
    write(noon, variation=(np.eye(2, 7, dtype=np.float32), np.array([0.9, 0.9])))
    assert len(matched(crowd(noon, range(8)))) == 8


def test_the_same_span_again_matches_nobody(yard, operator, morning):
    again = started(yard, operator)
    again = crowd(again, range(8))
    assert matched(again) == []
    assert Person.objects.count() == 8, "their ids are equal"


def test_another_look_at_the_same_span_matches_nobody(yard, operator, morning):
    """Whoever is in both at the same time may be anybody; appearance says nothing about that."""
    again = crowd(started(yard, operator, score_threshold=0.6), range(8))
    assert matched(again) == []


def test_looks_of_other_embedders_and_faint_ones_do_not_count(morning, later):
    other = later(4)
    other.choices = {**other.choices, "embedder": {**other.choices["embedder"], "chosen": "clip"}}
    other.save()
    assert matched(crowd(other, range(8))) == []
    assert matched(crowd(later(6), range(8), weight=4.0)) == []


def test_other_environments_do_not_count(morning, later):
    from tracking.tests.factories import yard

    noon = crowd(later(4), range(8))
    ProcessingTask.objects.filter(pk=morning.pk).update(environment=yard("lot"))
    assert matched(noon) == []


def test_what_was_told_apart_stays_apart(yard, operator, morning, later):
    """Denied before, and undone after: both are remembered, the latter also for the next task."""
    noon = later(4)
    crowd(noon, range(8))
    feedback_give(
        user=operator, person=who(morning, 0), candidate=who(noon, 0), verdict="down", notes="other shoes"
    )
    changes = matched(noon)
    assert {c.person_id for c in changes} == {who(morning, p).pk for p in range(1, 8)}
    change_undo(change=changes[0], user=operator)
    ProcessingTask.objects.filter(pk=noon.pk).update(matched_at=None)
    assert matched(noon) == []
    feedback_give(user=operator, person=who(morning, 0), candidate=who(noon, 0), verdict="up")
    assert len(instants_of(who(morning, 0))) == 40


# -- when ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_for_when_a_task_has_completed(task):
    while task.status == ProcessingTask.Status.PROCESSING:
        perceived(task, *range(task.batches_done, task.batches_scheduled))
        commit_ready_batches(task_id=str(task.pk), associate=walk)
        task.refresh_from_db()
    assert queued("reports") == [("tracking.match_persons", [str(task.pk)])]


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_for_when_a_stopped_task_was_closed(running, operator):
    task_stop(user=operator, task=running)
    assert queued("reports") == []
    close_task(task_id=str(running.pk), finish=finish)
    assert queued("reports") == [("tracking.match_persons", [str(running.pk)])]


@pytest.mark.django_db(transaction=True)
def test_a_lost_message_is_sent_again_some_time_after_the_end(task):
    crowd(task, range(2))
    schedule.watch_tasks()
    assert queued("reports") == []
    ProcessingTask.objects.filter(pk=task.pk).update(finished_at=timezone.now() - timedelta(seconds=30))
    schedule.watch_tasks()
    schedule.watch_tasks()
    assert queued("reports") == [("tracking.match_persons", [str(task.pk)])]
    persons_match(task_id=str(task.pk))


def test_running_and_failed_tasks_are_not_compared(morning, later):
    noon = crowd(later(4), range(8))
    for status in ("PROCESSING", "FAILED"):
        ProcessingTask.objects.filter(pk=noon.pk).update(status=status, error_message="broken")
        assert matched(noon) == []
