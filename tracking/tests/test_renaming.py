"""The engine revises who a track is: rows follow, those of earlier batches and those of the batch itself."""

from __future__ import annotations

import json
from dataclasses import replace

import msgpack
import numpy as np
import pytest

from environments.redis import redis_client
from environments.services import environment_load
from tracking.changes import change_undo, person_merge, person_split
from tracking.commit import commit_ready_batches
from tracking.feedback import feedback_give
from tracking.models import Appearance, Detection, Person, PersonChange, Position, SparePosition, Trajectory
from tracking.planning import person_id
from tracking.publish import updates_key
from tracking.record import record_tracks
from tracking.tests.factories import START, Rows, perceived, record, walk, yard
from tracking.tests.factories import Person as Seen
from tracking.tests.people import (
    Walk,
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

BOTH = ("c01", "c02")
AT = START.timestamp()


def known(task, number: int) -> bool:
    return Person.objects.filter(pk=person_id(task, number)).exists()


def seen_as(task, track: int) -> list[tuple[int, int]]:
    """(instant, number) of the rows of a track."""
    numbers = {person_id(task, n): n for n in range(20)}
    rows = Detection.objects.filter(task=task, track_id=track).order_by("instant", "camera_id")
    return [(instant, numbers[person]) for instant, person in rows.values_list("instant", "person_id")]


def by_number(task, number: int) -> tuple:
    """Everything of a person."""
    pk = person_id(task, number)
    return instants_of(pk), instants_of(pk, Position), path_instants(pk)


# -- rows of earlier batches ---------------------------------------------------------------------------------


def test_rows_become_the_other_persons_from_an_instant_on(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, renamed=[(20, 2, 1, BOTH)])
    everything = [*range(10), *range(20, 30)]
    assert by_number(task, 1) == (everything, everything, [list(range(10)), list(range(20, 30))])
    assert by_number(task, 2) == ([], [], [])
    assert not Detection.objects.exclude(origin_id=None).exists(), "nobody intervened"
    assert not Trajectory.objects.exclude(origin_id=person_id(task, 1)).exists()


def test_what_was_before_that_instant_stays(task):
    """A track that went over to somebody else: the path is cut there."""
    write(task, Walk(1, 0, 29))
    write(task, renamed=[(12, 1, 2, BOTH)])
    assert by_number(task, 1) == (list(range(12)), list(range(12)), [list(range(12))])
    assert by_number(task, 2) == (list(range(12, 30)), list(range(12, 30)), [list(range(12, 30))])
    assert (span_s(who(task, 1)), span_s(who(task, 2))) == ((0, 1.1), (1.2, 2.9))


def test_renames_come_one_after_another(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, renamed=[(20, 2, 1, BOTH), (25, 1, 3, BOTH)])
    assert instants_of(who(task, 1)) == [*range(10), *range(20, 25)]
    assert instants_of(who(task, 3)) == list(range(25, 30))
    assert not known(task, 2)


def test_two_who_change_places_step_aside_in_turn(task):
    write(task, Walk(1, 0, 9), Walk(2, 0, 9, y_m=3.0))
    write(task, renamed=[(0, 1, 9, BOTH), (0, 2, 1, BOTH), (0, 9, 2, BOTH)])
    assert set(seen_as(task, 1)) == {(i, 2) for i in range(10)}
    assert set(seen_as(task, 2)) == {(i, 1) for i in range(10)}
    ys = {n: set(Position.objects.filter(person=who(task, n)).values_list("y_m", flat=True)) for n in (1, 2)}
    assert ys == {1: {3.0}, 2: {1.0}}
    paths = {n: Trajectory.objects.get(person=who(task, n)).y_m[0] for n in (1, 2)}
    assert paths == {1: 3.0, 2: 1.0}
    assert not known(task, 9)


def test_only_the_cameras_that_are_named(db, operator):
    """A camera without calibration has a plane of its own: neither other cameras nor the map are concerned."""
    plain = [{"slug": s, "name": s, "image_size": [640, 360], "fps": 10.0} for s in ("c01", "c02", "c03")]
    lot = yard("lot")
    calibrated = [{**c, "calibration": lot.cameras.get(slug=c["slug"]).calibration} for c in plain[:2]]
    zones = [{"slug": "all", "name": "All", "kind": "walkway", "polygon_m": [[0, 0], [8, 0], [8, 4], [0, 4]]}]
    lot = environment_load(
        definition={
            "slug": "lot",
            "name": "Lot",
            "bounds_m": [0, 0, 8, 4],
            "zones": zones,
            "cameras": [*calibrated, plain[2]],
        }
    )
    for camera in lot.cameras.all():
        record(camera)
    operator.is_superuser = True
    operator.save()
    task = started(lot, operator)
    boxes = [(i, i, AT + i / 10, "c03", 7, 1, (10, 10, 20, 40), 0.9, None) for i in range(5, 15)]
    write(task, Walk(1, 0, 9))
    record_tracks(task=task, rows=Rows(detections=boxes))
    write(task, renamed=[(5, 1, 2, ("c03",))])
    assert instants_of(who(task, 2)) == list(range(5, 15))
    assert by_number(task, 1) == (list(range(10)), list(range(10)), [list(range(10))])
    assert by_number(task, 2)[1:] == ([], [])


# -- overlaps ------------------------------------------------------------------------------------------------


def test_where_two_tracks_overlap_the_later_ones_rows_count(task):
    write(task, Walk(1, 0, 12), Walk(2, 10, 19, y_m=1.5))
    write(task, renamed=[(10, 2, 1, BOTH)])
    assert by_number(task, 1) == (
        list(range(20)),
        list(range(20)),
        [list(range(10)), list(range(10, 20))],
    )
    ys = dict(Position.objects.values_list("instant", "y_m"))
    assert [ys[i] for i in (9, 10, 12, 13)] == [1.0, 1.5, 1.5, 1.5]
    assert [track for i, track in Detection.objects.values_list("instant", "track_id") if 10 <= i <= 12] == [
        2,
        2,
        2,
    ]
    first, second = Trajectory.objects.order_by("started_at")
    assert (first.length_m, (first.ended_at - START).total_seconds()) == (pytest.approx(0.9), 0.9)
    assert second.y_m[0] == 1.5


def test_boxes_of_other_cameras_stay_where_tracks_overlap(task):
    write(task, Walk(1, 0, 12, camera="c02"), Walk(2, 10, 19))
    write(task, renamed=[(10, 2, 1, BOTH)])
    assert len(instants_of(who(task, 1))) == 13 + 10
    assert instants_of(who(task, 1), Position) == list(range(20))


def test_paths_that_begin_together_overlap_too(task):
    """As short as half a second, the earlier track's path is gone as a whole."""
    write(task, Walk(1, 10, 13), Walk(2, 10, 19, y_m=1.5))
    write(task, renamed=[(10, 2, 1, BOTH)])
    assert by_number(task, 1) == (list(range(10, 20)), list(range(10, 20)), [list(range(10, 20))])


# -- rows of the batch itself --------------------------------------------------------------------------------


def test_rows_of_the_same_batch_are_renamed_as_well(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 24))
    later = Walk(2, 25, 27), Walk(1, 28, 29, track=2)
    told = write(task, *later, renamed=[(20, 2, 1, BOTH)])
    assert set(seen_as(task, 2)) == {(i, 1) for i in range(20, 30)}
    assert instants_of(who(task, 1), Position) == [*range(10), *range(20, 30)]
    assert {row[5] for row in told.rows.detections} == {row[2] for row in told.rows.positions} == {1}
    assert not known(task, 2)


