"""Focus: the one person that all who watch a task look at. One small state in Redis; everything derives from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone

from environments.errors import ValidationFailedError
from environments.models import Role
from environments.redis import redis_client
from environments.selectors import require_role
from tracking import playback, publish, selectors
from tracking.focus_details import focus_details
from tracking.identity import current_ids
from tracking.messages import isoformat
from tracking.models import Detection, Person, ProcessingTask

# as long as somebody watches, it is looked at and lives on
LIFE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Focus:
    """Attributes: person_id as chosen; started_at ISO; highlight for drawing; by whom."""

    person_id: str
    started_at: str
    highlight: dict[str, Any] = field(default_factory=dict)


def focus_key(task_id: Any) -> str:
    return f"spoton:focus:{task_id}"


def focus_from(data: bytes | None) -> Focus | None:
    return Focus(**json.loads(data)) if data else None


def focus_set(
    *, user: Any, task: ProcessingTask, person_id: UUID | str, highlight: dict[str, Any] | None = None
) -> Focus:
    """Let all who watch the task look at a person.

    Raises:
        PersonNotFoundError: unknown or not visible.
        ValidationFailedError: the person was never seen in this task.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    person = selectors.person_get(user=user, person_id=person_id)
    if not Detection.objects.filter(person=person, task=task).exists():
        raise ValidationFailedError("This person was not seen in this task.")
    focus = Focus(str(person.pk), isoformat(timezone.now()), highlight or {})
    redis_client().set(focus_key(task.pk), json.dumps(asdict(focus)), ex=LIFE_SECONDS)
    publish.tell(task.pk, "focus.changed")
    return focus


def focus_clear(*, user: Any, task: ProcessingTask) -> None:
    """Look at everybody again."""
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    if redis_client().delete(focus_key(task.pk)):
        publish.tell(task.pk, "focus.changed")


def focus_get(task: ProcessingTask) -> Focus | None:
    """Whom the task's viewers look at; who was merged into somebody else meanwhile is them."""
    focus = focus_from(redis_client().get(focus_key(task.pk)))
    if focus is None:
        return None
    now = current_ids([UUID(focus.person_id)])[UUID(focus.person_id)]
    return Focus(str(now), focus.started_at, focus.highlight)


def focus_entity(task: ProcessingTask, focus: Focus | None) -> dict[str, Any]:
    """The focus as REST and sockets show it: whom, since when, and where they are by the task's clock."""
    details = None
    person = Person.objects.filter(pk=focus.person_id).first() if focus else None
    if person is not None:
        details = focus_details(task=task, person=person, until=playback.moment(task))
    return {
        "task_id": str(task.pk),
        "is_active": person is not None,
        "focused_person_id": str(person.pk) if person else None,
        "focus_start_time": focus.started_at if person else None,
        "highlight_settings": focus.highlight if person else {},
        "cross_camera_sync": True,
        "person_details": details,
    }
