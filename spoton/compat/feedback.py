"""Thumbs up and down of the old client: kept, and followed as everybody's are (`tracking.feedback`)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from environments.errors import ValidationFailedError
from environments.json_bounds import json_problem
from environments.selectors import cameras_of, environments_visible_to
from spoton.compat.answers import MOST_BODY_BYTES, body_of
from spoton.compat.late import feedback_keep
from spoton.compat.persons import person_called, shown_id
from tracking.errors import PersonNotFoundError
from tracking.feedback import feedback_give
from tracking.identity import current_ids
from tracking.messages import isoformat
from tracking.models import Detection, Person, PersonFeedback

_VERDICTS = {"thumbs_up": PersonFeedback.Verdict.UP, "thumbs_down": PersonFeedback.Verdict.DOWN}
# kept as they came, for whoever reads them later
_KEPT = ("match_id", "session_id", "frame_number", "event_timestamp", "metadata")
MOST_LISTED = 200
MOST_TEXT = 2000


def give(user: Any, request: HttpRequest) -> dict[str, Any]:
    body = body_of(request)
    if problem := json_problem(body, most_bytes=MOST_BODY_BYTES):
        raise ValidationFailedError(problem)
    verdict = _VERDICTS.get(str(body.get("decision")))
    if verdict is None:
        raise ValidationFailedError('`decision` must be "thumbs_up" or "thumbs_down".')
    confidence = body.get("confidence")
    if confidence is not None and (
        isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1
    ):
        raise ValidationFailedError("`confidence` must be a number from 0 to 1.")
    person = person_called(user=user, name=str(body.get("global_person_id")))
    said = {
        "verdict": verdict,
        "notes": str(body.get("notes") or "")[:MOST_TEXT],
        "confidence": confidence,
        "source": str(body.get("source") or "web-client")[:64],
        "details": {key: body[key] for key in _KEPT if body.get(key) is not None},
    }
    if body.get("candidate_person_id"):
        said["candidate"] = person_called(user=user, name=str(body["candidate_person_id"]))
        return _item(feedback_give(user=user, person=person, **said))
    said |= _place(person, body)
    late = verdict == PersonFeedback.Verdict.DOWN and said["task"].is_active
    return _item((feedback_keep if late else feedback_give)(user=user, person=person, **said))


def listed(user: Any, request: HttpRequest) -> dict[str, Any]:
    found = PersonFeedback.objects.filter(environment__in=environments_visible_to(user))
    found = found.select_related("camera", "environment").order_by("-created_at")
    if request.GET.get("decision") in _VERDICTS:
        found = found.filter(verdict=_VERDICTS[request.GET["decision"]])
    for name, lookup in (("start_time", "created_at__gte"), ("end_time", "created_at__lte")):
        if request.GET.get(name):
            found = found.filter(**{lookup: _moment(request.GET[name], name)})
    offset, limit = _whole(request, "offset", 0), min(_whole(request, "limit", 10), MOST_LISTED)
    return {"total": found.count(), "items": [_item(feedback) for feedback in found[offset : offset + limit]]}


def _place(person: Person, body: dict[str, Any]) -> dict[str, Any]:
    """The client names task (as its session), camera and track, but not when: where these show the person last."""
    (camera,) = cameras_of(person.environment, [str(body.get("camera_id", ""))])
    seen = Detection.objects.filter(person=current_ids([person.pk])[person.pk], camera=camera)
    with suppress(ValueError):
        seen = seen.filter(task=UUID(str(body.get("session_id"))))
    metadata = body.get("metadata")
    track_id = metadata.get("track_id") if isinstance(metadata, dict) else None
    if type(track_id) is int and 0 <= track_id < 2**31:
        seen = seen.filter(track_id=track_id)
    last = seen.select_related("task").order_by("-task__created_at", "-captured_at").first()
    if last is None:
        raise PersonNotFoundError("This person was not seen by that camera as that track.")
    return {"task": last.task, "camera": camera, "at": last.captured_at}


def _item(feedback: PersonFeedback) -> dict[str, Any]:
    kept = feedback.details
    return {
        "feedback_id": str(feedback.pk),
        "decision": next(name for name, verdict in _VERDICTS.items() if verdict == feedback.verdict),
        "global_person_id": shown_id(feedback.person_id),
        "candidate_person_id": shown_id(feedback.candidate_id) if feedback.candidate_id else None,
        "event_timestamp": kept.get("event_timestamp") or isoformat(feedback.created_at),
        "recorded_at": isoformat(feedback.created_at),
        "camera_id": feedback.camera.slug if feedback.camera else None,
        "environment_id": feedback.environment.slug,
        "session_id": kept.get("session_id"),
        "confidence": feedback.confidence,
        "source": feedback.source,
        "match_id": kept.get("match_id"),
        "notes": feedback.notes,
        "metadata": kept.get("metadata") or {},
    }


def _moment(text: str, name: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValidationFailedError(f"`{name}` must be a time such as 2026-01-05T09:00:00Z.")
    return moment


def _whole(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise ValidationFailedError(f"`{name}` must be a whole number.")
    return int(text)