def test_two_who_change_places_within_a_batch(task):
    """Rows before the decision bear the earlier numbers, those after it the new ones."""
    write(task, Walk(1, 0, 9, path=False), Walk(2, 0, 9, y_m=3.0, path=False))
    write(
        task,
        *(Walk(1, 10, 14, path=False), Walk(2, 10, 14, y_m=3.0, path=False)),
        *(Walk(2, 15, 19, track=1, path=False), Walk(1, 15, 19, track=2, y_m=3.0, path=False)),
        renamed=[(0, 1, 9, BOTH), (0, 2, 1, BOTH), (0, 9, 2, BOTH)],
    )
    assert seen_as(task, 1) == [(i, 2) for i in range(20)]
    assert seen_as(task, 2) == [(i, 1) for i in range(20)]
    places = Position.objects.values_list("instant", "person_id", "y_m")
    assert {(person, y) for _, person, y in places} == {(person_id(task, 1), 3.0), (person_id(task, 2), 1.0)}
    assert len(places) == 40


def test_a_number_that_passes_on_within_a_batch(task):
    """Who was 1 is somebody new, who was 2 is 1."""
    write(task, Walk(1, 0, 9, path=False), Walk(2, 0, 9, y_m=3.0, path=False))
    write(
        task,
        *(Walk(1, 10, 14, path=False), Walk(2, 10, 14, y_m=3.0, path=False)),
        *(Walk(3, 15, 19, track=1, path=False), Walk(1, 15, 19, track=2, y_m=3.0, path=False)),
        renamed=[(0, 1, 3, BOTH), (0, 2, 1, BOTH)],
    )
    assert seen_as(task, 1) == [(i, 3) for i in range(20)]
    assert seen_as(task, 2) == [(i, 1) for i in range(20)]


