"""Trajectories cut where their person changes, and joined again where that is undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from itertools import chain, pairwise
from typing import Any
from uuid import UUID

import numpy as np

from tracking.models import ProcessingTask, Trajectory
from tracking.planning import instant_time, utc


def length_m(path_m: np.ndarray) -> float:
    """Length of an (n, 2) path."""
    return float(np.linalg.norm(np.diff(path_m, axis=0), axis=1).sum())


def cut_path(
    *,
    task: ProcessingTask,
    instants: Sequence[int],
    times_s: Sequence[float],
    path_m: np.ndarray,
    owners: Sequence[tuple[UUID, UUID]],
    place: tuple[datetime, int, int] | None = None,
) -> list[Trajectory]:
    """A path in parts, one per run of the same owner; unsaved.

    Args:
        instants, times_s, path_m (n, 2), owners: one per point; an owner is (origin, person).
        place: where these points lie in a path: its start, the points before, its points in all. None: they are it.
    """
    start, offset, points = place or (utc(times_s[0]), 0, len(instants))
    cuts = [i for i in range(1, len(owners)) if owners[i] != owners[i - 1]]
    parts = []
    for begin, end in pairwise([0, *cuts, len(owners)]):
        part = Trajectory(
            task=task,
            origin_id=owners[begin][0],
            person_id=owners[begin][1],
            started_at=utc(times_s[begin]),
            ended_at=utc(times_s[end - 1]),
            instants=list(instants[begin:end]),
            x_m=path_m[begin:end, 0].tolist(),
            y_m=path_m[begin:end, 1].tolist(),
            length_m=length_m(path_m[begin:end]),
        )
        if end - begin < points:
            part.path_started_at, part.path_offset, part.path_points = start, offset + begin, points
        parts.append(part)
    return parts


def rewrite_paths(*, origin: UUID, owner_at: Callable[[float, int], tuple[UUID, UUID]], **which: Any) -> None:
    """Cut (and join) the paths of an origin anew.

    Args:
        owner_at: (origin, person) to whom the point at a UNIX time and instant belongs.
        which: further conditions on the rows.
    """
    rows = Trajectory.objects.filter(origin_id=origin, **which).select_related("task")
    for parts in _paths(list(rows.order_by("started_at"))):
        task, first = parts[0].task, parts[0]
        instants = list(chain.from_iterable(part.instants for part in parts))
        times_s = [instant_time(task, instant) for instant in instants]
        owners = [owner_at(*point) for point in zip(times_s, instants, strict=True)]
        known = [(origin, part.person_id) for part in parts for _ in part.instants]
        if owners == known and len(set(known)) == len(parts):
            continue
        path_m = np.column_stack(
            [list(chain.from_iterable(getattr(p, n) for p in parts)) for n in ("x_m", "y_m")]
        )
        start, points = first.path_started_at or first.started_at, first.path_points or len(instants)
        new = cut_path(
            task=task,
            instants=instants,
            times_s=times_s,
            path_m=path_m,
            owners=owners,
            place=(start, first.path_offset, points),
        )
        begins = [part.started_at for part in parts]
        Trajectory.objects.filter(task=task, origin_id=origin, started_at__in=begins).delete()
        Trajectory.objects.bulk_create(new)


def drop_points(*, origin: UUID, instants: Set[int], **which: Any) -> None:
    """Take these instants out of the origin's paths: somebody else's count there.

    Args:
        which: further conditions on the rows.
    """
    rows = Trajectory.objects.filter(origin_id=origin, **which).select_related("task")
    for row in rows.order_by("started_at"):
        kept = [i for i, instant in enumerate(row.instants) if instant not in instants]
        if len(kept) == len(row.instants):
            continue
        Trajectory.objects.filter(task=row.task, origin_id=origin, started_at=row.started_at).delete()
        if not kept:
            continue
        path_m = np.column_stack([row.x_m, row.y_m])[kept]
        row.instants = [row.instants[i] for i in kept]
        row.x_m, row.y_m = path_m.T.tolist()
        row.length_m = length_m(path_m)
        row.path_offset += kept[0] if row.path_points is not None else 0
        row.started_at, row.ended_at = (utc(instant_time(row.task, row.instants[i])) for i in (0, -1))
        Trajectory.objects.bulk_create([row])


def _paths(rows: list[Trajectory]) -> list[list[Trajectory]]:
    """The rows in groups that were one path and adjoin; what lies with another origin leaves a gap."""
    groups: dict[Any, list[list[Trajectory]]] = defaultdict(list)
    for row in rows:
        known = groups[row.task_id, row.path_started_at or row.started_at]
        last = known[-1][-1] if known else None
        if last is not None and last.path_offset + len(last.instants) == row.path_offset:
            known[-1].append(row)
        else:
            known.append([row])
    return list(chain.from_iterable(groups.values()))
