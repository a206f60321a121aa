"""Everybody's own overlay style for a task."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import transaction

from environments.errors import ValidationFailedError
from environments.preferences import preferences_of
from tracking.models import OverlayConfig, ProcessingTask
from tracking.overlay_style import OverlayStyle


def style_for(*, user: Any, task: ProcessingTask) -> OverlayStyle:
    """What the user chose for this task; what they did not choose is as in their preferences, or by default."""
    chosen = OverlayConfig.objects.filter(user=user, task=task).values_list("style", flat=True).first()
    return OverlayStyle.from_json(chosen or {}, base=_preferred(user))


def _preferred(user: Any) -> OverlayStyle:
    """As the user's preferences say; what is no field of a style there is some client's own business."""
    style = OverlayStyle()
    for name, value in preferences_of(user).overlay.items():
        with suppress(ValidationFailedError):
            style = OverlayStyle.from_json({name: value}, base=style)
    return style


@transaction.atomic
def overlay_config_set(*, user: Any, task: ProcessingTask, changes: Mapping[str, Any]) -> OverlayStyle:
    """Change these fields of the style; the whole style now in force.

    Raises:
        ValidationFailedError: details name each wrong field.
    """
    OverlayConfig.objects.get_or_create(user=user, task=task)
    config = OverlayConfig.objects.select_for_update().get(user=user, task=task)
    config.style = {**config.style, **changes}
    style = OverlayStyle.from_json(config.style, base=_preferred(user))
    config.save(update_fields=["style"])
    return style
