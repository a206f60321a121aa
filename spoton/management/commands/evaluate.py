"""`manage.py evaluate`: how good tracks are, against ground truth."""

import sys
from argparse import ArgumentParser, Namespace

from django.core.management import BaseCommand, CommandError

from workers.evaluation import command
from workers.types import EngineError


class Command(BaseCommand):
    help = command.DESCRIPTION
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        command.add_arguments(parser)

    def handle(self, **options: object) -> None:
        try:
            text, passed = command.run(Namespace(**options))
        except (EngineError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
        if not passed:
            sys.exit(1)
