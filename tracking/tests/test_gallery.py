"""Who looks like whom, and for how long it is remembered."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from tracking.changes import person_merge
from tracking.gallery import appearances_forget, persons_like
from tracking.models import Appearance, LookVariation, ProcessingTask
from tracking.tasks import forget_appearances
from tracking.tests.factories import yard as make_yard
from tracking.tests.people import Walk, at, who, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def gallery(task):
    """1 and 2 are dressed alike, 3 rather differently, 4 was never seen well."""
    write(
        task,
        Walk(1, 0, 9, look=(1, 0, 0)),
        Walk(2, 10, 19, look=(1, 0.1, 0)),
        Walk(3, 20, 29, look=(0, 1, 0)),
        Walk(4, 30, 39, weight=0),
    )
    return task


def test_the_most_alike_come_first(gallery, yard):
    found = persons_like(environment=yard, person=who(gallery, 1))
    assert [alike.person for alike in found] == [who(gallery, 2), who(gallery, 3)]
    assert [alike.similarity for alike in found] == pytest.approx([0.99504, 0], abs=1e-4)
    assert len(persons_like(environment=yard, person=who(gallery, 1), most=1)) == 1
    assert persons_like(environment=yard, person=who(gallery, 4)) == []


def test_a_look_is_searched_among_those_of_its_embedder(gallery, yard):
    look = np.array([0, 1.0, 0])
    found = persons_like(environment=yard, vector=look, embedder="descriptor")
    assert found[0].person == who(gallery, 3)
    assert persons_like(environment=yard, vector=look, embedder="clip") == []
    # another network's vectors have another length, which must not matter
    Appearance.objects.filter(person=who(gallery, 2)).update(embedder="clip", vector=[1, 0])
    assert [alike.person for alike in persons_like(environment=yard, person=who(gallery, 1))] == [
        who(gallery, 3)
    ]


def test_a_time_range_counts_where_the_person_was_seen_in_it(gallery, yard):
    def between(start, end):
        return [
            a.person for a in persons_like(environment=yard, person=who(gallery, 1), start=start, end=end)
        ]

    assert between(at(1), at(2)) == [who(gallery, 2)]
    assert between(at(1.9), None) == [who(gallery, 2), who(gallery, 3)]
    assert between(None, at(1)) == []


def test_merged_persons_are_found_once_and_by_each_of_their_looks(gallery, yard):
    person_merge(person=who(gallery, 2), other=who(gallery, 3))
    found = persons_like(environment=yard, person=who(gallery, 1))
    assert [(a.person, round(a.similarity, 2)) for a in found] == [(who(gallery, 2), 1.0)]


def test_other_environments_are_not_searched(gallery):
    assert persons_like(environment=make_yard("lot"), person=who(gallery, 1)) == []


@pytest.mark.parametrize(
    ("mode", "ended", "seen", "kept"),
    [
        ("recorded", 40, 4000, False),
        ("recorded", 5, 4000, True),
        ("recorded", None, 4000, True),
        ("live", None, 40, False),
        ("live", None, 5, True),
        ("live", 5, 40, False),
    ],
)
def test_appearances_are_forgotten_after_a_while(gallery, mode, ended, seen, kept):
    """Days since the task's end and since the person was seen; recordings may be old when they are processed."""
    now = timezone.now()
    end = None if ended is None else now - timedelta(days=ended)
    ProcessingTask.objects.update(mode=mode, finished_at=end)
    Appearance.objects.update(seen_at=now - timedelta(days=seen))
    assert forget_appearances() == (0 if kept else 3)
    assert Appearance.objects.exists() is kept
    assert appearances_forget() == 0


@pytest.mark.parametrize(("days", "kept"), [(29, True), (31, False)])
def test_so_is_how_looks_varied_in_a_task_that_was_never_compared(task, days, kept):
    write(task, variation=(np.eye(2, 3), np.array([0.9, 0.5])))
    ProcessingTask.objects.update(finished_at=timezone.now() - timedelta(days=days))
    forget_appearances()
    assert LookVariation.objects.exists() is kept
