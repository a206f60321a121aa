"""The administration: every page opens, drawings are right, and wrong input is answered with what to mend."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from environments.models import Camera, Environment, Recording, Zone
from environments.services import environment_load, membership_set, recording_register
from environments.tests.conftest import make_user

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
JPEG = cv2.imencode(".jpg", np.full((36, 64, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def admin(superuser) -> Client:
    client = Client()
    client.force_login(superuser)
    return client


def page(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200, f"{name}: {answer.status_code}"
    return answer.content.decode()


def values_of(answer) -> dict[str, object]:
    """What a browser would send back for the page's main form and its inline forms, unchanged."""
    data: dict[str, object] = {}
    forms = [answer.context["adminform"].form]
    for formset in answer.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is None or value is False or bound.name in ("floor_plan", "preview"):
                continue
            data[bound.html_name] = json.dumps(value) if isinstance(value, list | dict) else value
    return data


@pytest.mark.parametrize("model", ["environment", "camera", "zone", "recording"])
def test_lists_add_and_change_pages_open(admin, yard, camera, model):
    recording_register(
        camera=camera, uri="a.mp4", started_at=NINE, duration_s=75, fps=10, problems=["frame 9"]
    )
    row = {
        "environment": yard,
        "camera": camera,
        "zone": yard.zones.first(),
        "recording": Recording.objects.get(),
    }
    page(admin, f"environments_{model}_changelist")
    page(admin, f"environments_{model}_add")
    page(admin, f"environments_{model}_change", row[model].pk)
    page(admin, f"environments_{model}_history", row[model].pk)
    page(admin, f"environments_{model}_delete", row[model].pk)
    assert admin.get(reverse(f"admin:environments_{model}_changelist"), {"q": "a"}).status_code == 200


def test_pages_open_for_a_bare_environment(admin, yard):
    bare = Environment.objects.create(slug="bare", name="Bare")
    assert "No floor plan yet" in page(admin, "environments_environment_change", bare.pk)
    blank = Camera.objects.create(environment=bare, slug="x", name="X", image_width=640, image_height=360)
    assert "Not calibrated" in page(admin, "environments_camera_change", blank.pk)


def test_problems_of_a_recording_are_told_with_their_place(admin, camera):
    problem = {"frame_index": 812, "time_s": 81.2, "message": "damaged, left out"}
    recording_register(camera=camera, uri="a.mp4", started_at=NINE, duration_s=75, fps=10, problems=[problem])
    assert "<li>frame 812 (81.2 s): damaged, left out</li>" in page(
        admin, "environments_recording_changelist"
    )
    assert "1 min 15 s" in page(admin, "environments_recording_change", Recording.objects.get().pk)


def test_users_are_listed_with_their_roles(admin, operator):
    assert "yard: Operator" in page(admin, "auth_user_changelist")
    page(admin, "auth_user_add")
    page(admin, "auth_user_change", operator.pk)


def test_members_who_may_not_sign_in_are_marked(admin, yard, operator):
    operator.is_active = False
    operator.save()
    for name, pk in (("environments_environment_change", yard.pk), ("auth_user_change", operator.pk)):
        html = page(admin, name, pk)
        (cell,) = re.findall(r'<td class="field-active">(.*?)</td>', html, re.S)[:1]
        assert 'alt="False"' in cell


def test_the_environment_page_draws_plan_zones_and_cameras(admin, yard, camera):
    html = page(admin, "environments_environment_change", yard.pk)
    assert f'href="/admin/environments/environment/{yard.pk}/floor-plan"' in html
    # the door's corners (8..12, 14..16) in pixels of a plan of 10 px per metre whose top is y = 16
    assert 'points="80.0,20.0 120.0,20.0 120.0,0.0 80.0,0.0 "' in html
    assert 'class="plan-view"' in html
    # c01 hangs at (10, 2) and looks north, which is up
    assert 'transform="translate(100.0 140.0)"' in html
    assert 'transform="rotate(-90.0) ' in html


def test_the_camera_page_says_in_words_where_it_looks(admin, camera):
    camera.calibration_error_m = 0.41
    camera.save()
    html = page(admin, "environments_camera_change", camera.pk)
    assert "Hangs 6.0 m high at (10.0, 2.0) m, looks north, 45° down." in html
    assert "poor, 41 cm off on average; calibrate again" in html


def test_names_cannot_smuggle_markup_into_the_drawing(admin, yard):
    yard.zones.update(name="<script>alert(1)</script>")
    yard.cameras.update(name="<script>alert(1)</script>")
    html = page(admin, "environments_environment_change", yard.pk)
    assert "<script>alert(1)" not in html


# -- pictures ------------------------------------------------------------------------------------------------


def test_pictures_need_a_login(admin, yard, camera):
    camera.preview.save("x.jpg", SimpleUploadedFile("x.jpg", JPEG))
    plan = reverse("admin:environments_environment_floor_plan", args=[yard.pk])
    preview = reverse("admin:environments_camera_preview", args=[camera.pk])
    drawing = reverse("admin:environments_environment_plan", args=[yard.pk])
    assert admin.get(plan)["Content-Type"] == "image/png"
    assert admin.get(preview).content == JPEG
    assert admin.get(drawing).json()["zones"][0]["name"] == "Door"
    for url in (plan, preview, drawing):
        assert Client().get(url).status_code == 302


def test_an_uploaded_floor_plan_is_measured(admin, yard):
    url = reverse("admin:environments_environment_change", args=[yard.pk])
    data = values_of(admin.get(url)) | {"floor_plan": SimpleUploadedFile("plan.jpg", JPEG)}
    assert admin.post(url, data).status_code == 302
    yard.refresh_from_db()
    assert (yard.floor_plan_width_px, yard.floor_plan_height_px) == (64, 36)
    assert yard.floor_plan.name.endswith(".jpg")


