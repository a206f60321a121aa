"""What `make run` starts with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from environments.services import recording_register
from spoton import demo
from spoton.sites import site_load

pytestmark = pytest.mark.django_db


def record(camera, config) -> None:
    """A scene's footage of the camera; nothing reads the file."""
    uri = f"/footage/{camera.slug}-{config.seed}.mp4"
    recording_register(
        camera=camera, uri=uri, started_at=config.started_at, duration_s=config.duration_s, fps=config.fps
    )


def test_only_the_demos_own_scene_is_processed():
    """Scenes of other seeds, which `manage.py demo --seed` leaves behind, lie years before it."""
    environment = site_load(demo.FIRST)
    usual = demo.demo_config(demo.FIRST)
    other = demo.variant(demo.FIRST, seconds=40, people=20, seed=31)
    assert usual.started_at - other.started_at > timedelta(days=1)
    for camera in environment.cameras.all():
        record(camera, usual)
        record(camera, other)
    task = demo.start()
    assert task.start == usual.started_at
    assert task.end == usual.started_at + timedelta(seconds=usual.duration_s)
    assert task.created_by.username == demo.USER
    # a run that goes on is left alone
    assert demo.start() == task
