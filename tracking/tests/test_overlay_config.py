"""Everybody's own overlay style for a task."""

from __future__ import annotations

import uuid

import pytest

from tracking.models import OverlayConfig
from tracking.overlay_config import style_for
from tracking.overlay_style import OverlayStyle
from tracking.tests.factories import assert_error

pytestmark = pytest.mark.django_db
URL = "/api/v1/media/frames/overlay-config"


def choose(client, task, **style):
    return client.post(URL, {"task_id": str(task.pk), **style})


def test_before_anything_is_chosen_it_is_the_default(task, api_of, viewer):
    answer = api_of(viewer).get(URL, {"task_id": task.pk})
    assert answer.json()["data"] == OverlayStyle().to_json()


def test_what_is_named_changes_and_the_whole_style_is_answered(task, api_of, viewer):
    client = api_of(viewer)
    choose(client, task, trails_seconds=5)
    answer = choose(client, task, blur="others", colour="#00ff00")
    expected = OverlayStyle(trails_seconds=5.0, blur="others", colour="#00ff00")
    assert answer.status_code == 200
    assert answer.json()["data"] == expected.to_json() == client.get(URL, {"task_id": task.pk}).json()["data"]
    assert style_for(user=viewer, task=task) == expected
    assert OverlayConfig.objects.get().style == {"trails_seconds": 5.0, "blur": "others", "colour": "#00ff00"}


def test_everybody_has_their_own(task, api_of, viewer, operator):
    choose(api_of(viewer), task, boxes=False)
    assert style_for(user=operator, task=task) == OverlayStyle()


@pytest.mark.parametrize(
    ("field", "value"),
    [("boxes", "perhaps"), ("trails_seconds", 99), ("trails_seconds", "nan"), ("colour", "red"),
     ("blur", "all"), ("glow", 1)],
)  # fmt: skip
def test_wrong_fields_are_named_and_nothing_is_kept(task, api_of, viewer, field, value):
    error = assert_error(choose(api_of(viewer), task, zones=True, **{field: value}), 422, "validation_error")
    assert list(error["details"]["fields"]) == [field]
    assert not OverlayConfig.objects.filter(style__has_key="zones").exists()


def test_tasks_that_are_not_visible(task, api_of, viewer, stranger):
    for client, task_id in ((api_of(stranger), task.pk), (api_of(viewer), uuid.uuid4())):
        assert_error(client.get(URL, {"task_id": task_id}), 404, "task_not_found")
        assert_error(client.post(URL, {"task_id": str(task_id)}), 404, "task_not_found")
    assert_error(api_of(viewer).get(URL), 422, "validation_error")


def test_pictures_are_drawn_in_the_callers_style(pictures, api_of, viewer, operator):
    url = f"/api/v1/media/frames/{pictures.pk}/c01"
    before = api_of(viewer).get(url).content
    choose(api_of(viewer), pictures, boxes=False, labels=False)
    assert api_of(viewer).get(url).content != before
    assert api_of(operator).get(url).content == before
