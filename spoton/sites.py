"""The environments that come with SpotOn, and footage for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from django.core.files.base import ContentFile

from environments.models import Environment
from environments.services import environment_load, recording_register
from fixtures.definitions import Definition, load_definition
from fixtures.floorplan import draw_floor_plan
from fixtures.scene import Scene, SceneConfig, ensure_scene


def site_load(slug: str) -> Environment:
    """Create the environment `campus` or `factory` with its floor plan, or bring it up to date.

    Raises:
        fixtures.definitions.DefinitionError: no such definition.
    """
    definition = load_definition(slug)
    with TemporaryDirectory() as folder:
        image = draw_floor_plan(definition, Path(folder)).read_bytes()
    return environment_load(definition=_mapping(definition), floor_plan_image=image)


def scene_record(
    *,
    environment: Environment,
    config: SceneConfig,
    folder: Path,
    on_progress: Callable[[int, int], None] | None,
) -> Scene:
    """Render a synthetic scene (unless it lies in `folder` already) and register it as recordings."""
    definition = load_definition(environment.slug)
    scene = ensure_scene(definition, config, folder, on_progress)
    for camera in environment.cameras.filter(slug__in=scene.videos):
        path = scene.videos[camera.slug]
        recording_register(
            camera=camera,
            uri=str(path),
            started_at=scene.started_at,
            duration_s=scene.duration_s,
            fps=scene.fps,
            frame_count=scene.frame_count,
            image_size=scene.config.image_size,
        )
        if not camera.preview:
            camera.preview.save(f"{camera.slug}.jpg", ContentFile(_preview(path)), save=True)
    return scene


def scene_end(scene: Scene) -> Any:
    """Capture time at which the scene ends."""
    return scene.started_at + timedelta(seconds=scene.duration_s)


def _mapping(definition: Definition) -> dict[str, Any]:
    plan = definition.floor_plan
    return {
        "slug": definition.slug,
        "name": definition.name,
        "description": definition.description,
        "timezone": definition.timezone,
        "bounds_m": definition.bounds_m,
        "floor_plan": {
            "origin_m": plan.origin_m,
            "pixels_per_metre": plan.pixels_per_metre,
            "rotation_deg": plan.rotation_deg,
        },
        "cameras": [
            {
                "slug": camera.slug,
                "name": camera.name,
                "image_size": camera.image_size,
                "fps": camera.fps,
                "calibration": camera.model().to_mapping(),
                # computed, not measured: what is drawn with it is exact
                "calibration_error_m": 0.0,
            }
            for camera in definition.cameras
        ],
        "zones": [
            {"slug": z.slug, "name": z.name, "kind": z.kind, "polygon_m": [list(p) for p in z.polygon_m]}
            for z in definition.zones
        ],
    }


def _preview(path: Path) -> bytes:
    """A JPEG of the video's first frame."""
    import cv2

    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
