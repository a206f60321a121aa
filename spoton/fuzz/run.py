"""Runs Schemathesis against a running product, and says what it found."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spoton.product import ROOT

# how often a value is one that there is
KNOWN_SHARE = 0.85
# 422 is said of what is well-formed but impossible, which no schema can tell; 400 of nothing that fits the schema
EXPECTED_OF_VALID = ("2xx", "3xx", "401", "403", "404", "409", "422", "429", "503")
# these answer for as long as a task runs
ENDLESS = "/stream$"
# the examples of the document, every boundary of every parameter, and whatever chance brings
PHASES = ("examples", "coverage", "fuzzing")


@dataclass
class Report:
    """What came of it.

    Attributes:
        operations: how many were tried; cases: requests sent.
        statuses: answers by status; reached: operations that were answered with a status below 400.
        problems: in words, each with the way to do it again.
    """

    seed: int
    operations: int = 0
    cases: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def run_fuzz(
    base_url: str,
    *,
    token: str,
    known: Mapping[str, Sequence[str]],
    seconds: float,
    folder: Path,
    seed: int = 1,
    most_examples: int | None = None,
    phases: Sequence[str] = PHASES,
    document: str = "",
) -> Report:
    """All operations of the document, with right and with wrong requests, as the user of the token.

    Args:
        known: values that exist by name of a parameter.
        seconds: it ends then.
        folder: for its configuration and report.
        most_examples: per operation and phase; None: as many as there is time for.
        document: another one than the product's own.
    """
    (folder / "schemathesis.toml").write_text(_configuration(known))
    events = folder / "events.ndjson"
    command = [
        sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
        "--config-file", str(folder / "schemathesis.toml"), "run",
        document or f"{base_url}/api/schema/", "--url", base_url,
        "--header", f"Authorization: Bearer {token}", "--exclude-path-regex", ENDLESS,
        "--phases", ",".join(phases), "--checks", "all", "--seed", str(seed),
        "--max-time", str(int(seconds)), "--no-shrink", "--generation-database", "none", "--no-color",
        "--request-timeout", "30", "--report", "ndjson", "--report-ndjson-path", str(events),
        *(["--max-examples", str(most_examples)] if most_examples else []),
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "spoton.fuzz.hooks"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=seconds + 120)
    (folder / "output.txt").write_text(done.stdout + done.stderr)
    if done.returncode not in (0, 1) or not events.exists():
        raise RuntimeError(f"Schemathesis did not run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return _report(seed, events)


def _configuration(known: Mapping[str, Sequence[str]]) -> str:
    lines = ["continue-on-failure = true"]
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(list(values))}"]
    lines += ["[parameters]"]
    lines += [f'{name} = {{ dictionary = "{name}", probability = {KNOWN_SHARE} }}' for name in known]
    lines += ["[checks.positive_data_acceptance]", f"expected-statuses = {json.dumps(EXPECTED_OF_VALID)}"]
    return "\n".join(lines) + "\n"


def _report(seed: int, events: Path) -> Report:
    report, statuses, tried = Report(seed), Counter(), set()
    with events.open() as lines:
        for name, event in (item for line in lines for item in json.loads(line).items()):
            if name == "ScenarioFinished":
                recorder = event["recorder"]
                if "cases" not in recorder:
                    continue
                tried.add(recorder["label"])
                for case, interaction in recorder["interactions"].items():
                    status = (interaction["response"] or {}).get("status_code", 0)
                    statuses[str(status)] += 1
                    sent = recorder["cases"][case]["value"]
                    if 0 < status < 400 and f"{sent['method']} {sent['path']}" == recorder["label"]:
                        report.reached.add(recorder["label"])
                report.problems += _problems(recorder)
            elif name in ("NonFatalError", "FatalError"):
                report.problems.append(f"{event.get('label', '')}: {json.dumps(event)[:1000]}")
    report.operations, report.cases = len(tried), statuses.total()
    report.statuses = dict(sorted(statuses.items()))
    return report


def _problems(recorder: Mapping[str, Any]) -> Iterator[str]:
    for case, checks in recorder["checks"].items():
        for check in checks:
            if check["status"] != "failure":
                continue
            failure, sent = check["failure_info"]["failure"], recorder["interactions"][case]["request"]
            body = base64.b64decode((sent.get("body") or {}).get("$base64", "")).decode(errors="replace")
            yield (
                f"{recorder['label']}: {failure['title']}: {failure['message'][:600]}\n"
                f"  {sent['method']} {sent['uri']} {body[:600]}"
            )
