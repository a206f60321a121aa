"""Who the engine's persons are, by what was decided about them since.

The engine names persons by itself: its ids, here *origins*, are a pure function of the task, so that processing a
span again gives the same rows. What people (or appearance) decide later is kept beside it as aliases:
"whom the engine calls B is A", "from 9:30 on, whom the engine calls A is N". Rows follow the aliases: those that
exist when something is decided (`tracking.repoint`) and those written later (`tracking.record`), so that it makes
no difference when a row was written. Undoing a decision is putting the aliases back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from tracking.models import Person, PersonAlias, ProcessingTask
from tracking.planning import person_id, utc

# from when on (None: always) an origin is whom; the first piece has no beginning, each ends where the next begins
Pieces = list[tuple[datetime | None, UUID]]


class Identities:
    """Whom a task's numbered persons are, at any time. Read once per batch."""

    def __init__(self, task: ProcessingTask, numbers: Iterable[int]) -> None:
        self.origins = {number: person_id(task, number) for number in numbers}
        aliases = aliases_of(self.origins.values())
        self._pieces = {n: aliases[origin] for n, origin in self.origins.items() if aliases[origin]}

    @property
    def decided(self) -> bool:
        """Whether anything was decided about any of them."""
        return bool(self._pieces)

    def pieces(self, number: int) -> Pieces:
        return self._pieces.get(number) or [(None, self.origins[number])]

    def person(self, number: int, time_s: float) -> UUID:
        """Who it is at a UNIX time."""
        pieces = self._pieces.get(number)
        return person_at(pieces, utc(time_s)) if pieces else self.origins[number]

    def surest(self, positions: Sequence[tuple]) -> tuple[Sequence[tuple], Sequence[tuple]]:
        """Rows of `TrackRows.positions` with one per person and instant, and those that gave way.

        Two merged tracks may both have a position at an instant; the one that is known better counts.
        """
        if not self.decided:
            return positions, []
        best: dict[tuple[int, UUID], tuple] = {}
        for row in sorted(positions, key=lambda row: (row[7], self.origins[row[2]])):
            best.setdefault((row[0], self.person(row[2], row[1])), row)
        kept = {(row[0], row[2]) for row in best.values()}
        return (
            [row for row in positions if (row[0], row[2]) in kept],
            [row for row in positions if (row[0], row[2]) not in kept],
        )


def person_at(pieces: Pieces, moment: datetime) -> UUID:
    return next(person for since, person in reversed(pieces) if since is None or since <= moment)


def spans(pieces: Pieces) -> list[tuple[datetime | None, datetime | None, UUID]]:
    """The pieces with their ends (excluded; None: for good)."""
    ends = [since for since, _ in pieces[1:]] + [None]
    return [(since, end, person) for (since, person), end in zip(pieces, ends, strict=True)]


# -- aliases -------------------------------------------------------------------------------------------------


def aliases_of(origins: Iterable[UUID]) -> dict[UUID, Pieces]:
    """Per origin its pieces in time; none where nothing was decided."""
    found: dict[UUID, Pieces] = {origin: [] for origin in origins}
    rows = PersonAlias.objects.filter(origin_id__in=list(found))
    for row in rows.order_by("origin_id", "since"):
        # PostgreSQL sorts null last; it is the beginning
        at = 0 if row.since is None else len(found[row.origin_id])
        found[row.origin_id].insert(at, (row.since, row.person_id))
    return found


def aliases_replace(pieces: Mapping[UUID, Pieces]) -> None:
    """Put these in the place of the origins' aliases; an origin that is merely itself needs none."""
    PersonAlias.objects.filter(origin_id__in=list(pieces)).delete()
    joined = {origin: _joined(parts) for origin, parts in pieces.items()}
    PersonAlias.objects.bulk_create(
        PersonAlias(origin_id=origin, since=since, person_id=person)
        for origin, parts in joined.items()
        for since, person in parts
        if parts != [(None, origin)]
    )


def origins_of(person: Person) -> list[UUID]:
    """Whom the engine takes this person for, at some time."""
    origins = set(PersonAlias.objects.filter(person=person).values_list("origin_id", flat=True))
    if not PersonAlias.objects.filter(origin_id=person.pk).exists():
        origins.add(person.pk)
    return sorted(origins)


def current_ids(ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Per person's id the id under which they are known now: their own, or that of whom they were merged into."""
    ids = list(ids)
    merged = PersonAlias.objects.filter(origin_id__in=ids, since=None).values_list("origin_id", "person_id")
    return {**{person: person for person in ids}, **dict(merged)}


def _joined(parts: Pieces) -> Pieces:
    return [part for i, part in enumerate(parts) if i == 0 or part[1] != parts[i - 1][1]]


# -- one at a time -------------------------------------------------------------------------------------------


def lock_for_writing(environment_id: int) -> None:
    """Until the transaction ends, no person of the environment is merged or split. Many may hold it at once.

    Taken before any row is locked, here and in `lock_for_deciding`, so that the two cannot deadlock.
    """
    _lock("pg_advisory_xact_lock_shared", environment_id)


def lock_for_deciding(environment_id: int) -> None:
    """Until the transaction ends, nobody else decides about the environment's persons or writes rows of them."""
    _lock("pg_advisory_xact_lock", environment_id)


def _lock(function: str, environment_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [f"persons {environment_id}"])
