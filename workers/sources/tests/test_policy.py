from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.sources import SourcePolicy, open_source, redact_uri
from workers.sources.policy import parse_uri
from workers.sources.tests.footage import write_video
from workers.types import EngineError


@pytest.fixture
def media(tmp_path) -> Path:
    root = tmp_path / "media"
    root.mkdir()
    write_video(root / "a.mp4", frames=5)
    write_video(tmp_path / "secret.mp4", frames=5)
    return root


def only(root: Path) -> SourcePolicy:
    return SourcePolicy(allowed_roots=(root,))


def test_nothing_is_allowed_by_default(media):
    for uri in (str(media / "a.mp4"), "rtsp://camera/1", "http://camera/1", "webcam:0", "/dev/video0"):
        with pytest.raises(EngineError, match="SPOTON_"):
            open_source(uri, policy=SourcePolicy())


def test_paths_and_file_urls_within_a_root_are_opened(media, monkeypatch):
    monkeypatch.chdir(media)
    for uri in (str(media / "a.mp4"), f"file://{media}/a.mp4", "a.mp4", f"{media}/../media/a.mp4"):
        with open_source(uri, policy=only(media)) as source:
            assert source.info.frame_count == 5


def test_paths_out_of_the_roots_are_refused(media, tmp_path):
    link = media / "link.mp4"
    link.symlink_to(tmp_path / "secret.mp4")
    folder = media / "folder"
    folder.symlink_to(tmp_path)
    sibling = tmp_path / "media-of-others"  # shares the root's name as a prefix
    sibling.mkdir()
    write_video(sibling / "a.mp4", frames=5)
    for path in (link, folder / "secret.mp4", media / ".." / "secret.mp4", sibling / "a.mp4"):
        for uri in (str(path), f"file://{path}"):
            with pytest.raises(EngineError, match="SPOTON_MEDIA_ROOTS"):
                open_source(uri, policy=only(media))
    with pytest.raises(EngineError, match="SPOTON_MEDIA_ROOTS"):
        open_source(f"file://{media}/%2e%2e/secret.mp4", policy=only(media))


def test_links_within_the_roots_are_fine(media):
    (media / "again.mp4").symlink_to(media / "a.mp4")
    with open_source(str(media / "again.mp4"), policy=only(media)) as source:
        assert source.info.frame_count == 5


@pytest.mark.parametrize(
    "uri",
    [
        "concat:{media}/a.mp4|{media}/../secret.mp4",
        "subfile:,,start,0,end,0,,:{media}/../secret.mp4",
        "data:video/mp4;base64,AAAA",
        "crypto:file:{media}/a.mp4",
        "async:{media}/a.mp4",
        "pipe:0",
        "ftp://camera/a.mp4",
        "udp://239.0.0.1:1234",
        "file://server/share/a.mp4",
        "webcam:/etc/passwd",
        "",
        "a\x00b",
    ],
)
def test_other_protocols_are_refused(media, uri):
    everything = SourcePolicy((Path("/"),), ("*",), allow_webcams=True)
    with pytest.raises(EngineError):
        open_source(uri.format(media=media), policy=everything)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{secret}'\n"),
        (
            "list.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        ),
    ],
)
def test_playlists_do_not_reach_other_files(media, tmp_path, name, text):
    (media / name).write_text(text.format(secret=tmp_path / "secret.mp4"))
    with pytest.raises(EngineError, match="cannot be read as video"):
        open_source(str(media / name), policy=only(media))


@pytest.mark.parametrize(
    ("allowed", "uri", "opens"),
    [
        ("camera", "rtsp://camera/1", True),
        ("camera", "rtsp://CAMERA:8554/1", True),
        ("Camera:8554", "rtsp://camera:8554/1", True),
        ("camera:8554", "rtsp://camera/1", False),
        ("camera:554", "rtsp://camera/1", True),
        ("camera:80", "http://camera/1", True),
        ("camera:80", "https://camera/1", False),
        ("10.0.0.7", "rtsp://user:secret@10.0.0.7/1", True),
        ("[fe80::1]:554", "rtsp://[fe80::1]/1", True),
        ("*", "https://anything.example/1", True),
        ("camera", "rtsp://camera.evil.example/1", False),
        ("camera", "rtsp://evil-camera/1", False),
        ("camera", "rtsp://camera@evil.example/1", False),
        ("camera", "rtsp://evil.example/camera", False),
        ("camera", "rtsp://evil.example#@camera/1", False),
        ("camera", "http://evil.example\\@camera/1", False),
        ("camera", "http://x@evil.example@camera/1", False),
        ("camera", "http://camera:99999/1", False),
        ("*", "rtsp:///1", False),
    ],
)
def test_hosts_must_match_exactly(allowed, uri, opens):
    def check() -> None:
        address = parse_uri(uri)
        SourcePolicy(allowed_hosts=(allowed,)).check_stream(address.host, address.port)

    if opens:
        check()
    else:
        with pytest.raises(EngineError):
            check()


def test_credentials_never_show():
    for uri in (
        "rtsp://user:secret@camera:554/1?token=secret",
        "rtsp://user:se/cr@secret@camera/1",
        "http://secret@camera/1",
    ):
        assert "secret" not in redact_uri(uri)
        assert "camera" in redact_uri(uri)
        with pytest.raises(EngineError) as caught:
            open_source(uri, policy=SourcePolicy())
        assert "secret" not in str(caught.value)
    assert redact_uri("rtsp://camera:554/1") == "rtsp://camera:554/1"


def test_importing_the_engine_is_light():
    """Workers without a GPU, and tools on a bare machine, must not pay for torch, Django or Celery."""
    code = (
        "import sys, workers.sources, workers.detection, workers.reid\n"
        "print([m for m in ('torch', 'torchvision', 'open_clip', 'django', 'celery') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
    )
    assert (result.stdout.decode().strip(), result.returncode) == ("[]", 0), result.stderr.decode()
