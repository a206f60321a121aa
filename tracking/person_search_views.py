"""Finding persons by how they look, over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.errors import ValidationFailedError
from environments.json_parser import BoundedJSONParser
from environments.selectors import environment_get
from tracking import selectors
from tracking.gallery import Alike
from tracking.messages import isoformat
from tracking.model_names import shown_model
from tracking.person_search import persons_like_person, persons_like_picture
from tracking.person_search_serializers import (
    MOST_BODY_BYTES,
    PersonSearchFormSerializer,
    PersonSearchResultSerializer,
    PersonSearchSerializer,
)

_PERSON, _OTHER = "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21", "8f2c1f0e-3f64-5a0b-8f0b-4d5a5b1d7c33"
EXAMPLE_SEARCH = OpenApiExample(
    "Who looks like this person",
    value={"person_id": _PERSON, "start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"},
    request_only=True,
    media_type="application/json",
)
EXAMPLE_PICTURE = OpenApiExample(
    "Who looks like the person in a part of a picture",
    value={
        "environment_id": "campus",
        "image": "data:image/jpeg;base64,/9j/4AAQ...",
        "bbox_xyxy": [110, 220, 160, 330],
    },
    request_only=True,
    media_type="application/json",
)
EXAMPLE_FOUND = OpenApiExample(
    "One person",
    value={
        "global_person_id": None,
        "merged": False,
        "embedder": "descriptor",
        "persons": [
            {
                "global_person_id": _OTHER,
                "similarity": 0.8712,
                "embedder": "descriptor",
                "first_detected_time": "2026-01-05T09:00:12.400Z",
                "last_seen_time": "2026-01-05T09:00:43.900Z",
            }
        ],
    },
    response_only=True,
)


class PictureJSONParser(BoundedJSONParser):
    most_bytes = MOST_BODY_BYTES


class PersonSearchView(APIView):
    parser_classes = [PictureJSONParser, MultiPartParser]

    @extend_schema(
        operation_id="persons_search",
        request={
            "application/json": PersonSearchSerializer,
            "multipart/form-data": PersonSearchFormSerializer,
        },
        responses={
            200: PersonSearchResultSerializer,
            503: OpenApiResponse(description="No worker could look at the picture"),
        },
        examples=[EXAMPLE_SEARCH, EXAMPLE_PICTURE, EXAMPLE_FOUND],
        description="Errors: `range_not_available` (422; `available` in the details), `media_timeout` and "
        "`embedder_not_available` (503).",
    )
    def post(self, request: Request) -> Response:
        """Persons who look like a given person of the same environment, or like a picture, the most alike first."""
        fields = _valid(request)
        within = {"start": fields.get("start"), "end": fields.get("end"), "most": fields["limit"]}
        if "person_id" in fields:
            person = selectors.person_get(user=request.user, person_id=fields["person_id"])
            found = persons_like_person(person=person, **within)
            return _answer(found, person=str(person.pk), merged=person.pk != fields["person_id"])
        environment = environment_get(user=request.user, slug=fields["environment_id"])
        embedder, found = persons_like_picture(
            environment=environment, data=fields["image"], box_px=fields.get("bbox_xyxy"), **within
        )
        return _answer(found, embedder=embedder)


def _valid(request: Request) -> dict[str, Any]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BODY_BYTES:
        message = "Too large; pictures may have 8 MB."
        raise ValidationFailedError(message, details={"fields": {"image": [message]}})
    is_form = request.content_type.startswith("multipart/")
    serializer = (PersonSearchFormSerializer if is_form else PersonSearchSerializer)(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _answer(
    found: list[Alike], *, person: str | None = None, merged: bool = False, embedder: str | None = None
) -> Response:
    return Response(
        {
            "global_person_id": person,
            "merged": merged,
            "embedder": shown_model(embedder) if embedder else None,
            "persons": [
                {
                    "global_person_id": str(alike.person.pk),
                    "similarity": round(alike.similarity, 4),
                    "embedder": shown_model(alike.embedder),
                    "first_detected_time": isoformat(alike.person.first_seen_at),
                    "last_seen_time": isoformat(alike.person.last_seen_at),
                }
                for alike in found
            ],
        }
    )
