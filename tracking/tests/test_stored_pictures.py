"""Pictures of persons that outlive the frame store: stored once, with the right person, and gone with them."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import cv2
import numpy as np
import pytest
from django.core.files.storage import storages
from django.db import connection, connections, transaction
from django.utils import timezone

from environments.models import Environment
from environments.redis import redis_client
from tracking import crop_wishes, frames, picture_files, schedule
from tracking.changes import change_undo, person_merge, person_split
from tracking.commit import commit_ready_batches
from tracking.crop_storing import crops_store
from tracking.crop_wishes import CropRef
from tracking.models import Detection, LeftPicture, Person, ProcessingTask, StoredCrop
from tracking.services import task_start
from tracking.stored_pictures import crops_forget, crops_of, crops_plan, stored_crop
from tracking.tasks import delete_pictures
from tracking.tests.factories import (
    FPS,
    START,
    assert_error,
    perceived,
    prepared,
    queued,
    walk,
)
from tracking.tests.people import Walk, at, ended, who, write

pytestmark = pytest.mark.django_db


def show(task, *instants: int, camera: str = "c01") -> None:
    """Frames of these instants, each of another grey."""
    for instant in instants:
        image = np.full((360, 640, 3), 40 + instant, np.uint8)
        data = cv2.imencode(".jpg", image)[1].tobytes()
        kept = frames.StoredFrame(instant, instant, task.start.timestamp() + instant / FPS, 640, 360, data)
        frames.put(task_id=task.pk, camera=camera, frame=kept)


def store(task, *seen: tuple[int, int], camera: str = "c01") -> int:
    """Store the pictures of (track, instant)."""
    refs = [CropRef(camera, track, i, task.start.timestamp() + i / FPS) for track, i in seen]
    return crops_store(task_id=str(task.pk), refs=refs, frame_of=kept_frame(task))


def kept_frame(task):
    return lambda camera, instant: frames.get(task_id=task.pk, camera=camera, instant=instant)


def pixels(crop: StoredCrop) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture_files.read(crop.file), np.uint8), cv2.IMREAD_COLOR)


def shown(person: Person) -> list[int]:
    """The instants of the person's stored pictures."""
    return sorted(StoredCrop.objects.filter(person=person).values_list("instant", flat=True))


def files_left(stored: list[str]) -> list[str]:
    return [name for name in stored if storages["pictures"].exists(name)]


@pytest.fixture
def walked(task):
    """1 and 2 walk through c01, one after the other, 3 beside them; there are frames of some instants."""
    write(task, Walk(1, 10, 19), Walk(2, 30, 39), Walk(3, 10, 39, y_m=2.0))
    show(task, 12, 15, 32, 35)
    return task


# -- storing -------------------------------------------------------------------------------------------------


def test_a_person_is_stored_with_some_room(walked, picture_storage):
    assert store(walked, (1, 15)) == 1
    crop = StoredCrop.objects.get()
    assert (crop.person, crop.camera.slug, crop.captured_at) == (who(walked, 1), "c01", at(1.5))
    assert crop.quality == pytest.approx(80 * 0.9)
    # the box is 40 x 80 px
    assert (crop.width, crop.height) == (pytest.approx(50, abs=2), pytest.approx(99, abs=2))
    assert pixels(crop).shape == (crop.height, crop.width, 3)
    assert pixels(crop).mean() == pytest.approx(55, abs=2)


def test_a_repeated_message_stores_nothing_again(walked, picture_storage):
    assert [store(walked, (1, 15), (3, 15)) for _ in range(2)] == [2, 0]
    assert StoredCrop.objects.count() == 2


def test_only_clearly_better_pictures_are_stored_beside_others(walked):
    store(walked, (1, 12))
    Detection.objects.filter(track_id=1, instant=15).update(confidence=0.9 * 1.3)
    assert store(walked, (1, 15)) == 0
    Detection.objects.filter(track_id=1, instant=15).update(confidence=0.9 * 1.5)
    assert store(walked, (1, 15)) == 1
    assert stored_crop(person=who(walked, 1)).instant == 15


def test_where_the_frame_or_the_row_is_gone_nothing_is_stored(walked):
    assert store(walked, (1, 13), (7, 15), (1, 99)) == 0
    assert store(walked, (1, 15), camera="c99") == 0
    assert not StoredCrop.objects.exists()


