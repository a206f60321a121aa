"""`manage.py demo_setup`: site, footage and user of the demo; quick when they are there already."""

from django.core.management import BaseCommand

from spoton import demo


class Command(BaseCommand):
    help = "Prepares the demo: loads the campus, renders its footage on first use, makes the demo user."

    def handle(self, **options: object) -> None:
        demo.setup(demo.FIRST)
