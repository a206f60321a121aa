"""`manage.py demo_start`: process the demo campus and say how to look at it."""

from django.core.management import BaseCommand

from spoton import demo


class Command(BaseCommand):
    help = "Starts processing the demo campus in real time and prints the demo user."

    def handle(self, **options: object) -> None:
        demo.start()
        self.stdout.write(f"  Sign in as {demo.USER} with the password {demo.password()}")
