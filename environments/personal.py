"""What belongs to one user: preferences, and sessions of analysis."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Preferences(models.Model):
    """How a user likes things. No row: nothing was set yet."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preferences"
    )
    default_environment = models.ForeignKey(
        "environments.Environment", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    overlay = models.JSONField(default=dict, help_text="How pictures are drawn on, by name.")
    layout = models.JSONField(default=dict, help_text="The client's own; SpotOn only keeps it.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"Preferences of {self.user}"


class AnalysisSession(models.Model):
    """What a user looks at: a time range and cameras, with the client's state kept from request to request.

    Every change counts `version` up. A session that is not used is forgotten at `expires_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(
        "environments.Environment", on_delete=models.CASCADE, related_name="sessions"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="analysis_sessions"
    )
    name = models.CharField(max_length=120, blank=True)
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Exclusive.")
    cameras = models.JSONField(help_text="Slugs.")
    state = models.JSONField(default=dict, help_text="The client's own; SpotOn only keeps it.")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["environment", "owner"], name="session_environment_owner")]
        constraints = [
            models.CheckConstraint(name="session_range_not_empty", condition=Q(start__lt=F("end"))),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)
