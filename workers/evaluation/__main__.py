"""`python -m workers.evaluation`: `manage.py evaluate` without Django."""

import sys
from argparse import ArgumentParser

from workers.evaluation import command
from workers.types import EngineError


def main() -> int:
    """The exit status: 0, 1 when worse than the baseline, 2 when there is nothing to compare."""
    parser = ArgumentParser(prog="python -m workers.evaluation", description=command.DESCRIPTION)
    command.add_arguments(parser)
    try:
        text, passed = command.run(parser.parse_args())
    except (EngineError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(text)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
