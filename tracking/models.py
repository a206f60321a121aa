"""What SpotOn saw: processing tasks, persons, and where they were.

Image coordinates are pixels of the camera's image, map coordinates metres, times UTC. `Detection` and
`Position` are time series: hypertables where TimescaleDB is available, else partitioned by day (see
`tracking.timeseries`). Their rows hold nothing that depends on when or by whom they were computed.

Rows belong to a person, and know their *origin*: the id that the engine gave them (`planning.person_id`), which
differs from the person's where somebody merged or split persons since (see `tracking.identity`).
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from pgvector.django import VectorField

from environments.models import Camera, Environment
from tracking.identity_models import PersonAlias, PersonChange, PersonFeedback
from tracking.picture_models import LeftPicture, Snapshot, StoredCrop

# Django finds them here
__all__ = ["LeftPicture", "PersonAlias", "PersonChange", "PersonFeedback", "Snapshot", "StoredCrop"]

ORIGIN = "Whom the engine took them for."
ORIGIN_IF_OTHER = "Whom the engine took them for; null: the person."


class ProcessingTask(models.Model):
    """One run of the engine over a recorded span or over live cameras. The row is the only truth of its state.

    QUEUED -> INITIALIZING -> PROCESSING -> COMPLETED
    PROCESSING <-> PAUSED; any of these -> STOPPED (asked for) or FAILED (with `error_code`, `error_message`).
    """

    class Status(models.TextChoices):
        QUEUED = "QUEUED"
        INITIALIZING = "INITIALIZING"
        PROCESSING = "PROCESSING"
        PAUSED = "PAUSED"
        COMPLETED = "COMPLETED"
        STOPPED = "STOPPED"
        FAILED = "FAILED"

    class Mode(models.TextChoices):
        RECORDED = "recorded"
        LIVE = "live"

    class Pacing(models.TextChoices):
        REALTIME = "realtime"
        MAX = "max"

    ACTIVE = (Status.QUEUED, Status.INITIALIZING, Status.PROCESSING, Status.PAUSED)
    FINAL = (Status.COMPLETED, Status.STOPPED, Status.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="tasks")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    mode = models.CharField(max_length=8, choices=Mode)
    pacing = models.CharField(max_length=8, choices=Pacing, default=Pacing.REALTIME)
    start = models.DateTimeField(
        null=True, help_text="Capture time of the first instant; live: when it began."
    )
    end = models.DateTimeField(null=True, help_text="End of the recorded span (exclusive); live: none.")
    fps = models.FloatField(help_text="Synchronised instants per second.")
    detector = models.CharField(max_length=300, help_text="As asked for, for example auto or yolox:PATH.")
    embedder = models.CharField(max_length=300)
    score_threshold = models.FloatField(null=True, blank=True)
    plan = models.JSONField(help_text="What to read for each camera; see `tracking.planning`.")
    choices = models.JSONField(default=dict, help_text="Detector and embedder: requested, chosen, reason.")
    seed = models.UUIDField(null=True, help_text="Namespace of the persons' ids; see `planning.person_seed`.")

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    batches_total = models.PositiveIntegerField(null=True, help_text="None for live tasks.")
    batches_scheduled = models.PositiveIntegerField(default=0)
    batches_done = models.PositiveIntegerField(default=0)
    last_instant = models.BigIntegerField(default=-1, help_text="Live: the last instant that has a batch.")
    clock_at = models.DateTimeField(
        null=True, help_text="Since when a task in real time runs without a break; null: since it started."
    )
    clock_batch = models.PositiveIntegerField(default=0, help_text="The batch that was due then.")
    camera_totals = models.JSONField(
        default=dict, help_text="Per camera over the whole task: frames, and the first problems met."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, help_text="When the first batch was scheduled.")
    progressed_at = models.DateTimeField(null=True, help_text="When the last batch was committed.")
    finished_at = models.DateTimeField(null=True)
    matched_at = models.DateTimeField(
        null=True, help_text="When its persons were compared with those of other tasks."
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status"], name="task_status")]
        constraints = [
            models.CheckConstraint(
                name="task_done_within_scheduled", condition=Q(batches_done__lte=F("batches_scheduled"))
            ),
            models.CheckConstraint(
                name="task_failure_has_reason", condition=~Q(status="FAILED") | ~Q(error_message="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment.slug} {self.mode} {self.status} ({self.id})"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def cameras(self) -> list[str]:
        return [camera["camera"] for camera in self.plan["cameras"]]


class Checkpoint(models.Model):
    """The tracker's state after the task's last committed batch. Written in that batch's transaction."""

    task = models.OneToOneField(ProcessingTask, primary_key=True, on_delete=models.CASCADE)
    batch = models.IntegerField(help_text="Number of the batch after which this is the state.")
    state = models.BinaryField()


class Batch(models.Model):
    """A committed batch: its row exists exactly once, or its results do not exist at all."""

    pk = models.CompositePrimaryKey("task_id", "number")
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    instants = models.PositiveIntegerField()
    committed_at = models.DateTimeField()
    cameras = models.JSONField(help_text="Per camera: frames, detections, problems, stage times in ms.")
    stages = models.JSONField(help_text="Stage times of the batch in ms: associate, record.")


