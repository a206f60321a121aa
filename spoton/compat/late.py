"""Thumbs down on a running task: a part of it can only be told to be somebody else when it has ended.

The old client shows nothing but running tasks, so its words wait here until then.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction

from environments.errors import DomainError
from environments.models import Camera, Role
from environments.selectors import require_role
from tracking.feedback import feedback_give
from tracking.models import Person, PersonFeedback, ProcessingTask

log = logging.getLogger(__name__)

# in the feedback's details
WAITS, NOT_FOLLOWED = "follow_when_ended", "not_followed"


def feedback_keep(
    *,
    user: Any,
    person: Person,
    task: ProcessingTask,
    camera: Camera,
    at: datetime,
    details: dict[str, Any],
    **said: Any,
) -> PersonFeedback:
    """Keep a word to be followed by `follow_ended`. Arguments and errors of `tracking.feedback.feedback_give`."""
    require_role(user=user, environment=person.environment, role=Role.OPERATOR)
    return PersonFeedback.objects.create(
        environment=person.environment,
        person_id=person.pk,
        task=task,
        camera=camera,
        at=at,
        details={**details, WAITS: True},
        created_by=user,
        **said,
    )


def follow_ended() -> int:
    """Follow what was said of tasks that have ended by now; how many words."""
    waiting = PersonFeedback.objects.filter(
        **{f"details__{WAITS}": True}, task__status__in=ProcessingTask.FINAL, task__checkpoint=None
    )
    words = list(waiting.order_by("created_at").values_list("pk", flat=True))
    for word in words:
        _follow(word)
    return len(words)


@transaction.atomic
def _follow(pk: Any) -> None:
    word = PersonFeedback.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if word is None or not word.details.pop(WAITS, False):
        return
    try:
        with transaction.atomic():
            given = feedback_give(
                user=word.created_by,
                person=Person.objects.select_related("environment").get(pk=word.person_id),
                verdict=word.verdict,
                task=word.task,
                camera=word.camera,
                at=word.at,
                notes=word.notes,
            )
            word.change = given.change
            given.delete()
    except (DomainError, Person.DoesNotExist) as error:
        log.info("feedback %s is not followed: %s", word.pk, error)
        word.details[NOT_FOLLOWED] = str(error)
    word.save(update_fields=["change", "details"])
