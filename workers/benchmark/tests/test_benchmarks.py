"""The engine's benchmarks give figures, with sizes so small that they mean nothing."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from workers.benchmark import command
from workers.benchmark.association import association
from workers.benchmark.crowd import SIZE, Crowd, around, grid
from workers.benchmark.detectors import detectors
from workers.benchmark.gallery import gallery
from workers.benchmark.gpu import gpu
from workers.benchmark.mapping import mapping
from workers.benchmark.networks import write_yolox_nano
from workers.benchmark.overhead import MeasuredYolo, overhead
from workers.benchmark.perceiving import perceiving
from workers.benchmark.report import Report, gpu_name, write_json
from workers.types import EngineError


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    return write_yolox_nano(tmp_path_factory.mktemp("network") / "yolox_nano.onnx")


def test_cameras_of_a_grid_share_the_people():
    crowd = Crowd(200)
    seen = [set(crowd.boxes(view, 0)[1].tolist()) for view in grid(4, crowd.side_m)]
    assert all(30 < len(people) < 120 for people in seen)
    assert len(set.union(*seen)) > 150
    assert seen[0] & seen[1], "some are seen by two cameras"


def test_cameras_around_a_square_all_see_the_same_people():
    crowd = Crowd(10)
    for view in around(4, crowd.side_m):
        assert len(crowd.boxes(view, 5)[1]) >= 8


def test_a_crowd_is_seen_the_same_way_again():
    first, again = (Crowd(20).observed(grid(4, 15.0)[1], 3, range(5)) for _ in range(2))
    assert first.to_bytes() == again.to_bytes()
    assert (first.boxes_px[:, 2:] > first.boxes_px[:, :2]).all()


def test_the_measured_detector_finds_whom_it_is_told(nano):
    """What follows the network has as much to do as with weights that see people."""
    crowd = Crowd(10)
    view = around(1, crowd.side_m)[0]
    boxes, _ = crowd.boxes(view, 0)
    detector = MeasuredYolo(nano)
    detector.there = [boxes * 416 / SIZE[0]]
    (found,) = detector.detect([np.zeros((SIZE[1], SIZE[0], 3), np.uint8)])
    assert detector.inference_s > 0
    assert 0.8 * len(boxes) <= len(found) <= len(boxes)
    apart = np.abs(found.boxes_px[:, None] - boxes[None]).max(2).min(1)
    assert (apart < 0.5).all()


def test_overhead_counts_every_part():
    rows = {
        row["part"]: row["% of inference"] for row in overhead(people=4, cameras=2, batches=2, batch=2).rows
    }
    parts = [rows[name] for name in ("detect: all but inference", "embed", "pack", "associate")]
    assert rows["all but inference"] == pytest.approx(sum(parts))
    assert min(parts) > 0


def test_association_and_gallery_and_mapping():
    (row,) = association((5,), (4,), seconds=2.0, settle_s=1.0).rows
    assert row["ms per instant"] > 0
    (row,) = gallery((50,), queries=8).rows
    assert row["found at 0.96"] == "100 %"
    assert all(row["per second"] > 0 for row in mapping(points=100, repeats=1).rows)


def test_perceiving_shows_each_batch():
    rows = perceiving(repeats=1, frames=(1, 2), people=(2,)).rows
    assert [row["number"] for row in rows] == [1, 2, 2]


def test_forms_of_a_detector_with_their_quality(tmp_path):
    video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 96))
    for _ in range(4):
        video.write(np.full((96, 96, 3), 90, np.uint8))
    video.release()
    (tmp_path / "truth.csv").write_text("frame,x1,y1,x2,y2\n0,10,10,30,60\n")
    report = detectors(
        video=tmp_path / "v.avi", truth=tmp_path / "truth.csv", repeats=1, frames=2, at_once=(1,), torch=False
    )
    forms = [row["network"].partition(", ")[2] for row in report.rows]
    assert forms == ["float32", "int8 dynamic", "int8 static"]
    assert all(row["recall"] == 0 for row in report.rows), "random weights find nobody"


@pytest.mark.skipif(gpu_name() is not None, reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    report = gpu()
    assert (report.rows, report.note) == ([], "no GPU")


@pytest.mark.gpu
def test_with_a_gpu_there_are_figures():
    if gpu_name() is None:
        pytest.skip("no CUDA device")
    assert len(gpu(repeats=1).rows) == 4


def test_figures_are_written_with_machine_date_and_versions(tmp_path):
    write_json(tmp_path / "figures.json", [Report("Speed", [{"what": "it", "ms": 1.5}], goal="1 ms")])
    content = json.loads((tmp_path / "figures.json").read_text())
    assert content["reports"][0]["rows"] == [{"what": "it", "ms": 1.5}]
    assert content["machine"]["cores"] >= 1
    assert {"python", "numpy"} <= set(content["versions"])
    assert content["measured_at"].startswith("20")


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    command.main(["mapping", "--quick", "--json", str(tmp_path / "out.json")])
    assert "1,000,000 points per second" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "out.json").read_text())["reports"]) == 1


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert "overhead, association" in capsys.readouterr().err


def test_a_benchmark_that_cannot_run_does_not_keep_others_from_running(capsys):
    def broken(options) -> Report:
        raise EngineError("no weights")

    from rich.console import Console

    works = Report("Works", [{"ms": 1.0}])
    reports = command.run(
        (), {"broken": broken, "works": lambda options: works}, command.Options(), Console()
    )
    assert (reports[0].note, reports[1]) == ("no weights", works)
