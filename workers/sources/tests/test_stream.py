"""Live sources against a real MJPEG server on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import cv2
import pytest

from workers.jpeg import DamagedJpegError, Jpeg
from workers.sources import LiveSource, SourcePolicy, open_network_stream, open_source
from workers.sources.tests.footage import numbered_image, read_number
from workers.types import EngineError


class Camera:
    """An IP camera that sends numbered JPEGs over HTTP as multipart/x-mixed-replace."""

    def __init__(self, port: int = 0, interval_s: float = 0.02, redirect_to: str = "") -> None:
        camera = self
        self.requests = 0
        # what happens to some of the pictures on their way, by their number
        self.damaged: dict[int, Callable[[bytes], bytes]] = {}
        self.stopped = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.requests += 1
                if redirect_to:
                    self.send_response(302)
                    self.send_header("Location", redirect_to)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                while not camera.stopped.is_set():
                    jpeg = cv2.imencode(".jpg", numbered_image(number % 256))[1].tobytes()
                    if number in camera.damaged:
                        jpeg = camera.damaged[number](jpeg)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                    except OSError:
                        return
                    number += 1
                    time.sleep(interval_s)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}/live"

    def stop(self) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def camera():
    camera = Camera()
    yield camera
    if not camera.stopped.is_set():
        camera.stop()


def live(url: str) -> LiveSource:
    return LiveSource(
        "camera", lambda: open_network_stream(url), first_back_off_s=0.05, longest_back_off_s=0.2
    )


def wait_for(condition, timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_frames_arrive_with_capture_times_and_increasing_indices(camera):
    policy = SourcePolicy(allowed_hosts=(f"127.0.0.1:{camera.port}",))
    with open_source(camera.url, policy=policy) as source:
        assert source.info.live
        assert source.info.image_size == (128, 96)
        assert source.info.duration_s is None
        frames = [frame for frame, _ in zip(source.frames(), range(5), strict=False)]
        numbers = [read_number(frame.image) for frame in frames]
        assert numbers == sorted(set(numbers))
        assert all(a.index < b.index and a.time_s < b.time_s for a, b in pairwise(frames))
        assert abs(frames[-1].time_s - time.time()) < 5
        assert source.status.state == "connected"
        with pytest.raises(EngineError, match="cannot go back"):
            source.frame_at(0.0)
    assert source.status.state == "closed"
    assert source.latest(0.0) is None


def test_a_slow_reader_gets_the_newest_frame_and_the_rest_is_counted(camera):
    with live(camera.url) as source:
        source.latest(10.0)
        received = source.status.frames_received
        wait_for(lambda: source.status.frames_received > received + 10)
        frame = source.latest(1.0)
        status = source.status
        assert frame.index >= received + 10
        assert status.frames_dropped >= 9
        assert status.frames_dropped < status.frames_received


def test_a_camera_that_goes_away_and_comes_back(camera):
    with live(camera.url) as source:
        before = source.latest(10.0)
        camera.stop()
        wait_for(lambda: source.status.state == "failed")
        assert source.status.last_error
        assert "secret" not in source.status.last_error
        wait_for(lambda: "refused" in source.status.last_error)
        again = Camera(port=camera.port)
        try:
            wait_for(lambda: source.status.reconnects == 1 and source.status.state == "connected")
            after = source.latest(10.0)
            assert after.index > before.index
            assert after.time_s > before.time_s
        finally:
            again.stop()


def test_back_off_grows_to_its_limit_and_close_interrupts_it(monkeypatch):
    waits: list[float] = []
    source = LiveSource("camera", lambda: _refuse(), first_back_off_s=0.02, longest_back_off_s=0.08)
    real_wait = source._stop.wait
    monkeypatch.setattr(source._stop, "wait", lambda s: waits.append(s) or real_wait(s))
    wait_for(lambda: len(waits) >= 6)
    assert all(0.03 <= wait <= 0.08 for wait in waits[2:])
    assert len(set(waits)) > 1  # jitter
    source.close()

    patient = LiveSource("camera", lambda: _refuse(), first_back_off_s=60, longest_back_off_s=60)
    wait_for(lambda: patient.status.state == "failed")
    begin = time.monotonic()
    patient.close()
    assert time.monotonic() - begin < 1


def _refuse():
    raise EngineError("switched off")


def test_range_of_a_live_source_is_in_unix_time(camera):
    with live(camera.url) as source:
        assert source.latest(10.0) is not None
        begin = time.time()
        frames = list(source.frames(end_s=begin + 0.3))
        assert frames
        assert all(frame.time_s < begin + 0.3 for frame in frames)
        assert time.time() < begin + 2


def test_redirects_to_other_hosts_are_not_followed(camera):
    detour = Camera(redirect_to=f"http://127.0.0.1:{camera.port}/live")
    try:
        with pytest.raises(EngineError):
            open_network_stream(detour.url)
        assert detour.requests == 1
        assert camera.requests == 0
    finally:
        detour.stop()


def test_a_missing_webcam_fails_with_a_reason_and_is_tried_again():
    with open_source("webcam:97", policy=SourcePolicy(allow_webcams=True)) as source:
        wait_for(lambda: source.status.state == "failed")
        assert "webcam 97 cannot be opened" in source.status.last_error


def test_jpegs_come_as_they_were_sent_and_damaged_ones_end_nothing(camera):
    """One loses its beginning, one its end: the first is left out, the second told to whoever wants to see it."""
    camera.damaged = {4: lambda jpeg: b"\x00" * 40 + jpeg[40:], 6: lambda jpeg: jpeg[: len(jpeg) // 2]}
    policy = SourcePolicy(allowed_hosts=(f"127.0.0.1:{camera.port}",))
    numbers, unreadable = [], 0
    with open_source(camera.url, policy=policy) as source:
        for frame in source.frames():
            assert isinstance(frame.picture, Jpeg)
            try:
                numbers.append(read_number(frame.image))
            except DamagedJpegError:
                unreadable += 1
            if numbers and numbers[-1] > 12:
                break
        assert source.status.reconnects == 0
    assert unreadable <= 1
    assert not {4, 6} & set(numbers)
    assert len(numbers) > 6
