"""Sockets of this app."""

from django.urls import path

from tracking.sockets.focus import FocusSocket
from tracking.sockets.frames import FramesSocket
from tracking.sockets.tracking import TrackingSocket

websocket_urlpatterns = [
    path("ws/tracking/<uuid:task_id>", TrackingSocket.as_asgi()),
    path("ws/frames/<uuid:task_id>", FramesSocket.as_asgi()),
    path("ws/focus/<uuid:task_id>", FocusSocket.as_asgi()),
]
