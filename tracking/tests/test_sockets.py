"""The sockets of a task: real consumers, real Redis, real notices."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from environments.notices import channel_of, notify
from environments.redis import redis_client
from tracking import frames, publish, selectors
from tracking.models import ProcessingTask
from tracking.services import task_fail, task_stop
from tracking.sockets import base
from tracking.sockets import frames as frames_socket
from tracking.sockets import tracking as tracking_socket
from tracking.sockets.frames import FramesSocket
from tracking.sockets.protocol import MOST_BYTES
from tracking.tests.factories import person
from tracking.tests.socket_client import (
    PATIENCE_S,
    acknowledge,
    closed_with,
    commit,
    message,
    picture,
    socket,
    watching,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


stop = sync_to_async(task_stop)


@sync_to_async
def break_off_listeners() -> None:
    """What a restart of Redis does to connections that wait for notices."""
    redis_client().execute_command("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_when_redis_goes_away_viewers_are_told_to_come_back(task, viewer, kind):
    async with socket(kind, task.pk, viewer) as viewing:
        await message(viewing)
        await break_off_listeners()
        error = await message(viewing)
        assert (error["type"], error["error"]["code"]) == ("error", "service_unavailable")
        assert await closed_with(viewing) == 4503


# -- /ws/tracking --------------------------------------------------------------------------------------------


async def test_first_the_state_then_numbered_updates(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        first = await message(viewing)
        assert (first["type"], first["seq"]) == ("task_status", 1)
        assert first["payload"]["task_id"] == str(task.pk)
        assert first["payload"]["status"] == "PROCESSING"
        await commit(task, 0)
        updates = [await message(viewing) for _ in range(10)]
        assert {u["type"] for u in updates} == {"tracking_update"}
        assert [u["seq"] for u in updates] == list(range(2, 12))
        assert [u["payload"]["global_frame_index"] for u in updates] == list(range(10))
        assert len(updates[0]["payload"]["cameras"]["c01"]["tracks"]) == 2


async def test_who_comes_later_sees_the_last_instant_at_once(task, viewer):
    await commit(task, 0)
    async with socket("tracking", task.pk, viewer) as viewing:
        assert (await message(viewing))["type"] == "task_status"
        update = await message(viewing)
        assert (update["type"], update["seq"]) == ("tracking_update", 2)
        assert update["payload"]["global_frame_index"] == 9


async def test_the_state_is_repeated_while_batches_arrive(task, viewer, monkeypatch):
    monkeypatch.setattr(tracking_socket, "STATUS_EVERY_S", 0.001)
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await commit(task, 0)
        *_, status = [await message(viewing) for _ in range(11)]
        assert status["type"] == "task_status"
        assert status["payload"]["batches"] == {"done": 1, "total": 10}


async def test_stopping_is_told_and_ends_the_socket(task, viewer, operator):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await stop(user=operator, task=task)
        assert (await message(viewing))["payload"]["status"] == "STOPPED"
        assert await closed_with(viewing) == 4409


async def test_completion_is_told_and_ends_the_socket(task, viewer):
    await sync_to_async(ProcessingTask.objects.filter(pk=task.pk).update)(batches_total=1)
    async with socket("tracking", task.pk, viewer) as viewing, watching(task, viewer) as pictures:
        await message(viewing)
        await commit(task, 0)
        seen = [await message(viewing) for _ in range(11)]
        assert seen[-1]["payload"]["status"] == "COMPLETED"
        assert seen[-1]["payload"]["progress"] == 1
        assert await closed_with(viewing) == 4409
        assert await closed_with(pictures) == 4409


async def test_failure_is_told_with_its_reason(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await sync_to_async(task_fail)(task_id=str(task.pk), code="model_unavailable", message="No weights.")
        status = (await message(viewing))["payload"]
        assert (status["status"], status["error"]) == (
            "FAILED",
            {"code": "model_unavailable", "message": "No weights."},
        )
        assert await closed_with(viewing) == 4409


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_ended_tasks_are_shown_and_closed(task, viewer, operator, kind):
    await stop(user=operator, task=task)
    async with socket(kind, task.pk, viewer) as viewing:
        assert await closed_with(viewing) == 4409


async def test_two_viewers_count_for_themselves(task, viewer, operator):
    async with socket("tracking", task.pk, viewer) as one:
        await message(one)
        await commit(task, 0)
        async with socket("tracking", task.pk, operator) as other:
            assert [(await message(other))["seq"] for _ in range(2)] == [1, 2]
            assert [(await message(one))["seq"] for _ in range(10)] == list(range(2, 12))


async def test_notices_of_other_tasks_are_not_heard(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await sync_to_async(publish.task_changed)(task_id=uuid.uuid4())
        assert await viewing.receive_nothing(0.2)


async def test_a_notice_whose_updates_are_gone_is_no_accident(task, viewer):
    """Redis may have forgotten them: a gap for the viewer, nothing worse."""
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        notice = {"type": "batch.committed", "task_id": str(task.pk), "number": 99}
        await sync_to_async(notify)(notice, publish.group_of(task.pk))
        await viewing.send_json_to({"type": "ping"})
        assert await message(viewing) == {"type": "pong"}


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_nobody_in_particular_may_listen(task, kind):
    async with socket(kind, task.pk, AnonymousUser()) as viewing:
        error = await message(viewing)
        assert error["error"]["code"] == "not_authenticated"
        assert await closed_with(viewing) == 4401


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_strangers_are_not_told_whether_a_task_exists(task, kind):
    stranger = await sync_to_async(person)("sam")
    errors = []
    for task_id in (task.pk, uuid.uuid4()):
        async with socket(kind, task_id, stranger) as viewing:
            errors.append((await message(viewing))["error"])
            assert await closed_with(viewing) == 4404
    assert errors[0] == errors[1]
    assert errors[0]["code"] == "task_not_found"


async def leave(task, user) -> None:
    await sync_to_async(user.memberships.filter(environment=task.environment_id).delete)()


async def deactivated(task, user) -> None:
    user.is_active = False
    await sync_to_async(user.save)()


async def deleted(task, user) -> None:
    await sync_to_async(user.delete)()


@pytest.mark.parametrize(
    ("kind", "end"),
    [("tracking", leave), ("frames", leave), ("tracking", deactivated), ("frames", deleted)],
)
async def test_who_may_not_listen_any_more_hears_no_further_batch(task, viewer, monkeypatch, kind, end):
    monkeypatch.setattr(base, "RECHECK_EVERY_S", 0.0)
    async with socket(kind, task.pk, viewer) as viewing:
        await message(viewing)
        await end(task, viewer)
        await commit(task, 0, pictures=True)
        error = await message(viewing)
        assert (error["type"], error["error"]["code"]) == ("error", "task_not_found")
        assert (await viewing.receive_output(timeout=PATIENCE_S)) == {"type": "websocket.close", "code": 4404}


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_who_may_not_listen_any_more_is_not_told_of_the_end(task, viewer, operator, kind):
    """However lately it was asked: the task's state is read anew."""
    async with socket(kind, task.pk, viewer) as viewing:
        await message(viewing)
        await leave(task, viewer)
        await stop(user=operator, task=task)
        assert (await message(viewing))["error"]["code"] == "task_not_found"
        assert await closed_with(viewing) == 4404


