"""Said loudly wherever SpotOn starts: who can be used without signing in."""

from __future__ import annotations

import logging
from threading import Thread

from django.conf import settings
from django.db import connection

from environments.models import Environment
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)


def announcement() -> str | None:
    """One sentence for the operator; None while the module is off."""
    named = settings.ENV.compat_environments
    if not named:
        return None
    return f"Anyone who reaches this server can use these environments without signing in: {', '.join(named)}"


def unknown_names() -> list[str]:
    """Environments of the setting that there are not."""
    known = Environment.objects.filter(slug__in=settings.ENV.compat_environments, is_active=True)
    return sorted({*settings.ENV.compat_environments} - {*known.values_list("slug", flat=True)})


def announce() -> None:
    """Warn in the log; does nothing while the module is off."""
    words = announcement()
    if words is None:
        return
    log.warning("SPOTON_COMPAT_ENVIRONMENTS is set. %s", words)
    try:
        unknown = unknown_names()
    except STORES_AWAY as error:
        log.warning("whether these environments exist cannot be told now: %s", brief(error))
        return
    if unknown:
        log.warning("SPOTON_COMPAT_ENVIRONMENTS names what there is not (yet): %s", ", ".join(unknown))


def announce_at_start() -> None:
    """`announce` in a thread: a web server may be loaded by its event loop, which must not ask the database."""

    def work() -> None:
        try:
            announce()
        finally:
            connection.close()

    Thread(target=work, name="compat-announcement", daemon=True).start()
