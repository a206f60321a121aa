"""Routes of the old backend, below /api/v1/. They answer 404 while the module is off."""

from django.urls import path

from spoton.compat import controls, dashboard, feedback, frames, tasks
from spoton.compat.answers import route

app_name = "compat"
_TASKS = "detection-processing-tasks"
urlpatterns = [
    path(_TASKS, route(GET=tasks.tasks), name="tasks"),
    path(f"{_TASKS}/environments", route(GET=tasks.environments), name="environments"),
    path(f"{_TASKS}/start", route(POST=tasks.start), name="start"),
    path(f"{_TASKS}/<uuid:task_id>/status", route(GET=tasks.status), name="status"),
    path(f"{_TASKS}/environment/<slug:env_id>/cleanup", route(DELETE=tasks.cleanup), name="cleanup"),
    path("controls/<uuid:task_id>/status", route(GET=controls.status), name="controls"),
    path("controls/<uuid:task_id>/pause", route(POST=controls.pause), name="pause"),
    path("controls/<uuid:task_id>/resume", route(POST=controls.resume), name="resume"),
    path("controls/<uuid:task_id>/seek", route(POST=controls.seek), name="seek"),
    path("stream/<uuid:task_id>/<slug:camera_id>", route(GET=frames.stream), name="stream"),
    path("analytics/dashboard", route(GET=dashboard.dashboard), name="dashboard"),
    path("analytics/system/statistics", route(GET=dashboard.statistics), name="statistics"),
    path("feedback/reidentification", route(GET=feedback.listed, POST=feedback.give), name="feedback"),
]
