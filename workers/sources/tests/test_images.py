from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from workers.sources import SourcePolicy, open_source
from workers.sources.tests.footage import numbered_image, read_number
from workers.types import EngineError


def write_images(folder: Path, numbers, suffix: str = "jpg") -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / f"{number:06d}.{suffix}"), numbered_image(number))
    return folder


def open_folder(folder: Path, query: str = "", **options):
    return open_source(f"{folder}{query}", policy=SourcePolicy(allowed_roots=(folder.parent,)), **options)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_numbers_are_presentation_indices_and_names_are_kept(tmp_path, suffix):
    folder = write_images(tmp_path / "c01", range(20, 30), suffix)
    (folder / "notes.txt").write_text("left alone")
    with open_folder(folder, "?fps=5") as source:
        frames = list(source.frames())
        assert [frame.index for frame in frames] == list(range(20, 30))
        assert [read_number(frame.image) for frame in frames] == list(range(20, 30))
        assert [frame.time_s for frame in frames] == pytest.approx([i / 5 for i in range(10)])
        assert frames[3].name == f"000023.{suffix}"
        assert (source.info.fps, source.info.duration_s, source.info.frame_count) == (5.0, 2.0, 10)
        assert source.problems == []


def test_ranges_stride_and_frame_at(tmp_path):
    source = open_folder(write_images(tmp_path / "c01", range(30)), fps=10)
    assert [f.index for f in source.frames(0.1 + 0.2, 0.6)] == [3, 4, 5]
    assert [f.index for f in source.frames(0.5, 2.0, stride=4)] == [8, 12, 16]
    assert [source.frame_at(t).index for t in (-1.0, 0.0, 0.29, 0.3, 99.0)] == [0, 0, 2, 3, 29]


def test_missing_numbers_leave_gaps_in_time_and_are_reported(tmp_path):
    source = open_folder(write_images(tmp_path / "c01", [0, 1, 2, 5, 6, 8]), fps=10)
    assert [(f.index, round(f.time_s, 3)) for f in source.frames(0.2)] == [
        (2, 0.2),
        (5, 0.5),
        (6, 0.6),
        (8, 0.8),
    ]
    assert [(p.frame_index, p.message) for p in source.problems] == [
        (3, "images 3 to 4 are missing"),
        (7, "image 7 is missing"),
    ]


def test_damaged_images_are_reported_and_the_rest_is_used(tmp_path):
    folder = write_images(tmp_path / "c01", range(6))
    (folder / "000002.jpg").write_bytes(b"")
    whole = (folder / "000004.jpg").read_bytes()
    (folder / "000004.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    cv2.imwrite(str(folder / "000005.jpg"), numbered_image(5, 256, 192))
    source = open_folder(folder)
    assert [f.index for f in source.frames()] == [0, 1, 3, 5]
    assert {f.image.shape for f in source.frames()} == {(96, 128, 3)}
    assert [p.frame_index for p in source.problems] == [2, 4, 5]
    assert "damaged" in source.problems[0].message
    assert "damaged" in source.problems[1].message  # cut off
    assert "256x192" in source.problems[2].message
    assert source.frame_at(0.2).index == 3


def test_folders_that_cannot_be_used_say_why(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="no numbered images such as"):
        open_folder(tmp_path / "empty")
    twice = write_images(tmp_path / "twice", [7])
    (twice / "7.png").write_bytes((twice / "000007.jpg").read_bytes())
    with pytest.raises(EngineError, match=r"both .* stand for frame 7"):
        open_folder(twice)
    (twice / "7.png").unlink()
    (twice / "000007.jpg").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="none of its 1 images can be decoded"):
        open_folder(twice)
    with pytest.raises(EngineError, match="fps"):
        open_folder(twice, "?fps=-3")


def test_links_in_a_folder_must_not_lead_out_of_the_allowed_roots(tmp_path):
    outside = write_images(tmp_path / "outside", [1])
    inside = tmp_path / "media" / "c01"
    inside.mkdir(parents=True)
    write_images(inside, [0])
    (inside / "000001.jpg").symlink_to(outside / "000001.jpg")
    with pytest.raises(EngineError, match="SPOTON_MEDIA_ROOTS"):
        open_source(str(inside), policy=SourcePolicy(allowed_roots=(tmp_path / "media",)))
