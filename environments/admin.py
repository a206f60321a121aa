"""The administration of environments, cameras, zones, recordings and members."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from environments.admin_forms import CameraForm, EnvironmentForm, RecordingForm, ZoneForm
from environments.admin_parts import (
    CameraInline,
    MembershipInline,
    WithinMembership,
    ZoneInline,
    badge,
    delete_replaced_file,
    duration_in_words,
    plan_html,
    preview_html,
    problem_in_words,
    two_lines,
)
from environments.camera_view import camera_view, view_in_words
from environments.geometry import polygon_area_m2
from environments.images import image_response
from environments.models import Camera, Environment, Recording, Zone
from environments.plan_drawing import plan_drawing
from environments.services import camera_calibrate, recording_probe_later


@admin.register(Environment)
class EnvironmentAdmin(WithinMembership):
    environment_path = ""
    form = EnvironmentForm
    list_display = ("name", "slug", "timezone", "cameras_count", "zones_count", "members_count", "is_active")
    list_filter = ("is_active", "timezone")
    search_fields = ("slug", "name", "description")
    readonly_fields = ("plan", "add_zone")
    inlines = (CameraInline, ZoneInline, MembershipInline)
    fieldsets = (
        ("Map", {"fields": ("plan", "add_zone")}),
        (None, {"fields": ("name", "slug", "description", "timezone", "is_active")}),
        (
            "Floor plan",
            {
                "fields": (
                    "floor_plan",
                    ("floor_plan_origin_x_m", "floor_plan_origin_y_m"),
                    ("floor_plan_pixels_per_metre", "floor_plan_rotation_deg"),
                )
            },
        ),
        (
            "Bounds of the map",
            {
                "fields": (("min_x_m", "max_x_m"), ("min_y_m", "max_y_m")),
                "description": "Metres; x points east, y north.",
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Environment | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[1:]

    def get_inlines(self, request: HttpRequest, obj: Environment | None) -> Any:
        return self.inlines if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Environment | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Environment]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                cameras_n=Count("cameras", filter=Q(cameras__is_active=True), distinct=True),
                zones_n=Count("zones", filter=Q(zones__is_active=True), distinct=True),
                members_n=Count("memberships", distinct=True),
            )
        )

    def save_model(self, request: HttpRequest, obj: Environment, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        delete_replaced_file(form, "floor_plan", obj.floor_plan)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/plan", view(self.plan_view), name="environments_environment_plan"),
            path(
                "<int:pk>/floor-plan", view(self.floor_plan_view), name="environments_environment_floor_plan"
            ),
            *super().get_urls(),
        ]

    def plan_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """What the zone editor draws."""
        environment = self._visible(request, pk)
        url = reverse("admin:environments_environment_floor_plan", args=[pk])
        return JsonResponse(plan_drawing(environment, image_url=url))

    def floor_plan_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return image_response(request, self._visible(request, pk).floor_plan, Http404("No floor plan."))

    def _visible(self, request: HttpRequest, pk: int) -> Environment:
        if not self.has_view_permission(request):
            raise PermissionDenied
        environment = self.get_queryset(request).filter(pk=pk).first()
        if environment is None:
            raise Http404("No such environment.")
        return environment

    @admin.display(description="")
    def plan(self, environment: Environment) -> SafeString:
        return plan_html(environment)

    @admin.display(description="zones")
    def add_zone(self, environment: Environment) -> SafeString:
        url = reverse("admin:environments_zone_add")
        return format_html(
            '<a class="addlink" href="{}?environment={}">Draw a new zone</a>', url, environment.pk
        )

    @admin.display(description="cameras", ordering="cameras_n")
    def cameras_count(self, environment: Any) -> int:
        return environment.cameras_n

    @admin.display(description="zones", ordering="zones_n")
    def zones_count(self, environment: Any) -> int:
        return environment.zones_n

    @admin.display(description="members", ordering="members_n")
    def members_count(self, environment: Any) -> int:
        return environment.members_n


@admin.register(Camera)
class CameraAdmin(WithinMembership):
    form = CameraForm
    list_display = ("picture", "identity", "quality", "video", "is_active")
    list_display_links = ("identity",)
    list_filter = ("environment", "is_active")
    list_select_related = ("environment",)
    search_fields = ("slug", "name", "environment__name")
    readonly_fields = ("plan", "in_words")
    fieldsets = (
        ("View on the map", {"fields": ("in_words", "plan")}),
        (None, {"fields": ("environment", "name", "slug", ("order", "is_active"), "preview")}),
        ("Video", {"fields": (("image_width", "image_height"), "fps", "live_uri", "clock_offset_s")}),
        ("Calibration", {"fields": ("calibration", "calibration_error_m", "calibration_points")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Camera | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[1:]

    def get_form(self, request: HttpRequest, obj: Camera | None = None, **kwargs: Any) -> type[ModelForm]:
        form = super().get_form(request, obj, **kwargs)
        if "preview" in form.base_fields and obj is not None and obj.preview:
            url = reverse("admin:environments_camera_preview", args=[obj.pk])
            form.base_fields["preview"].widget.image_url = url
        return form

    def save_model(self, request: HttpRequest, obj: Camera, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        delete_replaced_file(form, "preview", obj.preview)
        points = form.cleaned_data.get("calibration_points")
        if points is not None:
            camera_calibrate(camera=obj, points_px=points[:, :2], positions_m=points[:, 2:])
            self.message_user(request, f"Calibrated: {view_in_words(camera_view(obj, obj.environment))}")

    def get_urls(self) -> list[Any]:
        preview = self.admin_site.admin_view(self.preview_view)
        return [path("<int:pk>/preview", preview, name="environments_camera_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        camera = self.get_queryset(request).filter(pk=pk).first()
        return image_response(request, camera and camera.preview, Http404("No picture."))

    @admin.display(description="")
    def plan(self, camera: Camera) -> SafeString:
        return plan_html(camera.environment, highlighted_camera=camera)

    @admin.display(description="in words")
    def in_words(self, camera: Camera) -> str:
        return view_in_words(camera_view(camera, camera.environment))

    @admin.display(description="picture")
    def picture(self, camera: Camera) -> SafeString:
        return preview_html(camera, "preview-thumb")

    @admin.display(description="camera", ordering="slug")
    def identity(self, camera: Camera) -> SafeString:
        return two_lines(f"{camera.slug} · {camera.name}", camera.environment.name)

    @admin.display(description="video")
    def video(self, camera: Camera) -> SafeString:
        size = f"{camera.image_width}×{camera.image_height}, {camera.fps:g} fps"
        return two_lines(size, "live" if camera.live_uri else "recordings only")

    @admin.display(description="calibration")
    def quality(self, camera: Camera) -> SafeString:
        view = camera_view(camera, camera.environment)
        text = view.quality if view.error_m is None else f"{view.quality}, {view.error_m * 100:.0f} cm"
        return badge(view.quality, text)


@admin.register(Zone)
class ZoneAdmin(WithinMembership):
    form = ZoneForm
    list_display = ("name", "slug", "environment", "kind_badge", "area", "is_active")
    list_filter = ("environment", "kind", "is_active")
    list_select_related = ("environment",)
    search_fields = ("slug", "name", "environment__name")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Zone | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    @admin.display(description="kind", ordering="kind")
    def kind_badge(self, zone: Zone) -> SafeString:
        return badge(f"kind-{zone.kind}", zone.get_kind_display())

    @admin.display(description="area")
    def area(self, zone: Zone) -> str:
        return f"{polygon_area_m2(zone.polygon):.1f} m²" if zone.polygon else "–"


@admin.register(Recording)
class RecordingAdmin(WithinMembership):
    environment_path = "camera__environment"
    form = RecordingForm
    list_display = ("source", "started", "video", "outcome")
    list_filter = ("status", "camera__environment", "camera")
    list_select_related = ("camera__environment",)
    search_fields = ("uri", "camera__slug", "camera__name")
    date_hierarchy = "started_at"
    actions = ("probe_again",)
    readonly_fields = ("state", "remarks", "length", "frames", "frame_count", "started_local")
    fieldsets = (
        (None, {"fields": ("camera", "uri", "started_at", ("duration_s", "fps"))}),
        (
            "What was found",
            {"fields": ("state", "length", "frames", "frame_count", "started_local", "remarks")},
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Recording | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[:1]

    def save_model(self, request: HttpRequest, obj: Recording, form: ModelForm, change: bool) -> None:
        if obj.duration_s is None:
            obj.status, obj.error = Recording.Status.REGISTERED, ""
            recording_probe_later(recording=obj)
            self.message_user(request, "The source is being read; its length appears here in a moment.")
        else:
            obj.status, obj.error = Recording.Status.PROBED, ""
        super().save_model(request, obj, form, change)

    @admin.action(description="Read the source again", permissions=["change"])
    def probe_again(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        recordings = list(queryset.exclude(status=Recording.Status.PROBED))
        for recording in recordings:
            recording_probe_later(recording=recording)
        self.message_user(
            request, f"{len(recordings)} recordings are being read; probed ones are left as is."
        )

    @admin.display(description="camera", ordering="camera")
    def source(self, recording: Recording) -> SafeString:
        camera = recording.camera
        return two_lines(f"{camera.slug} · {camera.name}", camera.environment.name)

    @admin.display(description="start", ordering="started_at")
    def started(self, recording: Recording) -> SafeString:
        return two_lines(f"{recording.started_at:%Y-%m-%d %H:%M:%S} UTC", self.started_local(recording))

    @admin.display(description="start (local)")
    def started_local(self, recording: Recording) -> str:
        return f"{recording.started_at.astimezone(recording.camera.environment.tz):%Y-%m-%d %H:%M:%S %Z}"

    @admin.display(description="duration", ordering="duration_s")
    def length(self, recording: Recording) -> str:
        return duration_in_words(recording.duration_s)

    @admin.display(description="video")
    def frames(self, recording: Recording) -> str:
        size = "×".join(map(str, recording.image_size)) if recording.image_size else ""
        fps = f"{recording.fps:g} fps" if recording.fps else ""
        return ", ".join(filter(None, (size, fps))) or "–"

    @admin.display(description="duration", ordering="duration_s")
    def video(self, recording: Recording) -> SafeString:
        return two_lines(self.length(recording), self.frames(recording))

    @admin.display(description="status and problems", ordering="status")
    def outcome(self, recording: Recording) -> SafeString:
        clean = not recording.error and not recording.problems
        return format_html("{} {}", self.state(recording), "" if clean else self.remarks(recording))

    @admin.display(description="status", ordering="status")
    def state(self, recording: Recording) -> SafeString:
        return badge(recording.status, recording.get_status_display())

    @admin.display(description="problems")
    def remarks(self, recording: Recording) -> SafeString | str:
        texts = [recording.error] if recording.error else []
        texts += [problem_in_words(problem) for problem in recording.problems]
        if not texts:
            return "none"
        items = format_html_join("", "<li>{}</li>", ((text,) for text in texts))
        return format_html('<ul class="problems">{}</ul>', items)
