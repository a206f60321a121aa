"""Routes of the running system, below /api/v1/."""

from django.urls import path

from spoton.system import views

app_name = "system"
urlpatterns = [
    path("system/status", views.SystemStatusView.as_view(), name="status"),
    path("system/performance", views.PerformanceView.as_view(), name="performance"),
    path("system/cameras/status", views.CamerasStatusView.as_view(), name="cameras-status"),
    path("system/maintenance", views.MaintenanceView.as_view(), name="maintenance"),
]
