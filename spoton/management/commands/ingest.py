"""`manage.py ingest`: reads the live cameras of all live tasks; supervised by `up`."""

import signal
import threading

from django.core.management import BaseCommand

from spoton.settling import settle


class Command(BaseCommand):
    help = "Reads live cameras for live processing tasks, until stopped."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        from workers.edge.ingest import run_ingest
        from workers.tasks import source_policy

        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        settle()
        run_ingest(policy=source_policy(), stopping=stopping)
