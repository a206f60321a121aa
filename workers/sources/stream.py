"""Live sources: network streams and webcams. The newest frame wins; connections that break are made again."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import av
import cv2
import numpy as np

from workers.jpeg import DamagedJpegError, Jpeg
from workers.sources.base import SourceBase, check_range
from workers.types import EngineError, SourceFrame, SourceInfo

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0  # cameras send several frames a second; this long a silence is a broken connection
FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
UNKNOWN_FPS = 25.0

# What may be spoken once the host is allowed, and what understood: no playlists, since they name other hosts
NETWORK_PROTOCOLS = "http,https,tcp,tls,rtsp,rtsps,rtp,srtp,udp"
NETWORK_FORMATS = "rtsp,rtp,mpjpeg,mjpeg,mpegts,mov,mp4,matroska,webm,flv,h264,hevc,ogg,avi"


class Connection(Protocol):
    """One established connection to a camera."""

    fps: float

    def read(self) -> np.ndarray | Jpeg:
        """The next image: uint8 BGR (height, width, 3), or a JPEG as the camera sent it.

        Raises:
            EngineError: the connection is lost.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class StreamStatus:
    """How a live source is doing.

    Attributes:
        state: `connecting`, `connected`, `failed` (waiting to try again) or `closed`.
        last_error: why the last connection ended or failed, without credentials; empty when it never did.
        reconnects: connections made after the first one.
        frames_received, frames_dropped: counts; a frame is dropped when a newer one came before it was taken.
    """

    state: str = "connecting"
    last_error: str = ""
    reconnects: int = 0
    frames_received: int = 0
    frames_dropped: int = 0


