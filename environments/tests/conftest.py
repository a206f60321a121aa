"""A small environment, people with roles in it, and clients that act for them."""

from __future__ import annotations

import copy
from typing import Any

import cv2
import numpy as np
import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from environments.models import Camera, Environment, Role
from environments.services import environment_load, membership_set

# 10 m above the origin's south, looking north and 45 degrees down: K, R and t of a made-up camera
_K = [[500.0, 0.0, 320.0], [0.0, 500.0, 180.0], [0.0, 0.0, 1.0]]
_SIN45 = 0.7071067811865476
_R = [[1.0, 0.0, 0.0], [0.0, -_SIN45, -_SIN45], [0.0, _SIN45, -_SIN45]]
_CENTRE = np.array([10.0, 2.0, 6.0])
NORTHWARD = {"K": _K, "R": _R, "t": (-np.array(_R) @ _CENTRE).tolist(), "width": 640, "height": 360}

_DEFINITION: dict[str, Any] = {
    "slug": "yard",
    "name": "Yard",
    "description": "Two cameras and two zones.",
    "timezone": "Europe/Zurich",
    "bounds_m": [0, 0, 20, 16],
    "floor_plan": {"pixels_per_metre": 10},
    "cameras": [
        {"slug": "c01", "name": "Gate", "image_size": [640, 360], "fps": 10, "calibration": NORTHWARD},
        {"slug": "c02", "name": "Wall", "image_size": [640, 360], "fps": 10},
    ],
    "zones": [
        {
            "slug": "door",
            "name": "Door",
            "kind": "entrance",
            "polygon_m": [[8, 14], [12, 14], [12, 16], [8, 16]],
        },
        {"slug": "lane", "name": "Lane", "kind": "walkway", "polygon_m": [[0, 5], [20, 5], [10, 9]]},
    ],
    "layout": {"for": "somebody else"},
}


@pytest.fixture(autouse=True)
def _media_root(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def definition() -> dict[str, Any]:
    return copy.deepcopy(_DEFINITION)


@pytest.fixture
def png() -> bytes:
    """A floor plan of exactly the yard's bounds: 200x160 pixels."""
    return cv2.imencode(".png", np.full((160, 200, 3), 230, np.uint8))[1].tobytes()


@pytest.fixture
def yard(db: None, definition: dict[str, Any], png: bytes) -> Environment:
    return environment_load(definition=definition, floor_plan_image=png)


@pytest.fixture
def camera(yard: Environment) -> Camera:
    return yard.cameras.get(slug="c01")


def make_user(name: str, **fields: Any) -> Any:
    # without a password: hashing one takes longer than most tests
    return get_user_model().objects.create_user(name, f"{name}@example.org", **fields)


@pytest.fixture
def operator(yard: Environment) -> Any:
    user = make_user("oona")
    membership_set(user=user, environment=yard, role=Role.OPERATOR)
    return user


@pytest.fixture
def viewer(yard: Environment) -> Any:
    user = make_user("vera")
    membership_set(user=user, environment=yard, role=Role.VIEWER)
    return user


@pytest.fixture
def stranger(db: None) -> Any:
    return make_user("sam")


@pytest.fixture
def superuser(db: None) -> Any:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def api_of() -> Any:
    """A REST client acting for a user."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make
