"""Everything that changes environments, cameras, zones, recordings and members."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from celery import current_app
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import models, transaction

from calibration import CameraModel, fit_homography, reprojection_error_m
from environments.definition_fields import camera_fields, environment_fields, required, zone_fields
from environments.errors import ConflictError, NotFoundError, ValidationFailedError
from environments.models import Camera, Environment, Membership, Recording, Role, Zone
from environments.validators import image_content_type, image_size_of

PROBE_TASK = "workers.probe_recording"


@transaction.atomic
def environment_load(*, definition: Mapping[str, Any], floor_plan_image: bytes | None = None) -> Environment:
    """Create the environment that `definition` describes, or bring an existing one up to it.

    Cameras and zones are matched by their slug; those the definition does not name stay as they are, and so
    do recordings and members. All of it is stored, or nothing.

    Args:
        definition: `slug`, `name`, `bounds_m` (x0, y0, x1, y1), `cameras` (each `slug`, `name`, `image_size`,
            and optionally `fps`, `calibration`, `calibration_error_m`, `live_uri`, `clock_offset_s`), `zones`
            (each `slug`, `name`, `kind`, `polygon_m`), and optionally `description`, `timezone`, `floor_plan`
            (`origin_m`, `pixels_per_metre`, `rotation_deg`). Keys meant for others are left alone.
        floor_plan_image: a PNG or JPEG file; None keeps the floor plan.

    Raises:
        ValidationFailedError: names the entry and what is wrong with it.
    """
    slug = str(required(definition, "slug", "The definition"))
    subject = f"Environment {slug}"
    environment = _upsert(
        Environment, subject, {"slug": slug}, lambda: environment_fields(definition, subject)
    )
    for order, camera in enumerate(required(definition, "cameras", subject)):
        camera_slug = required(camera, "slug", f"Camera number {order + 1} of {slug}")
        name = f"Camera {camera_slug} of {slug}"
        key = {"environment": environment, "slug": camera_slug}
        _upsert(Camera, name, key, lambda c=camera, n=name, o=order: camera_fields(c, n, o))
    for position, zone in enumerate(required(definition, "zones", subject)):
        zone_slug = required(zone, "slug", f"Zone number {position + 1} of {slug}")
        name = f"Zone {zone_slug} of {slug}"
        key = {"environment": environment, "slug": zone_slug}
        _upsert(Zone, name, key, lambda z=zone, n=name: zone_fields(z, n))
    if floor_plan_image is not None and not _has_same_plan(environment, floor_plan_image):
        floor_plan_set(environment=environment, image=floor_plan_image)
    return environment


def floor_plan_set(
    *,
    environment: Environment,
    image: bytes,
    origin_m: tuple[float, float] | None = None,
    pixels_per_metre: float | None = None,
    rotation_deg: float | None = None,
) -> Environment:
    """Give the environment another floor plan and say where it lies on the map.

    Args:
        image: a PNG or JPEG file.
        origin_m: map position of the image's top-left corner; None keeps what was set, as for the others.

    Raises:
        ValidationFailedError: not a usable image, or an impossible scale.
    """
    content_type = image_content_type(image)
    file = ContentFile(image, name="floor-plan.png" if content_type == "image/png" else "floor-plan.jpg")
    try:
        width, height = image_size_of(file)
    except ValidationError as error:
        raise ValidationFailedError(" ".join(error.messages)) from error
    if origin_m is not None:
        environment.floor_plan_origin_x_m, environment.floor_plan_origin_y_m = map(float, origin_m)
    if pixels_per_metre is not None:
        environment.floor_plan_pixels_per_metre = float(pixels_per_metre)
    if rotation_deg is not None:
        environment.floor_plan_rotation_deg = float(rotation_deg)
    environment.floor_plan_width_px, environment.floor_plan_height_px = width, height
    previous = environment.floor_plan.name
    environment.floor_plan = file
    _save_valid(environment)
    if previous and previous != environment.floor_plan.name:
        storage = environment.floor_plan.storage
        transaction.on_commit(lambda: storage.delete(previous))
    return environment


def camera_calibrate(
    *, camera: Camera, points_px: Sequence[Sequence[float]], positions_m: Sequence[Sequence[float]]
) -> Camera:
    """Calibrate a camera from points on the ground that were marked in its image and on the map.

    Args:
        points_px: (n, 2) pixels of the camera's image, n >= 4, better 8 or more spread over the view.
        positions_m: (n, 2) metres on the map, in the same order.

    Returns:
        The camera with `calibration` and the mean `calibration_error_m` of the given points.

    Raises:
        ValidationFailedError: too few points, or points that do not fix the ground plane.
    """
    pixels, positions = np.asarray(points_px, float), np.asarray(positions_m, float)
    try:
        H = fit_homography(pixels, positions)
        model = CameraModel.from_homography(H, camera.image_size)
    except ValueError as error:
        raise ValidationFailedError(
            f"The points do not calibrate the camera: {error}. Mark four or more points on the ground, "
            "spread over the picture, no three on one line."
        ) from error
    width, height = camera.image_size
    # the homography as fitted is kept, not the projection recovered from it, which need not agree exactly
    camera.calibration = {
        "homography_image_to_map": model.image_to_map.tolist(),
        "width": width,
        "height": height,
    }
    camera.calibration_error_m = float(reprojection_error_m(H, pixels, positions).mean())
    camera.__dict__.pop("model", None)
    _save_valid(camera)
    return camera


def membership_set(*, user: Any, environment: Environment, role: Role | str) -> Membership:
    """Make `user` a member with this role, or change the role.

    Raises:
        ValidationFailedError: no such role.
    """
    if role not in Role.values:
        raise ValidationFailedError(f"There is no role {role!r}; use {', '.join(Role.values)}.")
    membership, _ = Membership.objects.update_or_create(
        user=user, environment=environment, defaults={"role": Role(role)}
    )
    return membership


@transaction.atomic
def recording_register(
    *,
    camera: Camera,
    uri: str,
    started_at: datetime,
    duration_s: float | None = None,
    fps: float | None = None,
    frame_count: int | None = None,
    image_size: tuple[int, int] | None = None,
    problems: Sequence[Any] = (),
) -> Recording:
    """Tell SpotOn of footage. Registering the same source for the same start again changes nothing.

    With `duration_s` and `fps` the recording counts as probed at once; without, a worker is asked to read the
    source after the transaction commits.

    Args:
        started_at: capture time of the first frame, with a time zone.
        image_size: (width, height) in pixels.
        problems: JSON-serialisable remarks about the file.

    Raises:
        ValidationFailedError: no time zone, or impossible figures.
        ConflictError: another recording of the camera covers part of the same time.
    """
    if started_at.tzinfo is None:
        raise ValidationFailedError("`started_at` needs a time zone, for example 2026-01-01T10:00:00Z.")
    started_at = started_at.astimezone(UTC)
    # one at a time per camera, so that two registrations cannot both find the span free
    Camera.objects.select_for_update().get(pk=camera.pk)
    known = Recording.objects.filter(camera=camera, uri=uri, started_at=started_at).first()
    if known is not None and (known.status == Recording.Status.PROBED or duration_s is None):
        return known
    recording = known or Recording(camera=camera, uri=uri, started_at=started_at)
    if duration_s is None or fps is None:
        _save_valid(recording)
        recording_probe_later(recording=recording)
        return recording
    return _store_probe(recording, duration_s, fps, frame_count, image_size, problems)


def recording_probe_later(*, recording: Recording) -> None:
    """Ask a worker, once the transaction has committed, to read the source and report what it is."""
    recording_id = str(recording.pk)
    transaction.on_commit(lambda: current_app.send_task(PROBE_TASK, kwargs={"recording_id": recording_id}))


@transaction.atomic
def recording_probed(
    *,
    recording_id: UUID | str,
    duration_s: float,
    fps: float,
    frame_count: int | None,
    image_size: tuple[int, int] | None,
    problems: Sequence[Any] = (),
) -> Recording:
    """A worker has read the source. Reporting twice changes nothing.

    A source that turns out to overlap another recording of its camera is kept as failed, with the reason.

    Raises:
        NotFoundError: the recording was deleted meanwhile.
        ValidationFailedError: impossible figures.
    """
    recording = _locked_recording(recording_id)
    if recording.status == Recording.Status.PROBED:
        return recording
    try:
        return _store_probe(recording, duration_s, fps, frame_count, image_size, problems)
    except ConflictError as error:
        return _store_failure(recording, error.message, problems)


@transaction.atomic
def recording_failed(*, recording_id: UUID | str, error: str, problems: Sequence[Any] = ()) -> Recording:
    """A worker could not read the source; `error` says why and what to do. Never undoes a successful probe.

    Raises:
        NotFoundError: the recording was deleted meanwhile.
    """
    recording = _locked_recording(recording_id)
    if recording.status == Recording.Status.PROBED:
        return recording
    return _store_failure(recording, error, problems)


def _upsert(
    model: type[models.Model], subject: str, key: dict[str, Any], make_fields: Callable[[], dict[str, Any]]
) -> Any:
    """The row with this key, with these fields; written only when something differs."""
    try:
        fields = make_fields()
    except (TypeError, ValueError) as error:
        raise ValidationFailedError(f"{subject}: {error}.") from error
    instance = model.objects.select_for_update().filter(**key).first() or model(**key)
    changed = [name for name, value in fields.items() if getattr(instance, name) != value]
    if instance._state.adding or changed:
        for name, value in fields.items():
            setattr(instance, name, value)
        try:
            instance.full_clean()
        except ValidationError as error:
            raise ValidationFailedError(
                f"{subject}: {' '.join(error.messages)}", details={"fields": error.message_dict}
            ) from error
        instance.save()
    return instance


def _has_same_plan(environment: Environment, image: bytes) -> bool:
    if not environment.floor_plan:
        return False
    try:
        with environment.floor_plan.open("rb") as file:
            return file.read() == image
    except FileNotFoundError:
        return False


def _locked_recording(recording_id: UUID | str) -> Recording:
    """The recording, with its camera locked against concurrent registrations."""
    recording = Recording.objects.select_related("camera").filter(pk=recording_id).first()
    if recording is None:
        raise NotFoundError("This recording does not exist any more.")
    Camera.objects.select_for_update().get(pk=recording.camera_id)
    recording.refresh_from_db()
    return recording


def _store_probe(
    recording: Recording,
    duration_s: float,
    fps: float,
    frame_count: int | None,
    image_size: tuple[int, int] | None,
    problems: Sequence[Any],
) -> Recording:
    for name, value in (("duration_s", duration_s), ("fps", fps)):
        if not math.isfinite(value) or value <= 0:
            raise ValidationFailedError(f"A recording's {name} must be above 0, got {value}.")
    end = recording.started_at + timedelta(seconds=duration_s)
    other = (
        Recording.objects.filter(
            camera=recording.camera_id,
            status=Recording.Status.PROBED,
            started_at__lt=end,
            ended_at__gt=recording.started_at,
        )
        .exclude(pk=recording.pk)
        .first()
    )
    if other is not None:
        raise ConflictError(
            f"{os.path.basename(recording.uri)} ({_span(recording.started_at, end)}) overlaps "
            f"{os.path.basename(other.uri)} ({_span(other.started_at, other.ended_at)}) of the same camera. "
            "Correct the start time, or remove one of them.",
            details={"recording_id": str(other.pk)},
        )
    recording.duration_s, recording.fps, recording.frame_count = duration_s, fps, frame_count
    recording.image_width, recording.image_height = image_size or (None, None)
    recording.problems, recording.status, recording.error = list(problems), Recording.Status.PROBED, ""
    _save_valid(recording)
    return recording


def _store_failure(recording: Recording, error: str, problems: Sequence[Any]) -> Recording:
    recording.duration_s = None
    recording.status, recording.error, recording.problems = Recording.Status.FAILED, error, list(problems)
    recording.save()
    return recording


def _span(start: datetime, end: datetime) -> str:
    return f"{start.astimezone(UTC):%Y-%m-%d %H:%M:%S} to {end.astimezone(UTC):%H:%M:%S} UTC"


def _save_valid(instance: Any) -> None:
    """Save after the model's own checks.

    Raises:
        ValidationFailedError: details name the fields.
    """
    try:
        instance.full_clean()
    except ValidationError as error:
        fields = error.message_dict
        first = next(iter(fields.values()))[0]
        raise ValidationFailedError(first, details={"fields": fields}) from error
    instance.save()
