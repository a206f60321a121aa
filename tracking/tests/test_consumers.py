"""The sockets of a task: real consumers, real channel layer, real notices."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from tracking import consumers, frames, publish
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.redis import redis_client
from tracking.routing import websocket_urlpatterns
from tracking.services import task_fail, task_stop
from tracking.tests.factories import START, perceived, person, walk

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


@asynccontextmanager
async def socket(kind: str, task_id: Any, user: Any):
    """An accepted socket of this user."""
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/{kind}/{task_id}")
    communicator.scope["user"] = user
    connected, _ = await communicator.connect(timeout=5)
    assert connected
    yield communicator
    await communicator.disconnect()


async def message(communicator) -> dict[str, Any]:
    return await communicator.receive_json_from(timeout=5)


async def closed_with(communicator) -> int:
    """The close code; what comes before it is left out."""
    while (event := await communicator.receive_output(timeout=5))["type"] != "websocket.close":
        pass
    return event["code"]


@sync_to_async
def commit(task: ProcessingTask, *numbers: int, pictures: bool = False) -> None:
    """These batches are perceived, associated and recorded."""
    if pictures:
        for instant in range(10 * numbers[0], 10 * (numbers[-1] + 1)):
            for camera in task.cameras:
                put(task, camera, instant)
    perceived(task, *numbers)
    done = commit_ready_batches(task_id=str(task.pk), associate=walk, most=len(numbers))
    assert done == len(numbers)


def put(task, camera, instant):
    at = (START + timedelta(seconds=instant / 10)).timestamp()
    picture = f"\xff\xd8 {camera} {instant}".encode("latin-1")
    frames.put(
        task_id=task.pk, camera=camera, frame=frames.StoredFrame(instant, instant, at, 640, 360, picture)
    )


stop = sync_to_async(task_stop)


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
    monkeypatch.setattr(consumers, "STATUS_EVERY_S", 0.0)
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
    async with socket("tracking", task.pk, viewer) as viewing, socket("frames", task.pk, viewer) as pictures:
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
        await sync_to_async(publish._notify)(task.pk, notice)
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


# -- what clients send ---------------------------------------------------------------------------------------


NOT_UNDERSTOOD = {
    "": "malformed_message",
    "{": "malformed_message",
    "[1, 2]": "malformed_message",
    '"ping"': "malformed_message",
    "null": "malformed_message",
    "{}": "malformed_message",
    "[" * 16_000: "malformed_message",
    json.dumps({"type": "ping", "padding": "x" * consumers.MOST_BYTES}): "malformed_message",
    '{"type": "drop_tables"}': "unknown_message",
    '{"type": "batch_committed"}': "unknown_message",
    '{"type": "__class__"}': "unknown_message",
    '{"type": ["ping"]}': "unknown_message",
    '{"type": null}': "unknown_message",
}


@pytest.mark.parametrize("kind", ["tracking", "frames"])
async def test_what_is_not_understood_is_answered_and_the_socket_goes_on(task, viewer, kind):
    async with socket(kind, task.pk, viewer) as viewing:
        if kind == "tracking":
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


async def test_binary_messages_are_refused(task, viewer):
    async with socket("frames", task.pk, viewer) as viewing:
        await viewing.send_to(bytes_data=b"\x00\x01")
        assert (await message(viewing))["error"]["code"] == "malformed_message"


# -- /ws/frames ----------------------------------------------------------------------------------------------


async def picture(communicator) -> tuple[dict[str, Any], bytes]:
    """(header, image) of the next binary message."""
    data = await communicator.receive_from(timeout=5)
    assert isinstance(data, bytes)
    length = int.from_bytes(data[:4], "big")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


async def test_pictures_of_a_committed_batch(task, viewer):
    async with socket("frames", task.pk, viewer) as viewing:
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
    async with socket("frames", task.pk, viewer):
        await asyncio.sleep(0.05)
        assert frames.is_watched(task.pk)


async def test_a_viewer_chooses_cameras_and_rate(task, viewer):
    async with socket("frames", task.pk, viewer) as viewing:
        await viewing.send_json_to({"type": "subscribe", "cameras": ["c02"], "max_rate": 2})
        assert await message(viewing) == {"type": "subscribed", "cameras": ["c02"], "max_rate": 2.0}
        await commit(task, 0, pictures=True)
        got = [(await picture(viewing))[0] for _ in range(2)]
        assert [(h["camera_id"], h["global_frame_index"]) for h in got] == [("c02", 0), ("c02", 5)]
        assert await viewing.receive_nothing(0.2)


IMPOSSIBLE_WISHES = [
    {"cameras": ["c99"]},
    {"cameras": "c01"},
    {"cameras": None},
    {"cameras": [["c01"]]},
    {"max_rate": 0},
    {"max_rate": -1},
    {"max_rate": 61},
    {"max_rate": "5"},
    {"max_rate": True},
    {"max_rate": float("nan")},
]


async def test_impossible_wishes_are_refused_with_the_possible_ones(task, viewer):
    async with socket("frames", task.pk, viewer) as viewing:
        for wish in IMPOSSIBLE_WISHES:
            await viewing.send_json_to({"type": "subscribe", **wish})
            error = (await message(viewing))["error"]
            assert error["code"] == "validation_error", wish
            assert "c01, c02" in error["message"]


async def test_a_slow_viewer_skips_to_the_newest_batch(task, viewer, monkeypatch):
    """While the first batch is being sent three more come: only the newest of them is shown."""
    slow, sent = asyncio.Event(), asyncio.Event()
    send = consumers.FramesConsumer.send

    async def hesitate(self, *args, **kwargs):
        await send(self, *args, **kwargs)
        sent.set()
        await slow.wait()

    monkeypatch.setattr(consumers.FramesConsumer, "send", hesitate)
    async with socket("frames", task.pk, viewer) as viewing:
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


async def test_nothing_stays_behind_when_viewers_leave(task, viewer):
    for _ in range(3):
        async with socket("frames", task.pk, viewer):
            pass
    await asyncio.sleep(0.05)
    group = f"spoton-layer:group:{publish.group_of(task.pk)}"
    assert redis_client().zcard(group) == 0