def test_rows_that_bear_the_new_names_already_stay(task):
    """The same, when the engine has named the batch's own rows by itself."""
    write(task, Walk(1, 0, 9, path=False), Walk(2, 0, 9, y_m=3.0, path=False))
    write(
        task,
        *(Walk(2, 10, 19, track=1, path=False), Walk(1, 10, 19, track=2, y_m=3.0, path=False)),
        renamed=[(0, 1, 9, BOTH), (0, 2, 1, BOTH), (0, 9, 2, BOTH)],
    )
    assert seen_as(task, 1) == [(i, 2) for i in range(20)]
    assert seen_as(task, 2) == [(i, 1) for i in range(20)]


def test_overlaps_within_a_batch(task):
    write(task, Walk(1, 0, 12), Walk(2, 10, 19, y_m=1.5), renamed=[(10, 2, 1, BOTH)])
    assert by_number(task, 1) == (
        list(range(20)),
        list(range(20)),
        [list(range(10)), list(range(10, 20))],
    )
    ys = dict(Position.objects.values_list("instant", "y_m"))
    assert [ys[i] for i in (9, 10, 12, 13)] == [1.0, 1.5, 1.5, 1.5]


@pytest.mark.parametrize("cut", [1, 3, 10, 12, 15, 19, 20])
def test_where_a_batch_ends_makes_no_difference(task, cut):
    """Rows before instant `cut` in one batch, the others in the next, which also revises who they are."""
    walks = Walk(1, 0, 12, path=False), Walk(2, 10, 19, y_m=1.5, path=False)
    write(task, *(replace(w, last=min(w.last, cut - 1)) for w in walks if w.first < cut))
    late = [replace(w, first=max(w.first, cut)) for w in walks if w.last >= cut]
    write(task, *late, renamed=[(10, 2, 1, BOTH)])
    one = person_id(task, 1)
    boxes = Detection.objects.order_by("instant").values_list("instant", "track_id", "person_id", "origin_id")
    assert list(boxes) == [(i, 1 if i < 10 else 2, one, None) for i in range(20)]
    places = Position.objects.order_by("instant").values_list("instant", "y_m", "person_id", "origin_id")
    assert list(places) == [(i, 1.0 if i < 10 else 1.5, one, None) for i in range(20)]


# -- persons -------------------------------------------------------------------------------------------------


def test_who_has_no_row_left_is_nobody(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, Walk(1, 30, 30), renamed=[(20, 2, 1, BOTH)])
    assert [p.pk for p in Person.objects.all()] == [person_id(task, 1)]
    assert [a.origin_id for a in Appearance.objects.all()] == [person_id(task, 1)]
    assert span_s(who(task, 1)) == (0, 3.0)


def test_who_is_left_with_something_stays(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, renamed=[(25, 2, 1, BOTH)])
    assert known(task, 2)
    assert Appearance.objects.filter(origin_id=person_id(task, 2)).exists()
    assert (span_s(who(task, 1)), span_s(who(task, 2))) == ((0, 2.9), (2.0, 2.4))


