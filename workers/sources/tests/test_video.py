from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from workers.sources import SourcePolicy, open_source
from workers.sources.tests.footage import read_number, write_video
from workers.types import EngineError, SourceFrame

FRAMES, FPS = 60, 10
PETS = Path(__file__).resolve().parents[3].parent / "shared/footage/pets09_s2l1_view001_480x360.avi"


@pytest.fixture
def open_file(tmp_path):
    """Opens files of the test's folder and closes them afterwards."""
    opened = []

    def _open(path: Path):
        opened.append(open_source(str(path), policy=SourcePolicy(allowed_roots=(path.parent,))))
        return opened[-1]

    yield _open
    for source in opened:
        source.close()


def digests(frames) -> dict[int, str]:
    return {frame.index: hashlib.sha1(frame.image.tobytes()).hexdigest() for frame in frames}


def span(first: int, last: int, fps: float = FPS) -> tuple[float, float]:
    """The half-open time range of frames first to last - 1."""
    return first / fps, last / fps


OPEN_GOP = {"x264-params": "open-gop=1:scenecut=0"}
KINDS = [
    pytest.param("a.mp4", "libx264", {}, id="mp4 with B-frames"),
    pytest.param("a.mp4", "libx264", {"first_pts": 37}, id="mp4 that begins late"),
    pytest.param("a.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}, id="fragmented mp4"),
    pytest.param("a.mkv", "libx264", OPEN_GOP, id="mkv with open groups"),
    pytest.param("a.ts", "libx264", OPEN_GOP, id="transport stream, begins at 1.4 s"),
    pytest.param("a.avi", "libx264", {}, id="avi: timestamps in decoding order"),
    pytest.param("a.avi", "libx264", OPEN_GOP, id="avi with open groups"),
    pytest.param("a.avi", "mpeg4", {}, id="old avi"),
    pytest.param("a.avi", "mjpeg", {}, id="mjpeg avi"),
    pytest.param("a.mpg", "mpeg2video", {}, id="mpeg-2"),
    pytest.param("a.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, id="vp9"),
]


@pytest.mark.parametrize(("name", "codec", "options"), KINDS)
def test_frames_are_the_same_wherever_reading_begins(tmp_path, open_file, name, codec, options):
    source = open_file(write_video(tmp_path / name, codec, FRAMES, FPS, **options))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert [read_number(frame.image) for frame in frames] == list(range(FRAMES))
    assert [frame.time_s for frame in frames] == pytest.approx([i / FPS for i in range(FRAMES)], abs=2e-3)
    assert source.info.frame_count == FRAMES
    assert source.info.duration_s == pytest.approx(FRAMES / FPS, abs=2e-3)

    known = digests(frames)
    spans = random.Random(5)
    for _ in range(15):
        first = spans.randrange(FRAMES - 3)
        last = first + spans.randrange(1, 4)
        # millisecond timestamps (webm, flv) may lie a little before the exact time
        part = list(source.frames((first - 0.05) / FPS, (last - 0.05) / FPS))
        assert digests(part) == {i: known[i] for i in range(first, last)}
    assert source.problems == []


def test_consecutive_ranges_partition_the_recording_without_seeking(tmp_path, open_file, monkeypatch):
    source = open_file(write_video(tmp_path / "a.mp4", frames=FRAMES))
    monkeypatch.setattr(source._decoder, "seek", lambda keyframe: pytest.fail("sought"))
    seen: list[SourceFrame] = []
    for batch in range(0, FRAMES, 7):
        seen += source.frames(*span(batch, batch + 7))
    assert [frame.index for frame in seen] == list(range(FRAMES))


def test_range_is_half_open_and_tolerates_rounding(tmp_path, open_file):
    source = open_file(write_video(tmp_path / "a.mp4", frames=FRAMES))
    assert [f.index for f in source.frames(0.1 + 0.2, 0.6)] == [3, 4, 5]
    assert [f.index for f in source.frames(0.31, 0.6)] == [4, 5]
    assert list(source.frames(2.0, 2.0)) == []
    assert list(source.frames(99.0)) == []
    assert [f.index for f in source.frames(5.8, 99.0)] == [58, 59]


def test_stride_counts_from_the_recordings_start_not_the_ranges(tmp_path, open_file):
    source = open_file(write_video(tmp_path / "a.mp4", frames=FRAMES))
    whole = [f.index for f in source.frames(stride=7)]
    assert whole == list(range(0, FRAMES, 7))
    pieces = [
        f.index for start in range(0, FRAMES, 5) for f in source.frames(*span(start, start + 5), stride=7)
    ]
    assert pieces == whole


@pytest.mark.parametrize("options", [{"stride": 0}, {"start_s": 2.0, "end_s": 1.0}])
def test_impossible_ranges_are_refused(tmp_path, open_file, options):
    source = open_file(write_video(tmp_path / "a.mp4", frames=5))
    with pytest.raises(ValueError, match=r"stride|end_s"):
        list(source.frames(**options))


def test_frame_at_is_the_frame_on_show(tmp_path, open_file):
    source = open_file(write_video(tmp_path / "a.mp4", frames=FRAMES))
    shown = {0.0: 0, 0.05: 0, 0.1: 1, 3.19: 31, 1.0: 10, -5.0: 0, 100.0: 59}
    assert {time_s: read_number(source.frame_at(time_s).image) for time_s in shown} == shown


def test_iterations_may_be_abandoned_and_mixed(tmp_path, open_file):
    source = open_file(write_video(tmp_path / "a.mp4", frames=FRAMES))
    one = source.frames(1.0, 4.0)
    assert [next(one).index, next(one).index] == [10, 11]
    assert source.frame_at(5.0).index == 50
    assert [frame.index for frame in one] == list(range(12, 40))


# -- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mjpeg"), ("a.webm", "libvpx-vp9")], ids=str
)
def test_cut_off_file_gives_what_it_has_and_tells_where_it_ends(tmp_path, open_file, name, codec, caplog):
    path = write_video(tmp_path / name, codec)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    source = open_file(path)
    frames = list(source.frames())
    assert 20 <= len(frames) < FRAMES
    assert len(frames) == source.info.frame_count
    assert [read_number(f.image) for f in frames[:-1]] == [f.index for f in frames[:-1]]
    end = source.problems[-1]
    assert end.frame_index == len(frames)
    assert end.time_s == pytest.approx(frames[-1].time_s + 1 / FPS, abs=2e-3)
    assert str(path) in caplog.text


def damaged(path: Path, length: int = 400) -> Path:
    """Noise over `length` bytes in the middle of the file."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + length] = random.Random(3).randbytes(length)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_damage_is_reported_where_it_is_and_passed_over(tmp_path, open_file, name):
    source = open_file(damaged(write_video(tmp_path / name, **(OPEN_GOP if name == "a.mkv" else {}))))
    frames = list(source.frames())
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    reported = min(problem.frame_index for problem in source.problems)
    assert 5 < reported < FRAMES - 1
    assert [read_number(f.image) for f in frames if f.index < reported] == list(range(reported))
    assert read_number(frames[-1].image) == FRAMES - 1  # it recovers
    known = digests(frames)
    for first in range(0, FRAMES, 5):
        part = digests(source.frames(*span(first, first + 5)))
        assert part == {i: known[i] for i in part}


def test_problems_are_listed_once(tmp_path, open_file):
    source = open_file(damaged(write_video(tmp_path / "a.mp4")))
    list(source.frames())
    first_time = list(source.problems)
    list(source.frames())
    assert source.problems == first_time != []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "cannot be read as video"), (b"no video at all " * 99, "cannot be read as video"), (None, "cut")],
)
def test_unreadable_files_say_which_and_why(tmp_path, open_file, content, reason):
    path = tmp_path / "broken.mp4"
    if content is None:  # an MP4 without its table of contents, as an interrupted recording leaves it
        write_video(path)
        content, reason = path.read_bytes()[:3000], "damaged"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=reason) as caught:
        open_file(path)
    assert "broken.mp4" in str(caught.value)


# -- real footage -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not PETS.exists(), reason="needs ../shared/footage")
def test_real_avi_with_timestamps_in_decoding_order(open_file):
    source = open_file(PETS)
    assert (source.info.image_size, source.info.fps, source.info.frame_count) == ((480, 360), 10.0, 795)
    known = digests(source.frames(0.0, 30.0))
    assert list(known) == list(range(300))
    for first in (251, 249, 40, 268):
        assert digests(source.frames(*span(first, first + 3))) == {
            i: known[i] for i in range(first, first + 3)
        }
    assert source.problems == []
