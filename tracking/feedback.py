"""What people say about re-identification, and what is learned from it.

Every word counts for good: two persons who were told apart are never matched automatically again, and a confirmed
pair stays one person. Where people disagree, the last word holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from environments.errors import ValidationFailedError
from environments.models import Camera, Environment, Role
from environments.selectors import require_role
from tracking.changes import change_undo, person_merge, person_split
from tracking.errors import NothingToSplitError, PersonNotFoundError
from tracking.identity import current_ids
from tracking.models import Detection, Person, PersonChange, PersonFeedback, ProcessingTask

Verdict = PersonFeedback.Verdict
# a person pointed at in a picture was detected within this time of it (s)
NEAR_S = 1.0


@transaction.atomic
def feedback_give(
    *,
    user: Any,
    person: Person,
    verdict: str,
    candidate: Person | None = None,
    task: ProcessingTask | None = None,
    camera: Camera | None = None,
    at: datetime | None = None,
    notes: str = "",
    confidence: float | None = None,
    source: str = "operator",
    details: dict[str, Any] | None = None,
) -> PersonFeedback:
    """Say whether a person is a candidate, or whether it really is them whom a camera shows at a time.

    `up` on a pair merges the two, `down` takes a merge of the two back. `down` on a camera and time makes the
    track there somebody else. What follows from it is the feedback's `change`.

    Args:
        person, candidate: as they are known to the user: they may be one person by now.
        task, camera, at: instead of a candidate.
        confidence: 0 to 1.
        details: what else the client told; kept as it is.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user is no Operator there.
        ValidationFailedError: neither a candidate nor a place, or both; or of another environment.
        PersonsOverlapError, ChangeBlockedError, NothingToSplitError, ConflictError: it cannot be followed; nothing
            is kept then.
    """
    require_role(user=user, environment=person.environment, role=Role.OPERATOR)
    place = (task, camera, at)
    if candidate is not None:
        if any(place):
            raise ValidationFailedError("Name a candidate or a task, camera and time; not both.")
        if candidate.environment_id != person.environment_id or candidate.pk == person.pk:
            raise ValidationFailedError("The candidate must be another person of the same environment.")
        change = _about_pair(user, person, candidate, verdict, notes)
    elif None in place:
        raise ValidationFailedError("Name a candidate, or a task, a camera and a time.")
    else:
        change = _about_place(user, person, verdict, task, camera, at, notes)
    return PersonFeedback.objects.create(
        environment=person.environment,
        verdict=verdict,
        person_id=person.pk,
        candidate_id=candidate and candidate.pk,
        task=task,
        camera=camera,
        at=at,
        notes=notes,
        confidence=confidence,
        source=source,
        details=details or {},
        change=change,
        created_by=user,
    )


def told_apart(environment: Environment) -> set[frozenset[UUID]]:
    """Pairs of persons, as they are known now, who are not to be matched."""
    words = sorted(_words(environment), key=lambda word: word[0])
    ids = current_ids({person for _, *pair, _ in words for person in pair})
    last = {frozenset((ids[a], ids[b])): same for _, a, b, same in words}
    return {pair for pair, same in last.items() if not same and len(pair) == 2}


def _words(environment: Environment) -> Iterator[tuple[datetime, UUID, UUID, bool]]:
    """(when, person, other, whether they are the same) of all that was ever said of pairs."""
    feedback = PersonFeedback.objects.filter(environment=environment, candidate_id__isnull=False)
    for word in feedback:
        yield word.created_at, word.person_id, word.candidate_id, word.verdict == Verdict.UP
    for change in PersonChange.objects.filter(environment=environment).defer("aliases_before", "origins"):
        same = change.kind == PersonChange.Kind.MERGE
        yield change.created_at, change.person_id, change.other_id, same
        if change.undone_at is not None:
            yield change.undone_at, change.person_id, change.other_id, not same


def _about_pair(
    user: Any, person: Person, candidate: Person, verdict: str, notes: str
) -> PersonChange | None:
    ids = current_ids([person.pk, candidate.pk])
    together = ids[person.pk] == ids[candidate.pk]
    if verdict == Verdict.UP and not together:
        return person_merge(
            person=person, other=candidate, user=user, reason=notes, source=PersonChange.Source.FEEDBACK
        )
    if verdict == Verdict.DOWN and together:
        return change_undo(change=_merge_of(person, candidate), user=user)
    return None


def _merge_of(person: Person, candidate: Person) -> PersonChange:
    """The merge that made them one: of just these two, or the last that brought one of them in."""
    merges = PersonChange.objects.filter(
        environment=person.environment_id, kind=PersonChange.Kind.MERGE, undone_at=None
    )
    pair = [person.pk, candidate.pk]
    found = (
        merges.filter(person_id__in=pair, other_id__in=pair).first()
        or merges.filter(other_id__in=pair).order_by("-created_at").first()
    )
    if found is None:
        raise NothingToSplitError("No merge made them one person; split the person at a time instead.")
    return found


def _about_place(
    user: Any,
    person: Person,
    verdict: str,
    task: ProcessingTask,
    camera: Camera,
    at: datetime,
    notes: str,
) -> PersonChange | None:
    if person.environment_id != task.environment_id or camera.environment_id != task.environment_id:
        raise ValidationFailedError("Person, task and camera must be of one environment.")
    near = timedelta(seconds=NEAR_S)
    shown = Detection.objects.filter(
        person=current_ids([person.pk])[person.pk],
        task=task,
        camera=camera,
        captured_at__range=(at - near, at + near),
    )
    found = min(shown, key=lambda d: abs(d.captured_at - at), default=None)
    if found is None:
        raise PersonNotFoundError("This person was not seen by that camera at that time.")
    if verdict == Verdict.UP:
        return None
    track = Detection.objects.filter(task=task, camera=camera, track_id=found.track_id)
    return person_split(
        person=person,
        since=track.aggregate(first=Min("captured_at"))["first"],
        task=task,
        tracks=[(camera.pk, found.track_id)],
        user=user,
        reason=notes,
        source=PersonChange.Source.FEEDBACK,
    )
