"""Merging and splitting persons: rows follow, those to come too, and undoing restores them exactly."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import msgpack
import pytest
from django.db import connection, connections, transaction

from environments.errors import ConflictError, PermissionDeniedError, ValidationFailedError
from environments.redis import redis_client
from tracking import selectors
from tracking.changes import change_undo, person_merge, person_split
from tracking.commit import commit_ready_batches
from tracking.errors import (
    ChangeBlockedError,
    ChangeUndoneError,
    NothingToSplitError,
    PersonsOverlapError,
    SamePersonError,
)
from tracking.identity import lock_for_deciding
from tracking.models import Appearance, Detection, Person, Position, SparePosition
from tracking.planning import person_id
from tracking.publish import updates_key
from tracking.record import identities, record_tracks
from tracking.tests.factories import Person as Seen
from tracking.tests.factories import Rows, perceived, walk, yard
from tracking.tests.people import (
    Walk,
    at,
    ended,
    instants_of,
    path_instants,
    snapshot,
    span_s,
    started,
    who,
    write,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(task):
    """One person whom the engine lost: number 1 for two seconds, number 2 for two more; 3 walks beside them."""
    write(task, Walk(1, 0, 19), Walk(3, 0, 49, y_m=3.5))
    write(task, Walk(2, 25, 44))
    return ended(task)


# -- merging -------------------------------------------------------------------------------------------------


def test_a_merged_persons_rows_are_the_others(broken, operator):
    one, two = who(broken, 1), who(broken, 2)
    change = person_merge(person=one, other=two, user=operator, reason="same jacket")
    assert instants_of(one) == instants_of(one, Position) == [*range(20), *range(25, 45)]
    assert path_instants(one) == [list(range(20)), list(range(25, 45))]
    assert Appearance.objects.filter(person=one).count() == 2, "the looks of both are kept"
    assert span_s(one) == (0, 4.4)
    assert instants_of(two) == []
    assert (change.kind, change.source, change.created_by) == ("merge", "operator", operator)
    assert (change.person_id, change.other_id, change.reason) == (one.pk, two.pk, "same jacket")


def test_an_old_id_answers_with_the_person_it_was_merged_into(broken, operator, viewer):
    one, two, three = (who(broken, n) for n in (1, 2, 3))
    person_merge(person=one, other=two, user=operator)
    assert selectors.person_get(user=viewer, person_id=two.pk) == one
    with pytest.raises(PersonsOverlapError):
        person_merge(person=three, other=two, user=operator)


def test_undoing_a_merge_restores_every_row(broken, operator):
    before = snapshot()
    change = person_merge(person=who(broken, 1), other=who(broken, 2), user=operator)
    assert snapshot() != before
    change_undo(change=change, user=operator)
    assert snapshot() == before
    change.refresh_from_db()
    assert (change.undone_by, change.undone_at > change.created_at) == (operator, True)
    with pytest.raises(ChangeUndoneError):
        change_undo(change=change, user=operator)


def test_nobody_is_at_two_places_in_one_camera(broken, operator):
    before = snapshot()
    with pytest.raises(PersonsOverlapError) as caught:
        person_merge(person=who(broken, 1), other=who(broken, 3), user=operator)
    assert caught.value.details == {"at": "2026-05-04T08:00:00.000Z", "camera": "c01"}
    assert snapshot() == before


def test_nobody_is_at_two_places_on_the_map(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 5, 14, y_m=3.5, camera="c02"))
    with pytest.raises(PersonsOverlapError) as caught:
        person_merge(person=who(task, 1), other=who(task, 2), user=operator)
    assert caught.value.details == {"at": "2026-05-04T08:00:00.500Z", "camera": None}


def test_two_tracks_of_one_person_in_two_cameras_can_be_merged_and_the_surer_positions_count(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 5, 14, y_m=1.4, camera="c02", sigma_m=0.05))
    before = snapshot()
    one = who(task, 1)
    change = person_merge(person=one, other=who(task, 2), user=operator)
    assert instants_of(one, Position) == list(range(15)), "one position per instant"
    ys = dict(Position.objects.filter(person=one).values_list("instant", "y_m"))
    assert [ys[i] for i in (4, 5, 9, 10)] == [1.0, 1.4, 1.4, 1.4]
    assert len(instants_of(one)) == 20, "each camera saw what it saw"
    # those to come are chosen in the same way
    write(task, Walk(1, 20, 24), Walk(2, 20, 24, y_m=1.4, camera="c02", sigma_m=0.3))
    later = Position.objects.filter(person=one, instant__gte=20)
    assert list(later.order_by("instant").values_list("y_m", flat=True)) == [1.0] * 5
    assert SparePosition.objects.count() == 10
    change_undo(change=change, user=operator)
    assert not SparePosition.objects.exists()
    assert instants_of(who(task, 2), Position) == [*range(5, 15), *range(20, 25)]
    Detection.objects.filter(instant__gte=20).delete()
    Position.objects.filter(instant__gte=20).delete()
    rows = snapshot()
    assert {name: rows[name] for name in ("Detection", "Position")} == {
        name: before[name] for name in ("Detection", "Position")
    }


def test_a_person_cannot_be_merged_with_themselves_or_with_another_environments(broken, operator):
    one, two = who(broken, 1), who(broken, 2)
    person_merge(person=one, other=two, user=operator)
    with pytest.raises(SamePersonError):
        person_merge(person=two, other=one, user=operator)
    elsewhere = Person.objects.create(
        id=person_id(broken, 99), environment=yard("lot"), first_seen_at=at(0), last_seen_at=at(1)
    )
    with pytest.raises(ValidationFailedError):
        person_merge(person=one, other=elsewhere, user=operator)


@pytest.mark.parametrize("change", ["merge", "split", "undo"])
def test_viewers_change_nobody(broken, operator, viewer, change):
    one, two = who(broken, 1), who(broken, 2)
    made = person_merge(person=one, other=two, user=operator)
    calls = {
        "merge": lambda: person_merge(person=one, other=two, user=viewer),
        "split": lambda: person_split(person=one, since=at(1), user=viewer),
        "undo": lambda: change_undo(change=made, user=viewer),
    }
    with pytest.raises(PermissionDeniedError):
        calls[change]()


# -- rows to come --------------------------------------------------------------------------------------------


def test_what_a_running_task_writes_later_goes_to_the_merged_person_and_back_when_undone(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 10, 14))
    one, two = who(task, 1), who(task, 2)
    change = person_merge(person=one, other=two, user=operator)
    write(task, Walk(2, 15, 19))
    assert instants_of(one) == list(range(20))
    assert (span_s(one), span_s(two)) == ((0, 1.9), (1.0, 1.4))
    change_undo(change=change, user=operator)
    assert (instants_of(one), instants_of(two)) == (list(range(10)), list(range(10, 20)))
    assert path_instants(two) == [[10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert span_s(one) == (0, 0.9)


def test_processing_the_span_again_gives_the_same_rows(yard, broken, operator):
    """It makes no difference whether a row was there when somebody decided, or came later."""
    person_merge(person=who(broken, 1), other=who(broken, 2), user=operator)
    person_split(person=who(broken, 3), since=at(2), user=operator)
    again = started(yard, operator)
    write(again, Walk(1, 0, 19), Walk(3, 0, 49, y_m=3.5))
    write(again, Walk(2, 25, 44))
    for model in (Detection, Position):
        rows = [
            list(model.objects.filter(task=t).order_by("captured_at", "person_id").values_list(*fields))
            for fields in [("captured_at", "person_id", "origin_id", "instant")]
            for t in (broken, again)
        ]
        assert rows[0] == rows[1]
    paths = [
        sorted(map(repr, t.trajectories.values_list("person", "instants", "path_offset", "path_points")))
        for t in (broken, again)
    ]
    assert paths[0] == paths[1]


def test_sockets_call_persons_as_the_rows_do(running, operator):
    one, two = who(running, 1), who(running, 2)
    person_split(person=one, since=at(1.5), user=operator)
    perceived(running, 2)
    assert commit_ready_batches(task_id=str(running.pk), associate=walk) == 1
    seen = [json.loads(text) for text in msgpack.unpackb(redis_client().get(updates_key(running.pk, 2)))]
    assert len(seen) == 10
    for update in seen:
        instant = update["global_frame_index"]
        told = {t["global_id"] for c in update["cameras"].values() for t in c["tracks"]}
        rows = Detection.objects.filter(task=running, instant=instant)
        assert told == set(map(str, rows.values_list("person_id", flat=True)))
        assert told == {p["global_id"] for p in update["persons"]}
        assert str(one.pk) not in told
        assert str(two.pk) in told


def test_nobody_intervened_and_rows_name_no_origin(broken):
    assert not Detection.objects.exclude(origin_id=None).exists()
    assert not Position.objects.exclude(origin_id=None).exists()
    assert not identities(broken, Rows()).decided


# -- splitting -----------------------------------------------------------------------------------------------


def test_from_a_time_on_a_person_is_somebody_else(broken, operator):
    before = snapshot()
    three = who(broken, 3)
    change = person_split(person=three, since=at(2.05), user=operator)
    new = Person.objects.get(pk=change.other_id)
    assert (instants_of(three), instants_of(new)) == (list(range(21)), list(range(21, 50)))
    assert instants_of(new, Position) == list(range(21, 50))
    assert (path_instants(three), path_instants(new)) == ([list(range(21))], [list(range(21, 50))])
    assert (span_s(three), span_s(new)) == ((0, 2.0), (2.1, 4.9))
    assert change.details == {"from": "2026-05-04T08:00:02.050Z"}
    change_undo(change=change, user=operator)
    assert snapshot() == before, "the path is one again, too"
    assert selectors.person_get(user=operator, person_id=new.pk) == three


def test_a_split_holds_for_what_comes(task, operator):
    write(task, Walk(1, 0, 9, path=False))
    one = who(task, 1)
    change = person_split(person=one, since=at(0.5), user=operator)
    write(task, Walk(1, 10, 14, path=False))
    assert instants_of(change.other_id) == list(range(5, 15))
    assert span_s(one) == (0, 0.4)
    assert span_s(Person.objects.get(pk=change.other_id)) == (0.5, 1.4)


@pytest.mark.parametrize("seconds", [-1, 0, 60])
def test_a_split_leaves_something_on_both_sides(broken, operator, seconds):
    with pytest.raises(NothingToSplitError):
        person_split(person=who(broken, 1), since=at(seconds), user=operator)


def test_only_one_task_or_some_of_its_tracks_are_split_off(yard, task, operator):
    """Person 1 is seen by both cameras, as track 1 in c01 and, after 2 s, as track 7 in c02."""
    write(task, Walk(1, 0, 19), Walk(7, 30, 49, camera="c02"))
    ended(task)
    one = who(task, 1)
    person_merge(person=one, other=who(task, 7), user=operator)
    before = snapshot()
    c02 = yard.cameras.get(slug="c02")
    change = person_split(person=one, since=at(0), task=task, tracks=[(c02.pk, 7)], user=operator)
    new = change.other_id
    assert (instants_of(one), instants_of(new)) == (list(range(20)), list(range(30, 50)))
    assert instants_of(new, Position) == list(range(30, 50))
    assert path_instants(new) == [list(range(30, 50))]
    assert Appearance.objects.filter(person=new).count() == 1
    change_undo(change=change, user=operator)
    assert snapshot() == before
    change = person_split(person=one, since=at(0.5), task=task, user=operator)
    assert (instants_of(one), len(instants_of(change.other_id))) == (list(range(5)), 35)
    assert path_instants(change.other_id) == [list(range(5, 20)), list(range(30, 50))]
    change_undo(change=change, user=operator)
    assert snapshot() == before


def test_positions_stay_where_another_camera_still_sees_the_person(yard, task, operator):
    rows = Rows()
    begin = task.start.timestamp()
    for i in range(10):
        box = (10, 10, 20, 40)
        rows.detections.append((i, i, begin + i / 10, "c01", 1, 1, box, 0.9, (1.0, 1.0)))
        if 4 <= i < 8:
            rows.detections.append((i, i, begin + i / 10, "c02", 2, 1, box, 0.9, (1.0, 1.0)))
        rows.positions.append((i, begin + i / 10, 1, 1.0, 1.0, 0.0, 0.0, 0.1))
    rows.persons.append(Seen(1, begin, begin + 0.9, [], 0.0))
    record_tracks(task=task, rows=rows)
    ended(task)
    c01 = yard.cameras.get(slug="c01")
    change = person_split(person=who(task, 1), since=at(0), task=task, tracks=[(c01.pk, 1)], user=operator)
    assert instants_of(change.other_id) == list(range(10))
    assert instants_of(change.other_id, Position) == [0, 1, 2, 3, 8, 9]
    assert instants_of(who(task, 1), Position) == [4, 5, 6, 7]


def test_a_part_of_a_running_task_cannot_be_split_off(task, operator):
    write(task, Walk(1, 0, 19))
    with pytest.raises(ConflictError, match="still running"):
        person_split(person=who(task, 1), since=at(1), task=task, user=operator)
    with pytest.raises(ValidationFailedError):
        person_split(person=who(task, 1), since=at(1), tracks=[(1, 1)], user=operator)


# -- one after another ---------------------------------------------------------------------------------------


def test_later_changes_of_the_same_rows_are_undone_first(broken, operator):
    before = snapshot()
    one, two = who(broken, 1), who(broken, 2)
    merge = person_merge(person=one, other=two, user=operator)
    between = snapshot()
    split = person_split(person=one, since=at(3), user=operator)
    with pytest.raises(ChangeBlockedError) as caught:
        change_undo(change=merge, user=operator)
    assert caught.value.details == {"change_ids": [str(split.pk)]}
    change_undo(change=split, user=operator)
    assert snapshot() == between
    change_undo(change=merge, user=operator)
    assert snapshot() == before


def test_changes_of_other_rows_may_be_undone_in_any_order(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 10, 19), Walk(3, 20, 29))
    ended(task)
    before = snapshot()
    one, two, three = (who(task, n) for n in (1, 2, 3))
    first = person_merge(person=one, other=two, user=operator)
    second = person_merge(person=one, other=three, user=operator)
    change_undo(change=first, user=operator)
    assert (instants_of(one), instants_of(two)) == ([*range(10), *range(20, 30)], list(range(10, 20)))
    assert span_s(one) == (0, 2.9)
    change_undo(change=second, user=operator)
    assert snapshot() == before


def test_ids_follow_through_chains_of_merges(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 10, 19), Walk(3, 20, 29))
    one, two, three = (who(task, n) for n in (1, 2, 3))
    person_merge(person=two, other=three, user=operator)
    person_merge(person=one, other=two, user=operator)
    assert {selectors.person_get(user=operator, person_id=p.pk) for p in (one, two, three)} == {one}
    write(task, Walk(3, 30, 34))
    assert instants_of(one) == list(range(35))


# -- at the same time ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_is_being_written_waits_for_a_decision_and_the_other_way_round(task, operator):
    """Whoever comes second sees what the first did: no row is left with the old id."""
    write(task, Walk(1, 0, 9), Walk(2, 10, 14))
    one, two = who(task, 1), who(task, 2)
    deciding, go_on = threading.Event(), threading.Event()

    def merge():
        try:
            with transaction.atomic():
                lock_for_deciding(task.environment_id)
                deciding.set()
                go_on.wait(10)
                person_merge(person=one, other=two, user=operator)
        finally:
            connections.close_all()

    def record():
        try:
            with transaction.atomic():
                write(task, Walk(2, 15, 19))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        merging = pool.submit(merge)
        assert deciding.wait(10)
        writing = pool.submit(record)
        with connection.cursor() as cursor:
            for _ in range(100):
                cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                if cursor.fetchone()[0]:
                    break
                threading.Event().wait(0.05)
        assert not writing.done()
        go_on.set()
        merging.result(10)
        writing.result(10)
    assert instants_of(one) == list(range(20))
    assert instants_of(two) == []
