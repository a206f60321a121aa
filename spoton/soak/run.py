"""Tasks and a viewer for a long time, and what the product took meanwhile."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spoton.product import FINAL, ROOT, Product, ProductError
from spoton.services import spawn
from spoton.services.processes import free_port
from spoton.soak.leaks import Trend, trends
from spoton.soak.samples import Sample, take_sample
from spoton.soak.viewer import Viewer

LOOK_SECONDS = 1.0
# tokens end after half an hour
TOKEN_SECONDS = 600.0


@dataclass
class Report:
    """What was seen.

    Attributes:
        samples: values by "process: measure", one mapping per time.
        tasks: how recorded tasks ended, counted; errors: what those that failed said, each once.
        messages, closes: of the viewer's sockets.
        dropped: frames per camera that the live task could not take.
        problems: in words; empty when nothing leaks and no task failed.
    """

    minutes: float
    times_s: list[float] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    trends: list[Trend] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)
    closes: dict[int, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def run_soak(
    product: Product,
    *,
    minutes: float,
    every_s: float,
    live: bool,
    tell: Callable[[str], object] = lambda line: None,
) -> Report:
    """Process the scene in real time, again and again, with a viewer; with `live`, a live task beside it.

    Args:
        every_s: time between two samples.
    """
    report, samples = Report(minutes), []
    begun = time.monotonic()
    next_sample = begun
    token, token_at = product.token(), begun
    with Viewer(product.base_url, token) as viewer:
        live_task = product.start_task(token, mode="live", pacing="realtime") if live else None
        task = None
        while time.monotonic() - begun < 60 * minutes:
            if time.monotonic() - token_at > TOKEN_SECONDS:
                token, token_at = product.token(), time.monotonic()
                viewer.token = token
            task = product.task(token, task["task_id"]) if task else None
            if task is None or task["status"] in FINAL:
                if task is not None:
                    report.tasks[task["status"]] = report.tasks.get(task["status"], 0) + 1
                    if task["error"] and task["error"]["message"] not in report.errors:
                        report.errors.append(task["error"]["message"])
                task = product.start_task(token, pacing="realtime")
                viewer.watch(*(t["task_id"] for t in (live_task, task) if t))
            if time.monotonic() >= next_sample:
                samples.append(take_sample(product))
                report.times_s.append(round(time.monotonic() - begun, 1))
                next_sample += every_s
                tell(_in_words(report.times_s[-1], samples[-1], report.tasks))
            time.sleep(LOOK_SECONDS)
        if live_task:
            live_task = product.task(token, live_task["task_id"])
            report.dropped = {name: c["dropped"] for name, c in live_task["camera_status"].items()}
        report.messages, report.closes = dict(viewer.messages), dict(viewer.closes)
    report.samples = [
        {": ".join(key): round(value, 2) for key, value in sample.items()} for sample in samples
    ]
    report.trends = trends(report.times_s, samples)
    report.problems = _problems(report, live_task)
    return report


def _problems(report: Report, live_task: dict | None) -> list[str]:
    problems = [
        f"{trend.name}: {trend.measure} grow by {trend.slope:.1f} per hour, "
        f"surely {trend.slope_at_least:.1f}, allowed are {trend.allowed:g}"
        for trend in report.trends
        if trend.leaks
    ]
    failed = set(report.tasks) - {"COMPLETED"}
    problems += [f"{report.tasks[status]} tasks ended as {status}" for status in sorted(failed)]
    problems += [f"a task failed: {error}" for error in report.errors]
    if live_task and live_task["status"] != "PROCESSING":
        problems.append(f"the live task ended as {live_task['status']}: {live_task['error']}")
    # closed at the end of a task, or by the viewer itself
    odd = {code: count for code, count in report.closes.items() if code not in (1000, 4409)}
    if odd:
        problems.append(f"sockets were closed with {odd}")
    if not report.messages:
        problems.append("the viewer got nothing")
    return problems


def _in_words(at_s: float, sample: Sample, tasks: dict[str, int]) -> str:
    memory = sum(value for (_, measure), value in sample.items() if measure == "memory MB")
    files = sum(value for (_, measure), value in sample.items() if measure == "open files")
    return f"{at_s:6.0f} s: {memory:.0f} MB, {files:.0f} open files, {sum(tasks.values())} tasks"


@contextlib.contextmanager
def soaked_product(var_dir: Path, *, scene_seconds: float, people: int, live: bool) -> Iterator[Product]:
    """A product whose recordings are also played as live cameras, if wished."""
    port = free_port("127.0.0.1", 8700)
    env = {"SPOTON_STREAM_HOSTS": f"127.0.0.1:{port}"}
    with Product(var_dir, scene_seconds=scene_seconds, people=people, env=env) as product:
        if not live:
            yield product
            return
        product.manage("shell", "-c", f"from spoton import demo; demo.live_addresses_set({port})")
        (folder,) = (var_dir / "footage").glob("demo-campus-*")
        command = [sys.executable, "-m", "fixtures.stream_server", "--dir", str(folder), "--port", str(port)]
        with (var_dir / "cameras.log").open("wb") as log:
            cameras = spawn.spawn(command, cwd=ROOT, env=product.env, stdout=log)
        try:
            if cameras.poll() is not None:
                raise ProductError("the live cameras did not start")
            yield product
        finally:
            spawn.stop(cameras, signal.SIGTERM, deadline_seconds=10)
