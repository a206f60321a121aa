"""Starting, listing and ending processing for the old client."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from environments.models import Environment
from environments.selectors import cameras_of, date_ranges, environment_get, environments_visible_to
from spoton.compat.answers import body_of
from tracking import services
from tracking.models import ProcessingTask
from tracking.selectors import task_get, tasks_visible_to

Mode, Pacing = ProcessingTask.Mode, ProcessingTask.Pacing
# the client attaches to a task of this state only
ATTACHED = "PROCESSING"
MOST_LISTED = 50


def environments(user: Any, request: HttpRequest) -> dict[str, Any]:
    """Environments with the ids of their cameras."""
    listed = []
    for environment in environments_visible_to(user).order_by("slug"):
        cameras = cameras_of(environment)
        listed.append(
            {
                "environment_id": environment.slug,
                "display_name": environment.name,
                "cameras": [camera.slug for camera in cameras],
                "camera_metadata": {camera.slug: {"display_name": camera.name} for camera in cameras},
            }
        )
    return {"environments": listed}


def tasks(user: Any, request: HttpRequest) -> dict[str, Any]:
    """The newest tasks; a paused one counts as processing, because the client comes back to it."""
    found = tasks_visible_to(user).order_by("-created_at")[:MOST_LISTED]
    return {"data": {"tasks": [_task(task) for task in found]}}


def start(user: Any, request: HttpRequest) -> dict[str, Any]:
    """Begin with the newest recordings, at the pace of the clock; where there are none with the live cameras.

    A task that the client has under way there already is answered again: whoever may start tasks without signing in
    must not be able to pile them up.
    """
    environment = environment_get(user=user, slug=str(body_of(request).get("environment_id", "")))
    task = _own(user, environment).order_by("created_at").last() or _begun(user, environment)
    return {"task_id": str(task.pk), "status": task.status, "environment_id": environment.slug}


def _begun(user: Any, environment: Environment) -> ProcessingTask:
    ranges = date_ranges(environment)
    if ranges.start is None:
        return services.task_start(user=user, environment=environment, mode=Mode.LIVE)
    span = ranges.common[-1] if ranges.common else ranges
    return services.task_start(
        user=user, environment=environment, start=span.start, end=span.end, pacing=Pacing.REALTIME
    )


def status(user: Any, request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    task = task_get(user=user, task_id=task_id)
    return {**_task(task), "details": task.error_message or task.status.lower()}


def cleanup(user: Any, request: HttpRequest, env_id: str) -> dict[str, Any]:
    """End what this client has started there; what others have started goes on."""
    environment = environment_get(user=user, slug=env_id)
    stopped = [services.task_stop(user=user, task=task) for task in _own(user, environment)]
    return {
        "status": "success",
        "data": {"message": f"{len(stopped)} tasks of {environment.name} were stopped."},
    }


def _own(user: Any, environment: Environment) -> QuerySet[ProcessingTask]:
    """What the client has started there and still goes on."""
    running = ProcessingTask.objects.filter(environment=environment, created_by=user)
    return running.filter(status__in=ProcessingTask.ACTIVE).select_related("environment")


def _task(task: ProcessingTask) -> dict[str, Any]:
    shown = ATTACHED if task.status == ProcessingTask.Status.PAUSED else task.status
    return {"task_id": str(task.pk), "environment_id": task.environment.slug, "status": shown}
