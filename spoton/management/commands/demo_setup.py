"""`manage.py demo_setup`: sites, footage and user of the demo; quick when they are there already."""

from django.core.management import BaseCommand

from spoton import demo


class Command(BaseCommand):
    help = "Prepares the demo: loads campus and factory, renders their footage on first use, makes the user."

    def handle(self, **options: object) -> None:
        demo.setup()
