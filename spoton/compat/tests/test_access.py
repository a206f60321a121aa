"""Who may: everybody, in the named environments, on these routes, and nowhere else."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import authenticate, get_user_model
from rest_framework.test import APIClient

from environments.models import Membership, Role
from environments.services import membership_set
from spoton.compat.access import USERNAME, client_user
from spoton.compat.tests.conftest import ORIGIN, TASKS
from spoton.compat.urls import urlpatterns
from tracking.tests import factories

pytestmark = pytest.mark.django_db

ANY_ID = uuid.uuid4()
ROUTES = [
    ("GET", TASKS),
    ("GET", f"{TASKS}/environments"),
    ("POST", f"{TASKS}/start"),
    ("GET", f"{TASKS}/{ANY_ID}/status"),
    ("DELETE", f"{TASKS}/environment/yard/cleanup"),
    ("GET", f"/api/v1/controls/{ANY_ID}/status"),
    ("POST", f"/api/v1/controls/{ANY_ID}/pause"),
    ("POST", f"/api/v1/controls/{ANY_ID}/resume"),
    ("POST", f"/api/v1/controls/{ANY_ID}/seek"),
    ("GET", f"/api/v1/stream/{ANY_ID}/c01"),
    ("GET", "/api/v1/analytics/dashboard?environment_id=yard&window_hours=1"),
    ("GET", "/api/v1/analytics/system/statistics"),
    ("GET", "/api/v1/feedback/reidentification"),
    ("POST", "/api/v1/feedback/reidentification"),
]


def test_every_route_is_tested_here():
    assert len({path.split("?")[0] for _, path in ROUTES}) == len(urlpatterns)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_while_it_is_off_there_is_none_of_it(web, switched, method, path):
    switched()
    assert "SPOTON_COMPAT_ENVIRONMENTS" in web.ask(method, path, status=404)["message"]
    assert not get_user_model().objects.filter(username=USERNAME).exists()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_browsers_may_ask_before_they_send(web, method):
    asked = {"origin": ORIGIN, "access-control-request-method": method}
    asked["access-control-request-headers"] = "content-type"
    answer = web.client.options(f"{TASKS}/start", headers=asked)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert method in answer["Access-Control-Allow-Methods"]
    assert "content-type" in answer["Access-Control-Allow-Headers"]


def test_pages_of_other_origins_are_not_let_in(web):
    answer = web.client.get(TASKS, headers={"origin": "http://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in answer


def test_other_methods_are_refused_in_the_clients_words(web):
    assert web.ask("DELETE", TASKS, status=405)["message"] == "Use GET."


def test_other_environments_are_invisible(web, annex):
    other = factories.person("omar", annex, Role.OPERATOR)
    task = factories.services.task_start(user=other, environment=annex)
    assert [e["environment_id"] for e in web.get(f"{TASKS}/environments")["environments"]] == ["yard"]
    assert web.get(TASKS)["data"]["tasks"] == []
    for method, path, body in [
        ("GET", f"{TASKS}/{task.pk}/status", None),
        ("GET", f"/api/v1/controls/{task.pk}/status", None),
        ("POST", f"/api/v1/controls/{task.pk}/pause", None),
        ("POST", f"/api/v1/controls/{task.pk}/seek", {"frame_index": 0}),
        ("GET", f"/api/v1/stream/{task.pk}/c01", None),
        ("POST", f"{TASKS}/start", {"environment_id": "annex"}),
        ("DELETE", f"{TASKS}/environment/annex/cleanup", None),
        ("GET", "/api/v1/analytics/dashboard?environment_id=annex&window_hours=1", None),
    ]:
        assert web.ask(method, path, body, status=404)["message"]
    task.refresh_from_db()
    assert task.is_active


def test_anonymous_requests_reach_no_other_route(web, task):
    for path in [
        "/api/v1/environments",
        "/api/v1/environments/yard",
        f"/api/v1/processing-tasks/{task.pk}/status",
        f"/api/v1/media/frames/{task.pk}/c01/stream",
        "/api/v1/system/status",
        "/api/v1/auth/me",
    ]:
        assert APIClient().get(path).status_code == 401, path
    answer = APIClient().post("/api/v1/processing-tasks/start", {"environment_id": "yard"})
    assert answer.status_code == 401


def test_nobody_can_sign_in_as_the_clients_user(anyone):
    assert not anyone.has_usable_password()
    assert not anyone.is_staff
    assert authenticate(username=USERNAME, password="") is None
    answer = APIClient().post("/api/v1/auth/login", {"username": USERNAME, "password": "anything"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "more", [{"is_superuser": True}, {"is_staff": True}, {"password": "a long password"}]
)
def test_a_person_of_that_name_is_never_acted_for(web, more):
    password = more.pop("password", None)
    somebody = get_user_model().objects.create_user(USERNAME, password=password, **more)
    assert "rename" in web.get(TASKS, status=403)["message"]
    somebody.refresh_from_db()
    assert somebody.has_usable_password() == bool(password)


def test_it_is_an_operator_of_the_named_environments_only(web, annex, switched, anyone):
    def roles():
        return dict(Membership.objects.filter(user=anyone).values_list("environment__slug", "role"))

    assert roles() == {"yard": "operator"}
    switched("annex", "nowhere")
    assert client_user() == anyone
    assert roles() == {"annex": "operator"}


def test_administrators_can_reduce_it_and_switch_it_off(web, yard, anyone):
    membership_set(user=anyone, environment=yard, role=Role.VIEWER)
    assert web.get(TASKS)["data"] == {"tasks": []}
    assert "role" in web.post(f"{TASKS}/start", {"environment_id": "yard"}, status=403)["message"]
    anyone.is_active = False
    anyone.save()
    assert web.get(f"{TASKS}/environments") == {"environments": []}
    assert web.post(f"{TASKS}/start", {"environment_id": "yard"}, status=404)["message"]
