"""`python -m workers.evaluation`: `manage.py evaluate` without Django."""

import sys
from argparse import ArgumentParser

from workers.evaluation import command
from workers.types import EngineError

parser = ArgumentParser(prog="python -m workers.evaluation", description=command.DESCRIPTION)
command.add_arguments(parser)
try:
    text, passed = command.run(parser.parse_args())
except (EngineError, OSError) as error:
    parser.exit(2, f"{error}\n")
print(text)
sys.exit(0 if passed else 1)
