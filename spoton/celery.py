"""The Celery application. Workers are started by `manage.py workers`, never by hand with other settings."""

import contextlib
import os
import sys
import warnings

from celery import Celery, signals

from spoton.settling import settle
from spoton.worker_end import EndInTime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spoton.settings")

# when the broker is lost, what is being worked on is finished: it is not done twice, and its result counts
warnings.filterwarnings("ignore", r"\s*In Celery 5\.1 we introduced", PendingDeprecationWarning)

app = Celery("spoton")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would close the database's connection after every message; making one takes longer than most messages' queries.
# It is kept as Django keeps those of requests instead, see `_mind_connections`.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize
app.steps["worker"].add(EndInTime)
app.autodiscover_tasks(["spoton", "environments", "tracking", "analytics", "exports", "workers"])


@signals.setup_logging.connect
def _use_django_logging(**_: object) -> None:
    """Celery would otherwise replace the configured handlers."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.worker_init.connect
def _forget_predecessor(**_: object) -> None:
    """A worker that was killed and is started again does not wait for its own leases to end."""
    if os.environ.get("SPOTON_QUEUE"):
        from tracking.observations import end_leases_of_this_worker
        from tracking.stores import STORES_AWAY

        with contextlib.suppress(*STORES_AWAY):
            end_leases_of_this_worker()


@signals.heartbeat_sent.connect
def _announce_worker(sender: object = None, **_: object) -> None:
    """Every heartbeat renews the worker's entry among the live device queues."""
    from tracking.devices import announce
    from tracking.stores import STORES_AWAY

    # a Redis that is away is told of by the worker itself, and the next heartbeat comes in two seconds
    with contextlib.suppress(*STORES_AWAY):
        announce(hostname=str(sender.eventer.hostname))


@signals.worker_shutdown.connect
def _withdraw_worker(sender: object = None, **_: object) -> None:
    """A worker that ends in order gives its cameras up at once."""
    from tracking.devices import withdraw

    withdraw(hostname=str(sender.hostname))


@signals.worker_process_init.connect
def _be_ready(**_: object) -> None:
    """Models and the tracker are loaded before the first message, and stay out of garbage collection."""
    if os.environ.get("SPOTON_QUEUE"):
        from workers.tasks import load_usual_models

        load_usual_models()
    if os.environ.get("SPOTON_ASSOCIATE_QUEUE"):
        from workers.tracking.warm import warm

        warm()
    settle()


@signals.task_prerun.connect
@signals.task_postrun.connect
def _mind_connections(**_: object) -> None:
    """Close connections that are broken or older than CONN_MAX_AGE, and look at the others before they are used."""
    from django.db import close_old_connections

    close_old_connections()


# what workers tell of their messages; imported for its receivers
from spoton import task_signals  # noqa: E402, F401
