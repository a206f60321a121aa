"""Analysis sessions: what a user looks at, kept from request to request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from environments.date_ranges import DateRanges
from environments.errors import (
    ConflictError,
    SessionLimitReachedError,
    SessionNotFoundError,
    ValidationFailedError,
)
from environments.json_bounds import json_problem, merged
from environments.models import AnalysisSession, Environment, Role
from environments.selectors import cameras_of, require_role, role_of

# a session that nobody used for so long is forgotten
LIFETIME = timedelta(days=30)
# of one user in one environment; beyond it a client creates sessions without ever ending them
MOST_SESSIONS = 100
MOST_STATE_BYTES = 64 * 1024


def sessions_of(*, user: Any, environment: Environment) -> QuerySet[AnalysisSession]:
    """The user's own sessions in the environment, newest first; for its Admins those of everybody."""
    sessions = AnalysisSession.objects.filter(environment=environment, expires_at__gt=timezone.now())
    if role_of(user=user, environment=environment) != Role.ADMIN:
        sessions = sessions.filter(owner=user)
    return sessions.select_related("owner")


def session_use(*, user: Any, environment: Environment, session_id: UUID) -> AnalysisSession:
    """The session, which is kept for longer because it is used.

    Raises:
        SessionNotFoundError: unknown, expired or somebody else's; these are not told apart.
    """
    session = _get(user, environment, session_id)
    session.expires_at = timezone.now() + LIFETIME
    AnalysisSession.objects.filter(pk=session.pk).update(expires_at=session.expires_at)
    return session


@transaction.atomic
def session_create(
    *,
    user: Any,
    environment: Environment,
    ranges: DateRanges,
    name: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    cameras: Sequence[str] | None = None,
    state: Mapping[str, Any] | None = None,
) -> AnalysisSession:
    """Begin a session.

    Args:
        ranges: what the environment has.
        start, end: the time range; None reaches as far as there is anything.
        cameras: slugs; None means all active cameras.
        state: the client's own JSON object.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user is no Operator there.
        CameraNotFoundError: a camera is unknown.
        RangeNotAvailableError: the cameras have nothing in this range; details hold what there is.
        ValidationFailedError: the state is too large.
        SessionLimitReachedError: the user has too many sessions there.
    """
    require_role(user=user, environment=environment, role=Role.OPERATOR)
    # one at a time per user, so that two requests cannot both find room for the last one
    get_user_model().objects.select_for_update().get(pk=user.pk)
    sessions = AnalysisSession.objects.filter(environment=environment, owner=user)
    if sessions.filter(expires_at__gt=timezone.now()).count() >= MOST_SESSIONS:
        raise SessionLimitReachedError(
            f"You have {MOST_SESSIONS} sessions in {environment.name}; delete some that you do not need.",
            details={"limit": MOST_SESSIONS},
        )
    slugs = [camera.slug for camera in cameras_of(environment, cameras)]
    span = ranges.of_cameras(slugs).chosen(start, end)
    return AnalysisSession.objects.create(
        environment=environment,
        owner=user,
        name=name,
        start=span.start,
        end=span.end,
        cameras=slugs,
        state=_kept_state({}, state or {}),
        expires_at=timezone.now() + LIFETIME,
    )


@transaction.atomic
def session_update(
    *,
    user: Any,
    environment: Environment,
    session_id: UUID,
    ranges: Callable[[], DateRanges],
    version: int | None = None,
    **changes: Any,
) -> AnalysisSession:
    """Change what `changes` names, of `name`, `start`, `end`, `cameras` and `state`.

    Args:
        ranges: what the environment has; asked when the range or the cameras change.
        version: the one the caller knows; None takes whichever there is.
        changes: top-level keys of `state` replace those that are kept, null removes them.

    Raises:
        SessionNotFoundError: unknown, expired or somebody else's.
        ConflictError: somebody changed the session meanwhile; details hold the present version.
        PermissionDeniedError, CameraNotFoundError, RangeNotAvailableError, ValidationFailedError: see
            `session_create`.
    """
    session = _get(user, environment, session_id, lock=True)
    require_role(user=user, environment=environment, role=Role.OPERATOR)
    if version is not None and version != session.version:
        raise ConflictError(
            "The session was changed meanwhile. Get it and apply your changes to what it is now.",
            details={"version": session.version},
        )
    if "cameras" in changes:
        session.cameras = [camera.slug for camera in cameras_of(environment, changes["cameras"])]
    if {"start", "end", "cameras"} & changes.keys():
        start, end = changes.get("start", session.start), changes.get("end", session.end)
        span = ranges().of_cameras(session.cameras).chosen(start, end)
        session.start, session.end = span.start, span.end
    if "state" in changes:
        session.state = _kept_state(session.state, changes["state"])
    session.name = changes.get("name", session.name)
    session.version += 1
    session.expires_at = timezone.now() + LIFETIME
    session.save()
    return session


def session_delete(*, user: Any, environment: Environment, session_id: UUID) -> None:
    """Forget a session.

    Raises:
        SessionNotFoundError: unknown, expired or somebody else's.
        PermissionDeniedError: the user is no Operator (any more).
    """
    session = _get(user, environment, session_id)
    require_role(user=user, environment=environment, role=Role.OPERATOR)
    session.delete()


def sessions_forget_expired() -> int:
    """Delete the sessions that nobody used for `LIFETIME`; how many there were."""
    return AnalysisSession.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _get(user: Any, environment: Environment, session_id: UUID, *, lock: bool = False) -> AnalysisSession:
    sessions = sessions_of(user=user, environment=environment)
    if lock:
        sessions = sessions.select_for_update(of=("self",))
    session = sessions.filter(pk=session_id).first()
    if session is None:
        raise SessionNotFoundError(
            "There is no such session, it has expired, or it is not yours. "
            f"GET /api/v1/environments/{environment.slug}/sessions lists those you may see."
        )
    return session


def _kept_state(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    state = merged(before, changes)
    problem = json_problem(state, most_bytes=MOST_STATE_BYTES)
    if problem:
        raise ValidationFailedError(problem, details={"fields": {"state": [problem]}})
    return state
