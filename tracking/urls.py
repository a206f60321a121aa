"""Routes of this app, below /api/v1/."""

from django.urls import path

from tracking import (
    environment_views,
    media_views,
    person_details_views,
    person_search_views,
    person_views,
    playback_views,
    session_views,
    stored_views,
    views,
)

app_name = "tracking"
urlpatterns = [
    path("environments", environment_views.EnvironmentListView.as_view(), name="environments"),
    path("environments/<slug:env_id>", environment_views.EnvironmentView.as_view(), name="environment"),
    path(
        "environments/<slug:env_id>/date-ranges",
        environment_views.DateRangesView.as_view(),
        name="date-ranges",
    ),
    path("environments/<slug:env_id>/sessions", session_views.SessionsView.as_view(), name="sessions"),
    path(
        "environments/<slug:env_id>/sessions/<uuid:session_id>",
        session_views.SessionView.as_view(),
        name="session",
    ),
    path("processing-tasks/start", views.TaskStartView.as_view(), name="task-start"),
    path("processing-tasks/active", views.ActiveTasksView.as_view(), name="tasks-active"),
    path("processing-tasks/<uuid:task_id>/status", views.TaskStatusView.as_view(), name="task-status"),
    path("processing-tasks/<uuid:task_id>/stop", views.TaskStopView.as_view(), name="task-stop"),
    path("processing-tasks/<uuid:task_id>/pause", views.TaskPauseView.as_view(), name="task-pause"),
    path("processing-tasks/<uuid:task_id>/resume", views.TaskResumeView.as_view(), name="task-resume"),
    path("processing-tasks/<uuid:task_id>/seek", views.TaskSeekView.as_view(), name="task-seek"),
    path(
        "processing-tasks/<uuid:task_id>/active-persons",
        views.ActivePersonsView.as_view(),
        name="active-persons",
    ),
    path("media/sign", media_views.SignView.as_view(), name="media-sign"),
    path("media/frames/overlay-config", media_views.OverlayConfigView.as_view(), name="overlay-config"),
    path(
        "media/frames/<uuid:task_id>/multi-camera",
        media_views.CompositionView.as_view(),
        name="multi-camera",
    ),
    path("media/frames/<uuid:task_id>/<slug:camera_id>", media_views.FrameView.as_view(), name="frame"),
    path(
        "media/frames/<uuid:task_id>/<slug:camera_id>/raw",
        media_views.RawFrameView.as_view(),
        name="frame-raw",
    ),
    path(
        "media/frames/<uuid:task_id>/<slug:camera_id>/stream",
        media_views.StreamView.as_view(),
        name="frame-stream",
    ),
    path(
        "media/frames/<uuid:task_id>/<slug:camera_id>/snapshot",
        stored_views.SnapshotTakeView.as_view(),
        name="snapshot-take",
    ),
    path("media/snapshots", stored_views.SnapshotsView.as_view(), name="snapshots"),
    path("media/snapshots/<uuid:snapshot_id>", stored_views.SnapshotView.as_view(), name="snapshot"),
    path(
        "media/snapshots/<uuid:snapshot_id>/image",
        stored_views.SnapshotImageView.as_view(),
        name="snapshot-image",
    ),
    path("media/crops/<uuid:crop_id>/image", stored_views.CropImageView.as_view(), name="crop-image"),
    path("media/persons/<uuid:person_id>/image", media_views.PersonImageView.as_view(), name="person-image"),
    path(
        "tracking/persons/<uuid:person_id>/details",
        person_details_views.PersonDetailsView.as_view(),
        name="person-details",
    ),
    path(
        "tracking/persons/<uuid:person_id>/merge", person_views.PersonMergeView.as_view(), name="person-merge"
    ),
    path(
        "tracking/persons/<uuid:person_id>/split", person_views.PersonSplitView.as_view(), name="person-split"
    ),
    path(
        "tracking/persons/<uuid:person_id>/history",
        person_views.PersonHistoryView.as_view(),
        name="person-history",
    ),
    path(
        "tracking/person-changes/<uuid:change_id>/undo",
        person_views.PersonChangeUndoView.as_view(),
        name="person-change-undo",
    ),
    path("tracking/persons/feedback", person_views.PersonFeedbackView.as_view(), name="person-feedback"),
    path("tracking/controls/<uuid:task_id>", playback_views.PlaybackView.as_view(), name="playback"),
    path(
        "tracking/controls/<uuid:task_id>/play",
        playback_views.PlaybackPlayView.as_view(),
        name="playback-play",
    ),
    path(
        "tracking/controls/<uuid:task_id>/pause",
        playback_views.PlaybackPauseView.as_view(),
        name="playback-pause",
    ),
    path(
        "tracking/controls/<uuid:task_id>/seek",
        playback_views.PlaybackSeekView.as_view(),
        name="playback-seek",
    ),
    path("tracking/focus/<uuid:task_id>", playback_views.FocusView.as_view(), name="focus"),
    path("tracking/persons/search", person_search_views.PersonSearchView.as_view(), name="person-search"),
]
