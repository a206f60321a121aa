#!/usr/bin/env python
"""Django's command line for SpotOn: `manage.py up`, `demo`, `workers`, `track_video`, ..."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spoton.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit("Django is not installed here: run `make run`, or use .venv/bin/python") from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
