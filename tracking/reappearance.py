"""When a task has ended: whom of its persons have other tasks seen before (or after)?

Compared are those whom this task brought, with those of other ended tasks of the environment within
`SPOTON_MATCH_HOURS`. Nobody is compared who was there under the same id already, as when a span is processed again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils import timezone

from environments.errors import ConflictError
from tracking.changes import person_merge
from tracking.feedback import told_apart
from tracking.identity import current_ids, lock_for_deciding
from tracking.matching import match, special
from tracking.models import Appearance, Detection, LookVariation, Person, PersonChange, ProcessingTask

log = logging.getLogger(__name__)

Status = ProcessingTask.Status
# the sum of the crops' qualities from which on a look is trusted across tasks: about a second of good sight, where the
# tracker, which also knows where people were, is content with 0.5
LEAST_WEIGHT = 5.0


def persons_match(*, task_id: str) -> list[PersonChange]:
    """Merge the task's persons with whom they clearly were in other tasks, once per task.

    Repeated calls change nothing. What is decided follows from what is recorded (and said) by then.
    """
    task = ProcessingTask.objects.select_related("environment").filter(pk=task_id).first()
    if task is None or task.status not in (Status.COMPLETED, Status.STOPPED) or task.matched_at is not None:
        return []
    # read before anybody has to wait for us; each merge checks again what may have changed since
    pairs = _clear_pairs(task)
    with transaction.atomic():
        lock_for_deciding(task.environment_id)
        if not ProcessingTask.objects.filter(pk=task.pk, matched_at=None).update(matched_at=timezone.now()):
            return []
        LookVariation.objects.filter(task=task).delete()
        apart, changes = told_apart(task.environment), []
        for first, second, details in pairs:
            ids = frozenset(current_ids((first, second)).values())
            change = None if len(ids) < 2 or ids in apart else _merge(ids, details)
            if change is not None:
                changes.append(change)
                one, other = change.person_id, change.other_id
                apart = {frozenset(one if person == other else person for person in pair) for pair in apart}
    return changes


def _merge(ids: frozenset[UUID], details: dict[str, Any]) -> PersonChange | None:
    """The one seen earlier keeps their id; None: they were at two places at once."""
    person, other = Person.objects.filter(pk__in=ids).order_by("first_seen_at", "pk")
    try:
        return person_merge(
            person=person, other=other, source=PersonChange.Source.APPEARANCE, details=details
        )
    except ConflictError as error:
        log.info("persons %s and %s look alike but were not merged: %s", person, other, error)
        return None


@dataclass
class _Sight:
    """What one task saw of someone; the vector's length means nothing."""

    person: UUID
    vector: np.ndarray
    weight: float
    first: datetime | None = None
    last: datetime | None = None


Sights = dict[tuple[UUID, UUID], _Sight]
Pair = tuple[UUID, UUID, dict[str, Any]]


def _clear_pairs(task: ProcessingTask) -> list[Pair]:
    """Persons of this task and of another who are clearly the same, the clearest first.

    Each other task is compared by itself: somebody seen in two of them would otherwise compete with themselves.
    """
    hours = settings.ENV.match_hours
    seen = Detection.objects.filter(task=task).aggregate(first=Min("captured_at"), last=Max("captured_at"))
    if not hours or seen["first"] is None:
        return []
    reach = timedelta(hours=hours)
    sights = _sights(task, seen["first"] - reach, seen["last"] + reach)
    _make_special(task, sights)
    certain = [_cosine(sights[a].vector, sights[b].vector) for a, b in _complete(sights)]
    tasks: dict[UUID, dict[UUID, list[_Sight]]] = defaultdict(lambda: defaultdict(list))
    for (task_id, _), sight in sorted(sights.items()):
        if sight.first is not None:
            tasks[task_id][sight.person].append(sight)
    mine = tasks.pop(task.pk, {})
    known = set().union(*tasks.values()) & set(mine)
    mine = {person: found for person, found in mine.items() if person not in known}
    apart = told_apart(task.environment)
    pairs: list[Pair] = []
    for theirs in tasks.values():
        others = {person: found for person, found in theirs.items() if person not in known}
        pairs += _matches(mine, others, apart, reach, np.array(certain))
    return sorted(pairs, key=lambda pair: (-pair[2]["score"], pair[:2]))