def test_an_upload_that_is_no_picture_is_refused(admin, yard):
    url = reverse("admin:environments_environment_change", args=[yard.pk])
    data = values_of(admin.get(url)) | {
        "floor_plan": SimpleUploadedFile("plan.png", b"<svg onload=alert(1)>")
    }
    assert "This is not a PNG or JPEG image." in admin.post(url, data).content.decode()


# -- zones, cameras, recordings ------------------------------------------------------------------------------


def zone_data(yard: Environment, polygon: str) -> dict[str, object]:
    fields = {"environment": yard.pk, "name": "New", "slug": "new", "kind": "queue", "is_active": "on"}
    return fields | {"polygon": polygon}


def test_a_drawn_zone_is_stored(admin, yard):
    admin.post(reverse("admin:environments_zone_add"), zone_data(yard, "[[1, 1], [5, 1], [5, 4.25]]"))
    assert Zone.objects.get(slug="new").polygon == [[1, 1], [5, 1], [5, 4.25]]


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        ("[[0, 0], [4, 3], [4, 0], [0, 3]]", "The outline crosses itself"),
        ("[[0, 0], [4, 3]]", "three or more corners"),
        ("[[0, 0], [4, 3]", "Enter a valid JSON"),
    ],
)
def test_a_wrong_zone_is_answered_with_what_to_mend(admin, yard, polygon, says):
    answer = admin.post(reverse("admin:environments_zone_add"), zone_data(yard, polygon))
    assert says in answer.content.decode()
    assert not Zone.objects.filter(slug="new").exists()


def test_a_camera_is_calibrated_from_points(admin, yard, camera):
    wall = yard.cameras.get(slug="c02")
    pixels = np.array([[100, 350], [540, 350], [120, 200], [500, 210], [320, 260]], float)
    lines = [
        f"{x}, {y}, {X}, {Y}" for (x, y), (X, Y) in zip(pixels, camera.model.to_map(pixels), strict=True)
    ]
    url = reverse("admin:environments_camera_change", args=[wall.pk])
    data = values_of(admin.get(url)) | {"calibration_points": "\n".join(lines)}
    answer = admin.post(url, data, follow=True)
    assert "Calibrated: Hangs 6.0 m high" in answer.content.decode()
    wall = Camera.objects.get(pk=wall.pk)
    np.testing.assert_allclose(wall.model.to_map(pixels), camera.model.to_map(pixels), atol=1e-6)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ("1, 2, 3", "Line 1 must hold four numbers"),
        ("1 2 3 4\n5 6 7 8", "need four or more point pairs"),
        ("0 0 0 0\n9 0 9 0\n9 9 9 9\n0 9 0 9\n5 5 5 5\n3 3 8 1\n2 8 2 8\n7 3 7 3", "Line 6 is"),
    ],
)
def test_wrong_calibration_points_are_named(admin, camera, points, says):
    url = reverse("admin:environments_camera_change", args=[camera.pk])
    data = values_of(admin.get(url)) | {"calibration_points": points}
    assert says in admin.post(url, data).content.decode()


def test_a_wrong_calibration_is_explained(admin, camera):
    url = reverse("admin:environments_camera_change", args=[camera.pk])
    data = values_of(admin.get(url)) | {"calibration": '{"P": [[1, 2], [3, 4]], "width": 640, "height": 360}'}
    assert "The calibration cannot be used: P must be 3x4" in admin.post(url, data).content.decode()


def recording_data(camera: Camera, **fields: object) -> dict[str, object]:
    start = {"started_at_0": "2026-01-05", "started_at_1": "09:00:30"}
    return {"camera": camera.pk, "uri": "b.mp4", **start, **fields}


def test_a_recording_without_duration_is_read_by_a_worker(admin, camera, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        admin.post(reverse("admin:environments_recording_add"), recording_data(camera))
    assert Recording.objects.get().status == Recording.Status.REGISTERED
    assert len(callbacks) == 1


def test_a_recording_with_duration_counts_at_once(admin, camera, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        admin.post(
            reverse("admin:environments_recording_add"), recording_data(camera, duration_s="12.5", fps="10")
        )
    assert Recording.objects.get().status == Recording.Status.PROBED
    assert callbacks == []


def test_an_overlapping_recording_is_explained(admin, camera):
    recording_register(camera=camera, uri="a.mp4", started_at=NINE, duration_s=60, fps=10)
    answer = admin.post(
        reverse("admin:environments_recording_add"), recording_data(camera, duration_s="12.5", fps="10")
    )
    assert "Overlaps a.mp4, which runs from 2026-01-05 09:00:00 to 09:01:00 UTC." in answer.content.decode()


# -- staff who are not superusers ----------------------------------------------------------------------------


def test_staff_manage_only_environments_they_are_admin_of(yard, definition):
    other = environment_load(definition=definition | {"slug": "other", "name": "Other place"})
    staff = make_user("stella", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="environments"))
    membership_set(user=staff, environment=yard, role="admin")
    membership_set(user=staff, environment=other, role="viewer")
    client = Client()
    client.force_login(staff)
    assert "Other place" not in page(client, "environments_environment_changelist")
    assert "Other place" not in page(client, "environments_zone_add")
    page(client, "environments_environment_change", yard.pk)
    plan = reverse("admin:environments_environment_plan", args=[other.pk])
    assert client.get(plan).status_code == 404
    foreign = reverse("admin:environments_environment_change", args=[other.pk])
    assert client.get(foreign).status_code == 302
