"""Which frame of a video file is shown when, and where decoding can begin.

Packets are read once without decoding them. Containers' own indices are not enough: many count in decoding
order, and a cut-off file has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import av
import numpy as np

from workers.sources.base import SourceProblem
from workers.types import EngineError

# Self-contained formats. Playlists (hls, concat, dash, image2, sdp) could reach other files or hosts.
FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,nut,mxf,ivf,dv,"
    "h264,hevc,m4v,mjpeg,yuv4mpegpipe"
)
_NONE = np.iinfo(np.int64).min  # stands for "no timestamp"


@dataclass(frozen=True)
class VideoIndex:
    """The frames of one video stream: n packets in the order of the file, m frames in that of presentation.

    Attributes:
        times_s: (m,) float64 ascending, seconds since the first frame.
        frame_of_packet: (n,) int64 presentation index, -1 for packets that are not shown (edit lists).
        timestamps: (n,) int64 as the file gives them, by which a packet is known again after a seek.
        is_keyframe: (n,) bool, packets where decoding can begin.
        counted: timestamps are in decoding order (H.264 in AVI) or absent, so frames are told by counting.
        fps: nominal.
        problems: what was found damaged on the way.
    """

    times_s: np.ndarray
    frame_of_packet: np.ndarray
    timestamps: np.ndarray
    is_keyframe: np.ndarray
    counted: bool
    fps: float
    problems: tuple[SourceProblem, ...]

    def packet_with(self, timestamp: int | None) -> int | None:
        """The number of the packet with this timestamp, None when there is none or several."""
        if timestamp is None:
            return None
        order = self._packets_by_timestamp
        at = np.searchsorted(self.timestamps, timestamp, sorter=order)
        if at < len(order) and self.timestamps[order[at]] == timestamp:
            return int(order[at])
        return None

    def keyframe_before(self, frame_index: int) -> int:
        """Number of the last keyframe packet shown at or before a frame; 0 when there is none."""
        shown, numbers = self._shown_keyframes
        at = int(np.searchsorted(shown, frame_index, side="right")) - 1
        return int(numbers[at]) if at >= 0 else 0

    def keyframes_until(self, packet_number: int) -> np.ndarray:
        """(k,) int64 numbers of the keyframe packets up to and including this one."""
        return np.flatnonzero(self.is_keyframe[: packet_number + 1])

    @cached_property
    def _shown_keyframes(self) -> tuple[np.ndarray, np.ndarray]:
        """Presentation indices of the keyframes that are shown, ascending, and their packet numbers."""
        numbers = np.flatnonzero(self.is_keyframe & (self.frame_of_packet >= 0))
        shown = self.frame_of_packet[numbers]
        order = np.argsort(shown)
        return shown[order], numbers[order]

    @cached_property
    def _packets_by_timestamp(self) -> np.ndarray:
        return np.argsort(self.timestamps, kind="stable")


def open_container(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    """Opens a file for FFmpeg: this file only, no other protocol, single-threaded decoding.

    Raises:
        EngineError: which file, and why it cannot be read.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS}
    try:
        container = av.open(f"file:{path}", options=options)
    except (av.error.FFmpegError, OSError) as error:
        if not path.exists():
            raise EngineError(f"{path}: there is no such file") from error
        reason = getattr(error, "strerror", None) or "unknown reason"
        raise EngineError(
            f"{path}: cannot be read as video ({reason}); "
            "the file is damaged, empty or of a kind that is not supported"
        ) from error
    if not container.streams.video:
        container.close()
        raise EngineError(f"{path}: holds no video")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1  # workers are pinned to cores; more threads would only fight
    stream.codec_context.copy_opaque = True  # each frame then says which packet it came from
    return container, stream


def packet_timestamp(packet: av.Packet, counted: bool) -> int | None:
    """The timestamp a packet is known by: decoding time where presentation times cannot be trusted."""
    return packet.dts if counted else packet.pts


