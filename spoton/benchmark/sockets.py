"""Many viewers of one task: how long an update takes from publication to each of them, also beside slow readers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgpack
import numpy as np
import psutil
import websockets
from django.contrib.auth import get_user_model

from environments.models import Role
from environments.notices import notify
from environments.redis import redis_client
from environments.services import membership_set
from spoton.auth.sessions import session_begin
from spoton.benchmark.instance import Instance
from spoton.sites import site_load
from tracking.messages import TrackingUpdate, camera_updates, from_seconds, shown_person, track
from tracking.models import ProcessingTask
from tracking.publish import UPDATES_TTL_SECONDS, encoded, group_of, updates_key
from workers.benchmark.report import Report
from workers.types import EngineError

CAMERAS, PEOPLE, RATE = 4, 10, 10.0
WARM_UP_S = 5.0
VIEWERS, SLOW_READERS = 200, 10
# without one, a slow reader would be read by the client library in the background
QUEUE, LAZY_BUFFER_BYTES = 1, 16 * 1024


@dataclass
class Measured:
    """Attributes: from publication to arrival, per update and viewer; gaps: updates that did not arrive."""

    latencies_s: list[float] = field(default_factory=list)
    expected: int = 0
    web_cpu_s: float = 0.0
    sent_away: int = 0


def sockets(seconds: float = 30.0) -> Report:
    """`VIEWERS` sockets of one web server, `RATE` updates per second each; then the same beside slow readers."""
    with Instance() as instance, instance.web() as base_url:
        begun = instance.measure("sockets-prepare")
        rows = [
            _row(instance, base_url, begun, seconds, options, slow)
            for options, slow in (({}, 0), ({}, SLOW_READERS), ({"mode": "delta"}, 0))
        ]
    return Report(
        f"Sockets: {VIEWERS} viewers of one task, {CAMERAS} cameras, {PEOPLE} people, {RATE:g} updates/s each",
        rows,
        goal="p95 under 100 ms on 2 cores, slow readers do not slow others",
        note="the viewers run on the same two cores, in one process of the same machine",
    )


def _row(
    instance: Instance,
    base_url: str,
    begun: dict[str, str],
    seconds: float,
    options: dict[str, Any],
    slow: int,
) -> dict[str, Any]:
    url = f"{base_url.replace('http', 'ws')}/ws/tracking/{begun['task_id']}"
    measured = asyncio.run(_watch(instance, url, begun, seconds, options, slow))
    p50, p95, p99 = (round(float(np.percentile(measured.latencies_s, q)) * 1e3, 1) for q in (50, 95, 99))
    return {
        "mode": options.get("mode", "full"),
        "slow_readers": slow,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "updates": len(measured.latencies_s),
        "missing": measured.expected - len(measured.latencies_s),
        "slow_sent_away": measured.sent_away,
        "web_cpu_percent": round(100 * measured.web_cpu_s / seconds),
    }


async def _watch(
    instance: Instance, url: str, begun: dict[str, str], seconds: float, options: dict[str, Any], slow: int
) -> Measured:
    measured, ready = Measured(), asyncio.Semaphore(0)
    token = begun["token"]
    viewers = [asyncio.create_task(_view(url, token, measured, ready, options)) for _ in range(VIEWERS)]
    lazy = [asyncio.create_task(_doze(url, token, ready)) for _ in range(slow)]
    for _ in range(VIEWERS + slow):
        await ready.acquire()
    publishing = instance.start(
        "sockets-publish", "--task", begun["task_id"], "--seconds", str(seconds + WARM_UP_S)
    )
    await asyncio.sleep(WARM_UP_S)
    measured.latencies_s.clear()
    web = psutil.Process(instance.web_pid)
    cpu_s = sum(web.cpu_times()[:2])
    await asyncio.sleep(seconds)
    measured.web_cpu_s = sum(web.cpu_times()[:2]) - cpu_s
    measured.expected = round(VIEWERS * RATE * seconds)
    # who reads nothing does not see that they are sent away; the server's side tells
    port = urlsplit(url).port
    here = sum(c.status == "ESTABLISHED" and c.laddr.port == port for c in web.net_connections("tcp"))
    measured.sent_away = VIEWERS + slow - here
    found = list(measured.latencies_s)
    if await asyncio.to_thread(publishing.wait, 30):
        raise EngineError("the step that publishes updates failed; see above")
    for task in (*viewers, *lazy):
        task.cancel()
    await asyncio.gather(*viewers, *lazy, return_exceptions=True)
    measured.latencies_s = found
    return measured


async def _view(
    url: str, token: str, measured: Measured, ready: asyncio.Semaphore, options: dict[str, Any]
) -> None:
    mark = '"timestamp_processed_utc":"'
    async with websockets.connect(url, subprotocols=["bearer", token], max_size=2**22) as viewer:
        if options:
            await viewer.send(str({"type": "subscribe", **options}).replace("'", '"'))
        ready.release()
        n = 0
        async for message in viewer:
            # searched, not parsed: what the viewers take from the two cores the server does not have
            at = message.find(mark)
            if at < 0:
                continue
            stamp = message[at + len(mark) : at + len(mark) + 24]
            measured.latencies_s.append(time.time() - datetime.fromisoformat(stamp).timestamp())
            n += 1
            if options and n % 5 == 0:
                seq = message[message.index('"seq":') + 6 :].split(",", 1)[0]
                await viewer.send(f'{{"type":"ack","seq":{seq}}}')


async def _doze(url: str, token: str, ready: asyncio.Semaphore) -> None:
    """A viewer who reads nothing until the server gives up."""
    address = urlsplit(url)
    connection = socket.socket()
    # else the system would take megabytes in the viewer's place
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LAZY_BUFFER_BYTES)
    await asyncio.to_thread(connection.connect, (address.hostname, address.port))
    connection.setblocking(False)
    connect = websockets.connect(
        url, sock=connection, subprotocols=["bearer", token], max_queue=QUEUE, compression=None
    )
    with contextlib.suppress(websockets.ConnectionClosed):
        async with connect as viewer:
            ready.release()
            await viewer.wait_closed()


# -- steps, where services run -------------------------------------------------------------------------------


def prepare() -> dict[str, str]:
    """A task that is under way, and somebody who may watch it."""
    environment = site_load("campus")
    user = get_user_model().objects.create_user("viewer", password="only for this benchmark")
    membership_set(user=user, environment=environment, role=Role.VIEWER)
    _, pair = session_begin(request=None, username="viewer", password="only for this benchmark")
    cameras = [{"camera": f"c{i}", "camera_id": i, "image_size": [1280, 720]} for i in range(CAMERAS)]
    task = ProcessingTask.objects.create(
        environment=environment,
        mode=ProcessingTask.Mode.LIVE,
        status=ProcessingTask.Status.PROCESSING,
        start=datetime.now(UTC),
        fps=RATE,
        detector="motion",
        embedder="descriptor",
        plan={"batch_instants": 1, "cameras": cameras},
    )
    return {"task_id": str(task.pk), "token": pair.access}


def publish(task_id: str, seconds: float) -> dict[str, int]:
    """Updates as a live task publishes them: every instant a batch, on time."""
    task = ProcessingTask.objects.select_related("environment").get(pk=task_id)
    persons, rng = [uuid4() for _ in range(PEOPLE)], np.random.default_rng(1)
    begun, instants = time.time(), round(seconds * RATE)
    number = int(begun * RATE)
    for n in range(instants):
        time.sleep(max(0.0, begun + n / RATE - time.time()))
        update = _update(task, n, persons, rng)
        redis_client().set(
            updates_key(task.pk, number + n), msgpack.packb(encoded([update])), ex=UPDATES_TTL_SECONDS
        )
        notice = {"type": "batch.committed", "task_id": task_id, "number": number + n}
        notify({**notice, "committed_at": time.time(), "live_captured_s": [time.time()]}, group_of(task_id))
    return {"instants": instants}


def _update(task: Any, n: int, persons: list[Any], rng: np.random.Generator) -> TrackingUpdate:
    cameras = camera_updates(task)
    for name in cameras:
        cameras[name]["image_source"] = str(n)
        cameras[name]["tracks"] = [
            track(
                track_id=i,
                person=person,
                box_px=tuple(rng.uniform(0, 700, 4)),
                score=0.9,
                place_m=tuple(rng.uniform(0, 40, 2)),
                since_s=task.start.timestamp(),
                captured_s=time.time(),
            )
            for i, person in enumerate(persons)
        ]
    return TrackingUpdate(
        global_frame_index=n,
        scene_id=task.environment.slug,
        timestamp_processed_utc=from_seconds(time.time()),
        timestamp_captured_utc=from_seconds(time.time()),
        cameras=cameras,
        person_count_per_camera={name: len(camera["tracks"]) for name, camera in cameras.items()},
        persons=[shown_person(p, *rng.uniform(0, 40, 2), 1.0, 0.0, 0.1) for p in persons],
        focus_person_id=None,
    )