def test_who_is_left_in_another_task_stays(yard, operator, task):
    again = started(yard, operator)
    for each in (task, again):
        write(each, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, renamed=[(20, 2, 1, BOTH)])
    assert instants_of(who(task, 2)) == list(range(20, 30))
    assert [a.task_id for a in Appearance.objects.filter(origin_id=person_id(task, 2))] == [again.pk]
    write(again, renamed=[(20, 2, 1, BOTH)])
    assert not known(task, 2)


def test_who_is_spoken_of_stays(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29), Walk(3, 0, 9, y_m=3.0))
    feedback_give(user=operator, person=who(task, 2), candidate=who(task, 3), verdict="down")
    write(task, renamed=[(20, 2, 1, BOTH)])
    assert known(task, 2)
    assert instants_of(who(task, 2)) == []
    assert not Appearance.objects.filter(origin_id=person_id(task, 2)).exists()


def test_who_has_a_history_stays_and_it_can_be_undone(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29), Walk(3, 40, 44))
    change = person_merge(person=who(task, 3), other=who(task, 2), user=operator)
    write(task, renamed=[(20, 2, 1, BOTH)])
    assert known(task, 2)
    change_undo(change=change, user=operator)
    assert instants_of(who(task, 1)) == [*range(10), *range(20, 30)]
    assert instants_of(who(task, 3)) == list(range(40, 45))


def test_a_path_of_somebody_who_is_nobody_any_more_does_not_stop_the_task(task):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29, path=False))
    write(task, renamed=[(20, 2, 1, BOTH)])
    late = (2, [20, 21], AT + np.array([2.0, 2.1]), np.array([[0.0, 0], [1, 1]]))
    record_tracks(task=task, rows=Rows(trajectories=[late]))
    assert path_instants(who(task, 2)) == [[20, 21]]


# -- together with decisions of operators --------------------------------------------------------------------


@pytest.mark.parametrize("first", ["merge", "rename"])
def test_renamed_rows_belong_to_whom_the_new_origin_is(task, operator, first):
    """1 was said to be 3: what turns out to be 1 is 3 as well, whichever came first."""
    write(task, Walk(3, 0, 9), Walk(1, 15, 19), Walk(2, 20, 29))
    steps = [
        lambda: person_merge(person=who(task, 3), other=who(task, 1), user=operator),
        lambda: write(task, renamed=[(20, 2, 1, BOTH)]),
    ]
    for step in steps if first == "merge" else reversed(steps):
        step()
    everything = [*range(10), *range(15, 30)]
    assert instants_of(who(task, 3)) == instants_of(who(task, 3), Position) == everything
    assert span_s(who(task, 3)) == (0, 2.9)
    rows = Detection.objects.filter(instant__gte=20)
    assert set(rows.values_list("origin_id", flat=True)) == {person_id(task, 1)}
    change_undo(change=PersonChange.objects.get(), user=operator)
    assert instants_of(who(task, 1)) == [*range(15, 30)]
    assert path_instants(who(task, 1)) == [list(range(15, 20)), list(range(20, 30))]


def test_a_merge_of_who_is_renamed_holds_for_what_is_still_theirs(task, operator):
    write(task, Walk(3, 0, 9), Walk(2, 10, 29), Walk(1, 40, 41))
    person_merge(person=who(task, 3), other=who(task, 2), user=operator)
    write(task, renamed=[(20, 2, 1, BOTH)])
    assert instants_of(who(task, 3)) == list(range(20))
    assert by_number(task, 1) == (
        [*range(20, 30), 40, 41],
        [*range(20, 30), 40, 41],
        [list(range(20, 30)), [40, 41]],
    )
    assert span_s(who(task, 3)) == (0, 1.9)