def index_of(path: Path) -> VideoIndex:
    """The index of a file, remembered while the file does not change: ranges of it are read one by one.

    Raises:
        EngineError: the file cannot be read or holds no frames.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from error
    return _scan(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)  # an hour at 25 fps takes about 2 MB
def _scan(path: Path, size: int, mtime_ns: int) -> VideoIndex:
    container, stream = open_container(path)
    with container:
        rows: list[tuple[int, int, bool, bool]] = []
        corrupt: list[int] = []
        open_starts: list[int] = []
        stopped = ""
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                if packet.is_corrupt:
                    corrupt.append(len(rows))
                pts, dts = packet.pts, packet.dts
                if packet.is_keyframe and not _is_idr(packet):
                    open_starts.append(len(rows))
                times = (_NONE if pts is None else pts, _NONE if dts is None else dts)
                rows.append((*times, packet.is_keyframe, packet.is_discard))
        except av.error.FFmpegError as error:
            stopped = f"reading stops here ({error.strerror})"
        if corrupt and corrupt[-1] == len(rows) - 1:
            # half a picture, filled up by chance: not a frame
            del rows[-1], corrupt[-1]
            stopped = stopped or "the file is cut off within this frame"
        if not rows:
            raise EngineError(f"{path}: holds no video frames; {stopped or 'the file is empty or cut off'}")
        return _build(container, stream, np.array(rows, np.int64), open_starts, corrupt, stopped)


def _build(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    rows: np.ndarray,
    open_starts: list[int],
    corrupt: list[int],
    stopped: str,
) -> VideoIndex:
    """Sorts packets (rows of pts, dts, keyframe, discard) into presentation order.

    Where frames are counted, counting can only begin at keyframes before which no later packet is shown;
    `open_starts` are the others.
    """
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    pts, dts, key, discard = rows.T
    shown = np.flatnonzero(discard == 0)
    # Reordered frames whose pts nevertheless ascend in the file: those are decoding times (AVI has no others)
    reordered = bool(stream.codec_context.has_b_frames)
    counted = bool((pts == _NONE).any() or (reordered and len(pts) > 2 and (np.diff(pts) > 0).all()))
    if counted and reordered:
        key[open_starts] = 0
    order = shown if counted else shown[np.argsort(pts[shown], kind="stable")]
    frame_of_packet = np.full(len(rows), -1, np.int64)
    frame_of_packet[order] = np.arange(len(order))
    ticks = np.arange(len(order)) / fps
    if not (pts == _NONE).any():
        ticks = (pts[order] - pts[order[0]]) * float(stream.time_base or 1 / fps)
    problems = _gaps(ticks)
    problems += [(int(frame_of_packet[p]), "the data of this frame is marked damaged") for p in corrupt]
    if stopped:
        problems.append((len(order), stopped))
    elif missing := _missing_end(container, stream, len(order), float(ticks[-1]) + 1 / fps):
        problems.append((len(order), missing))
    return VideoIndex(
        times_s=ticks,
        frame_of_packet=frame_of_packet,
        timestamps=dts if counted else pts,
        is_keyframe=key.astype(bool),
        counted=counted,
        fps=fps,
        problems=tuple(
            SourceProblem(i, float(ticks[i]) if i < len(ticks) else float(ticks[-1]) + 1 / fps, text)
            for i, text in problems
        ),
    )


def _gaps(times_s: np.ndarray) -> list[tuple[int, str]]:
    """Where frames are missing from a recording of otherwise constant rate, with the frame after the gap."""
    steps = np.diff(times_s)
    if len(steps) < 10:
        return []
    usual = float(np.median(steps))
    if (np.abs(steps - usual) < 0.1 * usual).mean() < 0.9:  # rate varies: gaps mean nothing
        return []
    return [
        (int(i) + 1, f"frames missing before this one: about {round(steps[i] / usual) - 1}")
        for i in np.flatnonzero(steps > 1.5 * usual)
    ]


def _is_idr(packet: av.Packet) -> bool:
    """Whether this is an H.264 packet (Annex B) that nothing after it is shown before."""
    if packet.stream.codec_context.name != "h264":
        return False
    for part in bytes(packet).split(b"\x00\x00\x01")[1:]:
        if part and part[0] & 31 in (1, 5):  # the first slice tells: 5 is of an IDR picture
            return part[0] & 31 == 5
    return False


def _missing_end(
    container: av.container.InputContainer, stream: av.VideoStream, frames: int, end_s: float
) -> str:
    """Says so when the container announces more than can be read, as a cut-off file does."""
    if stream.frames > frames:
        return f"the file announces {stream.frames} frames, but only {frames} can be read"
    # only these store their duration; for others FFmpeg estimates it
    stores_duration = container.format.name.startswith(("mov", "matroska"))
    announced_s = (container.duration or 0) / av.time_base
    if stores_duration and len(container.streams) == 1 and announced_s > end_s + 1:
        return f"the file announces {announced_s:.1f} s, but ends here"
    return ""
