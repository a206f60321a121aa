"""Everybody's own overlay style for a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from tracking.models import OverlayConfig, ProcessingTask
from tracking.overlay_style import OverlayStyle


def style_for(*, user: Any, task: ProcessingTask) -> OverlayStyle:
    """What the user chose for this task; what they did not choose is as by default."""
    chosen = OverlayConfig.objects.filter(user=user, task=task).values_list("style", flat=True).first()
    return OverlayStyle.from_json(chosen or {})


@transaction.atomic
def overlay_config_set(*, user: Any, task: ProcessingTask, changes: Mapping[str, Any]) -> OverlayStyle:
    """Change these fields of the style; the whole style now in force.

    Raises:
        ValidationFailedError: details name each wrong field.
    """
    OverlayConfig.objects.get_or_create(user=user, task=task)
    config = OverlayConfig.objects.select_for_update().get(user=user, task=task)
    config.style = {**config.style, **changes}
    style = OverlayStyle.from_json(config.style)
    config.save(update_fields=["style"])
    return style
