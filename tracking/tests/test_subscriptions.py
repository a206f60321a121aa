"""What a viewer may ask of a socket: cameras, fields, rate, deltas, pictures, focus; and what it may not."""

from __future__ import annotations

import asyncio
import base64
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from asgiref.sync import sync_to_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.notices import access_changed
from tracking import frames
from tracking.focus import focus_set
from tracking.models import Detection
from tracking.sockets import base
from tracking.sockets.protocol import BURST, PER_SECOND
from tracking.tests.factories import START
from tracking.tests.socket_client import PATIENCE_S, acknowledge, closed_with, commit, message, socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


async def subscribed(viewing, **options):
    await viewing.send_json_to({"type": "subscribe", **options})
    answer = await message(viewing)
    assert answer["type"] == "subscribed", answer
    return answer


@sync_to_async
def real_pictures(task, *instants):
    """Grey pictures with a bright person where `walk` sees one."""
    for instant in instants:
        for camera in task.cameras:
            image = np.full((360, 640, 3), 90, np.uint8)
            data = cv2.imencode(".jpg", image)[1].tobytes()
            at = START.timestamp() + instant / task.fps
            frames.put(
                task_id=task.pk, camera=camera, frame=frames.StoredFrame(instant, instant, at, 640, 360, data)
            )


# -- /ws/tracking --------------------------------------------------------------------------------------------


