"""What is written about sockets for those who build clients: channels and messages with schemas and examples.

`spoton.api.asyncapi` makes the AsyncAPI document of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from tracking.messages import TrackingUpdate
from tracking.sockets.protocol import (
    Ack,
    ClearFocus,
    Ping,
    Resync,
    SetFocus,
    SubscribeFrames,
    SubscribeTracking,
)

JSON = "application/json"


@dataclass(frozen=True)
class Message:
    """Attributes: schema of the whole message (JSON Schema 2020-12); an example of it."""

    name: str
    summary: str
    schema: dict[str, Any]
    example: Any = None
    content_type: str = JSON


@dataclass(frozen=True)
class Channel:
    """Attributes: parameters name what stands in braces in the path; sent by the server, received from clients."""

    name: str
    path: str
    summary: str
    parameters: dict[str, str] = field(default_factory=dict)
    sent: tuple[Message, ...] = ()
    received: tuple[Message, ...] = ()


class PlaybackControls(TypedDict):
    position: float
    duration: float
    can_seek: bool
    state: str


class PlaybackFrame(TypedDict):
    timestamp: str
    playback_speed: float
    frame_data: TrackingUpdate
    playback_controls: PlaybackControls


class FocusUpdate(TypedDict):
    task_id: str
    is_active: bool
    focused_person_id: str | None
    focus_start_time: str | None
    highlight_settings: dict[str, Any]
    cross_camera_sync: bool
    person_details: dict[str, Any] | None


def numbered(kind: str, payload: Any, summary: str, example: Any = None) -> Message:
    """A message with `seq` and a payload; `payload` is a type or a JSON schema."""
    inner = payload if isinstance(payload, dict) else TypeAdapter(payload).json_schema()
    definitions = inner.pop("$defs", {})
    schema = {
        "type": "object",
        "required": ["type", "seq", "payload"],
        "properties": {"type": {"const": kind}, "seq": {"type": "integer", "minimum": 1}, "payload": inner},
        **({"$defs": definitions} if definitions else {}),
    }
    return Message(kind, summary, schema, example and {"type": kind, "seq": 41, "payload": example})


def request(model: Any, example: dict[str, Any]) -> Message:
    """What a client may send: a model of `tracking.sockets.protocol`."""
    kind = example["type"]
    return Message(kind, (model.__doc__ or kind).strip(), model.model_json_schema(), example)


def _plain(kind: str, summary: str, properties: dict[str, Any], example: dict[str, Any]) -> Message:
    schema = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"const": kind}, **properties},
    }
    return Message(kind, summary, schema, {"type": kind, **example})


ERROR = Message(
    "error",
    "A request was refused, or the socket is about to be closed; the shape of REST's errors.",
    {
        "type": "object",
        "required": ["type", "success", "error", "timestamp", "request_id"],
        "properties": {
            "type": {"const": "error"},
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["code", "message", "details"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "details": {"type": "object"},
                },
            },
            "timestamp": {"type": "string", "format": "date-time"},
            "request_id": {"type": "string"},
        },
    },
    {
        "type": "error",
        "success": False,
        "error": {
            "code": "unknown_message",
            "message": "This socket understands: ping, resync.",
            "details": {},
        },
        "timestamp": "2026-01-01T10:30:05.456Z",
        "request_id": "7f1c0f6f6f0f4f0c8e9a3a0f5b1d2c3e",
    },
)
PONG = _plain("pong", "The answer to `ping`.", {"id": {"type": ["string", "integer"]}}, {"id": 7})
SUBSCRIBED = _plain(
    "subscribed", "The options now in force.", {"cameras": {"type": ["array", "null"]}}, {"max_rate": 5.0}
)
ALWAYS_SENT = (ERROR, PONG)
ALWAYS_RECEIVED = (request(Ping, {"type": "ping", "id": 7}), request(Resync, {"type": "resync"}))

_TASK = {"task_id": "Of a processing task."}
_STATUS = {
    "type": "object",
    "required": ["task_id", "environment_id", "status", "mode", "progress", "cameras", "camera_status"],
    "description": "As the answer of GET /api/v1/processing-tasks/{task_id}/status.",
}
_UPDATE_EXAMPLE = {
    "global_frame_index": 123,
    "scene_id": "campus",
    "timestamp_processed_utc": "2026-01-01T10:30:05.456Z",
    "timestamp_captured_utc": "2026-01-01T10:30:05.400Z",
    "cameras": {
        "c01": {
            "image_source": "123",
            "frame_image_base64": None,
            "cropped_persons": {},
            "tracks": [
                {
                    "track_id": 5,
                    "global_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21",
                    "bbox_xyxy": [110.2, 220.5, 160.0, 330.8],
                    "confidence": 0.92,
                    "map_coords": [12.3, 45.6],
                    "is_focused": False,
                    "detection_time": "2026-01-01T10:29:45.123Z",
                    "tracking_duration": 20.277,
                }
            ],
        }
    },
    "person_count_per_camera": {"c01": 1},
    "persons": [
        {
            "global_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21",
            "map_coords": [12.3, 45.6],
            "velocity_m_s": [1.1, 0.2],
            "sigma_m": 0.08,
        }
    ],
    "focus_person_id": None,
}
_UPDATE = TypeAdapter(TrackingUpdate).json_schema()
# thinned by `fields`, and another shape in delta mode
_LOOSE_UPDATE = {
    "type": "object",
    "required": ["global_frame_index", "scene_id", "timestamp_captured_utc", "cameras", "persons"],
    "description": "In full mode as the example; `fields` thins the tracks. In delta mode, once a `seq` was "
    "acknowledged: `delta` true, `base_seq`, and per camera `added`, `changed`, `removed` instead of `tracks`.",
    "properties": {**_UPDATE["properties"], "cameras": {"type": "object"}},
    "$defs": _UPDATE.get("$defs", {}),
}

CHANNELS = (
    Channel(
        "tracking",
        "/ws/tracking/{task_id}",
        "Results of a task as they are recorded, its state, and its playback.",
        _TASK,
        (
            numbered(
                "task_status", _STATUS, "The state of the task: first of all, on changes, and every second."
            ),
            numbered("tracking_update", _LOOSE_UPDATE, "One synchronised instant.", _UPDATE_EXAMPLE),
            numbered("playback_frame", PlaybackFrame, "The instant that the task's playback clock shows."),
            _plain(
                "batch",
                "With `batching`: messages of one moment.",
                {"messages": {"type": "array"}},
                {"messages": []},
            ),
            SUBSCRIBED,
            *ALWAYS_SENT,
        ),
        (
            request(
                SubscribeTracking, {"type": "subscribe", "cameras": ["c01"], "max_rate": 5, "mode": "delta"}
            ),
            request(Ack, {"type": "ack", "seq": 41}),
            *ALWAYS_RECEIVED,
        ),
    ),
    Channel(
        "frames",
        "/ws/frames/{task_id}",
        "Pictures: of what is processed now, or of the playback clock.",
        _TASK,
        (
            Message(
                "frame",
                "4-byte big-endian length of a JSON header, the header (`camera_id`, `seq`, `global_frame_index`, "
                "`timestamp_captured_utc`, `width`, `height`, `format`, `quality_level`, `overlay`), then the image.",
                {"type": "string", "format": "binary"},
                content_type="application/octet-stream",
            ),
            SUBSCRIBED,
            *ALWAYS_SENT,
        ),
        (
            request(
                SubscribeFrames, {"type": "subscribe", "cameras": ["c01"], "max_rate": 10, "overlay": True}
            ),
            request(Ack, {"type": "ack", "seq": 41}),
            *ALWAYS_RECEIVED,
        ),
    ),
    Channel(
        "focus",
        "/ws/focus/{task_id}",
        "The one person that all who watch the task look at.",
        _TASK,
        (numbered("focus_update", FocusUpdate, "Whom, and where they are."), *ALWAYS_SENT),
        (
            request(SetFocus, {"type": "set_focus", "person_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"}),
            request(ClearFocus, {"type": "clear_focus"}),
            *ALWAYS_RECEIVED,
        ),
    ),
)
