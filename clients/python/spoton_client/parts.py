"""Pictures out of a motion JPEG stream (`multipart/x-mixed-replace`)."""

from __future__ import annotations

from collections.abc import Iterator

HEAD_END = b"\r\n\r\n"


class Parts:
    """Takes the stream in pieces of any size, gives whole parts."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def fed(self, piece: bytes) -> Iterator[bytes]:
        """The parts that are whole now. Every part must tell its `Content-Length`, as SpotOn's do."""
        self._kept += piece
        while (end := self._kept.find(HEAD_END)) >= 0:
            begin = end + len(HEAD_END)
            length = _content_length(bytes(self._kept[:end]))
            if len(self._kept) < begin + length:
                return
            part = bytes(self._kept[begin : begin + length])
            del self._kept[: begin + length]
            yield part


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    raise ValueError("a part of the stream does not tell its length")
