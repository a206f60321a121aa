"""Merging and splitting persons, and taking it back.

A change is another set of aliases (`tracking.identity`); rows follow. What the aliases were before is kept, so
undoing it is exact, also for rows written meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.db import transaction
from django.db.models import F, Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from environments.errors import ConflictError, ValidationFailedError
from environments.models import Environment, Role
from environments.selectors import require_role
from tracking import repoint
from tracking.commit import own_task
from tracking.errors import (
    ChangeBlockedError,
    ChangeUndoneError,
    NothingToSplitError,
    PersonsOverlapError,
    SamePersonError,
    TaskNotFoundError,
)
from tracking.identity import (
    Pieces,
    aliases_of,
    aliases_replace,
    current_ids,
    lock_for_deciding,
    origins_of,
    spans,
)
from tracking.messages import isoformat
from tracking.models import Checkpoint, Detection, Person, PersonChange, ProcessingTask
from tracking.overlaps import find_overlap

Kind, Source = PersonChange.Kind, PersonChange.Source
# a frame may be captured a little later than its instant, which is what persons' spans are made of
SPAN_SLACK_S = 1.0


@transaction.atomic
def person_merge(
    *,
    person: Person,
    other: Person,
    user: Any = None,
    reason: str = "",
    source: str = Source.OPERATOR,
    details: dict[str, Any] | None = None,
) -> PersonChange:
    """Say that two persons are the same: `other`'s rows become `person`'s, also those still to be written.

    Args:
        user: needs the role Operator; None: SpotOn itself.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user may not.
        ValidationFailedError: they belong to different environments.
        SamePersonError: they are one already.
        PersonsOverlapError: they were at two places at once.
    """
    _require_operator(user, person.environment)
    if person.environment_id != other.environment_id:
        raise ValidationFailedError("Only persons of one environment can be merged.")
    lock_for_deciding(person.environment_id)
    person, other = (Person.objects.get(pk=pk) for pk in _current(person.pk, other.pk))
    if person == other:
        raise SamePersonError("They are the same person already.", details={"person_id": str(person.pk)})
    overlap = find_overlap(person.pk, other.pk)
    if overlap is not None:
        where = f"in camera {overlap.camera}" if overlap.camera else "on the map"
        raise PersonsOverlapError(
            f"Both were seen {where} at {isoformat(overlap.at)}, at different places: they cannot be the same person.",
            details={"at": isoformat(overlap.at), "camera": overlap.camera},
        )
    before = aliases_of(origins_of(other))
    after = {
        origin: [(since, person.pk if who == other.pk else who) for since, who in pieces or [(None, origin)]]
        for origin, pieces in before.items()
    }
    change = _change(Kind.MERGE, person, other.pk, before, user, source, reason, details or {})
    _apply(change, after)
    person.first_seen_at = min(person.first_seen_at, other.first_seen_at)
    person.last_seen_at = max(person.last_seen_at, other.last_seen_at)
    person.save()
    return change


@transaction.atomic
def person_split(
    *,
    person: Person,
    since: datetime,
    task: ProcessingTask | None = None,
    tracks: Sequence[tuple[int, int]] | None = None,
    user: Any = None,
    reason: str = "",
    source: str = Source.OPERATOR,
) -> PersonChange:
    """Say that from a time on a person is somebody else, who gets a new id (`other_id` of the change).

    Args:
        task: only what this task saw; it must have ended.
        tracks: of the task only these, (camera id, track id).
        user: needs the role Operator; None: SpotOn itself.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user may not.
        ValidationFailedError: tracks without a task.
        TaskNotFoundError: the task is not of the person's environment.
        ConflictError: the task is still running.
        NothingToSplitError: nothing of the person lies there, or everything.
    """
    _require_operator(user, person.environment)
    if tracks is not None and task is None:
        raise ValidationFailedError("Track ids are those of one task: name it.")
    if task is not None:
        _require_ended(task, person)
    lock_for_deciding(person.environment_id)
    person = Person.objects.get(pk=_current(person.pk)[0])
    moving = Detection.objects.filter(person=person, captured_at__gte=since)
    if task is not None:
        moving = moving.filter(task=task)
    if tracks is not None:
        moving = moving.filter(_any_of(tracks))
    count = moving.count()
    if not count or count == Detection.objects.filter(person=person).count():
        what = "Everything" if count else "Nothing"
        raise NothingToSplitError(f"{what} of this person lies there; choose another time or other tracks.")
    new = Person.objects.create(
        id=uuid4(),
        environment=person.environment,
        first_seen_at=person.first_seen_at,
        last_seen_at=person.last_seen_at,
    )
    details = {"from": isoformat(since)}
    if task is None:
        before, after = _cut(person, new, since)
        change = _change(Kind.SPLIT, person, new.pk, before, user, source, reason, details)
        _apply(change, after)
    else:
        details |= {"task_id": str(task.pk), "tracks": tracks and [list(track) for track in tracks]}
        origins = moving.annotate(whom=Coalesce(F("origin_id"), F("person_id")))
        renamed = {
            o: uuid5(new.pk, str(o)) for o in sorted(set(origins.values_list("whom", flat=True).distinct()))
        }
        before: dict[UUID, Pieces] = {origin: [] for origin in renamed.values()}
        change = _change(Kind.SPLIT, person, new.pk, before, user, source, reason, details, renamed=renamed)
        repoint.rename_part(
            task=task,
            person=person.pk,
            new_origins=renamed,
            new_person=new.pk,
            since=since,
            tracks=None if tracks is None else list(tracks),
        )
        _apply(change, {o: [(None, new.pk)] for o in renamed.values()})
    _share_span(person, new)
    return change


@transaction.atomic
def change_undo(*, change: PersonChange, user: Any = None) -> PersonChange:
    """Take a merge or split back: rows and persons are again what they would be without it.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user may not.
        ChangeUndoneError: it was undone already.
        ChangeBlockedError: later changes touch the same rows; they must be undone first.
    """
    _require_operator(user, change.environment)
    lock_for_deciding(change.environment_id)
    change.refresh_from_db()
    if change.undone_at is not None:
        raise ChangeUndoneError("This change was undone already.", details={"change_id": str(change.pk)})
    blocking = [str(pk) for pk in changes_after(change).order_by("-created_at").values_list("pk", flat=True)]
    if blocking:
        raise ChangeBlockedError(
            f"{len(blocking)} later change(s) touch the same rows; undo {blocking[0]} first.",
            details={"change_ids": blocking},
        )
    pure = not _touched_otherwise(change)
    renamed = {UUID(old): UUID(new) for old, new in change.renamed.items()}
    repoint.rename_back(renamed=renamed, person=change.other_id)
    _apply(change, {UUID(o): _pieces(parts) for o, parts in change.aliases_before.items()})
    if change.kind == Kind.SPLIT:
        # who knows the new id finds the person it is again
        aliases_replace({change.other_id: [(None, change.person_id)]})
    for person_id, span in change.spans_before.items():
        _restore_span(UUID(person_id), span, pure)
    change.undone_at, change.undone_by = Now(), user if getattr(user, "pk", None) else None
    change.save(update_fields=["undone_at", "undone_by"])
    change.refresh_from_db()
    return change


def changes_after(change: PersonChange) -> QuerySet[PersonChange]:
    """Later changes, not undone, that build on this one."""
    same = Q(origins__overlap=change.origins)
    if change.kind == Kind.SPLIT:
        same |= Q(person_id=change.other_id) | Q(other_id=change.other_id)
    return PersonChange.objects.filter(
        same, environment=change.environment_id, created_at__gt=change.created_at, undone_at=None
    )


# -- parts ---------------------------------------------------------------------------------------------------


def _require_operator(user: Any, environment: Environment) -> None:
    if user is not None:
        require_role(user=user, environment=environment, role=Role.OPERATOR)


def _require_ended(task: ProcessingTask, person: Person) -> None:
    """A part of a task can only be told when no row is added to it any more."""
    if task.environment_id != person.environment_id:
        raise TaskNotFoundError("There is no such processing task in this person's environment.")
    own_task(str(task.pk))
    task.refresh_from_db()
    if task.is_active or Checkpoint.objects.filter(task=task).exists():
        raise ConflictError(
            "This task is still running: split without `task_id`, or wait until it has ended.",
            details={"status": task.status},
        )


def _current(*ids: UUID) -> list[UUID]:
    known = current_ids(ids)
    return [known[person] for person in ids]


def _any_of(tracks: Sequence[tuple[int, int]]) -> Q:
    condition = Q(pk__in=[])
    for camera, track in tracks:
        condition |= Q(camera_id=camera, track_id=track)
    return condition


def _cut(person: Person, new: Person, since: datetime) -> tuple[dict[UUID, Pieces], dict[UUID, Pieces]]:
    """Aliases before and after: what is `person`'s from `since` on is `new`'s."""
    before, after = {}, {}
    for origin, known in aliases_of(origins_of(person)).items():
        pieces: Pieces = []
        for begin, end, who in spans(known or [(None, origin)]):
            if who != person.pk or (end is not None and end <= since):
                pieces.append((begin, who))
            elif begin is not None and begin >= since:
                pieces.append((begin, new.pk))
            else:
                pieces += [(begin, who), (since, new.pk)]
        before[origin], after[origin] = known, pieces
    return before, after


def _change(
    kind: str,
    person: Person,
    other: UUID,
    before: dict[UUID, Pieces],
    user: Any,
    source: str,
    reason: str,
    details: dict[str, Any],
    renamed: dict[UUID, UUID] | None = None,
) -> PersonChange:
    renamed = renamed or {}
    persons = Person.objects.filter(pk__in=[person.pk, other])
    change = PersonChange.objects.create(
        environment=person.environment,
        kind=kind,
        source=source,
        person_id=person.pk,
        other_id=other,
        reason=reason,
        details=details,
        origins=sorted({*before, *renamed}),
        aliases_before={
            str(origin): [[since and since.isoformat(), str(who)] for since, who in pieces]
            for origin, pieces in before.items()
        },
        renamed={str(old): str(new) for old, new in renamed.items()},
        spans_before={str(p.pk): [p.first_seen_at.isoformat(), p.last_seen_at.isoformat()] for p in persons},
        # the database's clock: which change came later must not depend on hosts' clocks
        created_at=Now(),
        created_by=user if getattr(user, "pk", None) else None,
    )
    change.refresh_from_db()
    return change


def _pieces(parts: list[list[str | None]]) -> Pieces:
    return [(since and datetime.fromisoformat(since), UUID(who)) for since, who in parts]


def _apply(change: PersonChange, aliases: dict[UUID, Pieces]) -> None:
    aliases_replace(aliases)
    repoint.follow(origins=change.origins, persons=[change.person_id, change.other_id])


# -- when persons were seen ----------------------------------------------------------------------------------


def _seen(person_id: UUID) -> tuple[datetime | None, datetime | None]:
    found = Detection.objects.filter(person=person_id).aggregate(
        first=Min("captured_at"), last=Max("captured_at")
    )
    return found["first"], found["last"]


def _share_span(person: Person, new: Person) -> None:
    """After a split: the outer ends stay as they were, the inner ones follow from the rows."""
    (first, last), (new_first, new_last) = _seen(person.pk), _seen(new.pk)
    whole = person.first_seen_at, person.last_seen_at
    person.first_seen_at, new.first_seen_at = (
        (whole[0], new_first) if first <= new_first else (first, whole[0])
    )
    person.last_seen_at, new.last_seen_at = (last, whole[1]) if new_last >= last else (whole[1], new_last)
    person.save()
    new.save()


def _restore_span(person_id: UUID, span: list[str], pure: bool) -> None:
    """After undoing: as before, and what was seen since; where other changes came and went, as the rows tell."""
    first, last = (datetime.fromisoformat(moment) for moment in span)
    seen_first, seen_last = _seen(person_id)
    if seen_first is None:
        return
    if not pure:
        first, last = seen_first, seen_last
    elif (seen_last - last).total_seconds() > SPAN_SLACK_S:
        last = seen_last
    Person.objects.filter(pk=person_id).update(first_seen_at=first, last_seen_at=last)


def _touched_otherwise(change: PersonChange) -> bool:
    """Whether the persons' other changes are not those that held when this one was made."""
    ids = [change.person_id, change.other_id]
    others = PersonChange.objects.filter(Q(person_id__in=ids) | Q(other_id__in=ids)).exclude(pk=change.pk)
    return others.filter(
        Q(created_at__gt=change.created_at, undone_at=None)
        | Q(created_at__lt=change.created_at, undone_at__gt=change.created_at)
    ).exists()
