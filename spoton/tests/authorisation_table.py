"""Who may use which route, and an example request of each. Every route and method has an entry here.

The parts of a path are filled in by their names from `authorisation_world.World`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from rest_framework.test import APIClient

from spoton.tests.authorisation_world import PASSWORD, World
from spoton.tests.routes import filled


class Least(StrEnum):
    """The least that a caller must be."""

    PUBLIC = "anybody"
    SIGNED_IN = "who is signed in; about themselves, or about what they may see"
    VIEWER = "viewer of the environment"
    OPERATOR = "operator of the environment"
    ADMIN = "admin of the environment"
    OPERATOR_SOMEWHERE = "operator of some environment"
    ADMIN_SOMEWHERE = "admin of some environment"
    ADMIN_EVERYWHERE = "admin of all environments"
    # Prometheus' own token; of people only superusers
    INTERNAL = "superuser"
    # everybody in the environments of SPOTON_COMPAT_ENVIRONMENTS, nobody else; never asks who it is
    WEB_CLIENT = "the earlier web client"


@dataclass(frozen=True)
class Entry:
    """One route: who may use it, and how a right request looks.

    Attributes:
        query, body: made for a world; None: there is none.
    """

    least: Least
    query: Callable[[World], dict[str, Any]] | None = None
    body: Callable[[World], Any] | None = None


PUBLIC, SIGNED_IN, VIEWER, OPERATOR = Least.PUBLIC, Least.SIGNED_IN, Least.VIEWER, Least.OPERATOR
WEB_CLIENT = Least.WEB_CLIENT
# inside what the task has processed
AT = "2026-05-04T08:00:00Z"


def _environment(w: World) -> dict[str, Any]:
    return {"environment_id": w.env_id}


def _task(w: World) -> dict[str, Any]:
    return {"task_id": str(w.task_id)}


def _nothing(w: World) -> dict[str, Any]:
    return {}


_SESSIONS = "api/v1/environments/<slug:env_id>/sessions"
_TASKS = "api/v1/processing-tasks"
_FRAMES = "api/v1/media/frames"
_PERSONS = "api/v1/tracking/persons"
_CONTROLS = "api/v1/tracking/controls/<uuid:task_id>"
_FOCUS = "api/v1/tracking/focus/<uuid:task_id>"
_OLD_TASKS = "api/v1/detection-processing-tasks"
_OLD_CONTROLS = "api/v1/controls/<uuid:task_id>"

HTTP: dict[str, Entry] = {
    # pages, documents, health
    "GET ": Entry(PUBLIC),
    "GET favicon.ico": Entry(PUBLIC),
    "GET health": Entry(PUBLIC),
    "GET health/live": Entry(PUBLIC),
    "GET health/ready": Entry(PUBLIC),
    "GET metrics": Entry(Least.INTERNAL),
    "GET api/schema/": Entry(PUBLIC),
    "GET api/asyncapi": Entry(PUBLIC),
    "GET api/docs/": Entry(PUBLIC),
    "GET api/redoc/": Entry(PUBLIC),
    # signing in
    "POST api/v1/auth/login": Entry(PUBLIC, body=lambda w: {"username": "stranger", "password": PASSWORD}),
    "POST api/v1/auth/refresh": Entry(PUBLIC, body=lambda w: {"refresh": w.refresh}),
    "POST api/v1/auth/logout": Entry(PUBLIC, body=lambda w: {"refresh": w.refresh}),
    "GET api/v1/auth/me": Entry(SIGNED_IN),
    # environments
    "GET api/v1/environments": Entry(SIGNED_IN),
    "GET api/v1/environments/<slug:env_id>": Entry(VIEWER),
    "GET api/v1/environments/<slug:env_id>/cameras": Entry(VIEWER),
    "GET api/v1/environments/<slug:env_id>/zones": Entry(VIEWER),
    "GET api/v1/environments/<slug:env_id>/floor-plan": Entry(VIEWER),
    "GET api/v1/environments/<slug:env_id>/date-ranges": Entry(VIEWER),
    f"GET {_SESSIONS}": Entry(VIEWER),
    f"POST {_SESSIONS}": Entry(OPERATOR, body=lambda w: {"name": "Morning"}),
    f"GET {_SESSIONS}/<uuid:session_id>": Entry(VIEWER),
    f"PATCH {_SESSIONS}/<uuid:session_id>": Entry(OPERATOR, body=lambda w: {"state": {"zoom": 2}}),
    f"DELETE {_SESSIONS}/<uuid:session_id>": Entry(OPERATOR),
    "GET api/v1/preferences": Entry(SIGNED_IN),
    "PUT api/v1/preferences": Entry(SIGNED_IN, body=lambda w: {"layout": {"panes": ["map"]}}),
    "PATCH api/v1/preferences": Entry(SIGNED_IN, body=lambda w: {"layout": {"panes": ["map"]}}),
    # processing
    f"POST {_TASKS}/start": Entry(OPERATOR, body=_environment),
    f"GET {_TASKS}/active": Entry(SIGNED_IN),
    f"GET {_TASKS}/<uuid:task_id>/status": Entry(VIEWER),
    f"GET {_TASKS}/<uuid:task_id>/active-persons": Entry(VIEWER),
    f"POST {_TASKS}/<uuid:task_id>/stop": Entry(OPERATOR),
    f"POST {_TASKS}/<uuid:task_id>/pause": Entry(OPERATOR),
    f"POST {_TASKS}/<uuid:task_id>/resume": Entry(OPERATOR),
    f"POST {_TASKS}/<uuid:task_id>/seek": Entry(
        OPERATOR, body=lambda w: {"timestamp": "2026-05-04T08:00:05Z"}
    ),
    # pictures
    "POST api/v1/media/sign": Entry(
        SIGNED_IN, body=lambda w: {"paths": [f"/{_FRAMES}/{w.task_id}/{w.camera_id}"]}
    ),
    f"GET {_FRAMES}/overlay-config": Entry(VIEWER, query=_task),
    f"POST {_FRAMES}/overlay-config": Entry(VIEWER, body=lambda w: {**_task(w), "blur": "others"}),
    f"GET {_FRAMES}/<uuid:task_id>/multi-camera": Entry(VIEWER),
    f"GET {_FRAMES}/<uuid:task_id>/<slug:camera_id>": Entry(VIEWER),
    f"GET {_FRAMES}/<uuid:task_id>/<slug:camera_id>/raw": Entry(VIEWER),
    f"GET {_FRAMES}/<uuid:task_id>/<slug:camera_id>/stream": Entry(VIEWER),
    f"POST {_FRAMES}/<uuid:task_id>/<slug:camera_id>/snapshot": Entry(OPERATOR, body=lambda w: {"t": AT}),
    "GET api/v1/media/snapshots": Entry(VIEWER, query=_environment),
    "DELETE api/v1/media/snapshots/<uuid:snapshot_id>": Entry(OPERATOR),
    "GET api/v1/media/snapshots/<uuid:snapshot_id>/image": Entry(VIEWER),
    "GET api/v1/media/crops/<uuid:crop_id>/image": Entry(VIEWER),
    "GET api/v1/media/persons/<uuid:person_id>/image": Entry(VIEWER),
    # who is who
    f"POST {_PERSONS}/<uuid:person_id>/merge": Entry(OPERATOR, body=lambda w: {"with": str(w.other_id)}),
    f"POST {_PERSONS}/<uuid:person_id>/split": Entry(OPERATOR, body=lambda w: {"from": AT}),
    f"GET {_PERSONS}/<uuid:person_id>/details": Entry(VIEWER),
    f"GET {_PERSONS}/<uuid:person_id>/history": Entry(VIEWER),
    "POST api/v1/tracking/person-changes/<uuid:change_id>/undo": Entry(OPERATOR),
    f"GET {_PERSONS}/feedback": Entry(VIEWER, query=_environment),
    f"POST {_PERSONS}/feedback": Entry(
        OPERATOR,
        body=lambda w: {"person_id": str(w.person_id), "candidate_id": str(w.other_id), "verdict": "down"},
    ),
    f"POST {_PERSONS}/search": Entry(VIEWER, body=lambda w: {"person_id": str(w.person_id)}),
    # playback, focus
    f"GET {_CONTROLS}": Entry(VIEWER),
    f"DELETE {_CONTROLS}": Entry(OPERATOR),
    f"POST {_CONTROLS}/play": Entry(OPERATOR, body=lambda w: {"speed": 2}),
    f"POST {_CONTROLS}/pause": Entry(OPERATOR),
    f"POST {_CONTROLS}/seek": Entry(OPERATOR, body=lambda w: {"position": 0.5}),
    f"GET {_FOCUS}": Entry(VIEWER),
    f"POST {_FOCUS}": Entry(OPERATOR, body=lambda w: {"person_id": str(w.person_id)}),
    f"DELETE {_FOCUS}": Entry(OPERATOR),
    # analytics, system
    "GET api/v1/analytics/real-time/metrics": Entry(VIEWER, query=_environment),
    "GET api/v1/system/status": Entry(Least.OPERATOR_SOMEWHERE),
    "GET api/v1/system/performance": Entry(Least.ADMIN_SOMEWHERE),
    "GET api/v1/system/cameras/status": Entry(Least.ADMIN_SOMEWHERE),
    "POST api/v1/system/maintenance": Entry(
        Least.ADMIN_EVERYWHERE, body=lambda w: {"actions": ["clear_caches"]}
    ),
    # the earlier web client
    f"GET {_OLD_TASKS}": Entry(WEB_CLIENT),
    f"GET {_OLD_TASKS}/environments": Entry(WEB_CLIENT),
    f"POST {_OLD_TASKS}/start": Entry(WEB_CLIENT, body=_environment),
    f"GET {_OLD_TASKS}/<uuid:task_id>/status": Entry(WEB_CLIENT),
    f"DELETE {_OLD_TASKS}/environment/<slug:env_id>/cleanup": Entry(WEB_CLIENT),
    f"GET {_OLD_CONTROLS}/status": Entry(WEB_CLIENT),
    f"POST {_OLD_CONTROLS}/pause": Entry(WEB_CLIENT, body=_nothing),
    f"POST {_OLD_CONTROLS}/resume": Entry(WEB_CLIENT, body=_nothing),
    f"POST {_OLD_CONTROLS}/seek": Entry(WEB_CLIENT, body=lambda w: {"frame_index": 3}),
    "GET api/v1/stream/<uuid:task_id>/<slug:camera_id>": Entry(WEB_CLIENT),
    "GET api/v1/analytics/dashboard": Entry(WEB_CLIENT, query=_environment),
    "GET api/v1/analytics/system/statistics": Entry(WEB_CLIENT),
    "GET api/v1/feedback/reidentification": Entry(WEB_CLIENT),
    "POST api/v1/feedback/reidentification": Entry(
        WEB_CLIENT,
        body=lambda w: {
            "decision": "thumbs_up",
            "global_person_id": str(w.person_id),
            "camera_id": w.camera_id,
        },
    ),
}

SOCKETS: dict[str, Least] = {
    "ws/tracking/<uuid:task_id>": VIEWER,
    "ws/frames/<uuid:task_id>": VIEWER,
    "ws/focus/<uuid:task_id>": VIEWER,
    "ws/analytics/<slug:env_id>": VIEWER,
    "ws/system": Least.OPERATOR_SOMEWHERE,
}


def ask(world: World, caller: str, route: str, entry: Entry, about: World | None = None) -> Any:
    """The answer to the example request about a world, this one unless told otherwise."""
    about = about or world
    method, _, path = route.partition(" ")
    address = filled(path, about.arguments(caller))
    if entry.query:
        address += "?" + urlencode(entry.query(about))
    token = world.tokens.get(caller)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = json.dumps(entry.body(about)) if entry.body else ""
    client = APIClient(raise_request_exception=False)
    return client.generic(method, address, content, "application/json", headers=headers)


def told(answer: Any) -> str:
    """What an answer holds; nothing of those that go on and on."""
    return "" if answer.streaming else answer.content.decode("latin-1")
