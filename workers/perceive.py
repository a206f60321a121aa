"""Perceive: from a reference to frames to observations. Stateless but for models and caches of pure results."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np

from workers.batches import FrameBatch, Segment
from workers.detection import ViewContext, build_detector, needs_background
from workers.detection.background import BackgroundModel, background_sample_times, learn_background
from workers.observations import Observations
from workers.reid import build_embedder
from workers.sources import Source, SourcePolicy, open_source
from workers.types import Detector, Embedder, EngineError, SourceFrame

log = logging.getLogger(__name__)
T = TypeVar("T")

# open files and motion detectors kept by one worker: enough for its share of a few tasks' cameras
MAX_OPEN_SOURCES = 16
MAX_VIEW_DETECTORS = 16
# frames given to the detector at once; bounds the memory that decoded frames take
DETECT_AT_ONCE = 8


@dataclass(frozen=True)
class BatchFrame:
    """A frame that belongs to an instant of the batch."""

    instant: int
    index: int
    captured_at: float
    image: np.ndarray


BackgroundCache = Callable[[str, Callable[[], bytes]], bytes]
FrameSink = Callable[[FrameBatch, BatchFrame], None]


class Perceiver:
    """Detects and embeds batches; one per worker process, models are loaded once.

    Args:
        policy: which sources may be opened.
        models_dir: where named weights are looked for.
        device: `cpu`, `cuda` or `cuda:N`.
        cached_background: returns the bytes for a key, computing them if nobody has (shared by workers).
        live_frames: frames of a live batch, and the camera's background if there is one.
    """

    def __init__(
        self,
        *,
        policy: SourcePolicy,
        models_dir: Path | None = None,
        device: str = "cpu",
        cached_background: BackgroundCache | None = None,
        live_frames: Callable[[FrameBatch], tuple[list[BatchFrame], bytes | None]] | None = None,
    ) -> None:
        self._policy = policy
        self._models_dir = models_dir
        self._device = device
        self._cached_background = cached_background or (lambda key, compute: compute())
        self._live_frames = live_frames
        self._sources = _Recent[Source](MAX_OPEN_SOURCES, on_drop=lambda source: source.close())
        self._view_detectors = _Recent[Detector](MAX_VIEW_DETECTORS)
        self._detectors: dict[tuple[str, float | None], Detector] = {}
        self._embedders: dict[str, Embedder] = {}

    def perceive(self, batch: FrameBatch, *, on_frame: FrameSink | None = None) -> Observations:
        """Observations of the batch. What cannot be read is reported in `problems`, the rest is used.

        Raises:
            EngineError: the detector or embedder cannot be built (missing weights, wrong name).
        """
        begun = time.time()
        problems: list[dict] = []
        clock = {"queue": max(0.0, begun - batch.queued_at) * 1e3, "decode": 0.0, "detect": 0.0, "embed": 0.0}
        rows: list[tuple[BatchFrame, np.ndarray, np.ndarray, np.ndarray]] = []
        embedder = self._embedder(batch.embedder)
        for detector, frames in self._chunks(batch, clock, problems):
            detections = _timed(clock, "detect", partial(detector.detect, [f.image for f in frames]))
            for frame, found in zip(frames, detections, strict=True):
                features = _timed(clock, "embed", partial(embedder.embed, frame.image, found.boxes_px))
                rows.append((frame, _rescaled(found.boxes_px, frame.image, batch), found.scores, features))
                if on_frame is not None:
                    on_frame(batch, frame)
        return _observations(batch, rows, clock, problems, embedder.dimension)

    def warm(self, detector: str, embedder: str) -> None:
        """Load the models that need no view, so that the first batch is not late."""
        if not needs_background(detector):
            self._shared_detector(detector, None)
        self._embedder(embedder)

    def close(self) -> None:
        self._sources.clear()

    # -- frames ----------------------------------------------------------------------------------------------

    def _chunks(
        self, batch: FrameBatch, clock: dict[str, float], problems: list[dict]
    ) -> Iterator[tuple[Detector, list[BatchFrame]]]:
        """The batch's frames, a few at a time, each with the detector for its view."""
        if batch.live:
            frames, background = _timed(clock, "decode", lambda: self._live_frames(batch))
            if frames:
                version = hashlib.sha256(background or b"").hexdigest()
                yield self._detector(batch, version, lambda: background), frames
            return
        for segment in batch.segments:
            try:
                source = self._source(segment)
                learn = partial(self._background, source, segment)
                detector = self._detector(batch, _background_key(segment), learn)
                for chunk in _chunked(self._decoded(source, segment, batch, clock), DETECT_AT_ONCE):
                    yield detector, chunk
                problems += _problems_within(source, segment, batch.tolerance_s)
            except SourceUnreadableError as error:
                log.warning("camera %s: %s", batch.camera, error)
                message = _without_folders(str(error), segment.uri)
                problems.append({"frame": None, "time_s": segment.times_s[0], "message": message})

    def _decoded(
        self, source: Source, segment: Segment, batch: FrameBatch, clock: dict[str, float]
    ) -> Iterator[BatchFrame]:
        frames = frames_at(source, segment.times_s, batch.tolerance_s)
        while (item := _timed(clock, "decode", lambda: next(frames, None))) is not None:
            i, frame = item
            yield BatchFrame(segment.instants[i], frame.index, segment.started_at + frame.time_s, frame.image)

    def _source(self, segment: Segment) -> Source:
        key = f"{segment.uri}|{segment.fps}"
        source = self._sources.get(key)
        if source is None:
            try:
                source = open_source(segment.uri, policy=self._policy, fps=segment.fps)
            except EngineError as error:
                raise SourceUnreadableError(str(error)) from error
            self._sources.put(key, source)
        return source

    def _background(self, source: Source, segment: Segment) -> bytes:
        """The background of the block of the recording that the segment begins in."""
        return self._cached_background(
            _background_key(segment),
            lambda: background_of(source, segment.duration_s, segment.times_s[0]).to_bytes(),
        )

    # -- models ----------------------------------------------------------------------------------------------

    def _detector(self, batch: FrameBatch, version: str, background: Callable[[], bytes | None]) -> Detector:
        """The detector for the batch's view; `version` names the background that `background` returns."""
        if not needs_background(batch.detector):
            return self._shared_detector(batch.detector, batch.score_threshold)
        key = f"{batch.camera}|{batch.calibration}|{batch.image_size}|{batch.score_threshold}|{version}"
        detector = self._view_detectors.get(key)
        if detector is None:
            data = background()
            view = ViewContext(
                camera=batch.camera_model(), background=BackgroundModel.from_bytes(data) if data else None
            )
            detector = build_detector(
                batch.detector, view=view, models_dir=self._models_dir, score_threshold=batch.score_threshold
            )
            self._view_detectors.put(key, detector)
        return detector

    def _shared_detector(self, spec: str, score_threshold: float | None) -> Detector:
        key = (spec, score_threshold)
        if key not in self._detectors:
            self._detectors[key] = build_detector(
                spec,
                view=None,
                models_dir=self._models_dir,
                score_threshold=score_threshold,
                device=self._device,
            )
        return self._detectors[key]

    def _embedder(self, spec: str) -> Embedder:
        if spec not in self._embedders:
            self._embedders[spec] = build_embedder(spec, models_dir=self._models_dir, device=self._device)
        return self._embedders[spec]


