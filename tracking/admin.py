"""Processing tasks, persons and what was decided about them in the administration: to look at, not to edit."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from environments.errors import DomainError
from tracking import services, stored_views
from tracking.coverage import coverage
from tracking.models import Person, PersonChange, PersonFeedback, ProcessingTask, Snapshot


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(ProcessingTask)
class ProcessingTaskAdmin(ReadOnlyAdmin):
    list_display = (
        "short_id",
        "environment",
        "mode",
        "status",
        "progress",
        "created_by",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "mode", "environment")
    search_fields = ("id", "error_message")
    date_hierarchy = "created_at"
    actions = ("stop",)

    @admin.display(description="task")
    def short_id(self, task: ProcessingTask) -> str:
        return str(task.pk)[:8]

    @admin.display(description="progress")
    def progress(self, task: ProcessingTask) -> str:
        if not task.batches_total:
            return f"{task.batches_done} batches"
        covered = coverage(task)
        return f"{100 * covered.count(task.batches_done) // max(1, covered.count())} %"

    @admin.action(description="Stop the selected tasks", permissions=["view"])
    def stop(self, request: HttpRequest, queryset) -> None:
        for task in queryset.select_related("environment"):
            try:
                services.task_stop(user=request.user, task=task)
                self.message_user(request, f"Task {str(task.pk)[:8]} is stopped.", messages.SUCCESS)
            except DomainError as error:
                self.message_user(request, error.message, messages.WARNING)


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    list_display = ("id", "environment", "first_seen_at", "last_seen_at")
    list_filter = ("environment",)
    search_fields = ("id",)
    date_hierarchy = "last_seen_at"


@admin.register(PersonChange)
class PersonChangeAdmin(ReadOnlyAdmin):
    list_display = ("kind", "source", "person_id", "other_id", "created_by", "created_at", "undone_at")
    list_filter = ("kind", "source", "environment")
    search_fields = ("person_id", "other_id", "reason")
    date_hierarchy = "created_at"


@admin.register(PersonFeedback)
class PersonFeedbackAdmin(ReadOnlyAdmin):
    list_display = (
        "verdict",
        "person_id",
        "candidate_id",
        "camera",
        "at",
        "source",
        "created_by",
        "created_at",
    )
    list_filter = ("verdict", "source", "environment")
    search_fields = ("person_id", "candidate_id", "notes")
    date_hierarchy = "created_at"


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("camera", "captured_at", "note", "taken_by", "created_at", "picture")
    list_filter = ("environment",)
    list_select_related = ("camera__environment", "taken_by")
    search_fields = ("note",)
    date_hierarchy = "created_at"
    exclude = ("file",)

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.image)
        return [path("<uuid:snapshot_id>/image", view, name="tracking_snapshot_image"), *super().get_urls()]

    def image(self, request: HttpRequest, snapshot_id: UUID) -> HttpResponse:
        snapshot = Snapshot.objects.filter(pk=snapshot_id).first()
        if snapshot is None or not self.has_view_permission(request, snapshot):
            raise Http404
        return stored_views.stored_picture(request, snapshot)

    @admin.display(description="picture")
    def picture(self, snapshot: Snapshot) -> str:
        address = reverse("admin:tracking_snapshot_image", args=[snapshot.pk])
        return format_html('<a href="{}">Open</a>', address)
