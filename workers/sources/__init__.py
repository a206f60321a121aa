"""Where frames come from: video files, image folders, network streams and webcams."""

from __future__ import annotations

from workers.sources.base import Source, SourceProblem
from workers.sources.images import ImageFolderSource
from workers.sources.policy import SourcePolicy, parse_uri, redact_uri
from workers.sources.stream import LiveSource, StreamStatus, open_network_stream, open_webcam
from workers.sources.video import VideoFileSource
from workers.types import EngineError

__all__ = [
    "LiveSource",
    "Source",
    "SourcePolicy",
    "SourceProblem",
    "StreamStatus",
    "open_source",
    "redact_uri",
]


def open_source(uri: str, *, policy: SourcePolicy, fps: float | None = None) -> Source:
    """Opens whatever an address stands for.

    Args:
        uri: a path or `file://` (a video file, or a folder of numbered images, optionally with `?fps=10`),
            `rtsp://`, `rtsps://`, `http://`, `https://`, `webcam:0` or `/dev/video0`.
        policy: what may be opened.
        fps: frames per second of an image folder; `?fps=` in the address comes first.

    Raises:
        EngineError: not allowed (says which setting allows it), or cannot be read (says why). Live sources
            connect in the background; see `LiveSource.status`.
    """
    address = parse_uri(str(uri))
    if address.kind == "webcam":
        policy.check_webcam(address.target)
        return LiveSource(f"webcam {address.target}", lambda: open_webcam(int(address.target)))
    if address.kind == "stream":
        policy.check_stream(address.host, address.port)
        return LiveSource(redact_uri(address.target), lambda: open_network_stream(address.target))
    path = policy.check_path(address.target)
    if path.is_dir():
        return ImageFolderSource(path, policy=policy, fps=address.fps or fps)
    if not path.is_file():
        raise EngineError(f"{path}: there is no such file or folder")
    return VideoFileSource(path)
