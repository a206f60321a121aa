"""Pictures over REST."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import Resolver404, resolve
from django.utils.crypto import constant_time_compare
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from environments.errors import ValidationFailedError
from environments.signed_urls import SignedUrlAuthentication, sign_url
from tracking import media, mjpeg, selectors
from tracking.composition import composed
from tracking.errors import TaskNotRunningError
from tracking.media_serializers import (
    CompositionQuerySerializer,
    CropQuerySerializer,
    FrameQuerySerializer,
    OverlayConfigQuerySerializer,
    OverlayConfigSerializer,
    OverlayStyleSerializer,
    SignedUrlsSerializer,
    SignSerializer,
    StreamQuerySerializer,
)
from tracking.messages import isoformat
from tracking.overlay_config import overlay_config_set, style_for
from tracking.overlay_style import OverlayStyle
from tracking.picture_response import picture_response
from tracking.playback import playback_state
from tracking.rendering import rendered, require_camera

# What was captured at a time stays as it is; what is drawn on it follows merges and the caller's style.
RAW_MAX_AGE_S, DRAWN_MAX_AGE_S = 3600, 10
PICTURE = {
    (200, "image/jpeg"): OpenApiResponse(OpenApiTypes.BINARY, "The picture"),
    (200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY, "The picture"),
    (206, "image/jpeg"): OpenApiResponse(OpenApiTypes.BINARY, "The part that `Range` asked for"),
    304: OpenApiResponse(description="Not changed since the given ETag or time"),
    412: OpenApiResponse(description="`If-Match` or `If-Unmodified-Since` does not hold"),
    416: OpenApiResponse(description="The picture ends before the part that `Range` asked for"),
    503: OpenApiResponse(description="No worker delivered the picture in time"),
}
_TASK = "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"
_PATH = f"/api/v1/media/frames/{_TASK}/c01"
EXAMPLE_STYLE = OpenApiExample(
    "Trails, and nobody recognisable but the focused person",
    value={"task_id": _TASK, "trails_seconds": 5, "blur": "others"},
    request_only=True,
)
EXAMPLE_STYLE_NOW = OpenApiExample(
    "The whole style",
    value={**OverlayStyle().to_json(), "trails_seconds": 5.0, "blur": "others"},
    response_only=True,
)
EXAMPLE_SIGN = OpenApiExample("One picture", value={"paths": [_PATH]}, request_only=True)
EXAMPLE_SIGNED = OpenApiExample(
    "Its address",
    value={
        "urls": [
            {"path": _PATH, "url": f"{_PATH}?sig=7:1767603000:...", "expires_at": "2026-01-05T08:50:00.000Z"}
        ]
    },
    response_only=True,
)


class PictureView(APIView):
    """Answers with a picture, or with a JSON error. Signed addresses are good here and nowhere else."""

    authentication_classes = [*api_settings.DEFAULT_AUTHENTICATION_CLASSES, SignedUrlAuthentication]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # neither `Accept: image/jpeg` nor `?format=webp` names a form of JSON: they must not be refused
        return super().perform_content_negotiation(request, force=True)


class FrameView(PictureView):
    """A frame with what was found drawn on it; `raw` leaves it out."""

    raw = False

    @extend_schema(operation_id="media_frame", parameters=[FrameQuerySerializer], responses=PICTURE)
    def get(self, request: Request, task_id: UUID, camera_id: str) -> HttpResponse:
        """The camera's picture at `t`, or the last one processed, with the caller's overlay."""
        query = FrameQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        task = selectors.task_get(user=request.user, task_id=task_id)
        require_camera(task, camera_id)
        options, style = query.validated_data, None if self.raw else style_for(user=request.user, task=task)
        picture = rendered(
            task=task,
            camera=camera_id,
            instant=media.instant_of(task, options.get("t")),
            look=query.look(style),
            focus=media.focused(task, options.get("focus")),
        )
        age = RAW_MAX_AGE_S if self.raw else DRAWN_MAX_AGE_S
        return picture_response(request, picture, max_age_s=age if "t" in options else None)


class RawFrameView(FrameView):
    raw = True

    @extend_schema(operation_id="media_frame_raw", parameters=[FrameQuerySerializer], responses=PICTURE)
    def get(self, request: Request, task_id: UUID, camera_id: str) -> HttpResponse:
        """The camera's picture at `t`, or the last one processed, as it was captured."""
        return super().get(request, task_id, camera_id)


class CompositionView(PictureView):
    @extend_schema(
        operation_id="media_multi_camera", parameters=[CompositionQuerySerializer], responses=PICTURE
    )
    def get(self, request: Request, task_id: UUID) -> HttpResponse:
        """Several cameras at one instant in one picture, with the caller's overlay."""
        query = CompositionQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        options = query.validated_data
        task = selectors.task_get(user=request.user, task_id=task_id)
        picture = composed(
            task=task,
            instant=media.instant_of(task, options.get("t")),
            cameras=options.get("cameras") or task.cameras,
            layout=options["layout"],
            main=options.get("main"),
            look=query.look(style_for(user=request.user, task=task)),
            focus=media.focused(task, options.get("focus")),
        )
        return picture_response(request, picture, max_age_s=DRAWN_MAX_AGE_S if "t" in options else None)


