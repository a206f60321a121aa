"""The engine's rows in the database: values, units and times arrive as they left."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection
from psycopg.errors import UniqueViolation

from tracking.models import Appearance, Detection, Person, Position, Trajectory
from tracking.planning import person_id
from tracking.record import record_tracks
from tracking.tests.factories import START, Rows
from tracking.tests.factories import Person as Seen

pytestmark = pytest.mark.django_db
AT = START.timestamp()


def seen(number=1, first=0.0, last=1.0, appearance=(3.0, 4.0), weight=1.0) -> Seen:
    return Seen(number, AT + first, AT + last, np.array(appearance), weight)


def detection(instant=0, camera="c01", track=1, person=1, position=(1.5, 2.5)) -> tuple:
    box = (10.5, 20.25, 50.0, 120.125)
    return (instant, instant + 7, AT + instant / 10 + 0.012345, camera, track, person, box, 0.875, position)


def test_detections(task):
    record_tracks(task=task, rows=Rows(detections=[detection(3)], persons=[seen()]))
    row = Detection.objects.select_related("camera").get()
    assert (row.camera.slug, row.track_id, row.instant, row.frame) == ("c01", 1, 3, 10)
    assert (row.x1, row.y1, row.x2, row.y2, row.confidence) == (10.5, 20.25, 50.0, 120.125, 0.875)
    assert (row.map_x, row.map_y) == (1.5, 2.5)
    assert row.person_id == person_id(task, 1)
    assert row.captured_at.isoformat() == "2026-05-04T08:00:00.312345+00:00", (
        "capture time, not processing time"
    )


def test_a_camera_without_calibration_has_no_positions(task):
    record_tracks(task=task, rows=Rows(detections=[detection(position=None)], persons=[seen()]))
    row = Detection.objects.get()
    assert (row.map_x, row.map_y) == (None, None)


def test_boxes_that_bridge_a_break_are_told_by_their_confidence(task):
    bridged = (*detection(2)[:7], 0.0, None)
    record_tracks(task=task, rows=Rows(detections=[detection(3)], bridged=[bridged], persons=[seen()]))
    rows = Detection.objects.order_by("instant")
    assert [(row.instant, row.confidence, row.map_x) for row in rows] == [(2, 0.0, None), (3, 0.875, 1.5)]


def test_positions(task):
    rows = Rows(positions=[(4, AT + 0.4, 1, 1.0, 2.0, 0.5, -0.5, 0.125)], persons=[seen()])
    record_tracks(task=task, rows=rows)
    row = Position.objects.get()
    assert (row.instant, row.x_m, row.y_m, row.vx_m_s, row.vy_m_s, row.sigma_m) == (4, 1, 2, 0.5, -0.5, 0.125)


def test_trajectories_know_their_length(task):
    path = (1, [0, 1, 2], AT + np.array([0, 0.1, 0.2]), np.array([[0.0, 0], [3, 4], [3, 5]]))
    record_tracks(task=task, rows=Rows(trajectories=[path], persons=[seen()]))
    row = Trajectory.objects.get()
    assert (row.instants, row.x_m, row.y_m, row.length_m) == ([0, 1, 2], [0, 3, 3], [0, 4, 5], 6.0)
    assert (row.ended_at - row.started_at).total_seconds() == pytest.approx(0.2)


def path(number: int, first: int, last: int) -> tuple:
    """A trajectory over these instants, the last included."""
    instants = list(range(first, last + 1))
    return number, instants, AT + np.array(instants) / 10, np.tile([float(number), 2.0], (len(instants), 1))


def paths(task, number: int) -> list[tuple[int, int]]:
    """First and last instant of a person's trajectories."""
    rows = Trajectory.objects.filter(task=task, person_id=person_id(task, number)).order_by("started_at")
    return [(row.instants[0], row.instants[-1]) for row in rows]


def test_nobody_is_at_two_places_at_once(task):
    """A track gives up its person to another, whose trajectory comes later and reaches further back."""
    record_tracks(task=task, rows=Rows(trajectories=[path(1, 0, 13)], persons=[seen(1)]))
    record_tracks(task=task, rows=Rows(trajectories=[path(1, 9, 29)], persons=[seen(1)]))
    assert paths(task, 1) == [(0, 8), (9, 29)]


