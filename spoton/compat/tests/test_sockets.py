"""The old client's two sockets, through the product's own routes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from spoton.routing import websocket_urlpatterns
from tracking.models import Person, ProcessingTask
from tracking.playback import playback_pause, playback_seek
from tracking.services import task_stop
from tracking.steering import task_pause
from tracking.tests.factories import START
from tracking.tests.socket_client import PATIENCE_S, closed_with, commit, message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


@asynccontextmanager
async def socket(kind, task_id, query="?tab_id=tab_1795899676628_x", user=None):
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/{kind}/{task_id}{query}")
    # as TokenAuthMiddleware leaves it for who sends no token
    communicator.scope.update(user=user or AnonymousUser(), session_open=lambda: user is not None)
    assert (await communicator.connect(timeout=PATIENCE_S))[0]
    try:
        yield communicator
    finally:
        await communicator.disconnect()


async def shown(viewing, instants):
    """The messages of so many instants of two cameras."""
    return [await message(viewing) for _ in range(2 * instants)]


def indexes(messages):
    return [m["global_frame_index"] for m in messages if m["camera_id"] == "c01"]


def places(messages):
    """Where the first person is, by map x."""
    return [m["camera_data"]["tracks"][0]["map_coords"][0] for m in messages if m["camera_id"] == "c01"]


async def test_it_hears_of_every_instant_of_every_camera(web, running):
    async with socket("tracking", running.pk) as viewing:
        await viewing.send_json_to({"type": "subscribe_tracking"})
        await shown(viewing, 1)
        await commit(running, 2)
        messages = await shown(viewing, 10)
        assert {(m["type"], m["mode"]) for m in messages} == {("tracking_update", "detection_streaming")}
        assert [m["camera_id"] for m in messages] == 10 * ["c01", "c02"]
        assert indexes(messages) == list(range(1, 11))
        assert places(messages) == [2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 3.1, 3.2, 3.3, 3.4]


async def test_boxes_come_as_fast_as_they_were_filmed(web, running):
    async with socket("tracking", running.pk) as viewing:
        await shown(viewing, 1)
        await commit(running, 2)
        await shown(viewing, 1)
        begun = asyncio.get_running_loop().time()
        await shown(viewing, 9)
        assert asyncio.get_running_loop().time() - begun > 0.6


async def test_what_was_not_shown_gives_way_to_the_next_batch(web, running):
    async with socket("tracking", running.pk) as viewing:
        await shown(viewing, 1)
        await commit(running, 2, 3)
        seen = []
        while not seen or seen[-1] < 4.4:
            seen += places(await shown(viewing, 1))
        assert seen == sorted(seen)
        assert len(seen) < 20


async def test_who_comes_later_sees_the_last_instant_at_once(web, running):
    async with socket("tracking", running.pk) as viewing:
        (first, _) = await shown(viewing, 1)
        assert first["global_frame_index"] == 0
        assert first["camera_data"]["tracks"][0]["map_coords"] == [2.4, 1.0]


async def test_a_paused_task_is_shown_and_its_socket_stays(web, running, operator):
    """A socket that closed would let the client load its page again and again."""
    await sync_to_async(task_pause)(user=operator, task=running)
    async with socket("tracking", running.pk) as viewing:
        await shown(viewing, 1)
        assert await viewing.receive_nothing(0.3)


async def test_after_a_backward_seek_the_index_goes_on(web, running, operator):
    async with socket("tracking", running.pk) as viewing:
        before = await shown(viewing, 1)
        await sync_to_async(playback_pause)(user=operator, task=running)
        await shown(viewing, 1)
        seek = {"user": operator, "task": running, "timestamp": START}
        await sync_to_async(playback_seek)(**seek)
        after = await shown(viewing, 1)
        assert after[0]["camera_data"]["tracks"][0]["map_coords"] == [0.5, 1.0]
        assert indexes(after)[0] > indexes(before)[0]
        # what stands still is a message whose people the client lists
        assert indexes(after)[0] % 10 == 0


async def test_it_ends_with_the_task(web, task, operator):
    async with socket("tracking", task.pk) as viewing, socket("focus", task.pk) as focusing:
        await sync_to_async(task_stop)(user=operator, task=task)
        assert await closed_with(viewing) == 4409
        assert await closed_with(focusing) == 4409


async def test_a_task_that_has_ended_is_closed(web, task, operator):
    await sync_to_async(task_stop)(user=operator, task=task)
    async with socket("tracking", task.pk) as viewing:
        assert await closed_with(viewing) == 4409


# -- focus ---------------------------------------------------------------------------------------------------


async def test_focus_by_the_id_on_the_box_and_clearing_it(web, running):
    async with socket("tracking", running.pk) as viewing, socket("focus", running.pk) as focusing:
        first = (await shown(viewing, 1))[0]["camera_data"]["tracks"][1]
        details = {"camera_id": "c01", "track_id": first["track_id"], "position_history": []}
        await focusing.send_json_to(
            {"type": "set_focus", "person_id": first["global_id"], "person_details": details}
        )
        update = await message(focusing)
        assert set(update) == {"type", "payload"}
        assert update["type"] == "focus_update"
        assert update["payload"]["is_active"] is True
        assert update["payload"]["focused_person_id"] == first["global_id"]
        assert update["payload"]["person_details"]["track_id"] == first["track_id"]
        assert isinstance(update["payload"]["person_details"]["detection_id"], str)
        await commit(running, 2)
        drawn = (await shown(viewing, 1))[0]["camera_data"]["tracks"]
        assert [track["is_focused"] for track in drawn] == [False, True]
        await focusing.send_json_to({"type": "clear_focus"})
        assert (await message(focusing))["payload"]["is_active"] is False


@pytest.mark.parametrize("name", ["camera:c01:2 ", "the whole id"])
async def test_focus_by_track_and_by_the_whole_id(web, running, name):
    wanted = await Person.objects.filter(detections__track_id=2).afirst()
    async with socket("focus", running.pk) as focusing:
        name = str(wanted.pk) if name == "the whole id" else name
        await focusing.send_json_to({"type": "set_focus", "person_id": name})
        assert (await message(focusing))["payload"]["focused_person_id"] == str(wanted.pk)[:8]


@pytest.mark.parametrize("name", ["", "7", "camera:c01:99 ", "camera:c09:2 ", "c01 -det - x ", "0" * 8, None])
async def test_who_is_nobody_is_told_in_an_error(web, running, name):
    async with socket("focus", running.pk) as focusing:
        await focusing.send_json_to({"type": "set_focus", "person_id": name})
        assert (await message(focusing))["error"]["code"] == "person_not_found"


async def test_who_connects_again_gets_the_focus(web, running):
    async with socket("focus", running.pk) as focusing:
        await focusing.send_json_to({"type": "set_focus", "person_id": "camera:c01:1 "})
        told = await message(focusing)
    async with socket("focus", running.pk) as focusing:
        assert await message(focusing) == told


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tracking", "focus"])
async def test_while_it_is_off_anonymous_sockets_are_refused(web, switched, task, kind):
    switched()
    async with socket(kind, task.pk) as viewing:
        assert await closed_with(viewing) == 4401


async def test_only_the_old_client_needs_no_token(web, task):
    async with socket("tracking", task.pk, query="") as viewing:
        assert await closed_with(viewing) == 4401


@pytest.mark.parametrize("kind", ["frames", "analytics"])
async def test_other_sockets_are_refused(web, task, kind):
    async with socket(kind, task.pk if kind == "frames" else "yard") as viewing:
        assert await closed_with(viewing) == 4401


async def test_tasks_of_other_environments_are_unknown(web, task, switched, annex):
    await sync_to_async(switched)("annex")
    for kind in ("tracking", "focus"):
        async with socket(kind, task.pk) as viewing:
            assert await closed_with(viewing) == 4404


async def test_a_name_taken_by_a_person_opens_nothing(web, task, anyone):
    anyone.is_superuser = True
    await anyone.asave()
    async with socket("tracking", task.pk) as viewing:
        assert await closed_with(viewing) == 4401


async def test_it_ends_when_an_administrator_makes_the_user_inactive(web, task, anyone):
    def deactivate():
        anyone.is_active = False
        anyone.save()
        anyone.memberships.get().save()  # tells open sockets that something changed

    async with socket("tracking", task.pk) as viewing:
        assert await viewing.receive_nothing(0.1)
        await sync_to_async(deactivate)()
        assert await closed_with(viewing) == 4404


async def test_people_with_a_token_get_todays_messages_at_the_same_address(web, task, viewer):
    async with socket("tracking", task.pk, user=viewer) as viewing:
        assert (await message(viewing))["type"] == "task_status"
    assert await ProcessingTask.objects.acount() == 1