class Person(models.Model):
    """Someone, known by one global id in every view of one environment."""

    id = models.UUIDField(primary_key=True, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="persons")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_seen_at"]
        indexes = [models.Index(fields=["environment", "-last_seen_at"], name="person_last_seen")]

    def __str__(self) -> str:
        return str(self.id)


class Appearance(models.Model):
    """How a person looked in one task: the gallery's memory, deletable with the person and after a while."""

    pk = models.CompositePrimaryKey("task_id", "origin_id")
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="appearances")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="appearances")
    origin_id = models.UUIDField(help_text=ORIGIN)
    embedder = models.CharField(max_length=300)
    vector = VectorField(help_text="Unit length; only comparable within one embedder.")
    weight = models.FloatField(help_text="How much was averaged: the sum of the crops' qualities.")
    seen_at = models.DateTimeField()


class LookVariation(models.Model):
    """What varied in looks of one and the same person while a task ran: kept until its persons are compared."""

    task = models.OneToOneField(ProcessingTask, primary_key=True, on_delete=models.CASCADE)
    directions = models.BinaryField(
        help_text="k unit vectors as long as an appearance, little-endian float32, in which looks varied most."
    )
    less = models.JSONField(help_text="k shares by which looks are scaled down along these.")


class Detection(models.Model):
    """A person's box in one camera at one instant. Time series.

    Every index costs time for every row: foreign keys have none of their own where another begins with them, and
    nothing asks for a camera's rows of all tasks (but the deletion of a camera, which may take a while).
    """

    pk = models.CompositePrimaryKey("task_id", "captured_at", "camera_id", "track_id")
    task = models.ForeignKey(
        ProcessingTask, on_delete=models.CASCADE, db_index=False, related_name="detections"
    )
    captured_at = models.DateTimeField(help_text="Capture time of this camera's frame.")
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, db_index=False, related_name="+")
    track_id = models.IntegerField(help_text="Unique within the task and camera.")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, db_index=False, related_name="detections")
    origin_id = models.UUIDField(null=True, help_text=ORIGIN_IF_OTHER)
    instant = models.IntegerField(help_text="Number of the synchronised instant within the task.")
    frame = models.IntegerField(help_text="Presentation index within the source.")
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    confidence = models.FloatField()
    map_x = models.FloatField(null=True)
    map_y = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["person", "captured_at"], name="detection_person_time"),
            models.Index(fields=["task", "camera", "instant"], name="detection_task_instant"),
        ]


class Position(models.Model):
    """A person's position on the map at one instant, from all cameras, as it was known then. Time series."""

    pk = models.CompositePrimaryKey("task_id", "captured_at", "person_id")
    task = models.ForeignKey(
        ProcessingTask, on_delete=models.CASCADE, db_index=False, related_name="positions"
    )
    captured_at = models.DateTimeField()
    person = models.ForeignKey(Person, on_delete=models.CASCADE, db_index=False, related_name="positions")
    origin_id = models.UUIDField(null=True, help_text=ORIGIN_IF_OTHER)
    instant = models.IntegerField()
    x_m = models.FloatField()
    y_m = models.FloatField()
    vx_m_s = models.FloatField()
    vy_m_s = models.FloatField()
    sigma_m = models.FloatField(help_text="Standard deviation of the position, the larger axis.")

    class Meta:
        indexes = [
            models.Index(fields=["person", "captured_at"], name="position_person_time"),
            models.Index(fields=["task", "instant"], name="position_task_instant"),
        ]


class Trajectory(models.Model):
    """A person's smoothed path on the map, written when the track closes (RTS smoother).

    Where a split cut a path, each part knows the path and its place in it, so that undoing joins them again.
    """

    pk = models.CompositePrimaryKey("task_id", "origin_id", "started_at")
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="trajectories")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="trajectories")
    origin_id = models.UUIDField(help_text=ORIGIN)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    path_started_at = models.DateTimeField(null=True, help_text="Start of the path this is a part of.")
    path_offset = models.IntegerField(default=0, help_text="Points of the path before this part.")
    path_points = models.IntegerField(null=True, help_text="Points of the path this is a part of.")
    instants = ArrayField(models.IntegerField())
    x_m = ArrayField(models.FloatField())
    y_m = ArrayField(models.FloatField())
    length_m = models.FloatField()


class SparePosition(models.Model):
    """A position that gave way to a surer one: two merged persons may both have one at the same instant.

    Kept so that undoing the merge brings it back.
    """

    pk = models.CompositePrimaryKey("task_id", "captured_at", "origin_id")
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="+")
    captured_at = models.DateTimeField()
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    origin_id = models.UUIDField(help_text=ORIGIN)
    instant = models.IntegerField()
    x_m = models.FloatField()
    y_m = models.FloatField()
    vx_m_s = models.FloatField()
    vy_m_s = models.FloatField()
    sigma_m = models.FloatField()


class OverlayConfig(models.Model):
    """What a user chose of the overlay's style for one task; see `tracking.overlay_style`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="+")
    style = models.JSONField(default=dict, help_text="Only the fields that were chosen.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "task"], name="overlay_config_once_per_user_and_task")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.task_id}"
