"""Sockets of this app."""

from django.urls import path

from analytics.sockets import AnalyticsSocket

websocket_urlpatterns = [path("ws/analytics/<slug:env_id>", AnalyticsSocket.as_asgi())]