async def test_cameras_fields_and_rate(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        answer = await subscribed(viewing, cameras=["c02"], fields=["map_coords"], max_rate=2)
        assert (answer["cameras"], answer["fields"], answer["max_rate"]) == (["c02"], ["map_coords"], 2.0)
        await commit(task, 0)
        updates = [await message(viewing) for _ in range(2)]
        assert [u["payload"]["global_frame_index"] for u in updates] == [0, 5]
        assert list(updates[0]["payload"]["cameras"]) == ["c02"]
        assert set(updates[0]["payload"]["cameras"]["c02"]["tracks"][0]) == {
            "track_id",
            "global_id",
            "map_coords",
        }


async def test_deltas_build_on_what_was_acknowledged(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await subscribed(viewing, mode="delta")
        await commit(task, 0)
        first = [await message(viewing) for _ in range(10)]
        assert all("delta" not in u["payload"] for u in first)
        await acknowledge(viewing, first[-1]["seq"])
        await commit(task, 1)
        change = (await message(viewing))["payload"]
        assert (change["delta"], change["base_seq"]) == (True, first[-1]["seq"])
        camera = change["cameras"]["c01"]
        assert (camera["added"], camera["removed"]) == ([], [])
        before = {t["track_id"]: t for t in first[-1]["payload"]["cameras"]["c01"]["tracks"]}
        assert {t["track_id"] for t in camera["changed"]} == set(before)
        assert len(json.dumps(change)) < len(json.dumps(first[-1]["payload"]))


async def test_resync_gives_everything_anew(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await subscribed(viewing, mode="delta")
        await commit(task, 0)
        last = [await message(viewing) for _ in range(10)][-1]
        await acknowledge(viewing, last["seq"])
        await viewing.send_json_to({"type": "resync"})
        status, update = await message(viewing), await message(viewing)
        assert (status["type"], status["seq"]) == ("task_status", last["seq"] + 1)
        assert (update["payload"]["global_frame_index"], "delta" in update["payload"]) == (9, False)


async def test_messages_of_one_moment_come_together(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await subscribed(viewing, batching=True)
        await commit(task, 0)
        together = await message(viewing)
        assert together["type"] == "batch"
        assert [m["seq"] for m in together["messages"]] == list(range(2, 12))


async def test_pictures_inside_updates(task, viewer):
    await real_pictures(task, *range(10))
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await subscribed(viewing, images=True, crops=True, quality="medium", cameras=["c01"])
        await commit(task, 0)
        updates = [(await message(viewing))["payload"]["cameras"]["c01"] for _ in range(10)]
        image = cv2.imdecode(np.frombuffer(base64.b64decode(updates[0]["frame_image_base64"]), np.uint8), 1)
        assert image.shape == (360, 640, 3)
        persons = {t["global_id"] for t in updates[0]["tracks"]}
        assert set(updates[0]["cropped_persons"]) == persons
        # newcomers at once, then only now and then
        assert [len(u["cropped_persons"]) for u in updates[2:]] == [0] * 8
        assert next(iter(updates[0]["cropped_persons"].values())).startswith("data:image/jpeg;base64,")


async def test_a_wish_that_cannot_be_met_names_its_fields(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await viewing.send_json_to({"type": "subscribe", "mode": "diff", "max_rate": -1})
        error = (await message(viewing))["error"]
        assert error["code"] == "validation_error"
        assert set(error["details"]["fields"]) == {"mode", "max_rate"}


# -- focus ---------------------------------------------------------------------------------------------------


@sync_to_async
def somebody(task):
    return str(Detection.objects.filter(task=task).order_by("person_id").first().person_id)


async def test_the_focus_is_one_for_all_sockets(task, viewer, operator):
    await commit(task, 0)
    person = await somebody(task)
    async with (
        socket("focus", task.pk, operator) as steering,
        socket("focus", task.pk, viewer) as following,
        socket("tracking", task.pk, viewer) as viewing,
    ):
        assert (await message(steering))["payload"]["is_active"] is False
        await message(following), await message(viewing), await message(viewing)
        await steering.send_json_to({"type": "set_focus", "person_id": person})
        for one in (steering, following):
            update = await message(one)
            assert (update["type"], update["payload"]["focused_person_id"]) == ("focus_update", person)
            assert update["payload"]["person_details"]["global_id"] == person
        await commit(task, 1)
        payload = (await message(viewing))["payload"]
        assert payload["focus_person_id"] == person
        marked = {t["global_id"] for t in payload["cameras"]["c01"]["tracks"] if t["is_focused"]}
        assert marked == {person}
        await steering.send_json_to({"type": "clear_focus"})
        while (update := await message(following))["payload"]["is_active"]:
            pass
        assert update["payload"]["person_details"] is None


async def test_viewers_may_not_set_the_focus(task, viewer):
    await commit(task, 0)
    async with socket("focus", task.pk, viewer) as viewing:
        await message(viewing)
        await viewing.send_json_to({"type": "set_focus", "person_id": await somebody(task)})
        assert (await message(viewing))["error"]["code"] == "permission_denied"
        await viewing.send_json_to({"type": "ping"})
        assert (await message(viewing))["type"] == "pong"


@pytest.mark.parametrize("person", ["", "7", "00000000-0000-0000-0000-000000000000", None, 7])
async def test_whom_nobody_knows_cannot_be_focused(task, operator, person):
    async with socket("focus", task.pk, operator) as viewing:
        await message(viewing)
        await viewing.send_json_to({"type": "set_focus", "person_id": person})
        assert (await message(viewing))["error"]["code"] in ("validation_error", "person_not_found")


def test_focus_over_rest(running, operator, viewer, api_of):
    person = str(Detection.objects.filter(task=running).first().person_id)
    path = f"/api/v1/tracking/focus/{running.pk}"
    answer = api_of(operator).post(path, {"person_id": person, "highlight_settings": {"colour": "#ffd700"}})
    assert answer.json()["data"]["focused_person_id"] == person
    seen = api_of(viewer).get(path).json()["data"]
    assert (seen["focused_person_id"], seen["highlight_settings"]) == (person, {"colour": "#ffd700"})
    assert api_of(viewer).delete(path).status_code == 403
    assert api_of(operator).delete(path).status_code == 204
    assert api_of(viewer).get(path).json()["data"]["focused_person_id"] is None


def test_who_is_merged_into_the_focused_person_is_focused(running, operator):
    """The focus follows the person, whatever they are called by now."""
    from tracking.changes import person_merge
    from tracking.focus import focus_get
    from tracking.models import Person

    one, other = Person.objects.order_by("pk")[:2]
    # they were seen at once, so in truth they are two: what matters here is who bears which name
    Detection.objects.filter(task=running, person=other).delete()
    running.positions.filter(person=other).delete()
    person = Detection.objects.filter(task=running).first()
    Detection.objects.filter(pk=person.pk).update(person=other)
    focus_set(user=operator, task=running, person_id=other.pk)
    Detection.objects.filter(pk=person.pk).update(person=one)
    person_merge(person=one, other=other, user=operator, reason="")
    assert focus_get(running).person_id == str(one.pk)


# -- signing out and flooding --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tracking", "frames", "focus"])
async def test_signing_out_closes_sockets_at_once(task, viewer, monkeypatch, kind):
    open_session = [True]
    async with socket(kind, task.pk, viewer, session_open=lambda: open_session[0]) as viewing:
        await message(viewing)
        open_session[0] = False
        await sync_to_async(access_changed)(viewer.pk)
        assert (await message(viewing))["error"]["code"] == "not_authenticated"
        assert await closed_with(viewing) == 4401


async def test_somebody_elses_sign_out_changes_nothing(task, viewer):
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        await sync_to_async(access_changed)(viewer.pk + 1)
        assert await viewing.receive_nothing(0.2)


async def test_who_floods_is_warned_once_and_then_closed(task, viewer, monkeypatch):
    # nothing is forgiven while a slow machine sends them
    monkeypatch.setattr(base, "PER_SECOND", 0)
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)
        for _ in range(2 * BURST + 20):
            await viewing.send_json_to({"type": "ping"})
        answers = []
        while (event := await viewing.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
            answers.append(json.loads(event["text"]))
        assert event["code"] == 4429
        assert [a["type"] for a in answers] == [*BURST * ["pong"], "error", "error"]


async def test_a_flood_that_goes_on_is_not_answered_and_one_that_is_over_is_forgiven(
    task, viewer, monkeypatch
):
    clock = [1000.0]
    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    async with socket("tracking", task.pk, viewer) as viewing:
        await message(viewing)

        async def ping(times, pause_s=0.0):
            for _ in range(times):
                clock[0] += pause_s
                await viewing.send_json_to({"type": "ping"})

        await ping(BURST + 1)
        assert [(await message(viewing))["type"] for _ in range(BURST + 1)] == [*BURST * ["pong"], "error"]
        await ping(10, pause_s=1 / PER_SECOND)
        await ping(1, pause_s=2 * BURST / PER_SECOND)
        assert await message(viewing) == {"type": "pong"}


async def test_a_reader_who_takes_nothing_is_let_go_and_disturbs_nobody(task, viewer, operator, monkeypatch):
    monkeypatch.setattr(base, "PATIENCE_S", 0.2)
    stuck = asyncio.Event()
    send = base.AsyncWebsocketConsumer.send

    async def stall(self, *args, **kwargs):
        if self.scope["user"] == viewer and self.seq > 1:
            await stuck.wait()
        await send(self, *args, **kwargs)

    monkeypatch.setattr(base.AsyncWebsocketConsumer, "send", stall)
    monkeypatch.setattr(base, "FAREWELL_S", 0.1)
    async with socket("tracking", task.pk, viewer) as slow, socket("tracking", task.pk, operator) as quick:
        await message(slow), await message(quick)
        await commit(task, 0)
        assert [(await message(quick))["type"] for _ in range(10)] == ["tracking_update"] * 10
        # it cannot even be told: the server drops the connection
        await asyncio.wait_for(asyncio.wait([slow.future]), 5)


@pytest.mark.parametrize("kind", ["tracking", "frames", "focus"])
async def test_what_is_asked_for_at_once_is_answered_after_the_snapshot(task, operator, kind):
    """A client need not wait for the first message before it sends its own."""
    async with socket(kind, task.pk, operator) as viewing:
        for kind_of_request in ("subscribe", "ack", "ping"):
            await viewing.send_json_to({"type": kind_of_request, "seq": 0})
        first = await message(viewing)
        assert first["type"] in ("task_status", "subscribed", "focus_update")
        while (answer := await message(viewing))["type"] != "pong":
            assert answer["type"] in ("subscribed", "error")


# -- anything at all -----------------------------------------------------------------------------------------

words = st.sampled_from(["subscribe", "ack", "ping", "resync", "set_focus", "clear_focus", "nonsense"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        "cameras",
        "fields",
        "max_rate",
        "mode",
        "images",
        "crops",
        "batching",
        "quality",
        "seq",
        "person_id",
        "id",
    ]
)
requests = st.dictionaries(fields, values, max_size=4).flatmap(
    lambda body: words.map(lambda kind: json.dumps({**body, "type": kind}))
) | st.text(max_size=200)


@pytest.mark.parametrize("kind", ["tracking", "frames", "focus"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(requests, min_size=1, max_size=12))
def test_whatever_is_sent_the_socket_answers_and_lives(task, operator, kind, texts):
    """Malformed, out of order, of wrong types: each is answered by a known message, and a ping still by its pong."""

    async def run():
        async with socket(kind, task.pk, operator) as viewing:
            await message(viewing)
            for text in texts:
                await viewing.send_input({"type": "websocket.receive", "text": text})
            await viewing.send_json_to({"type": "ping", "id": "last"})
            while (answer := await message(viewing)) != {"type": "pong", "id": "last"}:
                assert answer["type"] in ("error", "pong", "subscribed", "task_status", "focus_update"), (
                    answer
                )
                if answer["type"] == "error":
                    assert answer["error"]["code"] != "internal_error"

    asyncio.run(run())
