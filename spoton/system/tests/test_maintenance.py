"""`POST /api/v1/system/maintenance`: who may, and what becomes of each action."""

from __future__ import annotations

import pytest

from environments.models import Role
from environments.redis import redis_client
from environments.services import membership_set
from tracking import frames
from tracking.reloading import models_generation
from tracking.tests import factories
from tracking.tests.factories import assert_error, queued

pytestmark = pytest.mark.django_db
PATH = "/api/v1/system/maintenance"
RELOAD = {"actions": ["reload_models"]}


def actions(answer) -> list[dict]:
    assert answer.status_code == 202, answer.json()
    return answer.json()["data"]["actions"]


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["stranger", "viewer", "operator"])
def test_lesser_roles_are_refused(api_of, request, role, yard):
    before = models_generation()
    assert_error(api_of(request.getfixturevalue(role)).post(PATH, RELOAD), 403, "permission_denied")
    assert models_generation() == before


def test_nobody_in_particular_is_refused(client):
    answer = client.post(PATH, RELOAD, content_type="application/json")
    assert_error(answer, 401, "not_authenticated")


def test_it_takes_an_admin_of_all_environments(api_of, admin, superuser):
    client = api_of(admin)
    assert actions(client.post(PATH, RELOAD))
    other = factories.yard("other")
    error = assert_error(client.post(PATH, RELOAD), 403, "permission_denied")
    assert error["details"] == {"required_role": "admin"}
    assert actions(api_of(superuser).post(PATH, RELOAD))
    membership_set(user=admin, environment=other, role=Role.ADMIN)
    assert actions(client.post(PATH, RELOAD))


# -- what is done --------------------------------------------------------------------------------------------


def test_caches_are_cleared_at_once(api_of, admin, running):
    kept = frames.StoredFrame(0, 0, 0.0, 64, 36, b"jpeg")
    frames.put(task_id=running.pk, camera="c01", frame=kept)
    (done,) = actions(api_of(admin).post(PATH, {"actions": ["clear_caches"]}))
    assert (done["action"], done["state"]) == ("clear_caches", "done")
    assert done["details"]["cleared"]["frames"] == 1
    assert frames.get(task_id=running.pk, camera="c01", instant=0) is None


def test_retention_is_queued(api_of, admin):
    (asked,) = actions(api_of(admin).post(PATH, {"actions": ["apply_retention"]}))
    assert asked["state"] == "queued"
    assert {"tracking.forget_appearances", "tracking.forget_crops"} <= set(asked["details"]["tasks"])
    assert sorted(name for name, _ in queued("maintenance")) == asked["details"]["tasks"]


def test_models_are_to_be_read_again(api_of, admin):
    before = models_generation()
    assert actions(api_of(admin).post(PATH, RELOAD)) == [
        {"action": "reload_models", "state": "queued", "details": {}}
    ]
    assert models_generation() != before


def test_several_at_once_each_once(api_of, admin):
    names = ["reload_models", "clear_caches", "reload_models"]
    done = actions(api_of(admin).post(PATH, {"actions": names}))
    assert [action["action"] for action in done] == ["reload_models", "clear_caches"]


@pytest.mark.parametrize(
    "body", [{}, {"actions": []}, {"actions": ["recompute_rollups"]}, {"actions": "clear_caches"}]
)
def test_what_cannot_be_done_is_refused_and_nothing_is_done(api_of, admin, body):
    before = models_generation()
    error = assert_error(api_of(admin).post(PATH, body), 422, "validation_error")
    assert set(error["details"]["fields"]) == {"actions"}
    assert models_generation() == before


def test_an_unknown_action_is_told_which_there_are(api_of, admin):
    answer = api_of(admin).post(PATH, {"actions": ["recompute_rollups"]})
    (message,) = answer.json()["error"]["details"]["fields"]["actions"]["0"]
    for name in ("recompute_rollups", "clear_caches", "apply_retention", "reload_models"):
        assert name in message
    assert redis_client().get("spoton:models") is None
