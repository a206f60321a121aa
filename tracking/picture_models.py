"""Pictures that outlive the frame store: what is known of them. The files lie in the storage "pictures"."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse

from environments.models import Camera, Environment

FILE = "Name in the storage of pictures."


class StoredCrop(models.Model):
    """A person as a camera showed them, cut out of a frame: of one detection, whose columns it has.

    It follows its person as detections do. Its id is a pure function of the detection, so storing it twice is
    storing it once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    task = models.ForeignKey("tracking.ProcessingTask", on_delete=models.CASCADE, related_name="crops")
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, db_index=False, related_name="+")
    track_id = models.IntegerField()
    instant = models.IntegerField()
    frame = models.IntegerField(help_text="Presentation index within the source.")
    captured_at = models.DateTimeField()
    person = models.ForeignKey(
        "tracking.Person", on_delete=models.CASCADE, db_index=False, related_name="crops"
    )
    origin_id = models.UUIDField(null=True, help_text="Whom the engine took them for; null: the person.")
    quality = models.FloatField(help_text="How well it shows them; see `tracking.crops.quality_of`.")
    file = models.CharField(max_length=200, help_text=FILE)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["person", "camera", "-quality"], name="crop_best")]

    def __str__(self) -> str:
        return self.file

    def get_absolute_url(self) -> str:
        return reverse("tracking:crop-image", args=[self.pk])


class Snapshot(models.Model):
    """A frame that somebody kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, db_index=False, related_name="snapshots"
    )
    task = models.ForeignKey("tracking.ProcessingTask", on_delete=models.CASCADE, related_name="snapshots")
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="+")
    instant = models.IntegerField()
    frame = models.IntegerField(help_text="Presentation index within the source.")
    captured_at = models.DateTimeField()
    file = models.CharField(max_length=200, help_text=FILE)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    note = models.TextField(blank=True)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["environment", "-created_at"], name="snapshot_recent")]

    def __str__(self) -> str:
        return self.file

    def get_absolute_url(self) -> str:
        return reverse("tracking:snapshot-image", args=[self.pk])


class LeftPicture(models.Model):
    """A file whose row is gone, to be deleted.

    Written by the database itself, in the transaction that deletes the row, whoever deletes it: a file never goes
    before the commit, and is never forgotten after it.
    """

    file = models.CharField(max_length=200, help_text=FILE)

    def __str__(self) -> str:
        return self.file
