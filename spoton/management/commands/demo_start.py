"""`manage.py demo_start`: process the demo campus."""

from django.core.management import BaseCommand

from spoton import demo


class Command(BaseCommand):
    help = "Starts processing the demo campus in real time."

    def handle(self, **options: object) -> None:
        demo.start()