def test_a_split_of_the_new_person_cuts_what_is_renamed(task, operator):
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    write(task, Walk(1, 40, 49))
    change = person_split(
        person=who(task, 1), since=START.replace(second=2, microsecond=450_000), user=operator
    )
    write(task, renamed=[(20, 2, 1, BOTH)])
    assert instants_of(who(task, 1)) == instants_of(who(task, 1), Position) == [*range(10), *range(20, 25)]
    assert instants_of(change.other_id, Position) == [*range(25, 30), *range(40, 50)]
    assert path_instants(change.other_id) == [list(range(25, 30)), list(range(40, 50))]


@pytest.mark.parametrize("first", ["merge", "rename"])
def test_positions_that_gave_way_in_a_merge_are_renamed_too(task, operator, first):
    """Two tracks in two cameras, merged: the surer position counts, also after one of them is somebody else's."""
    write(task, Walk(1, 0, 9), Walk(2, 5, 14, y_m=1.4, camera="c02", sigma_m=0.05), Walk(4, 30, 34))
    steps = [
        lambda: person_merge(person=who(task, 1), other=who(task, 2), user=operator),
        lambda: write(task, renamed=[(5, 1, 4, BOTH)]),
    ]
    for step in steps if first == "merge" else reversed(steps):
        step()
    assert instants_of(who(task, 1), Position) == list(range(15))
    assert instants_of(who(task, 4), Position) == [*range(5, 10), *range(30, 35)]
    assert not SparePosition.objects.exists()


def test_positions_come_back_when_the_surer_one_is_somebody_elses(task, operator):
    write(task, Walk(1, 0, 9, sigma_m=0.2), Walk(2, 5, 14, y_m=1.4, camera="c02", sigma_m=0.05))
    person_merge(person=who(task, 1), other=who(task, 2), user=operator)
    assert SparePosition.objects.count() == 5
    write(task, renamed=[(5, 2, 3, BOTH)])
    ys = dict(Position.objects.filter(person=who(task, 1)).values_list("instant", "y_m"))
    assert ys == dict.fromkeys(range(10), 1.0)
    assert instants_of(who(task, 3), Position) == list(range(5, 15))
    assert not SparePosition.objects.exists()


def test_two_of_one_merged_person_change_places(task, operator):
    """Whom the engine takes for whom changes; the person stays, and so does what undoing the merge gives."""
    write(task, Walk(1, 0, 9), Walk(2, 20, 29))
    change = person_merge(person=who(task, 1), other=who(task, 2), user=operator)
    write(task, renamed=[(0, 1, 9, BOTH), (20, 2, 1, BOTH), (0, 9, 2, BOTH)])
    assert instants_of(who(task, 1), Position) == [*range(10), *range(20, 30)]
    change_undo(change=change, user=operator)
    assert by_number(task, 2) == (list(range(10)), list(range(10)), [list(range(10))])
    ended(task)
    assert len(snapshot()["Person"]) == 2


# -- what is told --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_sockets_call_persons_as_the_rows_do(running):
    """Number 2 turns out to be somebody new in the middle of a batch; foreign keys hold at the end of it."""

    def revise(batch):
        output = walk(batch)
        middle = batch.instants[5]
        rows = output.rows
        rows.detections = [
            (*r[:5], 5 if r[5] == 2 and r[0] >= middle else r[5], *r[6:]) for r in rows.detections
        ]
        rows.positions = [
            (*r[:2], 5 if r[2] == 2 and r[0] >= middle else r[2], *r[3:]) for r in rows.positions
        ]
        last = batch.times_s[-1]
        rows.persons = [rows.persons[0], Seen(5, AT, last, np.array([0.0, 2.0]))]
        rows.renamed = [(0, 2, 5, tuple(running.cameras))]
        return output

    perceived(running, 2)
    assert commit_ready_batches(task_id=str(running.pk), associate=revise) == 1
    updates = [json.loads(text) for text in msgpack.unpackb(redis_client().get(updates_key(running.pk, 2)))]
    expected = {str(person_id(running, n)) for n in (1, 5)}
    for update in updates:
        assert {t["global_id"] for c in update["cameras"].values() for t in c["tracks"]} == expected
        assert {p["global_id"] for p in update["persons"]} == expected
    assert {str(p.pk) for p in Person.objects.all()} == expected
    assert instants_of(who(running, 5), Position) == list(range(30))
