"""`manage.py fuzz_api`: a product of its own is sent requests that nobody would send; it must answer as documented."""

import secrets
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from spoton.fuzz.known import known_values, operator_token
from spoton.fuzz.run import Report, run_fuzz
from spoton.product import Product


class Command(BaseCommand):
    help = (
        "Starts a SpotOn of its own in a temporary folder and has Schemathesis ask every documented operation for "
        "anything, as an operator and as a superuser. Ends with status 1 when an answer is not as documented."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=20, help="(default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="of the requests (default: %(default)s)")
        parser.add_argument("--keep", type=Path, help="keep what Schemathesis says in this folder")

    def handle(self, *, minutes: float, seed: int, keep: Path | None, **options) -> None:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
        reports: dict[str, Report] = {}
        with tempfile.TemporaryDirectory(prefix="spoton-fuzz-") as folder:
            console.print(f"Starting a SpotOn in {folder}", style="dim")
            # tokens must outlast the run
            env = {"SPOTON_ACCESS_TOKEN_MINUTES": str(min(1440, int(minutes) + 30))}
            with Product(Path(folder), env=env) as product:
                operator = operator_token(product, secrets.token_urlsafe(16))
                known = known_values(product, operator)
                for name, token in (("operator", operator), ("superuser", product.token())):
                    console.print(f"{minutes / 2:g} minutes as {name}", style="dim")
                    out = (keep or product.var_dir) / f"fuzz-{name}"
                    out.mkdir(parents=True, exist_ok=True)
                    reports[name] = run_fuzz(
                        product.base_url,
                        token=token,
                        known=known,
                        seconds=30 * minutes,
                        folder=out,
                        seed=seed,
                    )
        console.print(_table(reports))
        problems = [f"as {name}: {problem}" for name, r in reports.items() for problem in r.problems]
        if problems:
            raise CommandError("\n".join(["NOT as documented:", *problems]))
        cases = sum(report.cases for report in reports.values())
        console.print(f"{cases} answers, all of them as documented (seed {seed}).")


def _table(reports: dict[str, Report]) -> Table:
    table = Table(title="Answers by status")
    statuses = sorted({status for report in reports.values() for status in report.statuses})
    for column in ("as", "operations", "served", *statuses):
        table.add_column(column, justify="left" if column == "as" else "right")
    for name, report in reports.items():
        counts = [str(report.statuses.get(status, 0)) for status in statuses]
        table.add_row(name, str(report.operations), str(len(report.reached)), *counts)
    return table
