"""What SpotOn watches: environments, their cameras, zones and recordings, and who may see them.

Map coordinates are metres in the environment's map frame, image coordinates pixels, times UTC.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.utils.functional import cached_property

from calibration import CameraModel, InvalidCalibrationError
from environments.geometry import FloorPlanFrame
from environments.notices import access_changed
from environments.validators import (
    validate_calibration,
    validate_image,
    validate_polygon,
    validate_timezone,
)


def floor_plan_path(environment: Environment, filename: str) -> str:
    return f"environments/{environment.slug}/floor-plan{_suffix(filename)}"


def preview_path(camera: Camera, filename: str) -> str:
    return f"environments/{camera.environment.slug}/cameras/{camera.slug}{_suffix(filename)}"


def _suffix(filename: str) -> str:
    return "." + filename.rpartition(".")[2].lower()


class Environment(models.Model):
    """A place under watch: a map in metres, a floor plan drawn on it, cameras and zones."""

    slug = models.SlugField("id", unique=True, help_text="Short name used in addresses, for example campus.")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text="IANA name, for example Europe/Zurich. Times are stored in UTC and shown in this zone.",
    )
    floor_plan = models.FileField(
        upload_to=floor_plan_path, blank=True, validators=[validate_image], help_text="PNG or JPEG."
    )
    floor_plan_width_px = models.PositiveIntegerField(null=True, editable=False)
    floor_plan_height_px = models.PositiveIntegerField(null=True, editable=False)
    floor_plan_origin_x_m = models.FloatField(
        "origin x (m)", default=0.0, help_text="Map position of the image's top-left corner."
    )
    floor_plan_origin_y_m = models.FloatField("origin y (m)", default=0.0)
    floor_plan_pixels_per_metre = models.FloatField("pixels per metre", default=20.0)
    floor_plan_rotation_deg = models.FloatField(
        "rotation (degrees)",
        default=0.0,
        help_text="How far the image is turned counter-clockwise on the map.",
    )
    min_x_m = models.FloatField("west edge, x (m)", default=0.0)
    min_y_m = models.FloatField("south edge, y (m)", default=0.0)
    max_x_m = models.FloatField("east edge, x (m)", default=50.0)
    max_y_m = models.FloatField("north edge, y (m)", default=50.0)
    is_active = models.BooleanField("active", default=True, help_text="Inactive environments are hidden.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                name="environment_bounds_not_empty",
                condition=Q(min_x_m__lt=F("max_x_m")) & Q(min_y_m__lt=F("max_y_m")),
                violation_error_message="The east edge must lie east of the west edge, and north of south.",
            ),
            models.CheckConstraint(
                name="environment_scale_positive",
                condition=Q(floor_plan_pixels_per_metre__gt=0),
                violation_error_message="The floor plan's scale must be above 0 pixels per metre.",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def floor_plan_frame(self) -> FloorPlanFrame:
        return FloorPlanFrame(
            (self.floor_plan_origin_x_m, self.floor_plan_origin_y_m),
            self.floor_plan_pixels_per_metre,
            self.floor_plan_rotation_deg,
        )


class Camera(models.Model):
    """One camera of an environment. Its calibration is the JSON that `CameraModel.from_mapping` reads."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="cameras")
    slug = models.SlugField("id", help_text="Short name, unique within the environment, for example c01.")
    name = models.CharField(max_length=120)
    image_width = models.PositiveIntegerField("image width (px)", validators=[MinValueValidator(1)])
    image_height = models.PositiveIntegerField("image height (px)", validators=[MinValueValidator(1)])
    fps = models.FloatField("frames per second", default=10.0)
    calibration = models.JSONField(
        null=True,
        blank=True,
        help_text="P (3x4), or K, R and t, or homography_image_to_map (3x3), with width and height in "
        "pixels. Empty: not calibrated, its people are not placed on the map.",
    )
    calibration_error_m = models.FloatField("mean calibration error (m)", null=True, blank=True)
    live_uri = models.CharField(
        "live address",
        max_length=500,
        blank=True,
        help_text="rtsp://, http(s):// or webcam:0; empty: recordings only.",
    )
    clock_offset_s = models.FloatField(
        "clock offset (s)", default=0.0, help_text="Added to the camera's own times to get the true time."
    )
    preview = models.FileField(
        upload_to=preview_path,
        blank=True,
        validators=[validate_image],
        help_text="A still picture, PNG or JPEG.",
    )
    is_active = models.BooleanField("active", default=True)
    order = models.PositiveSmallIntegerField(default=0, help_text="Position in lists and grids.")

    class Meta:
        ordering = ["environment", "order", "slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "slug"],
                name="camera_slug_unique_per_environment",
                violation_error_message="This environment already has a camera with this id.",
            ),
            models.CheckConstraint(
                name="camera_image_size_positive", condition=Q(image_width__gt=0) & Q(image_height__gt=0)
            ),
            models.CheckConstraint(
                name="camera_fps_plausible",
                condition=Q(fps__gt=0) & Q(fps__lte=240),
                violation_error_message="Frames per second must be above 0 and at most 240.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} · {self.name}"

    @property
    def image_size(self) -> tuple[int, int]:
        return self.image_width, self.image_height

    @cached_property
    def model(self) -> CameraModel | None:
        """The camera's geometry for its own image size; None when it is not (usably) calibrated."""
        if not self.calibration:
            return None
        try:
            return CameraModel.from_mapping(self.calibration).scaled_to(self.image_size)
        except InvalidCalibrationError:
            return None

    def clean(self) -> None:
        if self.calibration and self.image_width and self.image_height:
            try:
                validate_calibration(self.calibration, self.image_size)
            except ValidationError as error:
                raise ValidationError({"calibration": error.messages}) from error


class Zone(models.Model):
    """A named area of the map."""

    class Kind(models.TextChoices):
        ENTRANCE = "entrance", "Entrance"
        EXIT = "exit", "Exit"
        WALKWAY = "walkway", "Walkway"
        WORK_AREA = "work_area", "Work area"
        RESTRICTED = "restricted", "Restricted"
        QUEUE = "queue", "Queue"
        SEATING = "seating", "Seating"
        PARKING = "parking", "Parking"
        STORAGE = "storage", "Storage"
        OTHER = "other", "Other"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="zones")
    slug = models.SlugField("id", help_text="Short name, unique within the environment.")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.OTHER)
    polygon = models.JSONField(
        validators=[validate_polygon], help_text="Corners as [[x, y], ...] in metres on the map."
    )
    max_persons = models.PositiveIntegerField(
        "most persons", null=True, blank=True, help_text="More than this are an alert; empty: any number."
    )
    is_active = models.BooleanField("active", default=True)

    class Meta:
        ordering = ["environment", "slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "slug"],
                name="zone_slug_unique_per_environment",
                violation_error_message="This environment already has a zone with this id.",
            ),
            models.CheckConstraint(
                name="zone_kind_known",
                condition=Q(
                    kind__in=[
                        "entrance",
                        "exit",
                        "walkway",
                        "work_area",
                        "restricted",
                        "queue",
                        "seating",
                        "parking",
                        "storage",
                        "other",
                    ]
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug


class Recording(models.Model):
    """Footage of one camera over one span of time.

    REGISTERED (its length is not known yet) becomes PROBED when a worker has read the source, or FAILED when
    it could not; a failed one may be probed again. Only probed recordings count as data, and those of one
    camera never overlap.
    """

    class Status(models.TextChoices):
        REGISTERED = "registered", "Registered"
        PROBED = "probed", "Probed"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="recordings")
    uri = models.CharField("source", max_length=1000, help_text="Path of a video file or a folder of images.")
    started_at = models.DateTimeField(help_text="When the first frame was captured (UTC).")
    duration_s = models.FloatField("duration (s)", null=True, blank=True)
    ended_at = models.DateTimeField(null=True, editable=False, help_text="started_at plus duration.")
    fps = models.FloatField("frames per second", null=True, blank=True)
    frame_count = models.PositiveIntegerField(null=True, blank=True)
    image_width = models.PositiveIntegerField("image width (px)", null=True, blank=True)
    image_height = models.PositiveIntegerField("image height (px)", null=True, blank=True)
    problems = models.JSONField(
        default=list, blank=True, editable=False, help_text="What was wrong in the file, and where."
    )
    status = models.CharField(
        max_length=12, choices=Status.choices, default=Status.REGISTERED, editable=False
    )
    error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["camera", "started_at"]
        indexes = [models.Index(fields=["camera", "started_at", "ended_at"], name="recording_span")]
        constraints = [
            models.UniqueConstraint(
                fields=["camera", "uri", "started_at"],
                name="recording_registered_once",
                violation_error_message="This source is already registered for this camera and start.",
            ),
            models.CheckConstraint(
                name="recording_duration_positive",
                condition=Q(duration_s__isnull=True) | Q(duration_s__gt=0),
                violation_error_message="The duration must be above 0 seconds.",
            ),
            models.CheckConstraint(
                name="recording_end_follows_duration",
                condition=Q(duration_s__isnull=True, ended_at__isnull=True)
                | Q(duration_s__isnull=False, ended_at__gt=F("started_at")),
            ),
            models.CheckConstraint(
                name="recording_probed_has_duration",
                condition=~Q(status="probed") | Q(duration_s__isnull=False, fps__isnull=False),
            ),
            # ranges have a built-in GiST class, plain integers need an extension: a camera is a range of one
            ExclusionConstraint(
                name="recording_spans_do_not_overlap",
                expressions=[
                    (
                        Func("camera", "camera", models.Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(
                            "started_at", "ended_at", function="tstzrange", output_field=DateTimeRangeField()
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(status="probed"),
                violation_error_message="Another recording of this camera covers part of this time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.camera.slug} {self.started_at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: object, **kwargs: object) -> None:
        self.ended_at = self.span_end
        update_fields = kwargs.get("update_fields")
        if update_fields is not None:
            kwargs["update_fields"] = {*update_fields, "ended_at"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        # before the constraints are checked: they read the end
        self.ended_at = self.span_end

    @property
    def span_end(self) -> datetime | None:
        if self.duration_s is None or self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=self.duration_s)

    @property
    def image_size(self) -> tuple[int, int] | None:
        return (self.image_width, self.image_height) if self.image_width and self.image_height else None


class Role(models.TextChoices):
    """What a member may do, from most to least: Admin everything, Operator control, Viewer read."""

    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"
    VIEWER = "viewer", "Viewer"

    @property
    def rank(self) -> int:
        return {"viewer": 1, "operator": 2, "admin": 3}[self.value]

    def covers(self, needed: Role) -> bool:
        """Whether someone with this role may do what `needed` asks for."""
        return self.rank >= needed.rank


class Membership(models.Model):
    """A user's role in one environment."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["environment", "user"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "environment"],
                name="membership_once_per_environment",
                violation_error_message="This user is already a member; change the role instead.",
            ),
            models.CheckConstraint(
                name="membership_role_known", condition=Q(role__in=["admin", "operator", "viewer"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} of {self.environment}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        access_changed(self.user_id)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        access_changed(self.user_id)
        return super().delete(*args, **kwargs)


# Django finds an app's models here
from environments.personal import AnalysisSession, Preferences  # noqa: E402, F401
