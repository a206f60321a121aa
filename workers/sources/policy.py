"""Which sources may be opened. Everything is refused unless an allowed root or host covers it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workers.types import EngineError

STREAM_SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}  # with their default ports
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?!\\)")
_WEBCAM_DEVICE = re.compile(r"^/dev/video(\d+)$")
_FPS_QUERY = re.compile(r"\?fps=([^?&/]*)$")


@dataclass(frozen=True)
class SourceUri:
    """A source's address, taken apart.

    Attributes:
        kind: `path`, `webcam` or `stream`.
        target: file system path, device number, or the URL as given (it may hold credentials: never log it).
        fps: from a trailing `?fps=` of a path, else None.
        host, port: of streams.
    """

    kind: str
    target: str
    fps: float | None = None
    host: str = ""
    port: int = 0


@dataclass(frozen=True)
class SourcePolicy:
    """Allowed file system roots and stream hosts. The default allows nothing.

    Attributes:
        allowed_roots: folders under which recordings may lie (setting SPOTON_MEDIA_ROOTS).
        allowed_hosts: `host` (any port) or `host:port`, compared exactly and without regard to case; `*`
            allows every host (setting SPOTON_STREAM_HOSTS).
        allow_webcams: whether cameras attached to this machine may be opened (setting SPOTON_ALLOW_WEBCAMS).
    """

    allowed_roots: tuple[Path, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allow_webcams: bool = False

    def check_path(self, path: Path | str) -> Path:
        """The real path (links and `..` resolved), when it lies within an allowed root.

        Raises:
            EngineError: it does not; says what to set.
        """
        try:
            real = Path(path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # link loops, NUL characters
            raise EngineError(f"{path}: not a usable path ({error})") from error
        if any(real.is_relative_to(Path(root).resolve()) for root in self.allowed_roots):
            return real
        raise EngineError(
            f"{path}: lies outside the folders that recordings may be read from. "
            "Add its folder to SPOTON_MEDIA_ROOTS to allow it."
        )

    def check_stream(self, host: str, port: int) -> None:
        """Raises EngineError unless the host, or this port of it, is allowed."""
        allowed = {entry.lower() for entry in self.allowed_hosts}
        name = f"[{host}]" if ":" in host else host
        if not allowed & {"*", host, name, f"{name}:{port}"}:
            raise EngineError(
                f"Streams from {name}:{port} are not allowed. "
                f"Add {name} or {name}:{port} to SPOTON_STREAM_HOSTS to allow them."
            )

    def check_webcam(self, device: str) -> None:
        """Raises EngineError unless webcams are allowed."""
        if not self.allow_webcams:
            raise EngineError(
                f"Webcam {device} is not allowed. "
                "Set SPOTON_ALLOW_WEBCAMS=true to allow the cameras of this machine."
            )


def redact_uri(uri: str) -> str:
    """The address without user, password and query values, fit for messages and logs."""
    if "://" not in uri:
        return uri
    scheme, rest = uri.split("://", 1)
    # the authority ends at / ? or #, but a password may hold them unescaped: hide up to the last @
    rest = "***@" + rest.rsplit("@", 1)[1] if "@" in rest else rest
    address, _, query = rest.partition("?")
    return f"{scheme}://{address}" + ("?***" if query else "")


def parse_uri(uri: str) -> SourceUri:
    """Takes an address apart: a path, `file://`, `webcam:N`, `/dev/videoN`, or an RTSP or HTTP(S) URL.

    Raises:
        EngineError: another scheme (so FFmpeg's concat:, subfile:, data: never reach it), or malformed.
    """
    if not uri or "\x00" in uri:
        raise EngineError("A source needs an address: a path, webcam:N, or an rtsp, http or https URL.")
    if device := _WEBCAM_DEVICE.match(uri):
        return SourceUri("webcam", device[1])
    found = _SCHEME.match(uri)
    scheme = found[1].lower() if found else ""
    if not scheme:
        return _path_uri(uri)
    if scheme == "webcam":
        if not (number := uri.split(":", 1)[1]).isdecimal():
            raise EngineError(f"{uri}: webcams are written webcam:0, webcam:1, ...")
        return SourceUri("webcam", number)
    if scheme == "file":
        return _file_uri(uri)
    if scheme in STREAM_SCHEMES:
        return _stream_uri(uri, scheme)
    raise EngineError(
        f"Sources of kind {scheme}: are not supported. Use a path, file://, rtsp://, rtsps://, http://, "
        "https:// or webcam:N."
    )


def _file_uri(uri: str) -> SourceUri:
    """`file:///path` to a path; a host part could mean a network share and is refused."""
    match = re.match(r"^file://(localhost)?(/[^#]*)$", uri, re.IGNORECASE)
    if not match:
        raise EngineError(f"{uri}: file addresses are written file:///absolute/path")
    path, fps = _split_fps(match[2])
    return SourceUri("path", unquote(path), fps)


def _path_uri(uri: str) -> SourceUri:
    path, fps = _split_fps(uri)
    return SourceUri("path", path, fps)


def _split_fps(path: str) -> tuple[str, float | None]:
    """Takes a trailing `?fps=10` off a path."""
    found = _FPS_QUERY.search(path)
    if not found:
        return path, None
    try:
        fps = float(found[1])
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise EngineError(f"{path}: fps must be a number above 0, at most 1000")
    return path[: found.start()], fps


def _stream_uri(uri: str, scheme: str) -> SourceUri:
    try:
        parts = urlsplit(uri)
        host, port = (parts.hostname or "").lower(), parts.port or STREAM_SCHEMES[scheme]
    except ValueError as error:
        raise EngineError(f"{redact_uri(uri)}: not a valid address") from error
    # FFmpeg takes an address apart by rules of its own: refuse whatever the two could read differently
    authority = parts.netloc
    if not host or authority.count("@") > 1 or re.search(r"[\s\\,|]", uri):
        raise EngineError(f"{redact_uri(uri)}: not a valid address (escape special characters as %XX)")
    return SourceUri("stream", uri, host=host, port=port)
