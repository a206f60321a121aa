"""Pictures over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from tracking import media, selectors
from tracking.serializers import CropQuerySerializer, FrameQuerySerializer

PICTURE = {
    (200, "image/jpeg"): OpenApiResponse(OpenApiTypes.BINARY, "The picture"),
    (200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY, "The picture"),
    304: OpenApiResponse(description="Not changed since the given ETag"),
    503: OpenApiResponse(description="No worker delivered the picture in time"),
}


class PictureView(APIView):
    """Answers with a picture, or with a JSON error."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # neither `Accept: image/jpeg` nor `?format=webp` names a form of JSON: they must not be refused
        return super().perform_content_negotiation(request, force=True)


class FrameView(PictureView):
    """A frame with boxes and names; `raw` leaves them out."""

    raw = False

    @extend_schema(operation_id="media_frame", parameters=[FrameQuerySerializer], responses=PICTURE)
    def get(self, request: Request, task_id: UUID, camera_id: str) -> HttpResponse:
        """The camera's picture at `t`, or the last one processed, with overlays."""
        query = FrameQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        options = dict(query.validated_data)
        at = options.pop("t", None)
        task = selectors.task_get(user=request.user, task_id=task_id)
        stored, image = media.frame_image(task=task, camera=camera_id, at=at)
        if not self.raw:
            media.overlay_frame(task=task, camera=camera_id, stored=stored, image=image)
        options = {"width": None, "height": None, **options}
        data, content_type = media.encode(image, **options)
        return picture(request, data, content_type)


class RawFrameView(FrameView):
    raw = True

    @extend_schema(operation_id="media_frame_raw", parameters=[FrameQuerySerializer], responses=PICTURE)
    def get(self, request: Request, task_id: UUID, camera_id: str) -> HttpResponse:
        """The camera's picture at `t`, or the last one processed, as it was captured."""
        return super().get(request, task_id, camera_id)


class PersonImageView(PictureView):
    @extend_schema(operation_id="media_person_image", parameters=[CropQuerySerializer], responses=PICTURE)
    def get(self, request: Request, person_id: UUID) -> HttpResponse:
        """The best picture of a person, or of one camera, or the one nearest to a time."""
        query = CropQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        person = selectors.person_get(user=request.user, person_id=person_id)
        data = media.person_crop(
            person=person, camera=query.validated_data.get("camera"), at=query.validated_data.get("t")
        )
        return picture(request, data, "image/jpeg")


def picture(request: Request, data: bytes, content_type: str) -> HttpResponse:
    """The picture, or 304 when the client has it already."""
    etag = media.etag_of(data)
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    return HttpResponse(data, content_type=content_type, headers={"ETag": etag, "Cache-Control": "private"})
