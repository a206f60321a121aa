"""The gallery of appearances: who looks like whom, and for how long it is remembered. pgvector does the search."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, Exists, F, FloatField, Max, OuterRef, Q, QuerySet
from django.utils import timezone
from pgvector.django import CosineDistance

from environments.models import Environment
from tracking.models import Appearance, Detection, LookVariation, Person, ProcessingTask


@dataclass(frozen=True)
class Alike:
    """A person and how alike they look: cosine similarity, at most 1, of what `embedder` made of both."""

    person: Person
    similarity: float
    embedder: str


def persons_like(
    *,
    environment: Environment,
    person: Person | None = None,
    vector: np.ndarray | None = None,
    embedder: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    most: int = 20,
) -> list[Alike]:
    """Persons of the environment who look like a person or like an appearance, the most alike first.

    Only appearances of the same embedder are compared; a person counts with their most alike one.

    Args:
        person: the others are compared with how they looked in each task.
        vector, embedder: instead of a person: a (d,) unit row, and the `embedder` of `Appearance` that made it.
        start, end: only persons seen in [start, end); None: at any time.
    """
    looks = _looks(person) if person is not None else [(embedder, vector)]
    best: dict[Any, tuple[float, str]] = {}
    for name, look in looks:
        for found, similarity in _alike(environment, person, name, look, start, end, most):
            best[found] = max((similarity, name), best.get(found, (-1.0, "")))
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:most]
    persons = Person.objects.in_bulk([pk for pk, _ in ranked])
    return [Alike(persons[pk], *likeness) for pk, likeness in ranked]


def usual_embedder(
    *, environment: Environment, start: datetime | None = None, end: datetime | None = None
) -> str | None:
    """Which embedder made most of the environment's appearances, the newest of equals; None: there are none.

    Args:
        start, end: of persons seen in [start, end).
    """
    rows = _seen_between(Appearance.objects.filter(task__environment=environment), start, end)
    counted = rows.values("embedder").annotate(looks=Count("origin_id"), newest=Max("seen_at"))
    return counted.order_by("-looks", "-newest").values_list("embedder", flat=True).first()


def appearances_forget() -> int:
    """Delete appearances that were kept long enough (`SPOTON_APPEARANCE_DAYS`).

    Live ones count from when the person was last seen, those of recordings, which may be old, from their task's end.

    Returns:
        How many were deleted.
    """
    until = timezone.now() - timedelta(days=settings.ENV.appearance_days)
    old = Q(task__finished_at__lt=until) | Q(task__mode=ProcessingTask.Mode.LIVE, seen_at__lt=until)
    deleted, _ = Appearance.objects.filter(old).delete()
    # of tasks whose persons were never compared
    LookVariation.objects.filter(task__finished_at__lt=until).delete()
    return deleted


def _looks(person: Person) -> list[tuple[str, np.ndarray]]:
    rows = Appearance.objects.filter(person=person).order_by("embedder", "-seen_at")
    return [(row.embedder, np.asarray(row.vector, float)) for row in rows]


def _alike(
    environment: Environment,
    person: Person | None,
    embedder: str,
    look: np.ndarray,
    start: datetime | None,
    end: datetime | None,
    most: int,
) -> QuerySet:
    rows = Appearance.objects.filter(task__environment=environment, embedder=embedder)
    if person is not None:
        rows = rows.exclude(person=person)
    rows = _seen_between(rows, start, end)
    similarity = 1.0 - CosineDistance(F("vector"), list(map(float, look)))
    return (
        rows.values("person_id")
        .annotate(similarity=Max(similarity, output_field=FloatField()))
        .order_by("-similarity")
        .values_list("person_id", "similarity")[:most]
    )


def _seen_between(rows: QuerySet, start: datetime | None, end: datetime | None) -> QuerySet:
    """Of these appearances those of persons who were seen in [start, end)."""
    if start is None and end is None:
        return rows
    seen = Detection.objects.filter(person=OuterRef("person"))
    seen = seen.filter(captured_at__gte=start) if start else seen
    seen = seen.filter(captured_at__lt=end) if end else seen
    return rows.filter(Exists(seen))
