"""The SpotOn project: settings, URLs, ASGI, Celery and the services it runs on."""

from spoton.celery import app as celery_app

__all__ = ["celery_app"]
