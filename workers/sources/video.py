"""Video files, decoded by FFmpeg (PyAV), with exact presentation indices wherever reading begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from workers.sources.base import SAME_INSTANT_S, SourceBase, SourceProblem, check_range
from workers.sources.video_index import VideoIndex, index_of, open_container, packet_timestamp
from workers.types import EngineError, SourceFrame, SourceInfo


class VideoFileSource(SourceBase):
    """A recording. Reading on from where one stopped costs nothing extra; elsewhere it seeks a keyframe."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: already checked against the policy.

        Raises:
            EngineError: the file cannot be read or none of its frames can be decoded; says which and why.
        """
        super().__init__(str(path))
        self._index = index_of(path)
        for problem in self._index.problems:
            self.report(problem)
        self._decoder = _Decoder(path, self._index, self)
        self._held: tuple[int, av.VideoFrame] | None = None  # decoded, but not asked for yet
        self._next_index = 0  # everything before it was delivered or passed over
        self._image_size = (0, 0)
        try:
            self.info = self._describe()
        except BaseException:
            self._decoder.close()
            raise

    def _describe(self) -> SourceInfo:
        first = self._next_frame(0)
        if first is None:
            raise EngineError(f"{self.label}: none of its {len(self._index.times_s)} frames can be decoded")
        self._held, self._next_index = first, first[0]
        frame = first[1]
        turned = frame.rotation % 180 != 0
        self._image_size = (frame.width, frame.height)
        times_s, fps = self._index.times_s, self._index.fps
        return SourceInfo(
            (frame.height, frame.width) if turned else (frame.width, frame.height),
            fps,
            float(times_s[-1]) + 1 / fps,
            len(times_s),
        )

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, stride: int = 1
    ) -> Iterator[SourceFrame]:
        check_range(start_s, end_s, stride)
        times_s = self._index.times_s
        want = int(np.searchsorted(times_s, start_s - SAME_INSTANT_S))
        end = len(times_s) if end_s is None else int(np.searchsorted(times_s, end_s - SAME_INSTANT_S))
        while (want := -(-want // stride) * stride) < end:
            found = self._next_frame(want)
            if found is None:
                return
            index, frame = found
            if index >= end or index % stride:
                self._held, self._next_index = found, min(want, index)
                if index >= end:
                    return
            else:
                yield self._deliver(index, frame)
            want = index + 1

    def frame_at(self, time_s: float) -> SourceFrame:
        at = int(np.searchsorted(self._index.times_s, time_s + SAME_INSTANT_S, side="right")) - 1
        found = self._next_frame(max(at, 0))
        if found is None:
            raise EngineError(f"{self.label}: no frame can be decoded from {time_s:.3f} s on")
        return self._deliver(*found)

    def close(self) -> None:
        self._held = None
        self._decoder.close()

    def _next_frame(self, want: int) -> tuple[int, av.VideoFrame] | None:
        """The first decodable frame with presentation index `want` or more."""
        self._go_to(want)
        while True:
            found, self._held = self._held or self._decoder.next(), None
            if found is None:
                self._next_index = len(self._index.times_s)
                return None
            self._next_index = found[0] + 1
            if found[0] >= want:
                return found

    def _go_to(self, want: int) -> None:
        """Leaves the decoder where reading on reaches `want` soonest."""
        keyframe = self._index.keyframe_before(want)
        if self._next_index <= want and self._index.frame_of_packet[keyframe] <= self._next_index:
            return  # no keyframe between here and there: decoding on is the shortest way
        self._held = None
        self._decoder.seek(keyframe)
        self._next_index = max(int(self._index.frame_of_packet[keyframe]), 0)

    def _deliver(self, index: int, frame: av.VideoFrame) -> SourceFrame:
        width, height = self._image_size
        if (frame.width, frame.height) != self._image_size:
            self._decoder.report(index, f"the picture changes to {frame.width}x{frame.height}; it is resized")
        image: np.ndarray = frame.to_ndarray(format="bgr24", width=width, height=height)
        if frame.rotation % 360:
            image = np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
        return SourceFrame(index, float(self._index.times_s[index]), image)


class _Decoder:
    """Turns packets into frames with presentation indices and reports what is lost on the way."""

    def __init__(self, path: Path, index: VideoIndex, source: SourceBase) -> None:
        self._path, self._index, self._source = path, index, source
        self._ready: deque[av.VideoFrame] = deque()
        self._container: av.container.InputContainer | None = None
        self._expected = 0  # presentation index of the next frame, if none is lost
        self._reopen()

    def next(self) -> tuple[int, av.VideoFrame] | None:
        """The next frame in presentation order, None at the end."""
        while True:
            while not self._ready:
                if not self._feed():
                    self._report_lost(len(self._index.times_s))
                    return None
            frame = self._ready.popleft()
            index = self._index_of(frame)
            if index is None:
                continue
            keyframe = self._index.keyframe_before(index - 1)
            if self._index.frame_of_packet[keyframe] >= self._expected and keyframe != self._start_packet:
                # Damage took the decoder past a keyframe. Whoever seeks there would see it, so begin there:
                # what is read must not depend on where reading began.
                self._report_lost(int(self._index.frame_of_packet[keyframe]))
                self.seek(keyframe)
                continue
            self._report_lost(index)
            if frame.is_corrupt:
                self.report(index, "the frame is damaged and was repaired as far as possible")
            self._expected = index + 1
            return index, frame

    def seek(self, keyframe: int) -> None:
        """Begins anew at a keyframe packet.

        Falls back to seeking earlier ones and at last to the file's beginning, since containers take a seek's
        time as presentation or as decoding time.
        """
        candidates = self._index.keyframes_until(keyframe)[::-1][:3]
        for candidate in [int(c) for c in candidates if self._index.frame_of_packet[c] > 0]:
            timestamp = int(self._index.timestamps[candidate])
            if self._try_seek(timestamp, keyframe):
                return
        self._reopen()
        self._begin_at(0)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = None
        self._ready.clear()

    def report(self, index: int, message: str) -> None:
        """Reports a problem at a presentation index."""
        times_s = self._index.times_s
        self._source.report(SourceProblem(index, float(times_s[min(index, len(times_s) - 1)]), message))

    def _reopen(self) -> None:
        self.close()
        self._container, self._stream = open_container(self._path)
        self._packets = self._container.demux(self._stream)
        self._begin_at(0)

    def _begin_at(self, packet_number: int) -> None:
        self._ready.clear()
        self._ended = False
        self._error = ""  # the decoder's last complaint, told with the frames that it cost
        self._number = packet_number  # of the next packet
        self._start_packet = packet_number  # frames of earlier packets lack their references
        self._started = packet_number == 0
        self._expected = max(int(self._index.frame_of_packet[packet_number]), 0)

    def _try_seek(self, timestamp: int, keyframe: int) -> bool:
        """Seeks; True when the next packets lead up to `keyframe` or are it."""
        assert self._container is not None
        try:
            self._container.seek(timestamp, stream=self._stream, backward=True)
            self._packets = self._container.demux(self._stream)
            for packet in self._packets:
                number = self._index.packet_with(packet_timestamp(packet, self._index.counted))
                if packet.size == 0 or (number is not None and number > keyframe):
                    return False
                if number == keyframe:
                    self._begin_at(keyframe)
                    self._decode(packet)
                    return True
        except av.error.FFmpegError:
            pass  # this container cannot seek there
        return False

    def _feed(self) -> bool:
        """Decodes one more packet; False when the file has ended."""
        if self._ended:
            return False
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError as error:
            self.report(self._frame_of(self._number), f"reading stops here ({error.strerror})")
            packet = None
        if packet is None or packet.size == 0 or self._number >= len(self._index.frame_of_packet):
            self._ended = True
            packet = None
        self._decode(packet)
        return True

    def _decode(self, packet: av.Packet | None) -> None:
        """Decodes one packet, or with None what the decoder still holds back."""
        if packet is not None:
            known = self._index.packet_with(packet_timestamp(packet, self._index.counted))
            self._number = self._number if known is None else known
            packet.opaque = [self._number]  # an object of its own: PyAV forgets one that two packets share
        try:
            self._ready.extend(self._stream.codec_context.decode(packet))
        except av.error.FFmpegError as error:
            self._error = f" ({error.strerror})"
        self._number += 1

    def _index_of(self, frame: av.VideoFrame) -> int | None:
        """A decoded frame's presentation index, None for frames that must not be used."""
        number: int = frame.opaque[0]  # type: ignore[index]
        if not self._started:
            # frames shown before the keyframe that decoding began with lack their references
            if number != self._start_packet:
                return None
            self._started = True
        index = int(self._index.frame_of_packet[number])
        if self._index.counted and not self._index.is_keyframe[number]:
            # timestamps are in decoding order: only keyframes are certain, the others are counted from there
            index = self._expected
        if index < self._expected or index >= len(self._index.times_s):
            return None if not self._index.counted else min(self._expected, len(self._index.times_s) - 1)
        return index

    def _frame_of(self, packet_number: int) -> int:
        if packet_number < len(self._index.frame_of_packet):
            return max(int(self._index.frame_of_packet[packet_number]), 0)
        return len(self._index.times_s)

    def _report_lost(self, index: int) -> None:
        """Frames between the expected and the delivered one could not be decoded."""
        if index == self._expected + 1:
            self.report(self._expected, f"the frame cannot be decoded{self._error}")
        elif index > self._expected:
            self.report(
                self._expected, f"frames {self._expected} to {index - 1} cannot be decoded{self._error}"
            )
        self._error = ""
