"""The Celery application. Workers are started by `manage.py workers`, never by hand with other settings."""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spoton.settings")

app = Celery("spoton")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["spoton", "tracking", "analytics", "exports", "workers"])


@signals.setup_logging.connect
def _use_django_logging(**_: object) -> None:
    """Celery would otherwise replace the configured handlers."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.heartbeat_sent.connect
def _announce_worker(sender: object = None, **_: object) -> None:
    """Every heartbeat renews the worker's entry among the live device queues."""
    from tracking.devices import announce

    announce(hostname=str(sender.eventer.hostname))


@signals.worker_shutdown.connect
def _withdraw_worker(sender: object = None, **_: object) -> None:
    """A worker that ends in order gives its cameras up at once."""
    from tracking.devices import withdraw

    withdraw(hostname=str(sender.hostname))


@signals.worker_process_init.connect
def _load_models(**_: object) -> None:
    """A perceive worker has its models loaded before it takes the first message."""
    if not os.environ.get("SPOTON_QUEUE"):
        return
    from workers.tasks import load_usual_models

    load_usual_models()


# what workers tell of their messages; imported for its receivers
from spoton import task_signals  # noqa: E402, F401
