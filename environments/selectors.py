"""Everything that reads environments. What a caller may not see is answered as if it did not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from environments.date_ranges import DateRanges
from environments.errors import CameraNotFoundError, EnvironmentNotFoundError, PermissionDeniedError
from environments.models import Camera, Environment, Membership, Recording, Role, Zone
from environments.spans import Span, join

# -- who may see and do what ---------------------------------------------------------------------------------


def environments_visible_to(user: Any) -> QuerySet[Environment]:
    """Active environments the user is a member of; all of them for superusers, none for strangers."""
    if not getattr(user, "is_active", False) or not user.is_authenticated:
        return Environment.objects.none()
    environments = Environment.objects.filter(is_active=True)
    if user.is_superuser:
        return environments
    return environments.filter(Exists(Membership.objects.filter(user=user, environment=OuterRef("pk"))))


def environment_get(*, user: Any, slug: str) -> Environment:
    """The environment, if the user may see it.

    Raises:
        EnvironmentNotFoundError: unknown, inactive, or the user is no member; these are not told apart.
    """
    environment = environments_visible_to(user).filter(slug=slug).first()
    if environment is None:
        raise EnvironmentNotFoundError(
            "There is no such environment, or you are not a member of it. "
            "GET /api/v1/environments lists those you may see."
        )
    return environment


def role_of(*, user: Any, environment: Environment) -> Role | None:
    """The user's role there; superusers are Admin everywhere, None means no access."""
    if not getattr(user, "is_active", False) or not user.is_authenticated:
        return None
    if user.is_superuser:
        return Role.ADMIN
    role = (
        Membership.objects.filter(user=user, environment=environment).values_list("role", flat=True).first()
    )
    return Role(role) if role else None


def require_role(*, user: Any, environment: Environment, role: Role | str) -> Role:
    """The user's role, if it is `role` or more.

    Raises:
        EnvironmentNotFoundError: the user is no member at all.
        PermissionDeniedError: a member, but with a lesser role.
    """
    held = role_of(user=user, environment=environment)
    if held is None:
        raise EnvironmentNotFoundError("There is no such environment, or you are not a member of it.")
    if not held.covers(Role(role)):
        raise PermissionDeniedError(
            f"This needs the role {Role(role).label}; yours here is {held.label}. "
            f"Ask an administrator of {environment.name}.",
            details={"required_role": str(Role(role)), "role": str(held)},
        )
    return held


def memberships_of(user: Any) -> list[tuple[Environment, Role]]:
    """Active environments with the user's role in each; for superusers all of them, as Admin."""
    if user.is_superuser:
        return [(environment, Role.ADMIN) for environment in environments_visible_to(user)]
    memberships = Membership.objects.filter(user=user, environment__is_active=True).select_related(
        "environment"
    )
    return [(m.environment, Role(m.role)) for m in memberships.order_by("environment__slug")]


def environments_with_role(*, user: Any, role: Role | str) -> list[Environment]:
    """Active environments in which the user has `role` or more.

    Raises:
        PermissionDeniedError: there are none.
    """
    held = [environment for environment, own in memberships_of(user) if own.covers(Role(role))]
    if not held and not user.is_superuser:
        raise PermissionDeniedError(
            f"This needs the role {Role(role).label} in some environment. Ask an administrator.",
            details={"required_role": str(Role(role))},
        )
    return held


# -- lists ---------------------------------------------------------------------------------------------------


def environments_with_counts(user: Any) -> QuerySet[Environment]:
    """What the user may see, each with `camera_count`, `zone_count` and `last_data_at` (None: no data)."""

    def count(model: type[Camera] | type[Zone]) -> Subquery:
        rows = model.objects.filter(environment=OuterRef("pk"), is_active=True).order_by()
        return Subquery(rows.values("environment").annotate(n=Count("pk")).values("n"))

    last = (
        Recording.objects.filter(camera__environment=OuterRef("pk"), status=Recording.Status.PROBED)
        .order_by()
        .values("camera__environment")
        .annotate(last=Max("ended_at"))
        .values("last")
    )
    return environments_visible_to(user).annotate(
        camera_count=count(Camera), zone_count=count(Zone), last_data_at=Subquery(last)
    )


def cameras_of(environment: Environment, slugs: Sequence[str] | None = None) -> list[Camera]:
    """Active cameras in their order; all of them, or just those named.

    Raises:
        CameraNotFoundError: names the slugs that are not there and lists those that are.
    """
    cameras = list(environment.cameras.filter(is_active=True).order_by("order", "slug"))
    for camera in cameras:
        camera.environment = environment
    if slugs is None:
        return cameras
    missing = sorted(set(slugs) - {camera.slug for camera in cameras})
    if missing:
        known = [camera.slug for camera in cameras]
        raise CameraNotFoundError(
            f"{environment.name} has no active camera {', '.join(missing)}; "
            f"it has {', '.join(known) or 'none'}.",
            details={"missing": missing, "available": known},
        )
    return [camera for camera in cameras if camera.slug in set(slugs)]


def zones_of(environment: Environment) -> QuerySet[Zone]:
    """Active zones."""
    return environment.zones.filter(is_active=True)


# -- recordings ----------------------------------------------------------------------------------------------


def recordings_overlapping(*, camera: Camera, start: datetime, end: datetime) -> list[Recording]:
    """Probed recordings of the camera with footage from `start` (included) to `end` (excluded), by time."""
    return list(
        camera.recordings.filter(
            status=Recording.Status.PROBED, started_at__lt=end, ended_at__gt=start
        ).order_by("started_at")
    )


def date_ranges(
    environment: Environment,
    *,
    timezone: str | None = None,
    processed: Mapping[str, list[Span]] | None = None,
) -> DateRanges:
    """What the active cameras recorded, by camera; with what is known to be processed, also that.

    Args:
        timezone: IANA name for local days; None means the environment's.
        processed: spans with stored results by camera slug.
    """
    spans: dict[str, list[Span]] = {camera.slug: [] for camera in cameras_of(environment)}
    rows = Recording.objects.filter(
        Q(camera__environment=environment), camera__is_active=True, status=Recording.Status.PROBED
    ).values_list("camera__slug", "started_at", "ended_at")
    for slug, started_at, ended_at in rows:
        spans[slug].append(Span(started_at, ended_at))
    return DateRanges(
        timezone=timezone or environment.timezone,
        cameras={slug: join(found) for slug, found in spans.items()},
        processed={slug: found for slug, found in (processed or {}).items() if slug in spans},
    )
