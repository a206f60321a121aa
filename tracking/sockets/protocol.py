"""What sockets and their clients say to each other: close codes, limits, requests and their options."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from environments.errors import ValidationFailedError
from tracking.messages import isoformat


class Close:
    """Close codes."""

    NOT_AUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    UNKNOWN = 4404
    TOO_SLOW = 4408
    TASK_ENDED = 4409
    TOO_MANY = 4429
    # by the protocol's words an internal error, under a number that a server is free to send
    BROKEN = 4500
    UNAVAILABLE = 4503


# messages larger than this are no requests of ours
MOST_BYTES = 16 * 1024
# a client may send this many messages at once, and then so many per second; twice as many end the socket
BURST, PER_SECOND = 60, 30
MOST_RATE = 60.0

Level = Literal["auto", "full", "high", "medium", "low"]


class _Request(BaseModel):
    # further fields are left for later versions
    model_config = ConfigDict(extra="ignore", strict=True)


class Ping(_Request):
    """Answered by `pong` with the same `id`: for round trips, and to keep proxies from closing."""

    type: Literal["ping"]
    id: int | Annotated[str, Field(max_length=64)] | None = None


class Ack(_Request):
    """The last `seq` that arrived: lets the server see how far behind a viewer is, and deltas build on it."""

    type: Literal["ack"]
    seq: Annotated[int, Field(ge=0)]


class Resync(_Request):
    """Asks for the snapshot again, after a gap in `seq`."""

    type: Literal["resync"]


TrackField = Literal[
    "bbox_xyxy", "confidence", "map_coords", "is_focused", "detection_time", "tracking_duration"
]


class SubscribeTracking(_Request):
    """How `/ws/tracking` is to be sent; what is left out keeps its default. Answered by `subscribed`."""

    type: Literal["subscribe"]
    cameras: list[str] | None = Field(None, description="Slugs of the task's cameras; null: all.")
    fields: list[TrackField] | None = Field(
        None, description="Fields of a track besides `track_id` and `global_id`; null: all."
    )
    max_rate: float = Field(
        MOST_RATE, gt=0, le=MOST_RATE, description="Instants per second, by capture time."
    )
    mode: Literal["full", "delta"] = Field(
        "full", description="delta: what changed since the last acknowledged `seq`; needs `ack`."
    )
    images: bool = Field(False, description="Fill `frame_image_base64`.")
    crops: bool = Field(False, description="Fill `cropped_persons`: of newcomers, and of all now and then.")
    batching: bool = Field(False, description="Messages of one moment together, as `batch`.")
    quality: Level = Field("auto", description="Of `images`.")


class SubscribeFrames(_Request):
    """How `/ws/frames` is to be sent; what is left out keeps its default. Answered by `subscribed`."""

    type: Literal["subscribe"]
    cameras: list[str] | None = Field(None, description="Slugs of the task's cameras; null: all.")
    max_rate: float = Field(10.0, gt=0, le=MOST_RATE, description="Pictures per second and camera.")
    quality: Level = Field("auto", description="auto: as much as the connection takes.")
    overlay: bool = Field(False, description="Drawn in the caller's overlay style for the task.")
    format: Literal["jpeg", "webp"] = "jpeg"


class SetFocus(_Request):
    """Operators: all who watch the task look at this person."""

    type: Literal["set_focus"]
    person_id: Annotated[UUID, Field(strict=False)]


class ClearFocus(_Request):
    """Operators: look at everybody again."""

    type: Literal["clear_focus"]


def parse(model: type[_Request], message: dict[str, Any]) -> Any:
    """The request, checked.

    Raises:
        ValidationFailedError: details name the fields.
    """
    try:
        return model.model_validate(message)
    except ValidationError as error:
        fields = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors(include_url=False)}
        said = "; ".join(f"`{name}`: {problem}" for name, problem in fields.items())
        raise ValidationFailedError(
            f"This message is not right: {said}.", details={"fields": fields}
        ) from error


def error_message(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The one shape of an error, as on REST."""
    return {
        "type": "error",
        "success": False,
        "error": {"code": code, "message": message, "details": details or {}},
        "timestamp": isoformat(timezone.now()),
        "request_id": uuid4().hex,
    }
