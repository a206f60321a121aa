"""What a larger installation needs: a simulation of its queues, fed with measured times.

Every camera delivers a frame per instant. Frames of one task wait for a device (perception, one queue per device, in
order), then all of an instant's for one of the association workers (one instant of a task at a time, in order), which
records as well. Everything else (database, Redis, network) is counted, not queued: a share of what one of it can do.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workers.benchmark.report import Report


@dataclass(frozen=True)
class Costs:
    """Measured times and sizes; docs/SCALING.md says where each comes from.

    Attributes:
        ingest_ms: of one live frame: receive, decode, keep.
        perceive_ms: of one frame on one core or one GPU: decode, detect, embed and handing over.
        associate_ms: of an instant: a part of its own and one per person.
        record_ms: the same, for recording and publishing.
        jpeg_bytes, observation_bytes: a stored frame; what perception says of one person in one view.
        rows_per_s: what one PostgreSQL takes by COPY, indexes included; redis_bytes_per_s: what one Redis moves.
        row_bytes: of a detection or position with its indexes, before compression.
    """

    ingest_ms: float = 5.0
    perceive_ms: float = 9.5
    associate_ms: tuple[float, float] = (3.3, 0.13)
    record_ms: tuple[float, float] = (9.0, 0.25)
    jpeg_bytes: float = 30e3
    observation_bytes: float = 1800.0
    rows_per_s: float = 50e3
    row_bytes: float = 330.0
    redis_bytes_per_s: float = 1200e6


@dataclass(frozen=True)
class Site:
    """An installation.

    Attributes:
        cameras, fps: live cameras, instants per second.
        people: in view of one camera on average; views: cameras that see one person at once, on average.
        task_cameras: cameras of one task: one map, one association.
        ingests: processes that read live cameras; devices: perceive workers (cores or GPUs); associates:
            association workers (cores).
    """

    cameras: int
    fps: float = 10.0
    people: float = 5.0
    views: float = 2.0
    task_cameras: int = 8
    ingests: int = 1
    devices: int = 2
    associates: int = 1


@dataclass(frozen=True)
class Outcome:
    """Latencies from capture to recorded (s), and how busy each part is (1 is all it can do)."""

    latencies_s: np.ndarray
    busy: dict[str, float]

    @property
    def bottleneck(self) -> str:
        return max(self.busy, key=lambda part: self.busy[part])


def simulate(site: Site, costs: Costs, *, seconds: float = 20.0, seed: int = 1) -> Outcome:
    """Run the queues for a while; service times vary by a quarter, cameras of a task are in step within 5 ms."""
    chance = np.random.default_rng(seed)
    tasks = math.ceil(site.cameras / site.task_cameras)
    phases = chance.uniform(0, 1 / site.fps, tasks)
    device_free = np.zeros(site.devices)
    worker_free = [0.0] * site.associates
    task_free = np.zeros(tasks)
    arrivals: list[tuple[float, int, int]] = []
    for task in range(tasks):
        for instant in range(int(seconds * site.fps)):
            arrivals.append((phases[task] + instant / site.fps, task, instant))
    arrivals.sort()
    perceived: list[tuple[float, float, int]] = []
    spent = {"perception": 0.0, "association": 0.0}
    for captured_s, task, _ in arrivals:
        cameras = min(site.task_cameras, site.cameras - task * site.task_cameras)
        done = captured_s
        for camera in range(cameras):
            # a camera stays on its device
            device = (task * site.task_cameras + camera) % site.devices
            work_s = costs.perceive_ms / 1e3 * chance.uniform(0.75, 1.25)
            begun = max(device_free[device], captured_s + chance.uniform(0, 0.005))
            device_free[device] = begun + work_s
            spent["perception"] += work_s
            done = max(done, device_free[device])
        perceived.append((done, captured_s, task))
    perceived.sort()
    heapq.heapify(worker_free)
    latencies = []
    for ready_s, captured_s, task in perceived:
        cameras = min(site.task_cameras, site.cameras - task * site.task_cameras)
        people = site.people * cameras / site.views
        own_ms = costs.associate_ms[0] + costs.record_ms[0]
        work_s = (
            (own_ms + (costs.associate_ms[1] + costs.record_ms[1]) * people)
            / 1e3
            * chance.uniform(0.75, 1.25)
        )
        begun = max(heapq.heappop(worker_free), ready_s, task_free[task])
        task_free[task] = begun + work_s
        heapq.heappush(worker_free, task_free[task])
        spent["association"] += work_s
        latencies.append(task_free[task] - captured_s)
    rows, moved = rows_per_s(site), redis_bytes_per_s(site, costs)
    busy = {
        "ingest": site.cameras * site.fps * costs.ingest_ms / 1e3 / site.ingests,
        "perception": spent["perception"] / seconds / site.devices,
        "association": spent["association"] / seconds / site.associates,
        "one task": max(_task_share(site, costs), 0.0),
        "database": rows / costs.rows_per_s,
        "Redis": moved / costs.redis_bytes_per_s,
    }
    return Outcome(np.array(latencies), busy)


def rows_per_s(site: Site) -> float:
    """Rows of detections and positions."""
    boxes = site.cameras * site.people * site.fps
    return boxes + boxes / site.views


def redis_bytes_per_s(site: Site, costs: Costs) -> float:
    """Frames are written once and read twice (perception, viewers); observations once each way."""
    frames = site.cameras * site.fps * costs.jpeg_bytes * 3
    return frames + site.cameras * site.people * site.fps * costs.observation_bytes * 2


def _task_share(site: Site, costs: Costs) -> float:
    """How much of the time one task's instants take, which follow each other."""
    people = site.people * min(site.task_cameras, site.cameras) / site.views
    own_ms = costs.associate_ms[0] + costs.record_ms[0]
    return (own_ms + (costs.associate_ms[1] + costs.record_ms[1]) * people) / 1e3 * site.fps