async def test_whether_one_may_listen_is_not_asked_for_every_batch(task, viewer, monkeypatch):
    """Only after a while: until then batches go on."""
    monkeypatch.setattr(base, "RECHECK_EVERY_S", 0.5)
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        asked = []
        find = selectors.task_get
        monkeypatch.setattr(selectors, "task_get", lambda **values: asked.append(1) or find(**values))
        for number in (0, 1):
            await commit(task, number)
            assert [(await message(viewing))["type"] for _ in range(10)] == ["tracking_update"] * 10
        assert asked == []
        await asyncio.sleep(0.5)
        await commit(task, 2)
        assert [(await message(viewing))["type"] for _ in range(10)] == ["tracking_update"] * 10
        assert len(asked) == 1


async def test_other_members_go_on_when_one_leaves(task, viewer, operator, monkeypatch):
    monkeypatch.setattr(base, "RECHECK_EVERY_S", 0.0)
    async with (
        socket("tracking", task.pk, viewer) as leaving,
        socket("tracking", task.pk, operator) as going_on,
    ):
        await message(leaving)
        await message(going_on)
        await leave(task, viewer)
        await commit(task, 0)
        assert await closed_with(leaving) == 4404
        assert [(await message(going_on))["type"] for _ in range(10)] == ["tracking_update"] * 10


