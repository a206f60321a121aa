"""Perceive: from a reference to frames to observations. Stateless but for models and caches of pure results."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np

from workers.batch_work import BatchFrame, BatchWork, KnownBackground, shared_time
from workers.batches import FrameBatch, Segment
from workers.detection import ViewContext, build_detector, needs_background
from workers.detection.background import (
    LEARNING,
    BackgroundModel,
    background_sample_times,
    learn_background,
)
from workers.detection.motion import warm as warm_motion
from workers.observations import Observations
from workers.reid import build_embedder
from workers.reid.glances import embed_chosen, worth_a_look
from workers.sources import Source, SourcePolicy, open_source
from workers.types import Detector, Embedder, EngineError, SourceFrame

log = logging.getLogger(__name__)
T = TypeVar("T")

# open files and motion detectors kept by one worker: enough for its share of a few tasks' cameras
MAX_OPEN_SOURCES = 16
MAX_VIEW_DETECTORS = 16
# networks of each kind that stay loaded
MAX_NETWORKS = 4
# frames given to the detector at once; bounds the memory that decoded frames take
DETECT_AT_ONCE = 8


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
        live_frames: Callable[[FrameBatch], tuple[list[BatchFrame], KnownBackground | None]] | None = None,
    ) -> None:
        self._policy = policy
        self._models_dir = models_dir
        self._device = device
        self._cached_background = cached_background or (lambda key, compute: compute())
        self._live_frames = live_frames
        self._sources = _Recent[Source](MAX_OPEN_SOURCES, on_drop=lambda source: source.close())
        self._view_detectors = _Recent[Detector](MAX_VIEW_DETECTORS)
        self._detectors = _Recent[Detector](MAX_NETWORKS)
        self._embedders = _Recent[Embedder](MAX_NETWORKS)

    def perceive(self, batch: FrameBatch, *, on_frame: FrameSink | None = None) -> Observations:
        """Observations of the batch. What cannot be read is reported in `problems`, the rest is used.

        Raises:
            EngineError: the detector or embedder cannot be built (missing weights, wrong name).
        """
        return self.perceive_all([batch], on_frame=on_frame)[0]

    def perceive_all(
        self, batches: Sequence[FrameBatch], *, on_frame: FrameSink | None = None
    ) -> list[Observations]:
        """Observations of several cameras' batches of one task, in order.

        A network sees the frames of live cameras together; those of recordings camera by camera, so that results do
        not depend on who else is asked for.

        Raises:
            EngineError: as `perceive`.
        """
        together = len(batches) > 1 and all(b.live and not needs_background(b.detector) for b in batches)
        groups = [list(batches)] if together else [[batch] for batch in batches]
        return [observed for group in groups for observed in self._perceive_group(group, on_frame)]

    def _perceive_group(
        self, batches: Sequence[FrameBatch], on_frame: FrameSink | None
    ) -> list[Observations]:
        begun = time.time()
        work = [BatchWork(batch, begun) for batch in batches]
        embedder = self._embedder(batches[0].embedder)
        for detector, found in self._chunks(work):
            images = [frame.image for _, frame in found]
            with shared_time(found, "detect"):
                detections = detector.detect(images)
            with shared_time(found, "embed"):
                boxes = [d.boxes_px for d in detections]
                chosen = [
                    worth_a_look(persons, frame.instant, one.batch.fps)
                    for persons, (one, frame) in zip(boxes, found, strict=True)
                ]
                features = embed_chosen(embedder, images, boxes, chosen)
            for (one, frame), persons, looks in zip(found, detections, features, strict=True):
                boxes_px = _rescaled(persons.boxes_px, frame.image, one.batch)
                one.rows.append((frame, boxes_px, persons.scores, looks))
                if on_frame is not None:
                    on_frame(one.batch, frame)
        return [one.observations(embedder.dimension) for one in work]

    def warm(self, detector: str, embedder: str) -> None:
        """Load the models that need no view and run them once, so that the first batch is not late."""
        image = np.zeros((360, 640, 3), np.uint8)
        if needs_background(detector):
            warm_motion()
        else:
            self._shared_detector(detector, None).detect([image])
        self._embedder(embedder).embed(image, np.array([[10.0, 10.0, 60.0, 160.0]]))

    def embed(self, embedder: str, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(n, d) float32 unit rows for (n, 4) xyxy boxes of a uint8 BGR image.

        Raises:
            EngineError: the embedder cannot be built.
        """
        return self._embedder(embedder).embed(image, boxes_px)

    def close(self) -> None:
        self._sources.clear()

    # -- frames ----------------------------------------------------------------------------------------------

    def _chunks(
        self, work: Sequence[BatchWork]
    ) -> Iterator[tuple[Detector, list[tuple[BatchWork, BatchFrame]]]]:
        """The batches' frames, a few at a time, each with the detector for its view."""
        if not work[0].batch.live:
            for one in work:
                yield from self._recorded(one)
            return
        together: list[tuple[BatchWork, BatchFrame]] = []
        for one in work:
            with one.timed("decode"):
                frames, background = self._live_frames(one.batch)
            if needs_background(one.batch.detector):
                if frames:
                    known = background or KnownBackground("", lambda: None)
                    detector = self._detector(one.batch, known.version, known.read)
                    yield detector, [(one, frame) for frame in frames]
            else:
                together += [(one, frame) for frame in frames]
        for chunk in _chunked(iter(together), DETECT_AT_ONCE):
            yield self._shared_detector(work[0].batch.detector, work[0].batch.score_threshold), chunk

    def _recorded(self, one: BatchWork) -> Iterator[tuple[Detector, list[tuple[BatchWork, BatchFrame]]]]:
        batch = one.batch
        for segment in batch.segments:
            try:
                source = self._source(segment)
                learn = partial(self._background, source, segment)
                detector = self._detector(batch, _background_key(segment), learn)
                for chunk in _chunked(self._decoded(source, segment, one), DETECT_AT_ONCE):
                    yield detector, [(one, frame) for frame in chunk]
                one.problems += _problems_within(source, segment, batch.tolerance_s)
            except SourceUnreadableError as error:
                log.warning("camera %s: %s", batch.camera, error)
                message = _without_folders(str(error), segment.uri)
                one.problems.append({"frame": None, "time_s": segment.times_s[0], "message": message})

    def _decoded(self, source: Source, segment: Segment, one: BatchWork) -> Iterator[BatchFrame]:
        frames = frames_at(source, segment.times_s, one.batch.tolerance_s)
        while True:
            with one.timed("decode"):
                item = next(frames, None)
            if item is None:
                return
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
        """The network, loaded once for a threshold; the usual threshold's is loaded when the worker starts."""
        key = f"{spec}|{score_threshold}"
        detector = self._detectors.get(key)
        if detector is None:
            detector = build_detector(
                spec,
                view=None,
                models_dir=self._models_dir,
                score_threshold=score_threshold,
                device=self._device,
            )
            self._detectors.put(key, detector)
        return detector

    def _embedder(self, spec: str) -> Embedder:
        embedder = self._embedders.get(spec)
        if embedder is None:
            embedder = build_embedder(spec, models_dir=self._models_dir, device=self._device)
            self._embedders.put(spec, embedder)
        return embedder


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
    """Names the source, the sample times and the way of learning, which is all that the background depends on."""
    times = background_sample_times(segment.duration_s, segment.times_s[0])
    stamp = ""
    path = Path(segment.uri.removeprefix("file://"))
    if path.exists():
        stat = path.stat()
        stamp = f"{stat.st_size}-{stat.st_mtime_ns}"
    return hashlib.sha256(f"{segment.uri}|{stamp}|{times}|{LEARNING}".encode()).hexdigest()


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