def sized(site: Site, costs: Costs, *, most_busy: float = 0.7) -> Site:
    """The site with as many processes of each kind as keep each busy for at most this share."""
    devices = math.ceil(site.cameras * site.fps * costs.perceive_ms / 1e3 / most_busy)
    tasks = math.ceil(site.cameras / site.task_cameras)
    associates = math.ceil(tasks * _task_share(site, costs) / most_busy)
    ingests = math.ceil(site.cameras * site.fps * costs.ingest_ms / 1e3 / most_busy)
    return replace(site, ingests=ingests, devices=devices, associates=associates)


def scaling(cameras: Sequence[int] = (1, 4, 10, 100, 1000), costs: Costs | None = None) -> Report:
    """What 1 to 1,000 cameras need, and what gives way first."""
    costs = costs or Costs()
    rows = []
    for count in cameras:
        site = sized(Site(cameras=count), costs)
        outcome = simulate(site, costs, seconds=20.0 if count <= 100 else 5.0)
        rows.append(
            {
                "cameras": count,
                "ingest, perceive, associate": f"{site.ingests}, {site.devices}, {site.associates}",
                "p50 (ms)": round(float(np.percentile(outcome.latencies_s, 50)) * 1e3),
                "p95 (ms)": round(float(np.percentile(outcome.latencies_s, 95)) * 1e3),
                "rows per s": round(rows_per_s(site)),
                "GB per day": round(rows_per_s(site) * 86400 * costs.row_bytes / 1e9, 1),
                "Redis (MB/s)": round(redis_bytes_per_s(site, costs) / 1e6, 1),
                "busiest": f"{outcome.bottleneck}, {100 * outcome.busy[outcome.bottleneck]:.0f} %",
            }
        )
    note = (
        "10 instants per second, 5 people in view of each camera, each seen by 2 cameras, tasks of 8 cameras"
    )
    return Report("Scaling: simulated queues with measured times", rows, note=note)