def test_the_best_of_everybody_by_every_camera_is_stored_when_a_recording_has_ended(
    task, django_capture_on_commit_callbacks
):
    """Only then: until then its frames can be decoded."""
    while task.status == ProcessingTask.Status.PROCESSING:
        perceived(task, *range(task.batches_done, task.batches_scheduled))
        with django_capture_on_commit_callbacks(execute=True):
            assert commit_ready_batches(task_id=str(task.pk), associate=walk)
        task.refresh_from_db()
    assert [(name, args) for name, args in queued("media")] == [("tracking.plan_crops", [str(task.pk)])]
    redis_client().flushall()
    Detection.objects.filter(instant=42).update(confidence=1.0)
    Detection.objects.filter(instant=50).update(x1=0.0, confidence=1.2)
    assert crops_plan(task_id=str(task.pk)) == 4
    ((name, (_, refs)),) = queued("media")
    assert name == "workers.store_crops"
    assert [ref[:3] for ref in refs] == [[c, n, 42] for c in ("c01", "c02") for n in (1, 2)]
    for camera in task.cameras:
        show(task, 42, camera=camera)
    refs = [CropRef(*ref) for ref in refs]
    assert crops_store(task_id=str(task.pk), refs=refs, frame_of=kept_frame(task)) == 4


def test_many_pictures_are_asked_for_in_chunks(task):
    write(task, *(Walk(n, 10, 10) for n in range(1, 11)))
    assert crops_plan(task_id=str(task.pk)) == 10
    assert [len(args[1]) for _, args in queued("media")] == [4, 4, 2]


@pytest.fixture
def live(yard, operator):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    return prepared(task_start(user=operator, environment=yard, mode="live"))


def test_a_person_seen_live_still_has_a_picture_when_the_frame_is_gone(
    live, picture_storage, api_of, viewer, django_capture_on_commit_callbacks
):
    """From the committed batches to the picture that somebody looks at later."""
    for instant in range(12):
        schedule.live_batch_open(
            task_id=str(live.pk), instant=instant, time_s=live.start.timestamp() + instant / FPS
        )
        perceived(live, instant)
        show(live, instant)
        with django_capture_on_commit_callbacks(execute=True):
            commit_ready_batches(task_id=str(live.pk), associate=walk_once)
    messages = [args for name, args in queued("media") if name == crop_wishes.STORE]
    assert len(messages) == 1
    task_id, refs = messages[0]
    assert crops_store(task_id=task_id, refs=[CropRef(*r) for r in refs], frame_of=kept_frame(live)) == 1
    redis_client().flushall()
    (crop,) = crops_of(who(live, 1))
    address = f"/api/v1/media/persons/{who(live, 1).pk}/image"
    for query in ("", "?camera=c01&t=2026-05-04T08:00:01Z"):
        answer = api_of(viewer).get(address + query)
        assert answer.status_code == 200
        got = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert got.shape == pixels(crop).shape
        assert np.abs(got.astype(int) - pixels(crop)).max() < 8
    small = api_of(viewer).get(f"{address}?width=32&format=webp")
    assert cv2.imdecode(np.frombuffer(small.content, np.uint8), cv2.IMREAD_COLOR).shape[1] == 32
    assert_error(api_of(viewer).get(f"{address}?camera=c02"), 404, "frame_not_available")


def walk_once(batch):
    """As `walk`, but of person 1 in c01 alone."""
    output = walk(batch)
    output.rows.detections = [row for row in output.rows.detections if (row[3], row[5]) == ("c01", 1)]
    return output


# -- whose they are ------------------------------------------------------------------------------------------


def test_pictures_follow_merges_and_come_back(walked, picture_storage):
    store(walked, (1, 15), (2, 35), (3, 15))
    change = person_merge(person=who(walked, 1), other=who(walked, 2))
    assert (shown(who(walked, 1)), shown(who(walked, 3))) == ([15, 35], [15])
    assert len(crops_of(who(walked, 1))) == 1, "the best of the camera"
    change_undo(change=change)
    assert (shown(who(walked, 1)), shown(who(walked, 2))) == ([15], [35])


def test_a_picture_stored_after_the_merge_is_the_merged_persons(walked):
    person_merge(person=who(walked, 1), other=who(walked, 2))
    store(walked, (2, 35))
    assert shown(who(walked, 1)) == [35]


@pytest.mark.parametrize("part", [False, True])
def test_pictures_follow_splits_and_come_back(walked, part):
    Detection.objects.filter(track_id=3, instant=35).update(confidence=5.0)
    store(walked, (3, 15), (3, 35))
    options = {"task": ended(walked)} if part else {}
    change = person_split(person=who(walked, 3), since=at(3), **options)
    assert (shown(who(walked, 3)), shown(Person.objects.get(pk=change.other_id))) == ([15], [35])
    change_undo(change=change)
    assert shown(who(walked, 3)) == [15, 35]


def test_pictures_follow_what_the_engine_revises(walked):
    """Track 2 was 1's all the time: nobody is left under the other name, and no picture is lost."""
    store(walked, (1, 15), (2, 35))
    gone = who(walked, 2).pk
    write(walked, Walk(1, 40, 41), renamed=[(0, 2, 1, ("c01",))])
    assert shown(who(walked, 1)) == [15, 35]
    assert not Person.objects.filter(pk=gone).exists()