class SourceUnreadableError(EngineError):
    """One camera's source cannot be read; the other cameras go on."""


def background_of(source: Source, duration_s: float, at_s: float) -> BackgroundModel:
    """The background of a recording around a time: a function of the recording alone."""
    # by frame: beyond the end of a broken recording its last frame would stand for every sample
    images = {}
    for time_s in background_sample_times(duration_s, at_s):
        try:
            frame = source.frame_at(time_s)
            images.setdefault(frame.index, frame.image)
        except EngineError as error:
            log.info("background sample at %.1f s left out: %s", time_s, error)
    if not images:
        raise SourceUnreadableError("no frame of the recording can be read, so its background is unknown")
    return learn_background(list(images.values()))


def frames_at(
    source: Source, times_s: Iterable[float], tolerance_s: float
) -> Iterator[tuple[int, SourceFrame]]:
    """For each time the nearest frame within the tolerance: (position in `times_s`, frame).

    Args:
        times_s: ascending, on the source's clock.
        tolerance_s: frames further away do not count; the time then has no frame.
    """
    times = list(times_s)
    if not times:
        return
    # one candidate is held back: a frame wins its instant only once the next is known to be further away
    i, best = 0, None
    for frame in source.frames(max(0.0, times[0] - tolerance_s), times[-1] + tolerance_s):
        while i < len(times):
            if best is not None and abs(frame.time_s - times[i]) >= abs(best.time_s - times[i]):
                if abs(best.time_s - times[i]) <= tolerance_s:
                    yield i, best
                i += 1
                continue
            break
        if i == len(times):
            return
        best = frame
    while i < len(times) and best is not None:
        if abs(best.time_s - times[i]) <= tolerance_s:
            yield i, best
        i += 1


