"""The shared clock of a task: computed positions, one write for each change, over REST and to all viewers."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from environments.redis import redis_client
from tracking import playback
from tracking.models import Batch, ProcessingTask
from tracking.playback import Clock, playback_pause, playback_play, playback_seek, playback_state
from tracking.reel import Reel, reel
from tracking.replay import replayed_texts, replayed_updates
from tracking.services import task_stop
from tracking.tests.factories import START
from tracking.tests.socket_client import closed_with, commit, message, socket

PATH = "/api/v1/tracking/controls"


# -- positions -----------------------------------------------------------------------------------------------


def test_a_running_clock_moves_with_its_speed_and_stops_at_the_end():
    clock = Clock(position_s=10, anchor_s=100, speed=2, playing=True)
    assert clock.at(100, 60) == 10
    assert clock.at(105, 60) == 20
    assert clock.at(1000, 60) == 60


def test_a_standing_clock_stays():
    assert Clock(position_s=10, anchor_s=100).at(10_000, 60) == 10


def test_a_reel_leaves_gaps_out():
    """Ten instants, a gap of a year, ten more: two seconds to play."""
    tape = Reel(((0, 10), (1_000_000, 1_000_010)), fps=10)
    assert tape.duration_s == 2
    assert [tape.instant(s) for s in (0, 0.95, 1.0, 1.95, 7)] == [0, 9, 1_000_000, 1_000_009, 1_000_009]
    assert tape.position_s(1_000_003) == 1.3
    assert tape.position_s(500) == 1.0


runs = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=6)


@given(runs, st.sampled_from([1.0, 4.0, 10.0, 29.97]))
def test_every_instant_is_shown_at_its_own_position(lengths, fps):
    begin, made = 0, []
    for gap, length in lengths:
        made.append((begin + gap, begin + gap + length))
        begin = made[-1][1]
    tape = Reel(tuple(made), fps)
    for first, end in made:
        for instant in (first, end - 1):
            assert tape.instant(tape.position_s(instant)) == instant


# -- the clock of a task -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_task_without_a_clock_is_followed(running, viewer):
    state = playback_state(running)
    assert (state["state"], state["duration"], state["position"]) == ("following", 2.0, 1.0)
    assert state["available"] == {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:01.900Z"}


@pytest.mark.django_db
def test_playing_pausing_and_seeking(running, operator, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(playback.time, "time", lambda: now[0])
    state = playback_seek(user=operator, task=running, timestamp=START + timedelta(seconds=0.5))
    assert (state["state"], state["position_s"], state["timestamp"]) == (
        "paused",
        0.5,
        "2026-05-04T08:00:00.500Z",
    )
    state = playback_play(user=operator, task=running, speed=0.5)
    now[0] += 1
    assert playback_state(running)["position_s"] == 1.0
    state = playback_pause(user=operator, task=running)
    now[0] += 100
    assert playback_state(running)["position_s"] == 1.0
    assert (state["state"], state["speed"], state["revision"]) == ("paused", 0.5, 3)
    state = playback_seek(user=operator, task=running, position=0.25)
    assert (state["position"], state["position_s"]) == (0.25, 0.5)


@pytest.mark.django_db
def test_what_was_sought_over_is_not_played(running):
    """A seek of the processing leaves batches out; playback goes from one side of the hole to the other."""
    Batch.objects.create(task=running, number=7, instants=10, committed_at=START, cameras={}, stages={})
    assert reel(running).runs == ((0, 20), (70, 80))


@pytest.mark.django_db
def test_the_end_of_an_ended_task_is_told_and_playing_again_begins_anew(running, operator, monkeypatch):
    monkeypatch.setattr(playback.time, "time", lambda: 1000.0)
    task = task_stop(user=operator, task=running)
    assert playback_play(user=operator, task=task)["position"] == 0.0
    assert playback_seek(user=operator, task=task, position=1.0)["state"] == "ended"
    assert playback_play(user=operator, task=task)["state"] == "playing"


@pytest.mark.django_db(transaction=True)
def test_two_operators_at_once_are_one_after_the_other(running, operator):
    """Neither change is lost: every one builds on the one before."""
    playback_pause(user=operator, task=running)

    def seek(position):
        playback_seek(user=operator, task=running, position=position)

    threads = [threading.Thread(target=seek, args=(i / 10,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert playback_state(running)["revision"] == 9


# -- over REST -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_controls_over_rest(running, operator, viewer, api_of):
    client, path = api_of(operator), f"{PATH}/{running.pk}"
    assert client.get(path).json()["data"]["state"] == "following"
    assert client.post(f"{path}/play", {"speed": 8}).json()["data"]["speed"] == 8
    assert client.post(f"{path}/pause").json()["data"]["state"] == "paused"
    assert client.post(f"{path}/seek", {"position": 0}).json()["data"]["position"] == 0
    assert api_of(viewer).get(path).json()["data"]["state"] == "paused"
    assert client.delete(path).json()["data"]["state"] == "following"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("play", {"speed": 0.2}),
        ("play", {"speed": 9}),
        ("play", {"speed": "fast"}),
        ("play", {"speed": True}),
        ("seek", {}),
        ("seek", {"position": 1.1}),
        ("seek", {"position": 0.5, "timestamp": "2026-05-04T08:00:00Z"}),
        ("seek", {"timestamp": "2020-01-01T00:00:00Z"}),
    ],
)
def test_impossible_controls_are_refused(running, operator, api_of, action, body):
    answer = api_of(operator).post(f"{PATH}/{running.pk}/{action}", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")


@pytest.mark.django_db
def test_before_anything_is_processed_there_is_nothing_to_play(task, operator, api_of):
    answer = api_of(operator).post(f"{PATH}/{task.pk}/play", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_to_play")


@pytest.mark.django_db
def test_viewers_may_not_steer(running, viewer, api_of):
    for action in ("play", "pause", "seek"):
        answer = api_of(viewer).post(f"{PATH}/{running.pk}/{action}", {"position": 5})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


# -- what is played ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_what_is_played_is_what_was_published(task, viewer):
    """The update made of rows is the one that was sent when they were written."""
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await commit(task, 0)
        published = [(await message(viewing))["payload"] for _ in range(10)]
    replayed = await sync_to_async(replayed_updates)(task=task, first=0, end=10)
    for before, now in zip(published, replayed, strict=True):
        assert {**before, "timestamp_processed_utc": ""} == {**now, "timestamp_processed_utc": ""}


@pytest.mark.django_db
def test_a_second_that_is_still_being_processed_is_read_again(running):
    """Two of ten batches are done: what comes after them is nothing yet, and must not stay so."""
    whole, open_end = f"spoton:replay:{running.pk}:1", f"spoton:replay:{running.pk}:2"
    replayed_texts(task=running, block=1)
    replayed_texts(task=running, block=2)
    assert redis_client().exists(whole)
    assert not redis_client().exists(open_end)


seek, play = sync_to_async(playback_seek), sync_to_async(playback_play)


async def frame(viewing):
    while (found := await message(viewing))["type"] != "playback_frame":
        pass
    return found["payload"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_all_viewers_see_the_instant_of_the_clock(task, viewer, operator):
    await commit(task, 0, 1)
    async with socket("tracking", task.pk, viewer) as one, socket("tracking", task.pk, operator) as other:
        await message(one), await message(other)
        task = await ProcessingTask.objects.select_related("environment").aget(pk=task.pk)
        await seek(user=operator, task=task, timestamp=START + timedelta(seconds=0.7))
        for viewing in (one, other):
            shown = await frame(viewing)
            assert shown["frame_data"]["global_frame_index"] == 7
            assert shown["timestamp"] == "2026-05-04T08:00:00.700Z"
            assert len(shown["frame_data"]["cameras"]["c01"]["tracks"]) == 2
            assert shown["playback_controls"] == {
                "position": 0.35, "duration": 2.0, "can_seek": True, "state": "paused"
            }  # fmt: skip
        await play(user=operator, task=task, speed=2)
        indices = [(await frame(one))["frame_data"]["global_frame_index"] for _ in range(4)]
        assert indices == sorted(indices)
        assert 7 <= indices[0] < indices[-1] <= 19


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_the_end_of_what_there_is_to_play_is_told(task, viewer, operator):
    await commit(task, 0)
    task = await ProcessingTask.objects.select_related("environment").aget(pk=task.pk)
    await sync_to_async(task_stop)(user=operator, task=task)
    await seek(user=operator, task=task, position=0.9)
    async with socket("tracking", task.pk, viewer) as viewing:
        await play(user=operator, task=task, speed=8)
        states = []
        while not states or states[-1] != "ended":
            states.append((await frame(viewing))["playback_controls"]["state"])
        assert states.count("ended") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_an_ended_task_can_be_played_until_it_is_followed_again(task, viewer, operator):
    await commit(task, 0)
    task = await ProcessingTask.objects.select_related("environment").aget(pk=task.pk)
    await sync_to_async(task_stop)(user=operator, task=task)
    await seek(user=operator, task=task, position=0)
    async with socket("tracking", task.pk, viewer) as viewing:
        assert (await frame(viewing))["frame_data"]["global_frame_index"] == 0
        await sync_to_async(playback.playback_follow)(user=operator, task=task)
        assert await closed_with(viewing) == 4409
