"""Sockets of this app."""

from django.urls import path

from tracking.consumers import FramesConsumer, TrackingConsumer

websocket_urlpatterns = [
    path("ws/tracking/<uuid:task_id>", TrackingConsumer.as_asgi()),
    path("ws/frames/<uuid:task_id>", FramesConsumer.as_asgi()),
]