def test_who_was_taken_for_somebody_else_for_a_while(task):
    """Track B, person 2, is person 1 after all; then it is somebody new, 3. Track A, the first of person 1, ended just
    after B began: what of it lies beside B must not become another trajectory of 3 with the same start."""
    record_tracks(
        task=task,
        rows=Rows(
            renamed=[(9, 2, 1, ("c01", "c02"))], trajectories=[path(1, 0, 13)], persons=[seen(1), seen(2)]
        ),
    )
    record_tracks(task=task, rows=Rows(renamed=[(9, 1, 3, ("c01", "c02"))], persons=[seen(1), seen(3)]))
    record_tracks(task=task, rows=Rows(trajectories=[path(3, 9, 29)], persons=[seen(3)]))
    assert paths(task, 1) == [(0, 8)]
    assert paths(task, 3) == [(9, 29)]


def test_a_persons_span_only_grows(task):
    """Batches and tasks report it in any order."""
    for first, last in ((5, 6), (2, 5.5), (4, 9), (4, 5)):
        record_tracks(task=task, rows=Rows(persons=[seen(first=first, last=last)]))
    row = Person.objects.get()
    assert row.environment == task.environment
    assert [(t - START).total_seconds() for t in (row.first_seen_at, row.last_seen_at)] == [2, 9]


def test_of_whom_the_engine_gave_up_the_rows_tell(task):
    """A track that turned out never to have been, after its first rows."""
    rows = Rows(
        detections=[detection(3), detection(4)],
        positions=[(5, AT + 0.5, 1, 1.0, 2.0, 0.5, -0.5, 0.125)],
        persons=[seen(last=-np.inf, weight=0.0)],
    )
    record_tracks(task=task, rows=rows)
    row = Person.objects.get()
    assert [(t - START).total_seconds() for t in (row.first_seen_at, row.last_seen_at)] == [0.312345, 0.5]


def test_appearances_are_unit_vectors_and_the_last_one_stays(task):
    record_tracks(task=task, rows=Rows(persons=[seen(appearance=(0.0, 1.0))]))
    record_tracks(task=task, rows=Rows(persons=[seen(appearance=(30.0, 40.0), weight=2.5)]))
    row = Appearance.objects.get()
    np.testing.assert_allclose(np.array(row.vector), [0.6, 0.8], atol=1e-6)
    assert (row.weight, row.embedder) == (2.5, "descriptor")


@pytest.mark.parametrize("nothing", [{"weight": 0.0}, {"appearance": ()}])
def test_who_was_never_seen_well_has_no_appearance(task, nothing):
    record_tracks(task=task, rows=Rows(persons=[seen(**nothing)]))
    assert Person.objects.count() == 1
    assert not Appearance.objects.exists()


def test_pgvector_finds_the_person_who_looks_alike(task):
    rows = Rows(persons=[seen(1, appearance=(1.0, 0.0)), seen(2, appearance=(0.0, 1.0))])
    record_tracks(task=task, rows=rows)
    with connection.cursor() as cursor:
        cursor.execute("SELECT person_id FROM tracking_appearance ORDER BY vector <=> '[0.9,0.1]' LIMIT 1")
        assert cursor.fetchone() == (person_id(task, 1),)


def test_an_empty_batch_writes_nothing(task):
    record_tracks(task=task, rows=Rows())
    assert not Person.objects.exists()


def test_a_detection_is_written_once(task):
    with pytest.raises(UniqueViolation):
        record_tracks(task=task, rows=Rows(detections=[detection(), detection()], persons=[seen()]))


@pytest.mark.parametrize("kind", ["detections", "bridged", "positions"])
def test_of_whom_the_engine_says_nothing_the_rows_tell(task, kind):
    """Every row is somebody's, or the task would fail for one that was forgotten."""
    row = (3, AT + 0.312345, 1, 1.0, 2.0, 0.5, -0.5, 0.125) if kind == "positions" else detection(3)
    record_tracks(task=task, rows=Rows(**{kind: [row]}))
    person = Person.objects.get()
    assert person.pk == person_id(task, 1)
    assert [(t - START).total_seconds() for t in (person.first_seen_at, person.last_seen_at)] == [
        0.312345
    ] * 2
