"""The live figures of the analytics socket: dwell that survives short absences, alerts, and who is told."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from analytics.dwell import here_since
from analytics.live import alerts_of, analytics_update
from analytics.routing import websocket_urlpatterns
from analytics.sockets import AnalyticsSocket
from tracking.models import Detection, Person
from tracking.tests.factories import START
from tracking.tests.socket_client import PATIENCE_S, commit


def seen(task, yard, person, *seconds):
    camera = yard.cameras.get(slug="c01")
    Detection.objects.bulk_create(
        Detection(
            task=task,
            captured_at=START + timedelta(seconds=s),
            camera=camera,
            track_id=900,
            person=person,
            instant=round(10 * s),
            frame=0,
            x1=0,
            y1=0,
            x2=1,
            y2=1,
            confidence=1,
        )
        for s in seconds
    )


@pytest.mark.django_db
def test_a_stay_survives_short_absences_and_ends_with_long_ones(running, yard):
    """Seen from 0 to 5 s, away until 100 s, then until 160 s with breaks of 25 s."""
    person = Person.objects.create(
        id=uuid.UUID("1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"),
        environment=yard,
        first_seen_at=START,
        last_seen_at=START,
    )
    seen(running, yard, person, 0, 5, 100, 125, 150, 160)
    since = here_since(task_id=running.pk, persons={person.pk: START + timedelta(seconds=160)})
    assert since == {person.pk: START + timedelta(seconds=100)}


@pytest.mark.django_db
def test_who_is_known_to_be_there_is_not_looked_for_again(running, yard, django_assert_num_queries):
    person = Person.objects.create(id=uuid.uuid4(), environment=yard, first_seen_at=START, last_seen_at=START)
    seen(running, yard, person, 0, 20, 40, 60, 130)

    def since(second):
        found = here_since(task_id=running.pk, persons={person.pk: START + timedelta(seconds=second)})
        return (found[person.pk] - START).total_seconds()

    with django_assert_num_queries(1):
        assert since(40) == 0
    with django_assert_num_queries(0):
        assert since(60) == 0
    assert since(130) == 130, "they were away for more than half a minute"
    assert since(40) == 0, "a task that was looked at earlier in its time"


@pytest.mark.django_db
def test_dwell_and_density_of_a_running_task(running, yard):
    metrics = analytics_update(yard)["live_metrics"]
    # both were there from the first of twenty instants
    assert metrics["avg_dwell_time"] == pytest.approx(1.9, abs=0.05)
    area = (yard.max_x_m - yard.min_x_m) * (yard.max_y_m - yard.min_y_m)
    assert metrics["crowd_density"] == pytest.approx(2 / area, abs=1e-6)


def test_a_zone_alerts_when_it_holds_more_than_it_should():
    zones = [
        {"slug": "door", "persons": 3, "max_persons": 2},
        {"slug": "lane", "persons": 2, "max_persons": 2},
        {"slug": "hall", "persons": 99, "max_persons": None},
    ]
    assert alerts_of(zones) == [{"type": "high_occupancy", "zone": "door", "count": 3, "threshold": 2}]


async def opened(slug, user):
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/analytics/{slug}")
    communicator.scope["user"] = user
    assert (await communicator.connect(timeout=PATIENCE_S))[0]
    return communicator


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_figures_at_once_and_whenever_something_is_recorded(task, yard, viewer, monkeypatch):
    monkeypatch.setattr(AnalyticsSocket, "least_s", 0.05)
    await sync_to_async(yard.zones.filter(slug="door").update)(max_persons=1)
    viewing = await opened("yard", viewer)
    first = await viewing.receive_json_from(timeout=PATIENCE_S)
    assert (first["type"], first["seq"], first["payload"]["live_metrics"]["total_persons"]) == (
        "analytics_update",
        1,
        0,
    )
    await commit(task, 0)
    while (update := await viewing.receive_json_from(timeout=PATIENCE_S))["payload"]["live_metrics"][
        "total_persons"
    ] == 0:
        pass
    assert update["payload"]["environment_id"] == "yard"
    assert update["payload"]["alerts"] == [
        {"type": "high_occupancy", "zone": "door", "count": 2, "threshold": 1}
    ]
    await viewing.disconnect()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_own_connections")
async def test_strangers_are_told_of_no_environment(yard, stranger):
    viewing = await opened("yard", stranger)
    assert (await viewing.receive_json_from(timeout=PATIENCE_S))["error"]["code"] == "environment_not_found"
    assert await viewing.receive_output(timeout=PATIENCE_S) == {"type": "websocket.close", "code": 4404}
