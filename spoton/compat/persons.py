"""How persons are called there: by the beginning of their id, for that client writes the whole of it on every box."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from environments.selectors import environments_visible_to
from tracking.errors import PersonNotFoundError
from tracking.models import Person
from tracking.selectors import person_known

_SHOWN = re.compile(r"[0-9a-f]{8}")


def shown_id(person_id: UUID | str) -> str:
    return str(person_id)[:8]


def person_called(*, user: Any, name: str) -> Person:
    """The person of this id or of this beginning of one; of several the one who was seen last.

    Raises:
        PersonNotFoundError: no such person, or not visible.
    """
    if _SHOWN.fullmatch(name):
        people = Person.objects.filter(environment__in=environments_visible_to(user))
        people = people.filter(pk__range=(UUID(name + 24 * "0"), UUID(name + 24 * "f")))
        found = people.select_related("environment").order_by("-last_seen_at").first()
        if found is not None:
            return found
    try:
        return person_known(user=user, person_id=UUID(name))
    except ValueError as error:
        raise PersonNotFoundError("There is no such person, or you may not see them.") from error
