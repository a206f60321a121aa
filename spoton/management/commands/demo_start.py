"""`manage.py demo_start`: process the demo campus."""

from argparse import ArgumentParser

from django.core.management import BaseCommand

from spoton import demo


class Command(BaseCommand):
    help = "Starts processing the demo campus in real time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--cameras-port", type=int, help="where the demo's recordings are played as live cameras"
        )

    def handle(self, *, cameras_port: int | None, **options: object) -> None:
        if cameras_port:
            demo.live_addresses_set(cameras_port)
        demo.start()
