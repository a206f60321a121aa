"""The mean of several runs, each without another few detections."""

from __future__ import annotations

import json
import re

import pytest

from workers.evaluation.repeated import changed, main
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import FPS, MODELS, World, walking
from workers.types import EngineError


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Ann walks past two cameras for 3 s."""
    world = World({"ann": walking((-2, 11), (1, 0))})
    cameras = {
        name: {"P": model.projection.tolist(), "image_size": list(model.image_size)}
        for name, model in MODELS.items()
    }
    (tmp_path / "cameras.json").write_text(json.dumps({"cameras": cameras}))
    rows, truth = ["frame,camera,x1,y1,x2,y2,score"], ["frame,id,x,y"]
    for instant in range(30):
        x, y = world.paths["ann"](instant / FPS)
        truth.append(f"{instant},1,{x},{y}")
        for camera in MODELS:
            for _, box, _ in world.at(camera, instant):
                rows.append(",".join([str(instant), camera, *(f"{v:.2f}" for v in box), "0.9"]))
    (tmp_path / "detections.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "truth.csv").write_text("\n".join(truth) + "\n")
    named = [("cameras", "cameras.json"), ("detections", "detections.csv"), ("truth", "truth.csv")]
    return [part for name, file in named for part in (f"--{name}", str(tmp_path / file))]


def test_somebody_who_walks_is_followed_whatever_is_left_out(files):
    line = main([*files, "--fps", str(FPS), "--runs", "3", "--drop", "0.1"])
    mota, idf1, switches = (
        float(v) for v in re.search(r"MOTA (.*?)  IDF1 (.*?) .*switches (.*?)  ", line).groups()
    )
    assert mota > 90
    assert idf1 > 90
    assert switches == 0


def test_nothing_is_found_when_all_is_left_out(files):
    assert main([*files, "--fps", str(FPS), "--runs", "1", "--drop", "1"]).startswith("MOTA 0.0")


def test_a_setting_can_be_changed(files):
    assert changed(TrackerSettings(), ["sweeps=1", "speed=1.5"]) == TrackerSettings(sweeps=1, speed=1.5)
    # nobody is ever confirmed
    never = main(
        [*files, "--fps", str(FPS), "--runs", "1", "--set", "confirm=99", "--set", "evidence_cap=99"]
    )
    assert never.startswith("MOTA 0.0")


@pytest.mark.parametrize(
    ("option", "message"),
    [(["--runs", "0"], "--runs"), (["--drop", "2"], "--drop"), (["--lag", "-1"], "--lag")],
)
def test_what_makes_no_sense_is_refused(files, option, message):
    with pytest.raises(EngineError, match=message):
        main([*files, "--fps", str(FPS), *option])


@pytest.mark.parametrize(
    ("change", "message"),
    [("tempo=3", "no setting 'tempo'"), ("speed=fast", "speed"), ("speed=-1", "above 0")],
)
def test_what_cannot_be_set(change, message):
    with pytest.raises(EngineError, match=message):
        changed(TrackerSettings(), [change])