class LiveSource(SourceBase):
    """Reads a camera in a thread of its own and keeps only the newest frame; times are UNIX arrival times."""

    def __init__(
        self,
        label: str,
        connect: Callable[[], Connection],
        *,
        first_back_off_s: float = FIRST_BACK_OFF_S,
        longest_back_off_s: float = LONGEST_BACK_OFF_S,
    ) -> None:
        """
        Args:
            label: for messages; without credentials.
            connect: makes a connection or raises EngineError.
            first_back_off_s, longest_back_off_s: the wait after the first failure, doubled up to the longest.
        """
        super().__init__(label)
        self._connect = connect
        self._back_off_s = (first_back_off_s, longest_back_off_s)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._status = StreamStatus()
        self._newest: SourceFrame | None = None
        self._taken_index = -1
        self._info: SourceInfo | None = None
        # called by the reading thread whenever there is a new frame, or the state is another one
        self.on_change: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"live {label}", daemon=True)
        self._thread.start()

    # -- for the reader of frames ----------------------------------------------------------------------------

    @property
    def status(self) -> StreamStatus:
        with self._changed:
            return self._status

    @property
    def info(self) -> SourceInfo:
        """Waits for the first frame, since only that tells the size.

        Raises:
            EngineError: no frame within the connection timeout, with the last error.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._info or self._stop.is_set(), CONNECT_TIMEOUT_S)
            if self._info is None:
                raise EngineError(
                    f"{self.label}: no frame yet ({self._status.last_error or self._status.state})"
                )
            return self._info

    def latest(self, timeout_s: float = READ_TIMEOUT_S) -> SourceFrame | None:
        """The newest frame not taken yet, waiting up to `timeout_s`; None when none came or after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._fresh() or self._stop.is_set(), timeout_s)
            if self._stop.is_set() or not self._fresh():
                return None
            assert self._newest is not None
            self._taken_index = self._newest.index
            return self._newest

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, stride: int = 1
    ) -> Iterator[SourceFrame]:
        check_range(start_s, end_s, stride)
        arrived = 0
        while not self._stop.is_set() and (end_s is None or time.time() < end_s):
            wait_s = READ_TIMEOUT_S if end_s is None else min(READ_TIMEOUT_S, end_s - time.time())
            frame = self.latest(max(wait_s, 0.0))
            if frame is None or frame.time_s < start_s:
                continue
            if end_s is not None and frame.time_s >= end_s:
                return
            if arrived % stride == 0:
                yield frame
            arrived += 1

    def frame_at(self, time_s: float) -> SourceFrame:
        raise EngineError(f"{self.label}: a live source cannot go back in time; take its latest frame")

    def close(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(READ_TIMEOUT_S + 1)
        self._set(state="closed")

    # -- the reading thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = self._back_off_s[0]
        connected_before = False
        while not self._stop.is_set():
            received = self.status.frames_received
            try:
                self._set(state="connecting")
                with closing(self._connect()) as connection:
                    if connected_before:
                        self._set(reconnects=self._status.reconnects + 1)
                    connected_before = True
                    self._set(state="connected")
                    self._read(connection)
            except EngineError as error:
                self._set(state="failed", last_error=str(error))
                logger.warning("%s: %s", self.label, error)
            except Exception as error:  # a decoder's surprise must not end the camera for good
                self._set(state="failed", last_error=f"unexpected {type(error).__name__}")
                logger.exception("%s: unexpected error while reading", self.label)
            if self.status.frames_received > received:
                wait_s = self._back_off_s[0]
            # jitter, so that cameras behind one switch do not all come back at the same moment
            self._stop.wait(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, self._back_off_s[1])

    def _read(self, connection: Connection) -> None:
        while not self._stop.is_set():
            picture = connection.read()
            now = time.time()
            with self._changed:
                if self._info is None:
                    size = picture.size if isinstance(picture, Jpeg) else picture.shape[1::-1]
                    self._info = SourceInfo(size, connection.fps, None, None, live=True)
                index = self._status.frames_received
                self._status = replace(
                    self._status,
                    frames_received=index + 1,
                    frames_dropped=self._status.frames_dropped + (1 if self._fresh() else 0),
                )
                self._newest = SourceFrame(index, now, picture)
                self._changed.notify_all()
            self.on_change()

    def _fresh(self) -> bool:
        return self._newest is not None and self._newest.index > self._taken_index

    def _set(self, **values: Any) -> None:
        with self._changed:
            self._status = replace(self._status, **values)
            self._changed.notify_all()
        self.on_change()


class _NetworkConnection:
    """An RTSP or HTTP stream through FFmpeg."""

    def __init__(self, url: str) -> None:
        options = {
            "protocol_whitelist": NETWORK_PROTOCOLS,
            "format_whitelist": NETWORK_FORMATS,
            "rtsp_transport": "tcp",  # UDP loses packets, and people's feet with them
            "fflags": "nobuffer",
            "max_redirects": "0",  # a redirect could lead to a host that is not allowed
            "analyzeduration": "2000000",
            "probesize": "1000000",
        }
        if not url.lower().startswith("rtsp"):
            del options["rtsp_transport"]
        else:
            del options["max_redirects"]
        try:
            self._container = av.open(url, options=options, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
        except (av.error.FFmpegError, OSError) as error:
            raise EngineError(f"cannot connect ({_reason(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise EngineError("the stream holds no video")
        stream = self._container.streams.video[0]
        stream.codec_context.thread_count = 1
        self.fps = float(stream.average_rate or stream.guessed_rate or UNKNOWN_FPS)
        sends_jpegs = stream.codec_context.name == "mjpeg"
        self._pictures = self._jpegs(stream) if sends_jpegs else self._decoded(stream)

    def _jpegs(self, stream: av.VideoStream) -> Iterator[Jpeg]:
        for packet in self._container.demux(stream):
            # damage on the way; the next picture is whole
            with suppress(DamagedJpegError):
                yield Jpeg(bytes(packet))

    def _decoded(self, stream: av.VideoStream) -> Iterator[np.ndarray]:
        for packet in self._container.demux(stream):
            # damage on the way; the next keyframe mends it
            with suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    yield frame.to_ndarray(format="bgr24")

    def read(self) -> np.ndarray | Jpeg:
        try:
            picture = next(self._pictures, None)
        except (av.error.FFmpegError, OSError) as error:
            raise EngineError(f"the connection broke ({_reason(error)})") from error
        if picture is None:
            raise EngineError("the stream ended")
        return picture

    def close(self) -> None:
        self._container.close()


class _WebcamConnection:
    """A camera attached to this machine, through OpenCV."""

    def __init__(self, number: int) -> None:
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            self._capture.release()
            raise EngineError(f"webcam {number} cannot be opened: absent, in use, or not permitted")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS) or UNKNOWN_FPS)

    def read(self) -> np.ndarray:
        ok, image = self._capture.read()
        if not ok:
            raise EngineError("the webcam stopped delivering")
        return image

    def close(self) -> None:
        self._capture.release()


def _reason(error: Exception) -> str:
    """Only the system's words: FFmpeg's own message repeats the address with its credentials."""
    return getattr(error, "strerror", None) or type(error).__name__


def open_network_stream(url: str) -> Connection:
    """Connects to a stream that the policy has allowed. Raises EngineError without the address in it."""
    return _NetworkConnection(url)


def open_webcam(number: int) -> Connection:
    """Opens webcam `number`. Raises EngineError when there is none."""
    return _WebcamConnection(number)
