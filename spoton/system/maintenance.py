"""What administrators have done to the running system: caches cleared, what is old forgotten, models read again.

It touches all environments, so it takes an Admin of all of them (superusers are).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from celery import current_app
from django.conf import settings

from environments.errors import PermissionDeniedError
from environments.models import Environment, Role
from environments.selectors import environments_with_role
from tracking.caches import caches_clear
from tracking.reloading import models_reload


def maintain(*, user: Any, actions: Iterable[str]) -> list[dict[str, Any]]:
    """Do these actions (of `ACTIONS`), each once, in their order; what became of each.

    Raises:
        PermissionDeniedError: not an Admin of every active environment.
    """
    _require_admin_everywhere(user)
    return [{"action": action, **ACTIONS[action]()} for action in dict.fromkeys(actions)]


def _clear_caches() -> dict[str, Any]:
    return {"state": "done", "details": {"cleared": caches_clear()}}


def _apply_retention() -> dict[str, Any]:
    """Ask at once for what the scheduler asks for now and then."""
    due = {
        entry["task"]: entry.get("options", {})
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
        if name.startswith("forget ")
    }
    for task, options in due.items():
        current_app.send_task(task, **options)
    return {"state": "queued", "details": {"tasks": sorted(due)}}


def _reload_models() -> dict[str, Any]:
    """Workers notice before their next message, which may be a while off; so this is queued, not done."""
    models_reload()
    return {"state": "queued", "details": {}}


ACTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "clear_caches": _clear_caches,
    "apply_retention": _apply_retention,
    "reload_models": _reload_models,
}


def _require_admin_everywhere(user: Any) -> None:
    held = {environment.pk for environment in environments_with_role(user=user, role=Role.ADMIN)}
    if not user.is_superuser and Environment.objects.filter(is_active=True).exclude(pk__in=held).exists():
        raise PermissionDeniedError(
            "This touches all environments and needs the role Admin in every one of them. Ask a superuser.",
            details={"required_role": str(Role.ADMIN)},
        )
