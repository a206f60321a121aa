"""Stored pictures over REST: snapshots of frames, and crops of persons."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from environments.selectors import environment_get
from tracking import picture_files, selectors, snapshots, stored_pictures
from tracking.media_views import PICTURE, PictureView
from tracking.models import Snapshot, StoredCrop
from tracking.picture_response import picture_response
from tracking.rendering import Rendered
from tracking.stored_serializers import (
    SnapshotSerializer,
    SnapshotsQuerySerializer,
    SnapshotTakeSerializer,
)

EXAMPLE_TAKE = OpenApiExample(
    "A moment to remember",
    value={"t": "2026-01-05T09:00:12.400Z", "note": "door left open"},
    request_only=True,
)
EXAMPLE_SNAPSHOT = OpenApiExample(
    "A snapshot",
    value={
        "snapshot_id": "5b0c2f0e-6f0d-4a58-9d39-4f0b6a4c1c7e",
        "url": "/api/v1/media/snapshots/5b0c2f0e-6f0d-4a58-9d39-4f0b6a4c1c7e/image",
        "environment_id": "campus",
        "task_id": "0d9f3b1c-98a1-4a51-8b0b-6c2d1d0b7c55",
        "camera_id": "c01",
        "captured_at": "2026-01-05T09:00:12.400Z",
        "width": 1280,
        "height": 720,
        "note": "door left open",
        "taken_by": "oona",
        "created_at": "2026-01-05T09:03:41.118Z",
    },
    response_only=True,
)
STORED = {
    (200, "image/jpeg"): PICTURE[200, "image/jpeg"],
    (206, "image/jpeg"): PICTURE[206, "image/jpeg"],
    302: OpenApiResponse(description="Where the bucket answers the picture, for a short time"),
    304: PICTURE[304],
    412: PICTURE[412],
    416: PICTURE[416],
    503: OpenApiResponse(description="The storage of pictures does not answer"),
}


class _NewestFirst(api_settings.DEFAULT_PAGINATION_CLASS):
    ordering = "-created_at"


class SnapshotTakeView(APIView):
    @extend_schema(
        operation_id="media_snapshot_take",
        request=SnapshotTakeSerializer,
        responses={201: SnapshotSerializer},
        examples=[EXAMPLE_TAKE, EXAMPLE_SNAPSHOT],
    )
    def post(self, request: Request, task_id: UUID, camera_id: str) -> Response:
        """Keep the camera's picture at `t`, or the last one processed, until somebody deletes it."""
        serializer = SnapshotTakeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        snapshot = snapshots.snapshot_take(
            user=request.user,
            task=selectors.task_get(user=request.user, task_id=task_id),
            camera=camera_id,
            at=fields.get("t"),
            note=fields["note"],
        )
        return Response(SnapshotSerializer(snapshot).data, status=status.HTTP_201_CREATED)


class SnapshotsView(ListAPIView):
    queryset = Snapshot.objects.none()
    serializer_class = SnapshotSerializer
    pagination_class = _NewestFirst

    def get_queryset(self) -> QuerySet[Snapshot]:
        query = SnapshotsQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return snapshots.snapshots_of(
            environment_get(user=self.request.user, slug=query.validated_data["environment_id"])
        )

    @extend_schema(
        operation_id="media_snapshots", parameters=[SnapshotsQuerySerializer], examples=[EXAMPLE_SNAPSHOT]
    )
    def get(self, request: Request) -> Response:
        """The snapshots of an environment, newest first."""
        return super().get(request)


class SnapshotView(APIView):
    @extend_schema(operation_id="media_snapshot_delete", responses={204: None})
    def delete(self, request: Request, snapshot_id: UUID) -> Response:
        """Delete a snapshot and its picture."""
        snapshot = snapshots.snapshot_get(user=request.user, snapshot_id=snapshot_id)
        snapshots.snapshot_delete(user=request.user, snapshot=snapshot)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SnapshotImageView(PictureView):
    @extend_schema(operation_id="media_snapshot_image", responses=STORED)
    def get(self, request: Request, snapshot_id: UUID) -> HttpResponse:
        """The picture of a snapshot."""
        return stored_picture(request, snapshots.snapshot_get(user=request.user, snapshot_id=snapshot_id))


class CropImageView(PictureView):
    @extend_schema(operation_id="media_crop_image", responses=STORED)
    def get(self, request: Request, crop_id: UUID) -> HttpResponse:
        """A stored picture of a person."""
        return stored_picture(request, stored_pictures.crop_get(user=request.user, crop_id=crop_id))


def stored_picture(request: HttpRequest | Request, picture: Snapshot | StoredCrop) -> HttpResponse:
    """Our own file, or the way to the bucket that has it. Whoever calls has checked that the caller may see it."""
    foreign = picture_files.foreign_url(picture.file)
    if foreign is not None:
        # the address is a key for its life: nobody keeps it
        return HttpResponseRedirect(foreign, headers={"Cache-Control": "no-store"})
    data, moment = picture_files.read(picture.file), picture.captured_at.timestamp()
    size = (picture.width, picture.height)
    return picture_response(request, Rendered.of(data, "image/jpeg", size, picture.frame, moment))