# -- what clients send ---------------------------------------------------------------------------------------


NOT_UNDERSTOOD = {
    "": "malformed_message",
    "{": "malformed_message",
    "[1, 2]": "malformed_message",
    '"ping"': "malformed_message",
    "null": "malformed_message",
    "{}": "malformed_message",
    "[" * 16_000: "malformed_message",
    json.dumps({"type": "ping", "padding": "x" * MOST_BYTES}): "malformed_message",
    '{"type": "drop_tables"}': "unknown_message",
    '{"type": "batch_committed"}': "unknown_message",
    '{"type": "__class__"}': "unknown_message",
    '{"type": ["ping"]}': "unknown_message",
    '{"type": null}': "unknown_message",
}


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_what_is_not_understood_is_answered_and_the_socket_goes_on(task, viewer, kind):
    async with socket(kind, task.pk, viewer) as viewing:
        await message(viewing)
        for text, code in NOT_UNDERSTOOD.items():
            await viewing.send_input({"type": "websocket.receive", "text": text})
            error = await message(viewing)
            assert (error["type"], error["success"], error["error"]["code"]) == ("error", False, code), text[
                :30
            ]
            assert error["error"]["message"]
            assert error["error"]["details"] == {}
            assert error["timestamp"].endswith("Z")
            assert len(error["request_id"]) == 32
        await viewing.send_json_to({"type": "ping"})
        assert await message(viewing) == {"type": "pong"}


async def test_pictures_go_on_after_nonsense(task, viewer):
    async with watching(task, viewer) as viewing:
        for text in ("{", '{"type": "subscribe", "cameras": ["c99"]}', '{"type": "ack", "seq": 5}'):
            await viewing.send_input({"type": "websocket.receive", "text": text})
            assert (await message(viewing))["type"] == "error"
        await commit(task, 0, pictures=True)
        assert [(await picture(viewing))[0]["seq"] for _ in range(20)] == list(range(1, 21))


async def test_binary_messages_are_refused(task, viewer):
    async with watching(task, viewer) as viewing:
        await viewing.send_to(bytes_data=b"\x00\x01")
        assert (await message(viewing))["error"]["code"] == "malformed_message"


# -- /ws/frames ----------------------------------------------------------------------------------------------


async def test_pictures_of_a_committed_batch(task, viewer):
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        header, image = await picture(viewing)
        assert header == {
            "camera_id": "c01",
            "seq": 1,
            "global_frame_index": 0,
            "timestamp_captured_utc": "2026-05-04T08:00:00.000Z",
            "width": 640,
            "height": 360,
            "format": "jpeg",
            "quality_level": "full",
            "overlay": False,
        }
        assert image == b"\xff\xd8 c01 0"
        rest = [await picture(viewing) for _ in range(19)]
        assert [h["seq"] for h, _ in rest] == list(range(2, 21))
        assert [(h["global_frame_index"], h["camera_id"]) for h, _ in rest[:3]] == [
            (0, "c02"),
            (1, "c01"),
            (1, "c02"),
        ]


async def test_watching_asks_perception_for_pictures(task, viewer):
    assert not frames.is_watched(task.pk)
    async with socket("frames", task.pk, viewer), asyncio.timeout(PATIENCE_S):
        while not frames.is_watched(task.pk):
            await asyncio.sleep(0.01)


