"""Who is who, as it was decided after the engine, and by whom: what `tracking.identity` keeps."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from environments.models import Camera, Environment


class PersonAlias(models.Model):
    """Whom the engine calls `origin` is `person` from `since` on, until the origin's next alias.

    An origin without aliases is the person of that id. The first alias of an origin has no `since`.
    """

    origin_id = models.UUIDField()
    since = models.DateTimeField(null=True)
    person = models.ForeignKey("tracking.Person", on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["origin_id", "since"], nulls_distinct=False, name="alias_once_per_time"
            )
        ]


class PersonChange(models.Model):
    """A merge or split of persons: who decided it, when and why, and what undoing it needs."""

    class Kind(models.TextChoices):
        MERGE = "merge"
        SPLIT = "split"

    class Source(models.TextChoices):
        OPERATOR = "operator"
        FEEDBACK = "feedback"
        APPEARANCE = "appearance"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="person_changes")
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.CharField(max_length=12, choices=Source)
    person_id = models.UUIDField(help_text="Merge: who remains. Split: who was split.", db_index=True)
    other_id = models.UUIDField(
        help_text="Merge: who was merged into them. Split: who is new.", db_index=True
    )
    reason = models.TextField(blank=True)
    details = models.JSONField(
        default=dict, help_text="Split: from, task, tracks. By appearance: similarity and deviations."
    )
    origins = ArrayField(models.UUIDField(), help_text="The engine's persons whose rows it moved.")
    aliases_before = models.JSONField(help_text="Their aliases before: per origin, [since or null, person].")
    renamed = models.JSONField(
        default=dict, help_text="Split of a part: new origin of the moved rows, per origin before."
    )
    spans_before = models.JSONField(help_text="Per person: first and last seen before.")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["environment", "-created_at"], name="change_recent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.person_id} {self.other_id}"


class PersonFeedback(models.Model):
    """Somebody's word on re-identification: about two persons, or about one person at a place and time."""

    class Verdict(models.TextChoices):
        UP = "up"
        DOWN = "down"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="person_feedback")
    verdict = models.CharField(max_length=4, choices=Verdict)
    person_id = models.UUIDField(db_index=True)
    candidate_id = models.UUIDField(null=True, db_index=True, help_text="The other person of the pair.")
    task = models.ForeignKey(
        "tracking.ProcessingTask", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    camera = models.ForeignKey(Camera, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(null=True)
    notes = models.TextField(blank=True)
    confidence = models.FloatField(null=True, help_text="0 to 1: how sure whoever said it was.")
    source = models.CharField(max_length=64, help_text="Where it was said, for example console.")
    details = models.JSONField(default=dict, blank=True, help_text="What else the client told.")
    change = models.ForeignKey(
        PersonChange, null=True, blank=True, on_delete=models.SET_NULL, related_name="feedback",
        help_text="The merge or split that it made or undid.",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "person feedback"
        constraints = [
            models.CheckConstraint(
                name="feedback_is_about_something",
                condition=Q(candidate_id__isnull=False) | Q(at__isnull=False),
            ),
            models.CheckConstraint(
                name="feedback_confidence_is_a_share", condition=Q(confidence__range=(0, 1))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.person_id}"
