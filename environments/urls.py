from django.urls import path

from environments import views

app_name = "environments"
urlpatterns = [
    path("environments", views.EnvironmentListView.as_view(), name="list"),
    path("environments/<slug:env_id>", views.EnvironmentView.as_view(), name="detail"),
    path("environments/<slug:env_id>/cameras", views.CameraListView.as_view(), name="cameras"),
    path("environments/<slug:env_id>/zones", views.ZoneListView.as_view(), name="zones"),
    path("environments/<slug:env_id>/date-ranges", views.DateRangesView.as_view(), name="date-ranges"),
    path("environments/<slug:env_id>/floor-plan", views.FloorPlanView.as_view(), name="floor-plan"),
]