class PersonImageView(PictureView):
    @extend_schema(operation_id="media_person_image", parameters=[CropQuerySerializer], responses=PICTURE)
    def get(self, request: Request, person_id: UUID) -> HttpResponse:
        """The best picture of a person, or of one camera, or the one nearest to a time."""
        query = CropQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        options = query.validated_data
        person = selectors.person_get(user=request.user, person_id=person_id)
        picture = media.person_picture(
            person=person, camera=options.get("camera"), at=options.get("t"), look=query.look()
        )
        return picture_response(request, picture, max_age_s=DRAWN_MAX_AGE_S if "t" in options else None)


class StreamView(PictureView):
    @extend_schema(
        operation_id="media_stream",
        parameters=[StreamQuerySerializer],
        responses={
            (200, mjpeg.MEDIA_TYPE): OpenApiResponse(OpenApiTypes.BINARY, "JPEGs, one after the other")
        },
    )
    def get(self, request: Request, task_id: UUID, camera_id: str) -> StreamingHttpResponse:
        """Motion JPEG for `<img>`: a camera's newest pictures for as long as the task runs."""
        query = StreamQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        task = selectors.task_get(user=request.user, task_id=task_id)
        require_camera(task, camera_id)
        if not task.is_active and playback_state(task)["state"] == "following":
            raise TaskNotRunningError(
                f"The task is {task.status}; its pictures are at the same address without /stream.",
                details={"status": task.status},
            )
        signed_in = partial(still_signed_in, request, request.user.get_session_auth_hash())
        # the parts are made by the event loop: this view's thread has nothing more to do
        parts = mjpeg.Stream(
            user=request.user, signed_in=signed_in, task=task, camera=camera_id, **query.validated_data
        ).parts()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(parts, content_type=mjpeg.CONTENT_TYPE, headers=headers)


def still_signed_in(request: Request, password_hash: str) -> bool:
    """Whether the caller of a long answer still is: a token must still be good, a password the same.

    The signature of an address ends within minutes; it has let them in, and is not asked again.
    """
    try:
        if not isinstance(request.successful_authenticator, SignedUrlAuthentication):
            request.successful_authenticator.authenticate(request)
    except AuthenticationFailed:
        return False
    user = get_user_model().objects.filter(pk=request.user.pk).first()
    return user is not None and constant_time_compare(user.get_session_auth_hash(), password_hash)


class OverlayConfigView(APIView):
    @extend_schema(
        operation_id="media_overlay_config",
        parameters=[OverlayConfigQuerySerializer],
        responses=OverlayStyleSerializer,
        examples=[EXAMPLE_STYLE_NOW],
    )
    def get(self, request: Request) -> Response:
        """The caller's overlay style for a task."""
        query = OverlayConfigQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        task = selectors.task_get(user=request.user, task_id=query.validated_data["task_id"])
        return Response(style_for(user=request.user, task=task).to_json())

    @extend_schema(
        operation_id="media_overlay_config_set",
        request=OverlayConfigSerializer,
        responses=OverlayStyleSerializer,
        examples=[EXAMPLE_STYLE, EXAMPLE_STYLE_NOW],
    )
    def post(self, request: Request) -> Response:
        """Change some of the caller's overlay style for a task; what is not named stays as it is."""
        serializer = OverlayConfigSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        task = selectors.task_get(user=request.user, task_id=changes.pop("task_id"))
        return Response(overlay_config_set(user=request.user, task=task, changes=changes).to_json())


class SignView(APIView):
    @extend_schema(
        operation_id="media_sign",
        request=SignSerializer,
        responses=SignedUrlsSerializer,
        examples=[EXAMPLE_SIGN, EXAMPLE_SIGNED],
    )
    def post(self, request: Request) -> Response:
        """Addresses of pictures that work without headers for some minutes, for the caller."""
        serializer = SignSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        paths = serializer.validated_data["paths"]
        wrong = [path for path in paths if not _is_picture(path)]
        if wrong:
            raise ValidationFailedError(
                "Only addresses of pictures can be signed.", details={"fields": {"paths": wrong}}
            )
        signed = [(path, *sign_url(path, request.user)) for path in paths]
        urls = [{"path": path, "url": url, "expires_at": isoformat(until)} for path, url, until in signed]
        return Response({"urls": urls})


def _is_picture(path: str) -> bool:
    try:
        view = resolve(path.partition("?")[0]).func
    except Resolver404:
        return False
    return (
        "#" not in path
        and "sig=" not in path
        and issubclass(getattr(view, "view_class", object), PictureView)
    )
