"""Routes of this app, below /api/v1/; further ones of environments are in `tracking.urls`."""

from django.urls import path

from environments import preference_views, views

app_name = "environments"
urlpatterns = [
    path("environments/<slug:env_id>/cameras", views.CameraListView.as_view(), name="cameras"),
    path("environments/<slug:env_id>/zones", views.ZoneListView.as_view(), name="zones"),
    path("preferences", preference_views.PreferencesView.as_view(), name="preferences"),
    path("environments/<slug:env_id>/floor-plan", views.FloorPlanView.as_view(), name="floor-plan"),
]