# -- helpers -------------------------------------------------------------------------------------------------


def _background_key(segment: Segment) -> str:
    """Names the source and the sample times, which is all that the background depends on."""
    times = background_sample_times(segment.duration_s, segment.times_s[0])
    stamp = ""
    path = Path(segment.uri.removeprefix("file://"))
    if path.exists():
        stat = path.stat()
        stamp = f"{stat.st_size}-{stat.st_mtime_ns}"
    return hashlib.sha256(f"{segment.uri}|{stamp}|{times}".encode()).hexdigest()


def _without_folders(message: str, uri: str) -> str:
    """Viewers learn which file it is, not where it lies."""
    path = Path(uri.removeprefix("file://"))
    # longest first: the path may be a part of the address
    for written in sorted({uri, str(path), str(path.resolve())}, key=len, reverse=True):
        message = message.replace(written, path.name)
    return message


def _problems_within(source: Source, segment: Segment, tolerance_s: float) -> list[dict]:
    begin, end = segment.times_s[0] - tolerance_s, segment.times_s[-1] + tolerance_s
    return [
        {"frame": p.frame_index, "time_s": p.time_s, "message": p.message}
        for p in source.problems
        if begin <= p.time_s <= end
    ]


def _rescaled(boxes_px: np.ndarray, image: np.ndarray, batch: FrameBatch) -> np.ndarray:
    """Boxes in the camera's image size, whatever size the frame was decoded at."""
    height, width = image.shape[:2]
    if (width, height) == batch.image_size:
        return boxes_px
    scale = np.array([batch.image_size[0] / width, batch.image_size[1] / height] * 2, np.float32)
    return boxes_px * scale


def _observations(batch, rows, clock, problems, dimension: int) -> Observations:
    frames = [row[0] for row in rows]
    return Observations(
        camera=batch.camera,
        number=batch.number,
        instants=np.array([f.instant for f in frames], np.int32),
        frames=np.array([f.index for f in frames], np.int32),
        captured_at=np.array([f.captured_at for f in frames], float),
        counts=np.array([len(row[2]) for row in rows], np.int32),
        boxes_px=np.concatenate([row[1] for row in rows] or [np.empty((0, 4))]).astype(np.float32),
        scores=np.concatenate([row[2] for row in rows] or [np.empty(0)]).astype(np.float32),
        embeddings=np.concatenate([row[3] for row in rows] or [np.empty((0, dimension))]).astype(np.float16),
        timings_ms={name: round(value, 3) for name, value in clock.items()},
        problems=tuple(problems),
    )


def _timed(clock: dict[str, float], name: str, call: Callable[[], T]) -> T:
    begun = time.perf_counter()
    try:
        return call()
    finally:
        clock[name] += (time.perf_counter() - begun) * 1e3


def _chunked(items: Iterator[T], size: int) -> Iterator[list[T]]:
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Recent(Generic[T]):
    """The most recently used values, at most `size`."""

    def __init__(self, size: int, on_drop: Callable[[T], None] = lambda value: None) -> None:
        self._size, self._on_drop = size, on_drop
        self._items: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def put(self, key: str, value: T) -> None:
        self._items[key] = value
        while len(self._items) > self._size:
            self._on_drop(self._items.popitem(last=False)[1])

    def clear(self) -> None:
        while self._items:
            self._on_drop(self._items.popitem()[1])


def encode_jpeg(image: np.ndarray, *, width: int, quality: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG at most `width` wide, and its (width, height)."""
    h, w = image.shape[:2]
    if w > width:
        image = cv2.resize(image, (width, round(h * width / w)), interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise EngineError("the frame could not be encoded as JPEG")
    return data.tobytes(), (image.shape[1], image.shape[0])
