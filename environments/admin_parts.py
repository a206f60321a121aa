"""What the pages of the administration share: who sees what, drawings, badges, inlines."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from environments.camera_view import camera_view
from environments.geometry import polygon_area_m2
from environments.models import Camera, Environment, Membership, Role, Zone
from environments.plan_drawing import plan_drawing


class WithinMembership(admin.ModelAdmin):
    """Staff manage the environments they are Admin of; superusers manage all.

    `environment_path` leads from the model to its environment.
    """

    environment_path = "environment"

    class Media:
        css = {"all": ("environments/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        lookup = "pk__in" if not self.environment_path else f"{self.environment_path}__in"
        return rows.filter(**{lookup: managed_environments(request.user)})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "environment":
            kwargs["queryset"] = managed_environments(request.user)
        elif db_field.name == "camera":
            kwargs["queryset"] = Camera.objects.filter(
                environment__in=managed_environments(request.user)
            ).select_related("environment")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def managed_environments(user: Any) -> QuerySet[Environment]:
    """Environments a member of staff may administer."""
    if user.is_superuser:
        return Environment.objects.all()
    return Environment.objects.filter(memberships__user=user, memberships__role=Role.ADMIN)


def badge(kind: str, text: str) -> SafeString:
    return format_html('<span class="badge {}">{}</span>', kind, text)


def two_lines(first: str, second: str) -> SafeString:
    return format_html('<span class="line">{}</span><span class="line quiet">{}</span>', first, second)


def plan_html(environment: Environment, **highlighted: Any) -> SafeString:
    url = reverse("admin:environments_environment_floor_plan", args=[environment.pk])
    plan = plan_drawing(environment, image_url=url, **highlighted)
    used = {zone["kind"] for zone in plan["zones"]}
    kinds = [choice for choice in Zone.Kind.choices if choice[0] in used]
    return render_to_string("environments/admin/plan.html", {"plan": plan, "kinds": kinds})


def preview_html(camera: Camera, css_class: str) -> SafeString:
    if not camera.preview:
        return format_html('<span class="no-preview">{}</span>', "no picture")
    url = reverse("admin:environments_camera_preview", args=[camera.pk])
    return format_html(
        '<img class="{}" src="{}" alt="View of {}" loading="lazy">', css_class, url, camera.slug
    )


class CameraInline(admin.TabularInline):
    model = Camera
    fields = (
        "slug",
        "name",
        "picture",
        "image_width",
        "image_height",
        "fps",
        "calibrated",
        "order",
        "is_active",
    )
    readonly_fields = ("picture", "calibrated")
    extra = 0
    show_change_link = True

    @admin.display(description="picture")
    def picture(self, camera: Camera) -> SafeString:
        return preview_html(camera, "preview-thumb small")

    @admin.display(description="calibration")
    def calibrated(self, camera: Camera) -> SafeString:
        quality = camera_view(camera, camera.environment).quality if camera.pk else "uncalibrated"
        return badge(quality, quality)


class ZoneInline(admin.TabularInline):
    """Zones are drawn on their own page."""

    model = Zone
    fields = ("slug", "name", "kind", "max_persons", "area", "is_active")
    readonly_fields = ("area",)
    extra = 0
    max_num = 0
    show_change_link = True

    @admin.display(description="area")
    def area(self, zone: Zone) -> str:
        return f"{polygon_area_m2(zone.polygon):.1f} m²" if zone.polygon else "–"


class MembershipInline(admin.TabularInline):
    model = Membership
    fields = ("user", "environment", "role", "active")
    readonly_fields = ("active",)
    autocomplete_fields = ("user",)
    extra = 0
    verbose_name_plural = "members"

    @admin.display(description="may sign in", boolean=True)
    def active(self, membership: Membership) -> bool | None:
        return membership.user.is_active if membership.pk else None


def duration_in_words(seconds: float | None) -> str:
    """45.0 s, 2 min 05 s, 1 h 00 min."""
    if seconds is None:
        return "not known yet"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def problem_in_words(problem: Any) -> str:
    """One entry of a recording's problems: text, or `frame_index`, `time_s` and `message`."""
    if isinstance(problem, dict) and "message" in problem and "frame_index" in problem:
        return f"frame {problem['frame_index']} ({problem.get('time_s', 0.0):.1f} s): {problem['message']}"
    return str(problem)


def delete_replaced_file(form: ModelForm, field: str, current: Any) -> None:
    """Remove the file that an upload replaced, once the change is certain."""
    previous = form.initial.get(field)
    if field in form.changed_data and previous and previous.name != current.name:
        transaction.on_commit(lambda: previous.storage.delete(previous.name))