async def test_a_viewer_chooses_cameras_and_rate(task, viewer):
    async with watching(task, viewer) as viewing:
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c02"], "max_rate": 2})
        assert await message(viewing) == {
            "type": "subscribed",
            "cameras": ["c02"],
            "max_rate": 2.0,
            "quality": "auto",
            "overlay": False,
            "format": "jpeg",
        }
        await commit(task, 0, pictures=True)
        got = [(await picture(viewing))[0] for _ in range(2)]
        assert [(h["camera_id"], h["global_frame_index"]) for h in got] == [("c02", 0), ("c02", 5)]
        assert await viewing.receive_nothing(0.2)


IMPOSSIBLE_WISHES = [
    {"cameras": ["c99"]},
    {"cameras": "c01"},
    {"quality": "best"},
    {"overlay": "yes"},
    {"cameras": [["c01"]]},
    {"max_rate": 0},
    {"max_rate": -1},
    {"max_rate": 61},
    {"max_rate": "5"},
    {"max_rate": True},
    {"max_rate": float("nan")},
]


async def test_impossible_wishes_are_refused_with_the_possible_ones(task, viewer):
    async with watching(task, viewer) as viewing:
        for wish in IMPOSSIBLE_WISHES:
            await viewing.send_json_to({"type": "subscribe", **wish})
            error = (await message(viewing))["error"]
            assert error["code"] == (
                "camera_not_found" if wish == {"cameras": ["c99"]} else "validation_error"
            ), wish
            assert error["message"]