def _matches(
    mine: dict[UUID, list[_Sight]],
    theirs: dict[UUID, list[_Sight]],
    apart: set[frozenset[UUID]],
    reach: timedelta,
    certain: np.ndarray,
) -> list[Pair]:
    if not mine or not theirs:
        return []
    possible = np.array(
        [[frozenset((a, b)) not in apart and _near(mine[a], theirs[b], reach) for b in theirs] for a in mine]
    )
    looks = [np.stack([_look(found) for found in persons.values()]) for persons in (mine, theirs)]
    names = list(mine), list(theirs)
    return [
        (
            names[0][found.mine],
            names[1][found.theirs],
            {"similarity": round(found.similarity, 4), "score": round(found.score, 2)},
        )
        for found in match(*looks, possible=possible, different=certain)
    ]


def _sights(task: ProcessingTask, start: datetime, end: datetime) -> Sights:
    """Trusted looks of the task and of others that ended, per task and origin."""
    rows = Appearance.objects.filter(
        task__environment=task.environment_id,
        task__status__in=(Status.COMPLETED, Status.STOPPED),
        embedder=task.choices["embedder"]["chosen"],
        weight__gte=LEAST_WEIGHT,
        seen_at__range=(start, end),
    )
    return {
        (row.task_id, row.origin_id): _Sight(row.person_id, np.asarray(row.vector, float), row.weight)
        for row in rows
    }


def _make_special(task: ProcessingTask, sights: Sights) -> None:
    """Leave of the looks what is special about each, by what the task has learned; without that they stay."""
    varied = LookVariation.objects.filter(task=task).first()
    if varied is None or not sights:
        return
    looks = np.stack([sight.vector for sight in sights.values()])
    directions = np.frombuffer(varied.directions, "<f4").reshape(len(varied.less), -1)
    if directions.shape[1] != looks.shape[1]:
        # another network under the same name
        return
    for sight, vector in zip(sights.values(), special(looks, directions, np.array(varied.less)), strict=True):
        sight.vector = vector


def _complete(sights: Sights) -> list[tuple[tuple[UUID, UUID], tuple[UUID, UUID]]]:
    """Add when each was seen.

    Returns:
        Pairs who are certainly different: one camera saw both at the same time.
    """
    tracks: dict[tuple[UUID, int], list[tuple[datetime, datetime, tuple[UUID, UUID]]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_id, COALESCE(origin_id, person_id), camera_id, min(captured_at), max(captured_at)"
            " FROM tracking_detection WHERE task_id = ANY(%s) AND confidence > 0 GROUP BY 1, 2, 3, track_id",
            [list({task_id for task_id, _ in sights})],
        )
        for task_id, origin, camera, first, last in cursor.fetchall():
            sight = sights.get((task_id, origin))
            if sight is not None:
                sight.first = min(filter(None, [sight.first, first]))
                sight.last = max(filter(None, [sight.last, last]))
                tracks[task_id, camera].append((first, last, (task_id, origin)))
    different = set()
    for found in tracks.values():
        found.sort()
        for i, (_, last, one) in enumerate(found):
            for first, _, other in found[i + 1 :]:
                if first > last:
                    break
                if sights[one].person != sights[other].person:
                    different.add((min(one, other), max(one, other)))
    return sorted(different)


def _look(found: list[_Sight]) -> np.ndarray:
    total = np.sum([sight.weight * sight.vector for sight in found], axis=0)
    return total / (np.linalg.norm(total) or 1.0)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / ((np.linalg.norm(one) * np.linalg.norm(other)) or 1.0))


def _near(mine: list[_Sight], theirs: list[_Sight], reach: timedelta) -> bool:
    """Whether they were never seen at the same time, and once within reach."""
    apart = min(max(a.first, b.first) - min(a.last, b.last) for a in mine for b in theirs)
    return timedelta(0) < apart <= reach
