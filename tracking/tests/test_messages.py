"""What sockets are promised about an instant, built from the engine's rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from tracking.messages import from_seconds, isoformat, tracking_updates
from tracking.planning import person_id
from tracking.record import identities
from tracking.tests.factories import START, Person, Rows

pytestmark = pytest.mark.django_db
AT = START.timestamp()
PROCESSED = START + timedelta(hours=1)


def updates(task, rows, instants=(0, 1)):
    captured_s = [AT + 0.1 * instant for instant in instants]
    return tracking_updates(
        task=task,
        rows=rows,
        who=identities(task, rows),
        instants=list(instants),
        captured_s=captured_s,
        processed_at=PROCESSED,
    )


@pytest.fixture
def rows():
    """Person 1 in both cameras at instant 0, and without a position from c02's own detection at instant 1."""
    box = (110.204, 220.5, 160.0, 330.8)
    return Rows(
        detections=[
            (0, 40, AT + 0.003, "c01", 5, 1, box, 0.91999, (12.0, 45.0)),
            (0, 41, AT + 0.004, "c02", 9, 1, box, 0.8, (12.2, 45.2)),
            (1, 42, AT + 0.1, "c02", 9, 1, box, 0.7, None),
        ],
        positions=[
            (0, AT, 1, 12.1004, 45.1, 0.5, 0.25, 0.0804),
            (1, AT + 0.1, 1, 12.2, 45.2, 0.5, 0.25, 0.08),
        ],
        persons=[Person(1, AT - 20.4, AT + 0.1, np.ones(2))],
    )


def test_a_track_as_promised(task, rows):
    track = updates(task, rows)[0]["cameras"]["c01"]["tracks"][0]
    assert track == {
        "track_id": 5,
        "global_id": str(person_id(task, 1)),
        "bbox_xyxy": [110.2, 220.5, 160.0, 330.8],
        "confidence": 0.92,
        "map_coords": [12.1, 45.1],
        "is_focused": False,
        "detection_time": "2026-05-04T07:59:39.600Z",
        "tracking_duration": 20.403,
    }


def test_an_update_as_promised(task, rows):
    update = updates(task, rows)[0]
    assert update["global_frame_index"] == 0
    assert update["scene_id"] == "yard"
    assert update["timestamp_captured_utc"] == "2026-05-04T08:00:00.000Z"
    assert update["timestamp_processed_utc"] == "2026-05-04T09:00:00.000Z"
    assert update["person_count_per_camera"] == {"c01": 1, "c02": 1}
    assert update["focus_person_id"] is None
    assert update["cameras"]["c01"]["image_source"] == "40", "the frame's presentation index"
    assert update["persons"] == [
        {
            "global_id": str(person_id(task, 1)),
            "map_coords": [12.1, 45.1],
            "velocity_m_s": [0.5, 0.25],
            "sigma_m": 0.08,
        }
    ]
    assert json.loads(json.dumps(update)) == update


def test_one_person_has_one_place_whichever_camera_looks(task, rows):
    cameras = updates(task, rows)[0]["cameras"]
    assert [cameras[name]["tracks"][0]["map_coords"] for name in ("c01", "c02")] == [[12.1, 45.1]] * 2


def test_cameras_without_calibration_tell_no_place(task, rows):
    assert updates(task, rows)[1]["cameras"]["c02"]["tracks"][0]["map_coords"] is None


def test_the_own_position_counts_where_there_is_no_common_one(task, rows):
    rows.positions.clear()
    assert updates(task, rows)[0]["cameras"]["c02"]["tracks"][0]["map_coords"] == [12.2, 45.2]


def test_instants_at_which_nobody_was_seen_are_told_too(task):
    (update,) = updates(task, Rows(), [7])
    assert update["person_count_per_camera"] == {"c01": 0, "c02": 0}
    assert (update["persons"], update["timestamp_captured_utc"]) == ([], "2026-05-04T08:00:00.700Z")


def test_who_is_only_expected_somewhere_is_on_the_map_not_in_a_view(task):
    """Right after a person vanished behind something, the track goes on for a moment."""
    rows = Rows(positions=[(3, AT + 0.3, 8, 1.0, 2.0, 0.0, 0.0, 0.5)])
    (update,) = updates(task, rows, [3])
    assert update["persons"][0]["global_id"] == str(person_id(task, 8))
    assert update["person_count_per_camera"] == {"c01": 0, "c02": 0}


def test_moments_are_written_in_utc_with_milliseconds():
    assert (
        isoformat(datetime(2026, 5, 4, 10, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-04T08:00:00.000Z"
    )
    assert isoformat(datetime(2026, 5, 4, 8, 0, 0, 999_999, UTC)) == "2026-05-04T08:00:00.999Z"
    assert from_seconds(0) == "1970-01-01T00:00:00.000Z"
