"""What viewers are told of the focused person."""

from __future__ import annotations

import numpy as np
import pytest

from tracking.focus_details import MOST_POINTS, focus_details
from tracking.models import Position
from tracking.tests.people import Walk, at, who, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def walking(task):
    """1 walks east for eight seconds at 1 m/s."""
    write(task, Walk(1, 0, 79))
    return task


def test_a_walk_as_far_as_it_is_processed(walking):
    details = focus_details(task=walking, person=who(walking, 1))
    assert details["first_detected"] == "2026-05-04T08:00:00.000Z"
    assert (details["tracking_duration"], details["current_camera"]) == (7.9, "c01")
    assert details["movement_metrics"] == {
        "average_speed": pytest.approx(7 / 7.9, abs=1e-3),
        "total_distance": pytest.approx(7),
        "dwell_time": 7.9,
    }
    history = details["position_history"]
    assert len(history) == MOST_POINTS
    assert (history[0]["timestamp"][17:23], history[-1]["timestamp"][17:23]) == ("03.000", "07.900")
    assert history[-1]["map_coords"] == [7.9, 1.0]


def test_up_to_a_time(walking):
    details = focus_details(task=walking, person=who(walking, 1), until=at(3.05))
    assert (details["tracking_duration"], details["movement_metrics"]["total_distance"]) == (3.0, 3.0)
    assert details["position_history"][-1]["timestamp"] == "2026-05-04T08:00:03.000Z"


def test_who_has_left_is_in_no_camera(walking):
    write(walking, Walk(2, 80, 120))
    assert focus_details(task=walking, person=who(walking, 1))["current_camera"] is None
    assert focus_details(task=walking, person=who(walking, 1), until=at(8.5))["current_camera"] == "c01"


def test_before_they_came_nothing_is_known(walking):
    details = focus_details(task=walking, person=who(walking, 1), until=at(-1))
    assert (details["first_detected"], details["current_camera"], details["position_history"]) == (
        None,
        None,
        [],
    )


def test_who_stands_walks_nowhere(walking):
    rng = np.random.default_rng(0)
    for place in Position.objects.filter(task=walking):
        place.x_m, place.y_m = (3 + rng.normal(0, 0.08, 2)).tolist()
        place.save(update_fields=["x_m", "y_m"])
    assert focus_details(task=walking, person=who(walking, 1))["movement_metrics"]["total_distance"] < 0.5
