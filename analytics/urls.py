"""Routes of this app, below /api/v1/."""

from django.urls import path

from analytics.views import RealTimeMetricsView

app_name = "analytics"
urlpatterns = [path("analytics/real-time/metrics", RealTimeMetricsView.as_view(), name="real-time-metrics")]
