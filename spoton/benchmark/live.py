"""Live cameras end to end: from a frame's capture to the message in a viewer's socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import websockets

from spoton.product import ROOT, Product
from workers.benchmark.report import Report

# the first seconds: backgrounds are learned, models are loaded
WARM_UP_S = 40.0


@dataclass
class LiveRun:
    """What was measured.

    Attributes:
        latencies_s: from capture to the viewer, per instant and viewer of the measured time.
        instants: updates that arrived; expected: instants that were captured meanwhile.
        dropped: frames that were dropped meanwhile, by camera.
        memory_mb: resident memory per process at the beginning and at the end of the measured time.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    instants: int = 0
    expected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    memory_mb: dict[str, tuple[float, float]] = field(default_factory=dict)
    cpu_share: float = 0.0

    def percentile_ms(self, q: float) -> float:
        return float(np.percentile(self.latencies_s, q) * 1e3) if self.latencies_s else float("nan")

    def rows(self) -> list[dict[str, Any]]:
        """For tables and JSON."""
        return [
            {
                "seconds": round(self.seconds),
                "p50_ms": round(self.percentile_ms(50), 1),
                "p95_ms": round(self.percentile_ms(95), 1),
                "p99_ms": round(self.percentile_ms(99), 1),
                "instants": self.instants,
                "expected": self.expected,
                "dropped": sum(self.dropped.values()),
                "cpu_percent": round(100 * self.cpu_share),
                "memory_mb_begin": round(sum(begin for begin, _ in self.memory_mb.values())),
                "memory_mb_end": round(sum(end for _, end in self.memory_mb.values())),
            }
        ]


class LiveProduct(Product):
    """The product, whose demo campus has live cameras that are in step with the wall clock."""

    def __init__(self, var_dir: Path, *, people: int = 10) -> None:
        super().__init__(var_dir, scene_seconds=30.0, people=people, env={"SPOTON_STREAM_HOSTS": "127.0.0.1"})

    def __enter__(self) -> LiveProduct:
        super().__enter__()
        folder = next(path.parent for path in sorted((self.var_dir / "footage").rglob("c01.mp4")))
        command = [sys.executable, "-m", "fixtures.stream_server", "--dir", str(folder)]
        self._cameras = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True)
        port = int(self._cameras.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        self.manage("shell", "-c", f"from spoton import demo; demo.live_addresses_set({port})")
        return self

    def __exit__(self, *exception: object) -> None:
        if hasattr(self, "_cameras"):
            self._cameras.terminate()
        super().__exit__(*exception)


def live(seconds: float = 600.0, viewers: int = 1, people: int = 10) -> Report:
    """Four live cameras at 10 frames per second in a product of their own, motion detector, one viewer."""
    with (
        tempfile.TemporaryDirectory(prefix="spoton-benchmark-") as folder,
        LiveProduct(Path(folder), people=people) as product,
    ):
        measured = run(product, seconds=seconds, viewers=viewers)
    return Report(
        f"Live: 4 cameras at 10 fps, {people} people, {viewers} viewer(s), capture to WebSocket message",
        measured.rows(),
        goal="p95 under 100 ms, nothing dropped for 10 minutes, memory flat",
    )


def run(
    product: LiveProduct, *, seconds: float, viewers: int = 1, tell: Callable[[str], None] = lambda text: None
) -> LiveRun:
    """Process the live cameras for so long while `viewers` watch."""
    token = product.token()
    body = {"environment_id": "campus", "mode": "live"}
    status, _, answer = product.request("POST", "/api/v1/processing-tasks/start", body, token)
    assert status == 202, answer
    task_id = answer["data"]["task_id"]
    try:
        return asyncio.run(_measure(product, token, task_id, seconds, viewers, tell))
    finally:
        product.request("POST", f"/api/v1/processing-tasks/{task_id}/stop", {}, token)


async def _measure(
    product: LiveProduct, token: str, task_id: str, seconds: float, viewers: int, tell: Callable[[str], None]
) -> LiveRun:
    result = LiveRun(seconds=seconds)
    url = f"{product.base_url.replace('http', 'ws')}/ws/tracking/{task_id}"
    tell(f"warming up for {WARM_UP_S:.0f} s")
    listeners = [asyncio.create_task(_listen(url, token, result, i == 0)) for i in range(viewers)]
    await asyncio.sleep(WARM_UP_S)
    before, dropped = _processes(product), _dropped(product, task_id, product.token())
    result.latencies_s.clear()
    result.instants = 0
    begun = time.monotonic()
    tell(f"measuring for {seconds:.0f} s")
    while time.monotonic() - begun < seconds:
        await asyncio.sleep(1)
        if any(listener.done() for listener in listeners):
            await asyncio.gather(*listeners)
            raise RuntimeError("a viewer was sent away")
    elapsed = time.monotonic() - begun
    # by the process: tokens end after half an hour
    token = await asyncio.to_thread(product.token)
    after = _processes(product)
    for listener in listeners:
        listener.cancel()
    result.seconds = elapsed
    result.expected = round(elapsed * 10)
    now = _dropped(product, task_id, token)
    result.dropped = {camera: now[camera] - dropped[camera] for camera in now}
    result.memory_mb = {name: (before[name][0], after[name][0]) for name in after.keys() & before.keys()}
    cpu_s = sum(after[name][1] - before[name][1] for name in after.keys() & before.keys())
    result.cpu_share = cpu_s / elapsed / (psutil.cpu_count() or 1)
    return result


async def _listen(url: str, token: str, result: LiveRun, counts: bool) -> None:
    """One viewer: notes how old every update is when it arrives."""
    async with websockets.connect(url, subprotocols=["bearer", token], max_size=2**22) as socket:
        async for raw in socket:
            now = time.time()
            message = json.loads(raw)
            if message["type"] != "tracking_update":
                continue
            captured = datetime.fromisoformat(message["payload"]["timestamp_captured_utc"]).timestamp()
            # the cameras take a frame whenever the clock is at a multiple of 0.1 s; what came after that is travel
            # and decoding, and belongs to the latency (as long as those take less than 0.1 s)
            result.latencies_s.append(now - int(captured * 10) / 10)
            result.instants += counts


def _dropped(product: Product, task_id: str, token: str) -> dict[str, int]:
    _, _, answer = product.request("GET", f"/api/v1/processing-tasks/{task_id}/status", token=token)
    return {name: camera["dropped"] for name, camera in answer["data"]["camera_status"].items()}


def _processes(product: Product) -> dict[str, tuple[float, float]]:
    """(resident MB, CPU seconds) of every process of the product, by number and name."""
    found = {}
    for process in product.processes(""):
        try:
            times = process.cpu_times()
            found[f"{process.pid} {process.name()}"] = (
                process.memory_info().rss / 1e6,
                times.user + times.system,
            )
        except psutil.Error:
            pass
    return found
