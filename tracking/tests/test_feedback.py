"""Feedback on re-identification: what it changes, and what is learned from it."""

from __future__ import annotations

import pytest

from environments.errors import PermissionDeniedError, ValidationFailedError
from tracking.changes import change_undo, person_merge, person_split
from tracking.errors import (
    ChangeBlockedError,
    NothingToSplitError,
    PersonNotFoundError,
    PersonsOverlapError,
)
from tracking.feedback import feedback_give, told_apart
from tracking.models import PersonFeedback
from tracking.tests.people import Walk, at, ended, instants_of, snapshot, who, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(task):
    """Three persons one after another, and a fourth beside the first."""
    write(task, Walk(1, 0, 9), Walk(2, 10, 19), Walk(3, 20, 29), Walk(4, 0, 9, y_m=3.5))
    ended(task)
    return [who(task, n) for n in (1, 2, 3, 4)]


@pytest.fixture
def say(operator):
    def give(verdict, person, candidate=None, **fields):
        return feedback_give(user=operator, person=person, candidate=candidate, verdict=verdict, **fields)

    return give


def test_up_merges_a_pair(three, say, operator):
    one, two, *_ = three
    feedback = say("up", one, two, notes="same bag", confidence=0.9, source="console")
    assert instants_of(one) == list(range(20))
    assert (feedback.change.source, feedback.change.reason) == ("feedback", "same bag")
    stored = PersonFeedback.objects.get()
    assert (stored.person_id, stored.candidate_id, stored.created_by) == (one.pk, two.pk, operator)
    assert (stored.notes, stored.confidence, stored.source) == ("same bag", 0.9, "console")
    assert say("up", one, two).change is None, "they are one already: confirmed"


def test_down_takes_a_match_back(three, say):
    one, two, *_ = three
    before = snapshot()
    match = person_merge(person=one, other=two, source="appearance")
    feedback = say("down", one, two)
    assert snapshot() == before
    assert feedback.change == match
    assert say("down", one, two).change is None, "they are two already: denied"


def test_down_on_two_who_were_both_merged_into_a_third_takes_the_last_merge_back(three, say):
    one, two, three_, _ = three
    person_merge(person=one, other=two)
    last = person_merge(person=one, other=three_)
    assert say("down", two, three_).change == last
    assert instants_of(three_) == list(range(20, 30))


def test_what_cannot_be_followed_is_not_kept(three, say):
    one, two, three_, four = three
    with pytest.raises(PersonsOverlapError):
        say("up", one, four)
    person_merge(person=one, other=two)
    person_merge(person=three_, other=one)
    with pytest.raises(ChangeBlockedError):
        say("down", one, two)
    split = person_split(person=three_, since=at(2))
    change_undo(change=split)
    new = type(one).objects.get(pk=split.other_id)
    with pytest.raises(NothingToSplitError):
        say("down", three_, new)
    assert not PersonFeedback.objects.exists()


def test_down_on_a_picture_makes_the_track_there_somebody_else(yard, task, three, say):
    one, two, *_ = three
    merge = person_merge(person=one, other=two)
    before = snapshot()
    c01 = yard.cameras.get(slug="c01")
    feedback = say("down", one, task=task, camera=c01, at=at(1.52))
    assert instants_of(one) == list(range(10))
    assert instants_of(feedback.change.other_id) == list(range(10, 20))
    change_undo(change=feedback.change)
    assert snapshot() == before
    assert say("up", one, task=task, camera=c01, at=at(1.5)).change is None
    assert merge.undone_at is None
    with pytest.raises(PersonNotFoundError):
        say("down", one, task=task, camera=c01, at=at(9))


@pytest.mark.parametrize("fields", [{}, {"at": at(1)}, {"candidate": True, "at": at(1)}, {"itself": True}])
def test_feedback_is_about_a_pair_or_about_a_place_and_time(three, say, fields):
    one, two, *_ = three
    candidate = one if fields.pop("itself", False) else two if fields.pop("candidate", False) else None
    with pytest.raises(ValidationFailedError):
        say("up", one, candidate, **fields)


def test_viewers_only_watch(three, viewer):
    with pytest.raises(PermissionDeniedError):
        feedback_give(user=viewer, person=three[0], candidate=three[1], verdict="up")


# -- what is learned -----------------------------------------------------------------------------------------


def test_the_last_word_on_a_pair_holds(yard, three, say, operator):
    one, two, *_ = three
    pair = {frozenset((one.pk, two.pk))}
    assert told_apart(yard) == set()
    say("down", one, two)
    assert told_apart(yard) == pair
    say("up", two, one)
    assert told_apart(yard) == set()
    change_undo(change=PersonFeedback.objects.filter(verdict="up").get().change, user=operator)
    assert told_apart(yard) == pair, "undoing a merge says that they are two"


def test_a_split_tells_apart_until_it_is_undone(yard, three):
    one, *_ = three
    split = person_split(person=one, since=at(0.5))
    assert told_apart(yard) == {frozenset((one.pk, split.other_id))}
    change_undo(change=split)
    assert told_apart(yard) == set()


def test_what_was_said_of_a_person_holds_for_whom_they_were_merged_into(yard, three, say):
    one, two, three_, _ = three
    say("down", two, three_)
    person_merge(person=one, other=two)
    assert told_apart(yard) == {frozenset((one.pk, three_.pk))}
