"""What all answers have in common: request ids and the one shape of errors."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.urls import path
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.errors import ConflictError
from spoton import urls as product_urls
from spoton.api.request_id import RequestIdFilter, current_request_id

ERRORS = {
    "domain": ConflictError("Busy; try again later.", details={"until": 5}),
    "missing": Http404("secret words"),
    "denied": PermissionDenied("secret words"),
    "wait": Throttled(wait=2.3),
    "wrong": ValidationError({"fps": ["Too much."]}),
    "list": ValidationError(["No."]),
    "bug": RuntimeError("secret words"),
    "loop": RecursionError("secret words"),
}


class Raises(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = ()

    def get(self, request, name):
        raise ERRORS[name]


class Answers(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = ()

    def get(self, request):
        logging.getLogger("test").warning("working")
        return Response({"request_id": current_request_id()})

    def delete(self, request):
        return Response(status=204)


urlpatterns = [
    *product_urls.urlpatterns,
    path("raises/<str:name>", Raises.as_view()),
    path("answers", Answers.as_view()),
]
handler404, handler500 = product_urls.handler404, product_urls.handler500
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


# -- request ids ---------------------------------------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own(client):
    answers = [client.get("/answers") for _ in range(3)]
    ids = [answer["X-Request-ID"] for answer in answers]
    assert len(set(ids)) == 3
    for answer, request_id in zip(answers, ids, strict=True):
        assert answer.json()["meta"]["request_id"] == answer.json()["data"]["request_id"] == request_id


def test_a_callers_id_is_kept(client):
    answer = client.get("/raises/domain", HTTP_X_REQUEST_ID="trace-0001.a_b")
    assert answer["X-Request-ID"] == answer.json()["request_id"] == "trace-0001.a_b"


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "new line\n12345", "<script>alert(1)</script>", "ünïcode-id", ""]
)
def test_an_id_that_could_do_harm_in_a_log_is_replaced(client, given):
    answer = client.get("/answers", HTTP_X_REQUEST_ID=given)
    assert answer["X-Request-ID"] != given
    assert answer["X-Request-ID"].isalnum()


def test_logs_carry_the_id_of_their_request_and_no_other(client):
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record.request_suffix)

    handler = Keep()
    handler.addFilter(RequestIdFilter())
    logger = logging.getLogger("test")
    logger.addHandler(handler)
    try:
        client.get("/answers", HTTP_X_REQUEST_ID="trace-0002")
        logger.warning("after the request")
    finally:
        logger.removeHandler(handler)
    assert records == [" [request trace-0002]", ""]


# -- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "code", "details"),
    [
        ("domain", 409, "conflict", {"until": 5}),
        ("missing", 404, "not_found", {}),
        ("denied", 403, "permission_denied", {}),
        ("wait", 429, "throttled", {"retry_after_seconds": 3}),
        ("wrong", 422, "validation_error", {"fields": {"fps": ["Too much."]}}),
        ("list", 422, "validation_error", {"errors": ["No."]}),
        ("bug", 500, "internal_error", {}),
        ("loop", 500, "internal_error", {}),
    ],
)
def test_one_shape_for_whatever_goes_wrong(client, name, status, code, details):
    answer = client.get(f"/raises/{name}")
    body = answer.json()
    assert (answer.status_code, body["success"]) == (status, False)
    assert set(body) == {"success", "error", "timestamp", "request_id"}
    assert (body["error"]["code"], body["error"]["details"]) == (code, details)
    assert "secret words" not in answer.content.decode()
    assert answer["X-Request-ID"] == body["request_id"]
    if status == 429:
        assert answer["Retry-After"] == "3"


def test_an_answer_without_content_has_none(client):
    answer = client.delete("/answers")
    assert (answer.status_code, answer.content) == (204, b"")


def test_unknown_addresses(client):
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"
