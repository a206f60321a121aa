"""Everybody's own preferences."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from environments.models import Membership, Preferences

pytestmark = pytest.mark.django_db
PATH = "/api/v1/preferences"
ALL = {
    "default_environment": "yard",
    "overlay": {"boxes": True, "trails_seconds": 2.5, "colour": "#ff0000"},
    "layout": {"panes": ["map", {"camera": "c01"}]},
}


@pytest.fixture
def mine(api_of, viewer):
    return api_of(viewer)


def data_of(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def test_until_something_is_set_nothing_is(mine):
    assert data_of(mine.get(PATH)) == {
        "default_environment": None,
        "overlay": {},
        "layout": {},
        "updated_at": None,
    }
    assert not Preferences.objects.exists()


def test_put_replaces_everything(mine):
    answer = data_of(mine.put(PATH, ALL))
    assert answer.pop("updated_at").endswith("Z")
    assert answer == ALL
    assert data_of(mine.get(PATH))["overlay"] == ALL["overlay"]
    answer = data_of(mine.put(PATH, {"overlay": {"boxes": False}}))
    assert (answer["default_environment"], answer["overlay"], answer["layout"]) == (
        None,
        {"boxes": False},
        {},
    )


def test_patch_leaves_the_others(mine):
    mine.put(PATH, ALL)
    answer = data_of(mine.patch(PATH, {"layout": {"panes": []}}))
    assert (answer["default_environment"], answer["overlay"]) == ("yard", ALL["overlay"])
    assert answer["layout"] == {"panes": []}
    assert data_of(mine.patch(PATH, {"default_environment": None}))["default_environment"] is None


def test_they_are_the_callers_own(mine, api_of, operator):
    mine.put(PATH, ALL)
    assert data_of(api_of(operator).get(PATH))["overlay"] == {}
    data_of(api_of(operator).put(PATH, {"overlay": {"boxes": False}}))
    assert data_of(mine.get(PATH))["overlay"] == ALL["overlay"]


def test_an_environment_that_one_may_not_see_is_refused_like_an_unknown_one(api_of, stranger, yard):
    errors = []
    for slug in ("yard", "nowhere"):
        answer = api_of(stranger).put(PATH, {"default_environment": slug})
        assert answer.status_code == 422
        errors.append(answer.json()["error"])
    assert errors[0] == errors[1]
    assert errors[0]["code"] == "validation_error"
    assert list(errors[0]["details"]["fields"]) == ["default_environment"]
    assert not Preferences.objects.exists()


@pytest.mark.parametrize("reason", ["left", "deactivated", "deleted"])
def test_an_environment_that_became_invisible_is_quietly_none(mine, viewer, yard, reason):
    mine.put(PATH, ALL)
    if reason == "left":
        Membership.objects.filter(user=viewer).delete()
    elif reason == "deactivated":
        yard.is_active = False
        yard.save()
    else:
        yard.delete()
    answer = data_of(mine.get(PATH))
    assert (answer["default_environment"], answer["overlay"]) == (None, ALL["overlay"])
    assert data_of(mine.patch(PATH, {"layout": {}}))["default_environment"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"overlay": []}, "overlay"),
        ({"overlay": None}, "overlay"),
        ({"overlay": {"boxes": {"nested": 1}}}, "overlay"),
        ({"overlay": {f"k{i}": i for i in range(21)}}, "overlay"),
        ({"overlay": {"colour": "x" * 65}}, "overlay"),
        ({"layout": "wide"}, "layout"),
        ({"layout": {"text": "x" * 16384}}, "layout"),
        ({"layout": {"text": "\x00"}}, "layout"),
        ({"default_environment": "no slug!"}, "default_environment"),
        ({"theme": "dark"}, "theme"),
    ],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_is_wrong_is_named(mine, method, body, field):
    answer = getattr(mine, method)(PATH, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Preferences.objects.exists()


@pytest.mark.parametrize(
    "text", ['{"layout": {"a": "\\ud800"}}', '{"layout": {"a": 1e999}}', '{"layout": {"a": NaN}}']
)
def test_what_the_database_cannot_hold_is_refused(mine, text):
    answer = mine.put(PATH, text, content_type="application/json")
    assert answer.status_code in (400, 422), answer.content


def test_a_bottomless_layout_is_refused(mine):
    text = '{"layout": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}"
    assert mine.put(PATH, text, content_type="application/json").status_code in (400, 422)


@pytest.mark.parametrize("body", ["[1]", "null", '"x"', "3"])
def test_a_body_that_is_no_object_is_refused(mine, body):
    assert mine.put(PATH, body, content_type="application/json").status_code == 422


def test_preferences_need_a_token(yard):
    for method in ("get", "put", "patch"):
        assert getattr(APIClient(), method)(PATH).status_code == 401
