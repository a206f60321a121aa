"""The main flow through the real product: real PostgreSQL, Redis, Celery workers, web server and sockets."""

from __future__ import annotations

import asyncio
import json

import pytest
import websockets

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def token(product):
    return product.token()


@pytest.fixture(scope="module")
def finished(product, token):
    """An undisturbed run over the whole scene."""
    return product.run_task(token)


def test_a_recorded_span_becomes_people_on_the_map(product, finished):
    assert finished["status"] == "COMPLETED", finished
    assert finished["progress"] == 1
    assert finished["detector"]["chosen"] == "motion"
    assert finished["detector"]["reason"]

    def recorded(what: str) -> int:
        query = f"SELECT {what} WHERE task_id = %s"
        return product.rows(query, finished["task_id"])[0][0]

    frames = product.scene_seconds * 10
    assert recorded("sum(instants) FROM tracking_batch") == frames
    assert recorded("count(*) FROM tracking_detection") > frames
    assert recorded("count(*) FROM tracking_position") > frames
    assert recorded("count(*) FROM tracking_trajectory") > 0
    seen_by = product.rows(
        "SELECT person_id, count(DISTINCT camera_id) FROM tracking_detection WHERE task_id = %s GROUP BY 1",
        finished["task_id"],
    )
    assert max(cameras for _, cameras in seen_by) >= 2, "nobody kept one identity in two views"


async def collect(url: str, token: str, until) -> list:
    messages = []
    async with websockets.connect(url, subprotocols=["bearer", token], max_size=2**22) as socket:
        assert socket.subprotocol == "bearer"
        try:
            async with asyncio.timeout(60):
                while not until(messages):
                    messages.append(await socket.recv())
        except websockets.ConnectionClosed as closed:
            messages.append(closed.rcvd.code)
    return messages


def test_the_demo_reports_quality_speed_and_rows(product):
    """On the map twice: as it was shown live, and as trajectories."""
    scene = "--seconds", str(product.scene_seconds), "--people", str(product.people)
    said = product.manage("demo_run", *scene)
    lines = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in said.splitlines() if "│" in line}
    for where in ("across cameras", "map, live (1 m)", "map, trajectories (1 m)"):
        idf1, mota, *counts = (float(value) for value in lines[where])
        assert 50 < idf1 <= 100
        assert 50 < mota <= 100
        assert counts[-1] > 100
    assert f"{product.people} in the scene" in said


def test_sockets_carry_updates_and_frames(product, token):
    """A viewer who connects while a task runs: status first, numbered updates, pictures of the same instants."""
    base = product.base_url.replace("http", "ws")
    body = {"environment_id": "campus", "pacing": "realtime"}
    _, _, answer = product.request("POST", "/api/v1/processing-tasks/start", body, token)
    task_id = answer["data"]["task_id"]

    async def watch():
        return await asyncio.gather(
            collect(f"{base}/ws/tracking/{task_id}", token, lambda m: len(m) > 25),
            collect(f"{base}/ws/frames/{task_id}", token, lambda m: len(m) > 12),
        )

    updates, frames = asyncio.run(watch())
    status, _, stopped = product.request("POST", f"/api/v1/processing-tasks/{task_id}/stop", token=token)
    assert status == 200, stopped
    assert stopped["data"]["status"] == "STOPPED"

    decoded = [json.loads(m) for m in updates]
    assert decoded[0]["type"] == "task_status"
    assert [m["seq"] for m in decoded] == list(range(1, len(decoded) + 1))
    tracking = [m["payload"] for m in decoded if m["type"] == "tracking_update"]
    indices = [u["global_frame_index"] for u in tracking]
    assert indices == sorted(indices)
    tracks = [t for u in tracking for c in u["cameras"].values() for t in c["tracks"]]
    assert tracks
    assert {"track_id", "global_id", "bbox_xyxy", "confidence", "map_coords", "is_focused"} <= set(tracks[0])

    assert json.loads(frames[0])["type"] == "subscribed"
    picture = frames[1]
    length = int.from_bytes(picture[:4], "big")
    header = json.loads(picture[4 : 4 + length])
    assert header["camera_id"] in {"c01", "c02", "c03", "c05"}
    assert picture[4 + length :][:2] == b"\xff\xd8", "not a JPEG"


