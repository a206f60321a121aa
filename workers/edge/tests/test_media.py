"""Recordings looked at by workers: what a file is, and single frames of it."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from environments.errors import DomainError
from environments.models import Recording
from environments.redis import redis_client
from environments.services import recording_register
from tracking import frames, looks, media, schedule
from tracking.models import Batch, Detection, ProcessingTask, StoredCrop, Trajectory
from tracking.queues import lists_of
from tracking.reloading import models_reload
from tracking.rendering import Look
from tracking.services import task_start
from tracking.stored_pictures import crops_later
from tracking.tests.factories import START, prepared
from tracking.tests.people import Walk, who, write
from workers import tasks
from workers.edge.media import decode_frame, probe, tell_look
from workers.reid import build_embedder

pytestmark = pytest.mark.django_db


@pytest.fixture
def camera(square):
    return square.cameras.get(slug="c01")


def probed(camera, uri, **fields) -> Recording:
    recording = recording_register(camera=camera, uri=str(uri), started_at=START, **fields)
    probe(str(recording.pk))
    recording.refresh_from_db()
    return recording


# -- what a file is ------------------------------------------------------------------------------------------


def test_a_good_file(camera, small_scene):
    recording = probed(camera, small_scene.videos["c01"])
    assert (recording.status, recording.error, recording.problems) == (Recording.Status.PROBED, "", [])
    assert (recording.duration_s, recording.fps, recording.frame_count) == (pytest.approx(8.0), 10.0, 80)
    assert recording.image_size == (640, 360)
    camera.refresh_from_db()
    with camera.preview.open() as file:
        assert cv2.imdecode(np.frombuffer(file.read(), np.uint8), 1).shape == (360, 640, 3)


def test_a_preview_chosen_by_people_is_kept(camera, small_scene):
    camera.preview.name = "chosen.jpg"
    camera.save()
    probed(camera, small_scene.videos["c01"])
    camera.refresh_from_db()
    assert camera.preview.name == "chosen.jpg"


def test_a_truncated_file_is_used_as_far_as_it_goes(camera, small_scene, tmp_path):
    """The camera lost power while it wrote: what is there counts, and where it ends is told."""
    whole = small_scene.videos["c01"].read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: len(whole) * 6 // 10])
    recording = probed(camera, broken)
    assert recording.status == Recording.Status.PROBED
    assert 0 < recording.duration_s < 8.0
    (problem,) = recording.problems
    assert problem["time_s"] == pytest.approx(problem["frame_index"] / 10)
    assert "cut off" in problem["message"]


@pytest.mark.parametrize("content", [b"", b"this is not a video" * 100], ids=["empty", "text"])
def test_an_unreadable_file_is_marked_with_the_reason(camera, tmp_path, content):
    path = tmp_path / "holiday.mp4"
    path.write_bytes(content)
    recording = probed(camera, path)
    assert (recording.status, recording.duration_s) == (Recording.Status.FAILED, None)
    assert "holiday.mp4" in recording.error


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("/etc/passwd", "SPOTON_MEDIA_ROOTS"),
        ("http://192.0.2.7/video.mjpg", "SPOTON_STREAM_HOSTS"),
        ("concat:/etc/passwd", "not supported"),
    ],
)
def test_sources_that_are_not_allowed_are_not_read(camera, uri, reason):
    recording = probed(camera, uri)
    assert recording.status == Recording.Status.FAILED
    assert reason in recording.error


def test_a_recording_deleted_meanwhile_is_no_accident():
    probe("00000000-0000-4000-8000-000000000000")


# -- single frames -------------------------------------------------------------------------------------------


@pytest.fixture
def task(operator, square, small_scene):
    """The scene as recordings, from instant 0 at START; prepared, nothing perceived."""
    for camera in square.cameras.all():
        recording_register(
            camera=camera, uri=str(small_scene.videos[camera.slug]), started_at=START, duration_s=8, fps=10
        )
    return prepared(task_start(user=operator, environment=square, pacing="max"))


@pytest.mark.parametrize("instant", [0, 37, 79])
def test_a_frame_of_a_recording(task, instant, small_scene):
    frame = decode_frame(str(task.pk), "c02", instant)
    assert (frame.instant, frame.index, frame.width, frame.height) == (instant, instant, 640, 360)
    assert frame.captured_at == pytest.approx(START.timestamp() + instant / 10, abs=1e-3)
    assert frames.get(task_id=task.pk, camera="c02", instant=instant) == frame, (
        "kept for the next one who asks"
    )
    capture = cv2.VideoCapture(str(small_scene.videos["c02"]))
    capture.set(cv2.CAP_PROP_POS_FRAMES, instant)
    expected = capture.read()[1]
    got = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), 1)
    assert np.abs(got.astype(int) - expected).mean() < 4


def test_frames_that_do_not_exist(task):
    assert decode_frame(str(task.pk), "c01", 80) is None, "after the end"
    assert decode_frame("00000000-0000-4000-8000-000000000000", "c01", 0) is None
    for entry in task.plan["cameras"]:
        entry["segments"][0]["uri"] = "/gone.mp4"
    task.save()
    assert decode_frame(str(task.pk), "c01", 1) is None, "its file cannot be read"


@pytest.mark.django_db(transaction=True)
def test_somebody_waits_for_a_frame(task, workers):
    """The web process asks, the media worker decodes and answers, over the real broker."""
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(frames.fetch(task_id=task.pk, camera="c01", instant=5)), daemon=True
    )
    redis_client().delete(*lists_of("cpu.0"))
    waiting.start()
    workers.run_until(lambda: bool(got), within_s=10)
    waiting.join()
    assert (got[0].instant, got[0].width) == (5, 640)


@pytest.mark.django_db(transaction=True)
def test_a_persons_picture_outlives_the_recording(task, operator, workers):
    """Asked for when the task has ended, decoded and cut out by the media worker, over the real broker."""
    write(task, Walk(1, 20, 25), Walk(2, 30, 35, camera="c02"))
    redis_client().flushall()
    crops_later(task)
    workers.run_until(lambda: StoredCrop.objects.count() == 2, within_s=10)
    assert not frames.get(task_id=task.pk, camera="c01", instant=20), "others' frames are not pushed out"
    for entry in task.plan["cameras"]:
        entry["segments"][0]["uri"] = "/gone.mp4"
    task.save()
    got = []
    person = who(task, 2)
    waiting = threading.Thread(
        target=lambda: got.append(media.person_picture(person=person, camera=None, at=None, look=Look())),
        daemon=True,
    )
    waiting.start()
    workers.run_until(lambda: bool(got), within_s=10)
    assert cv2.imdecode(np.frombuffer(got[0].data, np.uint8), 1).shape[:2] == (
        pytest.approx(99, abs=2),
        pytest.approx(50, abs=2),
    )


# -- pictures that somebody sends ----------------------------------------------------------------------------


def waited_for(workers, call):
    """What `call` gives, or raises, while the media worker runs."""
    got = []

    def wait() -> None:
        try:
            got.append(call())
        except DomainError as error:
            got.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    workers.run_until(lambda: bool(got), within_s=10)
    waiting.join()
    return got[0]


def test_a_picture_looks_as_perception_sees_it(square, workers, small_scene):
    picture = jpeg_of(small_scene, frame=20)
    box = (100.0, 80.0, 160.0, 260.0)
    look = waited_for(workers, lambda: looks.look_of(picture=picture, box_px=box, embedder="descriptor"))
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    (expected,) = build_embedder("descriptor", models_dir=None).embed(image, np.array([box]))
    np.testing.assert_array_equal(look, expected)


def test_a_worker_without_the_network_says_so(square, workers, small_scene):
    picture, box = jpeg_of(small_scene, frame=0), (0.0, 0.0, 9.0, 9.0)
    error = waited_for(workers, lambda: looks.look_of(picture=picture, box_px=box, embedder="onnx:gone.onnx"))
    assert error.code == "embedder_not_available"


def test_a_picture_that_nobody_waits_for_any_more_is_left_alone(square):
    tell_look("gone", [0, 0, 9, 9], "descriptor")
    assert redis_client().keys("spoton:look:*") == []


def jpeg_of(small_scene, *, frame: int) -> bytes:
    capture = cv2.VideoCapture(str(small_scene.videos["c01"]))
    capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
    return cv2.imencode(".jpg", capture.read()[1])[1].tobytes()


def test_models_are_kept_until_they_are_to_be_read_again():
    before = tasks.perceiver()
    assert tasks.perceiver() is before
    models_reload()
    after = tasks.perceiver()
    assert after is not before
    assert tasks.perceiver() is after


# -- the whole way, in one process ---------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.django_db(transaction=True)
def test_a_recording_becomes_rows_whatever_was_lost_on_the_way(operator, square, small_scene, workers, task):
    """Every message is delivered twice, and once everything in Redis is lost."""
    lost = False

    def completed() -> bool:
        nonlocal lost
        task.refresh_from_db()
        if 0 < task.batches_done < 8 and not lost:
            redis_client().flushall()
            ProcessingTask.objects.filter(pk=task.pk).update(
                progressed_at=START, started_at=START, created_at=START
            )
            assert schedule.watch_tasks() == [str(task.pk)]
            lost = True
        for queue in workers.QUEUES:
            for raw in redis_client().lrange(queue, 0, -1):
                redis_client().lpush(queue, raw)
        return task.status == "COMPLETED"

    workers.run_until(completed, within_s=60)
    assert lost
    assert list(Batch.objects.filter(task=task).order_by("number").values_list("number", flat=True)) == list(
        range(8)
    )
    assert Detection.objects.filter(task=task).count() > 80
    assert Trajectory.objects.filter(task=task).exists()
