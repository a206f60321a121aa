"""Makes the console's templates and static files known to Django."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "spoton.console"
    label = "console"
