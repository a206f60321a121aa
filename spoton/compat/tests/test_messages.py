"""What the old client draws: one flat message per camera, in a space of 1920 by 1080."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spoton.compat.frames import letterboxed, placed
from spoton.compat.messages import Translator, focus_payload
from tracking.focus import focus_entity, focus_get, focus_set
from tracking.models import Person
from tracking.replay import replayed_texts
from tracking.sockets.instants import Instant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("size", "box", "there"),
    [
        ((1920, 1080), (10, 20, 30, 40), [10, 20, 30, 40]),
        ((640, 360), (10, 20, 30, 40), [30, 60, 90, 120]),
        # narrower: black to the left and right
        ((640, 480), (0, 0, 640, 480), [240, 0, 1680, 1080]),
        # wider: black above and below
        ((1920, 800), (0, 0, 1920, 800), [0, 140, 1920, 940]),
        ((1080, 1920), (0, 0, 1080, 1920), [656.25, 0, 1263.75, 1080]),
    ],
)
def test_boxes_are_placed_in_the_clients_space(size, box, there):
    assert placed(box, size) == there


@pytest.mark.parametrize("size", [(640, 360), (640, 480), (800, 300), (270, 480)])
def test_pictures_lie_where_boxes_are(size):
    """A white rectangle in the picture is found in the scaled box of it."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    x1, y1, x2, y2 = box = (60, 80, 120, 200)
    image[y1:y2, x1:x2] = 255
    shown = cv2.imdecode(
        np.frombuffer(letterboxed(cv2.imencode(".jpg", image)[1].tobytes()), np.uint8), cv2.IMREAD_GRAYSCALE
    )
    assert shown.shape[1] / shown.shape[0] == pytest.approx(16 / 9, abs=0.01)
    rows, columns = np.nonzero(shown > 127)
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) * 1920 / shown.shape[1]
    assert found == pytest.approx(placed(box, size), abs=8)


@pytest.fixture
def instants(running):
    return [Instant.read(text).payload() for text in replayed_texts(task=running, block=0)]


def test_one_flat_message_per_camera(running, instants):
    first, second = Translator(running).messages(instants[0])
    assert (first["camera_id"], second["camera_id"]) == ("c01", "c02")
    assert "payload" not in first
    person = instants[0]["cameras"]["c01"]["tracks"][0]["global_id"]
    assert (first["type"], first["mode"], first["global_frame_index"]) == (
        "tracking_update",
        "detection_streaming",
        0,
    )
    assert first["camera_data"]["tracks"][0] == {
        "track_id": 1,
        # the label on the box: the whole id would cover the picture
        "global_id": person[:8],
        "detection_id": "track_001",
        # of (30, 20, 70, 100) in 640 by 360
        "bbox_xyxy": [90, 60, 210, 300],
        "confidence": 0.9,
        "map_coords": [0.5, 1.0],
        "is_focused": False,
    }
    assert first["detection_data"]["detections"][0] == {
        "detection_id": "track_001",
        "track_id": 1,
        "global_id": person[:8],
        "confidence": 0.9,
        "bbox": {"x1": 90, "y1": 60, "x2": 210, "y2": 300, "width": 120, "height": 240},
    }
    assert first["future_pipeline_data"]["mapping_coordinates"][0] == {
        "detection_id": "track_001",
        "map_x": 0.5,
        "map_y": 1.0,
        "projection_successful": True,
        "trail": [{"x": 0.5, "y": 1.0}],
    }


def test_with_nobody_in_view_every_list_is_there_and_empty(running, instants):
    nobody = {**instants[0], "persons": []}
    nobody["cameras"] = {name: {**camera, "tracks": []} for name, camera in nobody["cameras"].items()}
    for message in Translator(running).messages(nobody):
        assert message["camera_data"] == {"tracks": []}
        assert message["detection_data"] == {"detections": []}
        assert message["future_pipeline_data"] == {"mapping_coordinates": []}


def test_who_has_no_place_is_not_on_the_map(running, instants):
    instants[0]["cameras"]["c01"]["tracks"][0]["map_coords"] = None
    message = Translator(running).messages(instants[0])[0]
    assert len(message["detection_data"]["detections"]) == 2
    assert [p["detection_id"] for p in message["future_pipeline_data"]["mapping_coordinates"]] == [
        "track_002"
    ]


def test_boxes_of_cameras_of_another_shape(running, instants):
    running.plan["cameras"][0]["image_size"] = [640, 480]
    first, second = Translator(running).messages(instants[0])
    assert first["camera_data"]["tracks"][0]["bbox_xyxy"] == [307.5, 45, 397.5, 225]
    assert second["camera_data"]["tracks"][0]["bbox_xyxy"] == [90, 60, 210, 300]


def test_the_index_rises_also_when_the_playback_goes_back_and_trails_begin_anew(running, instants):
    translator = Translator(running)
    sent = [translator.messages(instants[i])[0] for i in (5, 6, 7, 2, 3)]
    assert [m["global_frame_index"] for m in sent] == [0, 1, 2, 3, 4]
    trails = [m["future_pipeline_data"]["mapping_coordinates"][0]["trail"] for m in sent]
    assert [[round(p["x"], 1) for p in trail] for trail in trails] == [
        [1.0],
        [1.0, 1.1],
        [1.0, 1.1, 1.2],
        [0.7],
        [0.7, 0.8],
    ]


def test_a_picture_that_stays_has_an_index_with_which_the_client_lists_its_people(running, instants):
    translator = Translator(running)
    translator.messages(instants[0])
    assert [translator.messages(instants[i], still=True)[0]["global_frame_index"] for i in (4, 2)] == [10, 20]
    assert translator.messages(instants[3])[0]["global_frame_index"] == 21


def test_trails_have_a_length(running, instants):
    translator = Translator(running)
    for _ in range(50):
        message = translator.messages(instants[0])[0]
    assert len(message["future_pipeline_data"]["mapping_coordinates"][0]["trail"]) == 30


def test_the_focus_names_camera_track_and_box(running, operator):
    person = Person.objects.first()
    focus_set(user=operator, task=running, person_id=person.pk)
    payload = focus_payload(running, focus_entity(running, focus_get(running)))
    assert (payload["is_active"], payload["focused_person_id"]) == (True, str(person.pk)[:8])
    details = payload["person_details"]
    assert details["camera_id"] == details["current_camera"]
    assert details["camera_id"] in ("c01", "c02")
    assert details["detection_id"] == f"track_{details['track_id']:03d}"
    # after two seconds they are at 2.4 m: 220 to 260 px
    assert (details["bbox"]["x1"], details["bbox"]["x2"]) == (660, 780)
    none = focus_payload(running, focus_entity(running, None))
    assert none == {"is_active": False, "focused_person_id": None, "person_details": None}
