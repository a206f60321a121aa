"""The motion detector on real footage: what it must reach, measured on a part of the recording."""

import json
from pathlib import Path

import pytest

from calibration import CameraModel
from workers.detection.motion import MotionDetector
from workers.detection.motion_benchmark import Measurement, background_of, measure, read_frames, read_truth

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
VIDEO = SHARED / "footage" / "pets09_s2l1_view001_480x360.avi"
TRUTH = SHARED / "groundtruth" / "pets09_s2l1_frames_0000_0399.csv"
CAMERA = SHARED / "groundtruth" / "pets09_s2l1_camera.json"

pytestmark = pytest.mark.skipif(not VIDEO.exists(), reason="the PETS footage is not beside the repository")


@pytest.fixture(scope="module", params=[True, False], ids=["calibrated", "uncalibrated"])
def result(request: pytest.FixtureRequest) -> Measurement:
    frames, fps = read_frames(VIDEO)
    camera = CameraModel.from_mapping(json.loads(CAMERA.read_text())) if request.param else None
    detector = MotionDetector(background_of(frames, fps), camera)
    return measure(detector, {i: frames[i] for i in range(0, 400, 5)}, read_truth(TRUTH))


def test_persons_are_found(result: Measurement):
    # required are 0.65 and 0.80; 0.9 is reached, and most of the rest is behind a sign or unannotated
    assert result.recall >= 0.85
    assert result.precision >= 0.87


def test_boxes_are_tight(result: Measurement):
    assert result.overlap >= 0.72


def test_a_frame_takes_milliseconds(result: Measurement):
    # 10 ms of one core are allowed and 5 are taken; the rest is for slower and busy machines
    assert result.ms_per_frame < 20
