"""One set of controls for processing and playback."""

from __future__ import annotations

from datetime import datetime

import pytest

from tracking.models import ProcessingTask
from tracking.playback import playback_state
from tracking.tests.factories import START

pytestmark = pytest.mark.django_db


@pytest.fixture
def control(web, running):
    def ask(action, body=None, **expected):
        method = "GET" if action == "status" else "POST"
        return web.ask(method, f"/api/v1/controls/{running.pk}/{action}", body, **expected)

    return ask


def state_of(task):
    task.refresh_from_db()
    return task.status, playback_state(task)["state"]


def test_what_the_client_reads(control, running):
    shown = control("status")
    assert shown["state"] == "playing"
    assert (shown["last_frame_index"], shown["total_frames"]) == (19, 100)
    assert shown["last_error"] is None
    assert datetime.fromisoformat(shown["last_transition_at"]).tzinfo


def test_before_the_first_batch_there_is_nothing_to_tell(web, task):
    shown = web.get(f"/api/v1/controls/{task.pk}/status")
    assert (shown["state"], shown["last_frame_index"], shown["total_frames"]) == ("playing", 0, 100)


def test_it_pauses_and_resumes_the_processing(control, running):
    assert control("pause")["state"] == "paused"
    assert state_of(running) == ("PAUSED", "following")
    assert control("pause")["state"] == "paused"
    assert control("resume")["state"] == "playing"
    assert state_of(running) == ("PROCESSING", "following")


def test_a_seek_into_what_is_processed_plays_it_back(control, running):
    shown = control("seek", {"frame_index": 5})
    assert shown["state"] == "playing"
    assert 5 <= shown["last_frame_index"] < 19
    assert state_of(running) == ("PROCESSING", "playing")
    assert control("pause")["state"] == "paused"
    assert state_of(running) == ("PROCESSING", "paused")
    assert control("seek", {"frame_index": 7})["last_frame_index"] == 7
    assert state_of(running) == ("PROCESSING", "paused")


def test_resuming_under_a_clock_lets_the_processing_go_on_too(control, running):
    control("pause")
    shown = control("seek", {"frame_index": 5})
    assert (shown["state"], shown["last_frame_index"]) == ("paused", 5)
    assert control("resume")["state"] == "playing"
    assert state_of(running) == ("PROCESSING", "playing")


def test_a_seek_beyond_lets_the_processing_go_on_from_there(control, running):
    control("seek", {"frame_index": 5})
    assert control("seek", {"frame_index": 60})["state"] == "playing"
    assert state_of(running) == ("PROCESSING", "following")
    assert running.batches_done == 6


@pytest.mark.parametrize("frame", [-1, 1.5, "7", True, None, 2**40])
def test_frames_are_whole_numbers(control, frame):
    assert "frame_index" in control("seek", {"frame_index": frame}, status=422)["message"]


def test_frames_beyond_the_end_are_refused(control):
    assert "outside" in control("seek", {"frame_index": 100}, status=422)["message"]


def test_a_task_that_has_ended_is_stopped(control, running):
    ProcessingTask.objects.filter(pk=running.pk).update(
        status="FAILED", error_message="No weights.", finished_at=START
    )
    shown = control("pause")
    assert (shown["state"], shown["last_error"]) == ("stopped", "No weights.")
    assert shown["last_transition_at"] == "2026-05-04T08:00:00.000Z"
