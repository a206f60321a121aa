"""Export jobs: what was asked for, how it went, and the file."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from tracking.models import ProcessingTask


def _file_path(job: ExportJob, filename: str) -> str:
    return f"exports/{job.pk}/{filename}"


class ExportJob(models.Model):
    """One export of one task's tracks. QUEUED -> RUNNING -> DONE or FAILED (with `error`)."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    class Format(models.TextChoices):
        MOT = "mot", "MOT per camera (ZIP of frame,id,x,y,w,h,conf,-1,-1,-1)"
        MAP_CSV = "map_csv", "Positions on the map (CSV)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=10, choices=Format)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED, editable=False)
    error = models.TextField(blank=True, editable=False)
    file = models.FileField(upload_to=_file_path, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(name="export_done_has_file", condition=~Q(status="done") | ~Q(file="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_format_display()} of {self.task}"
