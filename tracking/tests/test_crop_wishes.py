"""Of whom pictures are asked for while a live task runs: who is new, or shown clearly better, and not too often."""

from __future__ import annotations

import json

import pytest

from environments.redis import redis_client
from tracking import crop_wishes
from tracking.crop_wishes import EVERY_S, FIRST_AFTER_S, FORGET_S, MOST_PER_BATCH, CropWishes
from tracking.crops import CUT_WORTH, quality_of
from tracking.services import task_prepared, task_start
from tracking.tests.factories import CHOICE, EMBEDDER, queued

SIZES = {"c01": (640, 360), "c02": (640, 360)}


def seen(second: float, height: float = 80, *, number: int = 1, camera: str = "c01", x: float = 100) -> tuple:
    """A row of `TrackRows.detections`, ten instants a second."""
    instant, box = round(second * 10), (x, 100.0, x + 40, 100.0 + height)
    return instant, instant, second, camera, 10 + number, number, box, 1.0, None


def asked(wishes: CropWishes, *rows: tuple) -> list[tuple[str, float]]:
    """One batch; (camera, second) of what is asked for."""
    return [(ref.camera, ref.captured_s) for ref in wishes.due(rows, SIZES, rows[-1][2])]


@pytest.mark.parametrize(
    ("box", "worth"),
    [
        ((100, 100, 140, 180), 1.0),
        ((1, 100, 41, 180), CUT_WORTH),
        ((100, 0, 140, 80), CUT_WORTH),
        ((600, 100, 640, 180), CUT_WORTH),
        ((100, 280, 140, 360), CUT_WORTH),
    ],
)
def test_quality_is_height_and_confidence_unless_cut_by_the_edge(box, worth):
    assert quality_of(box, 0.5, (640, 360)) == pytest.approx(40 * worth)


def test_a_newcomer_is_asked_for_once_with_the_best_of_the_first_moment():
    wishes = CropWishes()
    assert asked(wishes, seen(0.0, x=0)) == [], "just coming in"
    assert asked(wishes, seen(0.5, 80)) == []
    assert asked(wishes, seen(FIRST_AFTER_S, 75)) == [("c01", 0.5)]
    assert [asked(wishes, seen(s, 85)) for s in (2.0, 7.0, 20.0)] == [[], [], []], "hardly better"


def test_who_was_there_for_a_blink_is_asked_for_when_somebody_else_is_seen():
    wishes = CropWishes()
    asked(wishes, seen(0.0))
    assert asked(wishes, seen(1.5, number=2)) == [("c01", 0.0)]


def test_a_clearly_better_picture_is_asked_for_but_not_too_often():
    wishes = CropWishes()
    asked(wishes, seen(0.0, 50))
    assert asked(wishes, seen(1.0, 50)) == [("c01", 0.0)]
    when = []
    # growing by 8 % in every tenth of a second
    for step in range(1, 91):
        if asked(wishes, seen(1.0 + step / 10, min(250.0, 50 * 1.08**step))):
            when.append(1.0 + step / 10)
    assert when == [1.0 + EVERY_S], "the best by then; afterwards nothing is clearly better"


def test_every_camera_counts_for_itself():
    wishes = CropWishes()
    rows = [seen(0.0), seen(0.0, camera="c02")]
    assert asked(wishes, *rows) == []
    assert asked(wishes, seen(1.0)) == [("c01", 0.0), ("c02", 0.0)]


def test_a_crowd_is_asked_for_batch_by_batch():
    wishes = CropWishes()
    asked(wishes, *(seen(0.0, number=n) for n in range(MOST_PER_BATCH + 3)))
    assert [len(asked(wishes, seen(1.0 + i / 10, number=0))) for i in range(3)] == [MOST_PER_BATCH, 3, 0]


def test_who_was_away_for_long_is_forgotten():
    wishes = CropWishes()
    asked(wishes, seen(0.0))
    asked(wishes, seen(1.0))
    asked(wishes, seen(1.1 + FORGET_S, number=2))
    assert list(wishes._known) == [(2, "c01")]


# -- what it costs -------------------------------------------------------------------------------------------


def calls() -> int:
    """Commands that Redis has executed so far, but for those that ask for it."""
    stats = redis_client().info("commandstats")
    return sum(s["calls"] for name, s in stats.items() if name not in ("cmdstat_info",))


@pytest.fixture
def live(yard, operator):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    task = task_start(user=operator, environment=yard, mode="live")
    task_prepared(task_id=str(task.pk), detector=CHOICE, embedder=EMBEDDER)
    task.refresh_from_db()
    return task


def commit(task, *rows):
    crop_wishes.batch_committed(task=task, detections=rows, captured_s=[rows[-1][2]])


@pytest.mark.django_db
def test_nothing_new_costs_no_round_trip_and_newcomers_one_message(live, django_assert_num_queries):
    commit(live, seen(0.0), seen(0.0, number=2))
    commit(live, seen(1.0), seen(1.0, number=2))
    asked_for = [args for name, args in queued("media") if name == crop_wishes.STORE]
    assert asked_for == [[str(live.pk), [["c01", 11, 0, 0.0], ["c01", 12, 0, 0.0]]]]
    before = calls()
    with django_assert_num_queries(0):
        for i in range(50):
            commit(live, seen(1.1 + i / 10), seen(1.1 + i / 10, number=2))
    assert calls() == before


@pytest.mark.django_db
def test_it_can_be_switched_off_and_recordings_are_left_for_later(live, task, settings):
    for step in (0.0, 1.0):
        commit(task, seen(step))
    settings.ENV = settings.ENV.model_copy(update={"store_crops": False})
    for step in (0.0, 1.0):
        commit(live, seen(step))
    assert [name for name, _ in queued("media")] == []


@pytest.mark.django_db
def test_a_message_is_worthless_when_the_frames_are_gone(live):
    for step in (0.0, 1.0):
        commit(live, seen(step))
    from tracking.queues import lists_of

    (raw,) = [raw for name in lists_of("media") for raw in redis_client().lrange(name, 0, -1)]
    assert json.loads(raw)["headers"]["expires"]