def test_a_picture_whose_detection_gave_way_does_not_keep_its_person(walked):
    store(walked, (2, 35))
    gone = who(walked, 2).pk
    Detection.objects.filter(track_id=2, instant=35).delete()
    StoredCrop.objects.update(instant=-1)
    write(walked, Walk(1, 40, 41), renamed=[(0, 2, 1, ("c01",))])
    assert not Person.objects.filter(pk=gone).exists()
    assert LeftPicture.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_decides_at_the_same_moment_takes_the_picture_along(walked):
    """The picture waits for the decision, or the decision for the picture; here the first."""
    one, two, stored = who(walked, 1), who(walked, 2), []

    def work() -> None:
        stored.append(store(walked, (2, 35)))
        connections.close_all()

    with transaction.atomic():
        # as a rename does, which holds no lock that others lack
        Detection.objects.filter(track_id=2).update(person=one, origin_id=two.pk)
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive() and not waiting_for_a_lock():
            time.sleep(0.01)
    thread.join(timeout=20)
    assert (stored, shown(one), shown(two)) == ([1], [35], [])


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


# -- forgetting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["person", "task", "environment", "camera"])
def test_files_go_with_whom_they_show(walked, picture_storage, owner):
    store(walked, (1, 15))
    stored = [crop.file for crop in StoredCrop.objects.all()]
    owners = {
        "person": Person.objects.filter(pk=who(walked, 1).pk),
        "task": ProcessingTask.objects.filter(pk=walked.pk),
        "environment": Environment.objects.all(),
        "camera": walked.environment.cameras.filter(slug="c01"),
    }
    owners[owner].delete()
    assert not StoredCrop.objects.exists()
    assert files_left(stored) == stored, "only when it is committed"
    assert delete_pictures() == 1
    assert files_left(stored) == []
    assert not LeftPicture.objects.exists()


def test_a_file_that_was_stored_anew_is_kept(walked):
    store(walked, (1, 15))
    StoredCrop.objects.all().delete()
    store(walked, (1, 15))
    assert delete_pictures() == 1
    assert pixels(StoredCrop.objects.get()).size


def test_a_storage_that_is_away_is_asked_again(walked, settings, tmp_path):
    store(walked, (1, 15))
    StoredCrop.objects.all().delete()
    known = settings.MEDIA_ROOT
    settings.MEDIA_ROOT = tmp_path / "file"
    settings.MEDIA_ROOT.write_text("where a folder should be")
    assert delete_pictures() == 0
    settings.MEDIA_ROOT = known
    assert delete_pictures() == 1


@pytest.mark.parametrize(
    ("mode", "finished", "seen", "kept"),
    [
        ("recorded", 40, 4000, False),
        ("recorded", 5, 4000, True),
        ("recorded", None, 4000, True),
        ("live", None, 40, False),
        ("live", None, 5, True),
    ],
)
def test_pictures_are_forgotten_after_a_while(
    walked, mode, finished, seen, kept, django_capture_on_commit_callbacks
):
    """Days since the task's end and since the person was seen, as for appearances."""
    store(walked, (1, 15))
    now = timezone.now()
    end = None if finished is None else now - timedelta(days=finished)
    ProcessingTask.objects.update(mode=mode, finished_at=end)
    StoredCrop.objects.update(captured_at=now - timedelta(days=seen))
    with django_capture_on_commit_callbacks(execute=True):
        assert crops_forget() == (0 if kept else 1)
    assert StoredCrop.objects.exists() is kept
    assert ("tracking.delete_pictures", []) in queued("media")


# -- over REST -----------------------------------------------------------------------------------------------


def test_a_crop_is_answered_to_members_only(walked, api_of, viewer, stranger):
    store(walked, (1, 15))
    (crop,) = crops_of(who(walked, 1))
    address = crop.get_absolute_url()
    assert address == f"/api/v1/media/crops/{crop.pk}/image"
    answer = api_of(viewer).get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert (answer.content, answer["Cache-Control"]) == (picture_files.read(crop.file), "private, no-cache")
    part = api_of(viewer).get(address, HTTP_RANGE="bytes=0-9")
    assert (part.status_code, part.content) == (206, answer.content[:10])
    again = api_of(viewer).get(address, HTTP_IF_NONE_MATCH=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert_error(api_of(stranger).get(address), 404, "picture_not_found")
    assert api_of(None).get(address).status_code == 401
    picture_files.delete(crop.file)
    assert_error(api_of(viewer).get(address), 404, "picture_not_found")


def test_a_crop_nearest_to_a_time(walked):
    Detection.objects.filter(track_id=3, instant=35).update(confidence=5.0)
    store(walked, (3, 15), (3, 35))
    person = who(walked, 3)
    assert [stored_crop(person=person, at=at(s)).instant for s in (0, 2.4, 2.6, 9)] == [15, 15, 35, 35]
    assert stored_crop(person=person, camera="c02") is None
    assert walked.start == START
