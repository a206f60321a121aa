"""Exports in the administration: choose a task and a format, download the file when it is done."""

from __future__ import annotations

from django.contrib import admin
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from exports import services
from exports.models import ExportJob


@admin.register(ExportJob)
class ExportJobAdmin(admin.ModelAdmin):
    list_display = ("__str__", "status", "created_by", "created_at", "download")
    list_filter = ("status", "format", "task__environment")
    autocomplete_fields = ("task",)
    readonly_fields = ("status", "error", "download", "created_at", "finished_at")

    def has_change_permission(self, request: HttpRequest, obj: ExportJob | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ExportJob, form: object, change: bool) -> None:
        obj.created_by = request.user
        super().save_model(request, obj, form, change)
        services.export_later(obj)

    def get_urls(self) -> list:
        own = path(
            "<uuid:job_id>/download", self.admin_site.admin_view(self.file), name="exports_exportjob_file"
        )
        return [own, *super().get_urls()]

    def file(self, request: HttpRequest, job_id: object) -> HttpResponse:
        job = ExportJob.objects.filter(pk=job_id, status=ExportJob.Status.DONE).first()
        if job is None or not self.has_view_permission(request, job):
            raise Http404
        try:
            file = job.file.open()
        except FileNotFoundError as error:
            raise Http404("The file is not there any more.") from error
        return FileResponse(file, as_attachment=True, filename=job.file.name.rpartition("/")[2])

    @admin.display(description="file")
    def download(self, job: ExportJob) -> str:
        if job.status != ExportJob.Status.DONE:
            return "–"
        return format_html(
            '<a href="{}">Download</a>', reverse("admin:exports_exportjob_file", args=[job.pk])
        )