@pytest.mark.parametrize(
    ("path", "with_token", "code"),
    [
        ("/ws/tracking/{task}", False, 4401),
        ("/ws/frames/{task}", False, 4401),
        ("/ws/tracking/00000000-0000-4000-8000-000000000000", True, 4404),
    ],
)
def test_sockets_refuse_strangers(product, token, finished, path, with_token, code):
    url = product.base_url.replace("http", "ws") + path.format(task=finished["task_id"])

    async def knock():
        async with websockets.connect(
            url, subprotocols=["bearer", token if with_token else "wrong"]
        ) as socket:
            error = json.loads(await socket.recv())
            await socket.wait_closed()
            return error, socket.close_code

    error, closed_with = asyncio.run(knock())
    assert error["type"] == "error"
    assert error["error"]["message"]
    assert closed_with == code


def test_pictures_of_a_finished_task(product, token, finished):
    task_id, start = finished["task_id"], finished["start"]
    status, headers, overlay = product.request(
        "GET", f"/api/v1/media/frames/{task_id}/c01?t={start}", token=token
    )
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    status, _, raw = product.request("GET", f"/api/v1/media/frames/{task_id}/c01/raw?t={start}", token=token)
    assert status == 200
    assert raw[:2] == overlay[:2] == b"\xff\xd8"
    person = product.rows(
        "SELECT person_id FROM tracking_detection WHERE task_id = %s GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
        task_id,
    )[0][0]
    status, _, crop = product.request("GET", f"/api/v1/media/persons/{person}/image", token=token)
    assert status == 200
    assert crop[:2] == b"\xff\xd8"
    status, _, answer = product.request(
        "GET", f"/api/v1/media/frames/{task_id}/c01?t=2001-01-01T00:00:00Z", token=token
    )
    assert (status, answer["error"]["code"]) == (404, "frame_not_available")


def test_an_unreadable_recording_is_told_and_the_other_cameras_go_on(product, token):
    """A file that is no video: its camera has a problem with words, the task completes with the rest."""
    broken = product.var_dir / "footage" / "broken.mp4"
    broken.write_bytes(b"this is not a video" * 100)
    code = (
        "from environments.models import Camera; from environments.services import recording_register;"
        "from datetime import datetime, UTC;"
        "c = [Camera.objects.get(environment__slug='campus', slug=s) for s in ('c01', 'c02')];"
        f"good = c[1].recordings.first(); at = datetime(2026, 5, 1, 12, tzinfo=UTC);"
        f"[recording_register(camera=k, uri=u, started_at=at, duration_s=5, fps=10, frame_count=50)"
        f" for k, u in ((c[0], '{broken}'), (c[1], good.uri))]"
    )
    product.manage("shell", "-c", code)
    task = product.run_task(
        token, cameras=["c01", "c02"], start="2026-05-01T12:00:00Z", end="2026-05-01T12:00:05Z"
    )
    assert task["status"] == "COMPLETED", task
    assert task["camera_status"]["c01"]["problems"], "nobody was told"
    assert "broken.mp4" in task["camera_status"]["c01"]["problems"][0]["message"]
    assert task["camera_status"]["c02"]["frames"] > 0


def test_missing_weights_fail_the_task_with_words(product, token):
    task = product.run_task(token, detector="yolox:absent.onnx")
    assert task["status"] == "FAILED"
    assert "absent.onnx" in task["error"]["message"]


def test_workers_keep_their_database_sessions_and_replace_those_that_are_cut(product, token):
    """Making a session takes longer than most messages' queries; a restarted database has cut them all."""
    sessions = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    seen: list[set[int]] = []

    def look(task_id: str) -> None:
        seen.append({pid for (pid,) in product.rows(sessions)})
        if len(seen) == 1:
            product.rows(f"SELECT pg_terminate_backend(pid) FROM ({sessions}) AS s")

    task = product.run_task(token, meanwhile=look, pacing="realtime")
    assert task["status"] == "COMPLETED", task
    assert len(seen) > 2
    messages = task["batches"]["done"] * (len(task["cameras"]) + 1)
    assert len(set().union(*seen[1:])) < messages / 3, "one for every message, or so"
