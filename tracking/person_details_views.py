"""What is known of a person, over REST."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tracking import selectors
from tracking.person_details import person_details
from tracking.person_details_serializers import PersonDetailsQuerySerializer, PersonDetailsSerializer

_PERSON = "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"
EXAMPLE_DETAILS = OpenApiExample(
    "Half a minute on the campus",
    value={
        "global_person_id": _PERSON,
        "merged": False,
        "environment_id": "campus",
        "available": {"start": "2026-01-05T09:00:12.400Z", "end": "2026-01-05T09:00:43.900Z"},
        "first_detected_time": "2026-01-05T09:00:12.400Z",
        "last_seen_time": "2026-01-05T09:00:43.900Z",
        "tracking_duration": 31.5,
        "detection_confidence": 0.9132,
        "current_camera": "c02",
        "movement_metrics": {
            "average_speed": 1.213,
            "max_speed": 1.604,
            "total_distance": 38.21,
            "dwell_time": 31.5,
        },
        "cameras": [
            {
                "camera": "c01",
                "first": "2026-01-05T09:00:12.400Z",
                "last": "2026-01-05T09:00:30.100Z",
                "seconds": 17.7,
            },
            {
                "camera": "c02",
                "first": "2026-01-05T09:00:27.000Z",
                "last": "2026-01-05T09:00:43.900Z",
                "seconds": 16.9,
            },
        ],
        "zones": [
            {
                "zone_id": "5d5cfa8e-4f0a-4a43-9a86-3b5de0a0a3de",
                "zone": "plaza",
                "name": "Plaza",
                "kind": "walkway",
                "entries": 1,
                "dwell_time": 12.3,
                "first": "2026-01-05T09:00:20.000Z",
                "last": "2026-01-05T09:00:32.300Z",
            }
        ],
        "tasks": [
            {
                "task_id": "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11",
                "mode": "live",
                "status": "PROCESSING",
                "first": "2026-01-05T09:00:12.400Z",
                "last": "2026-01-05T09:00:43.900Z",
                "seconds": 31.5,
            }
        ],
        "cropped_images": [f"/api/v1/media/persons/{_PERSON}/image?camera={c}" for c in ("c01", "c02")],
        "position_history": [
            {
                "timestamp": "2026-01-05T09:00:12.400Z",
                "camera": "c01",
                "track_id": 5,
                "bbox": [110.2, 220.5, 160.0, 330.8],
                "map_coords": [12.3, 45.6],
            }
        ],
    },
    response_only=True,
)


class PersonDetailsView(APIView):
    @extend_schema(
        operation_id="persons_details",
        parameters=[PersonDetailsQuerySerializer],
        responses=PersonDetailsSerializer,
        examples=[EXAMPLE_DETAILS],
        description="An older id stands for whom it was merged into. Errors: `person_not_found` (404), "
        "`range_not_available` (422; `available` in the details).",
    )
    def get(self, request: Request, person_id: UUID) -> Response:
        """Statistics, movement, cameras, zones and history of a person, over all time or a range."""
        query = PersonDetailsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        person = selectors.person_get(user=request.user, person_id=person_id)
        details = person_details(person=person, **query.validated_data)
        return Response({**details, "merged": person.pk != person_id})