async def test_a_slow_viewer_skips_to_the_newest_batch(task, viewer, monkeypatch):
    """While the first batch is being sent three more come: only the newest of them is shown."""
    slow, sent = asyncio.Event(), asyncio.Event()
    send = FramesSocket.send

    async def hesitate(self, *args, **kwargs):
        await send(self, *args, **kwargs)
        if "bytes_data" in kwargs:
            sent.set()
            await slow.wait()

    monkeypatch.setattr(FramesSocket, "send", hesitate)
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        await asyncio.wait_for(sent.wait(), 5)
        for number in (1, 2, 3):
            await commit(task, number, pictures=True)
        await asyncio.sleep(0.3)
        slow.set()
        shown = [(await picture(viewing))[0] for _ in range(40)]
        assert [h["seq"] for h in shown] == list(range(1, 41))
        assert [h["global_frame_index"] // 10 for h in shown] == [0] * 20 + [3] * 20
        assert await viewing.receive_nothing(0.2)


async def test_a_camera_named_twice_is_shown_once(task, viewer):
    async with watching(task, viewer) as viewing:
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c02", "c01", "c02"]})
        assert (await message(viewing))["cameras"] == ["c01", "c02"]
        await commit(task, 0, pictures=True)
        got = [(await picture(viewing))[0] for _ in range(20)]
        assert [(h["camera_id"], h["global_frame_index"]) for h in got] == [
            (camera, instant) for instant in range(10) for camera in ("c01", "c02")
        ]
        assert await viewing.receive_nothing(0.2)


async def test_a_viewer_may_want_no_camera_for_a_while(task, viewer):
    async with watching(task, viewer) as viewing:
        await viewing.send_json_to({"type": "subscribe", "cameras": []})
        assert (await message(viewing))["cameras"] == []
        await commit(task, 0, pictures=True)
        assert await viewing.receive_nothing(0.2)
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c01"]})
        await message(viewing)
        await commit(task, 1, pictures=True)
        assert (await picture(viewing))[0]["global_frame_index"] == 10


async def test_a_wish_that_is_refused_changes_nothing(task, viewer):
    async with watching(task, viewer) as viewing:
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c02"], "max_rate": 2})
        await message(viewing)
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c01"], "max_rate": 0})
        assert (await message(viewing))["type"] == "error"
        await commit(task, 0, pictures=True)
        got = [(await picture(viewing))[0] for _ in range(2)]
        assert [(h["camera_id"], h["global_frame_index"]) for h in got] == [("c02", 0), ("c02", 5)]


# -- acknowledgements ----------------------------------------------------------------------------------------


async def test_who_acknowledges_nothing_is_sent_only_so_much(task, viewer, monkeypatch):
    monkeypatch.setattr(frames_socket, "MOST_UNACKNOWLEDGED", 6)
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        assert [(await picture(viewing))[0]["seq"] for _ in range(6)] == [1, 2, 3, 4, 5, 6]
        await commit(task, 1, pictures=True)
        assert await viewing.receive_nothing(0.2)


async def test_who_acknowledges_is_shown_the_batch_that_comes_next(task, viewer, monkeypatch):
    """What was left out in between stays out: newest wins."""
    monkeypatch.setattr(frames_socket, "MOST_UNACKNOWLEDGED", 6)
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        for _ in range(6):
            await picture(viewing)
        assert await viewing.receive_nothing(0.2)
        await acknowledge(viewing, 4)
        await commit(task, 1, pictures=True)
        got = [(await picture(viewing))[0] for _ in range(4)]
        assert [(h["seq"], h["global_frame_index"]) for h in got] == [(7, 10), (8, 10), (9, 11), (10, 11)]
        assert await viewing.receive_nothing(0.2)


async def test_who_stays_behind_is_sent_away(task, viewer, monkeypatch):
    monkeypatch.setattr(frames_socket, "MOST_UNACKNOWLEDGED", 6)
    monkeypatch.setattr(frames_socket, "BEHIND_S", 0.2)
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        for _ in range(6):
            await picture(viewing)
        await asyncio.sleep(0.3)
        await commit(task, 1, pictures=True)
        assert (await message(viewing))["error"]["code"] == "too_slow"
        assert await closed_with(viewing) == 4408


async def test_who_is_sent_away_is_told_once(task, viewer, monkeypatch):
    monkeypatch.setattr(frames_socket, "MOST_UNACKNOWLEDGED", 6)
    monkeypatch.setattr(frames_socket, "BEHIND_S", 0.0)
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        assert await closed_with(viewing) == 4408
        assert await viewing.receive_nothing(0.2)


async def test_who_was_behind_and_catches_up_may_stay(task, viewer, monkeypatch):
    """Patience begins anew with each acknowledgement."""
    monkeypatch.setattr(frames_socket, "MOST_UNACKNOWLEDGED", 6)
    monkeypatch.setattr(frames_socket, "BEHIND_S", 0.2)
    async with watching(task, viewer) as viewing:
        for number in range(4):
            await commit(task, number, pictures=True)
            got = [(await picture(viewing))[0]["seq"] for _ in range(6)]
            assert got == list(range(6 * number + 1, 6 * number + 7))
            await asyncio.sleep(0.15)
            await acknowledge(viewing, got[-1])


NEVER_SENT = [-1, 21, 2**70, 20.0, "20", True, None, [20]]


async def test_only_what_was_sent_can_be_acknowledged_and_never_less(task, viewer):
    async with watching(task, viewer) as viewing:
        await commit(task, 0, pictures=True)
        for _ in range(20):
            await picture(viewing)
        for seq in NEVER_SENT:
            await viewing.send_json_to({"type": "ack", "seq": seq})
            assert (await message(viewing))["error"]["code"] == "validation_error", seq
        for seq in (3, 3, 20):
            await viewing.send_json_to({"type": "ack", "seq": seq})
        await viewing.send_json_to({"type": "ack", "seq": 19})
        assert (await message(viewing))["error"]["code"] == "validation_error"
        assert await viewing.receive_nothing(0.1)


async def test_nothing_stays_behind_when_viewers_leave(task, viewer):
    for _ in range(3):
        async with socket("frames", task.pk, viewer):
            pass
    group = channel_of(publish.group_of(task.pk))
    async with asyncio.timeout(PATIENCE_S):
        while await sync_to_async(redis_client().pubsub_channels)(group):
            await asyncio.sleep(0.01)
