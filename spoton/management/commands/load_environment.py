"""`manage.py load_environment campus`: create or update an environment from a definition."""

import json
from argparse import ArgumentParser
from pathlib import Path

from django.core.management import BaseCommand, CommandError

from environments.errors import DomainError
from environments.services import environment_load
from fixtures.definitions import DefinitionError, available_definitions
from spoton.sites import site_load


class Command(BaseCommand):
    help = "Creates or updates an environment from a JSON file, or from one that comes with SpotOn."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = ", ".join(available_definitions())
        parser.add_argument("definition", help=f"path of a JSON file, or one of: {names}")
        parser.add_argument("--floor-plan", type=Path, help="PNG or JPEG of the floor plan, for a JSON file")

    def handle(self, *, definition: str, floor_plan: Path | None, **options: object) -> None:
        try:
            environment = self._load(definition, floor_plan)
        except (DomainError, DefinitionError) as error:
            raise CommandError(getattr(error, "message", str(error))) from error
        cameras = ", ".join(environment.cameras.values_list("slug", flat=True))
        self.stdout.write(f"{environment.slug}: {environment.name}, cameras {cameras}")

    def _load(self, definition: str, floor_plan: Path | None):
        if definition in available_definitions():
            return site_load(definition)
        try:
            content = json.loads(Path(definition).read_text("utf-8"))
            image = floor_plan.read_bytes() if floor_plan else None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except ValueError as error:
            raise CommandError(f"{definition} is not JSON: {error}") from error
        return environment_load(definition=content, floor_plan_image=image)
