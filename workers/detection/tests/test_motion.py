"""The motion detector on made-up frames: a grey yard seen by a calibrated camera, with painted persons."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration import CameraModel
from workers.detection.background import BackgroundModel, learn_background
from workers.detection.motion import MotionDetector, MotionSettings
from workers.detection.motion_benchmark import overlaps
from workers.detection.motion_search import SearchSettings
from workers.types import Detections, Detector, EngineError

SIZE = (480, 360)


def yard_camera() -> CameraModel:
    """5 m above the ground, looking 25 degrees down along +y; 20 m of yard are in view."""
    f, tilt = 480.0, np.radians(25)
    K = np.array([[f, 0, 240], [0, f, 180], [0, 0, 1]])
    right, forward = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), -np.sin(tilt)])
    R = np.stack([right, np.cross(forward, right), forward])
    centre = np.array([0.0, 0.0, 5.0])
    return CameraModel.from_projection(K @ np.column_stack([R, -R @ centre]), SIZE)


def empty_yard() -> np.ndarray:
    """Paving with a coarse texture, as a lens would blur it."""
    texture = np.random.default_rng(7).normal(0, 12, (360, 480)).astype(np.float32)
    paving = cv2.GaussianBlur(texture, (0, 0), 1.5) * 3 + 130
    return np.clip(np.dstack([paving, paving + 4, paving + 8]), 0, 255).astype(np.uint8)


def frame(seed: int, scene: np.ndarray) -> np.ndarray:
    """What the sensor makes of a scene."""
    noise = np.random.default_rng(seed).normal(0, 2.5, scene.shape)
    return np.clip(scene + noise, 0, 255).astype(np.uint8)


def paint(
    scene: np.ndarray, position_m: tuple[float, float], height_m: float = 1.75, coat=(40, 40, 120)
) -> np.ndarray:
    """Draw a person in place; returns the (4,) box."""
    box = yard_camera().person_boxes(np.array([position_m]), height_m, 0.5)[0]
    x1, y1, x2, y2 = box
    middle, w, h = (x1 + x2) / 2, x2 - x1, y2 - y1

    def block(left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        corners = np.rint([middle + left * w, y1 + top * h, middle + right * w, y1 + bottom * h]).astype(int)
        a, b, c, d = np.maximum(corners, 0)
        scene[b:d, a:c] = colour

    block(-0.32, 0.5, -0.04, 1.0, (70, 40, 30))
    block(0.04, 0.5, 0.32, 1.0, (70, 40, 30))
    block(-0.5, 0.15, 0.5, 0.55, coat)
    block(-0.19, 0.0, 0.19, 0.16, (110, 140, 190))
    return box


@pytest.fixture(scope="module")
def background() -> BackgroundModel:
    return learn_background([frame(i, empty_yard()) for i in range(15)])


@pytest.fixture(scope="module")
def detector(background: BackgroundModel) -> MotionDetector:
    return MotionDetector(background, yard_camera())


def scene_with(*positions_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A frame with persons, the far ones painted first, and their boxes."""
    scene = empty_yard()
    boxes = [paint(scene, p) for p in sorted(positions_m, key=lambda p: -p[1])]
    return frame(99, scene), np.array(boxes)


def found(detections: Detections, boxes: np.ndarray, min_overlap: float = 0.5) -> int:
    """How many boxes are met by a detection of their own."""
    iou = overlaps(boxes, detections.boxes_px)
    return len({int(np.argmax(row)) for row in iou if len(row) and row.max() >= min_overlap})


def test_it_is_a_detector(detector: MotionDetector):
    assert isinstance(detector, Detector)
    assert detector.name == "motion"
    assert detector.detect([]) == []


def test_an_empty_yard_holds_nobody(detector: MotionDetector):
    assert [len(d) for d in detector.detect([frame(i, empty_yard()) for i in (50, 51)])] == [0, 0]


@pytest.mark.parametrize("position_m", [(0, 8), (-2, 7), (3, 12), (-4, 18), (0, 24)])
def test_a_person_is_found_where_they_stand(detector: MotionDetector, position_m: tuple[float, float]):
    image, boxes = scene_with(position_m)
    (detections,) = detector.detect([image])
    assert len(detections) == 1
    assert overlaps(detections.boxes_px, boxes)[0, 0] > 0.7
    assert detections.scores[0] > 0.8
    x1, _, x2, y2 = detections.boxes_px[0]
    foot_m = yard_camera().to_map(np.array([[(x1 + x2) / 2, y2]]))[0]
    # within two pixels along the line of sight
    tolerance_m = 2 * np.linalg.norm(yard_camera().jacobian_to_map(np.array([[(x1 + x2) / 2, y2]]))[0][:, 1])
    assert np.linalg.norm(foot_m - position_m) < tolerance_m + 0.05


@pytest.mark.parametrize("height_m", [1.55, 1.95])
def test_the_box_shows_how_tall_someone_is(detector: MotionDetector, height_m: float):
    scene = empty_yard()
    box = paint(scene, (0, 10), height_m)
    (detections,) = detector.detect([frame(3, scene)])
    assert len(detections) == 1
    assert detections.boxes_px[0, [1, 3]] == pytest.approx(box[[1, 3]], abs=2.5)


def test_two_side_by_side_are_two(detector: MotionDetector):
    image, boxes = scene_with((-0.3, 10), (0.3, 10))
    (detections,) = detector.detect([image])
    assert len(detections) == 2
    assert found(detections, boxes) == 2


def test_a_group_of_four_is_four(detector: MotionDetector):
    image, boxes = scene_with((-0.8, 12), (-0.2, 11.5), (0.4, 12.2), (1.0, 11.8))
    (detections,) = detector.detect([image])
    assert len(detections) == 4
    assert found(detections, boxes) == 4


def test_who_is_half_hidden_is_found_with_a_lower_score(detector: MotionDetector):
    image, boxes = scene_with((0, 8), (0.25, 10.5))
    (detections,) = detector.detect([image])
    assert found(detections, boxes) == 2
    hidden = int(np.argmax(overlaps(boxes[:1], detections.boxes_px)[0]))
    assert detections.scores[hidden] < detections.scores[1 - hidden]


def test_a_dog_is_not_a_person(detector: MotionDetector):
    scene = empty_yard()
    x1, _, x2, y2 = yard_camera().person_boxes(np.array([[-3.0, 10.0]]), 0.5, 0.7)[0].round().astype(int)
    scene[y2 - (x2 - x1) // 2 : y2, x1:x2] = 30
    (detections,) = detector.detect([frame(4, scene)])
    assert len(detections) == 0


def test_a_shadow_is_not_a_person(detector: MotionDetector):
    scene = empty_yard()
    box = paint(scene, (0, 10))
    foot = np.array([(box[0] + box[2]) / 2, box[3]])
    shadow = np.zeros(scene.shape[:2], np.uint8)
    cv2.line(shadow, tuple(foot.astype(int)), tuple((foot + np.array([110, -15])).astype(int)), 1, 16)
    shaded = np.where((shadow > 0)[..., None], (empty_yard() * 0.6).astype(np.uint8), scene)
    y1, y2, x1, x2 = (round(float(v)) for v in (box[1], box[3], box[0], box[2]))
    shaded[y1:y2, x1:x2] = np.where((scene != empty_yard()).any(2)[..., None], scene, shaded)[y1:y2, x1:x2]
    (detections,) = detector.detect([frame(5, shaded)])
    assert len(detections) == 1
    assert overlaps(detections.boxes_px, box[None])[0, 0] > 0.6


@pytest.mark.parametrize("gain", [0.6, 0.85, 1.25])
def test_a_change_of_light_changes_nothing(detector: MotionDetector, gain: float):
    image, boxes = scene_with((-2, 9), (2, 14))
    lit = np.clip(image * np.array([gain, gain, gain * 1.05]), 0, 255).astype(np.uint8)
    bare = np.clip(frame(6, empty_yard()) * gain, 0, 255).astype(np.uint8)
    with_persons, without = detector.detect([lit, bare])
    assert found(with_persons, boxes, 0.6) == len(with_persons) == 2
    assert len(without) == 0


def test_a_moved_camera_gives_nothing_rather_than_nonsense(detector: MotionDetector):
    (detections,) = detector.detect(
        [np.random.default_rng(0).integers(0, 255, (360, 480, 3)).astype(np.uint8)]
    )
    assert len(detections) == 0


def test_who_leaves_the_image_is_boxed_within_it(detector: MotionDetector):
    camera = yard_camera()
    edge_m = camera.to_map(np.array([[478.0, 250.0]]))[0]
    image, _ = scene_with((float(edge_m[0]), float(edge_m[1])))
    (detections,) = detector.detect([image])
    assert len(detections) == 1
    assert detections.boxes_px[0, 2] <= 480


def test_results_depend_on_the_image_alone(detector: MotionDetector, background: BackgroundModel):
    images = [scene_with((-1, 8))[0], frame(0, empty_yard()), scene_with((0, 10), (0.5, 10))[0]]
    together = detector.detect(images)
    again = MotionDetector(BackgroundModel.from_bytes(background.to_bytes()), yard_camera())
    apart = [again.detect([image])[0] for image in reversed(images)][::-1]
    for a, b in zip(together, apart, strict=True):
        assert np.array_equal(a.boxes_px, b.boxes_px)
        assert np.array_equal(a.scores, b.scores)


def test_frames_and_calibration_of_other_sizes(background: BackgroundModel):
    image, boxes = scene_with((-1, 9), (2, 13))
    large = cv2.resize(image, (960, 720), interpolation=cv2.INTER_LINEAR)
    calibrated_large = yard_camera().scaled_to((1440, 1080))
    (detections,) = MotionDetector(background, calibrated_large).detect([large])
    assert found(detections, boxes * 2, 0.6) == len(detections) == 2


def test_frames_of_another_shape_are_refused(detector: MotionDetector):
    with pytest.raises(EngineError, match="480x360"):
        detector.detect([np.zeros((270, 480, 3), np.uint8)])


@pytest.mark.parametrize("homography_only", [True, False])
def test_a_homography_is_calibration_enough(background: BackgroundModel, homography_only: bool):
    camera = CameraModel.from_homography(yard_camera().image_to_map, SIZE)
    if homography_only:
        camera = CameraModel(camera.map_to_image, camera.image_to_map, None, SIZE)
    image, boxes = scene_with((-2, 9), (0, 11), (2, 14))
    (detections,) = MotionDetector(background, camera).detect([image])
    assert found(detections, boxes, 0.6) == len(detections) == 3


# -- without calibration -------------------------------------------------------------------------------------


def test_without_calibration_the_scale_is_learned_from_those_who_passed():
    rng = np.random.default_rng(2)
    passing = [(rng.uniform(-3, 3), rng.uniform(8, 20)) for _ in range(25)]
    samples = [frame(i, scene_with(p)[0]) for i, p in enumerate(passing)]
    model = learn_background(samples)
    assert model.scale is not None
    image, boxes = scene_with((-2, 9), (-0.3, 12), (0.3, 12), (2, 18))
    (detections,) = MotionDetector(model, None).detect([image])
    assert found(detections, boxes) == len(detections) == 4


def test_without_calibration_or_passers_by_proportions_must_do(background: BackgroundModel):
    assert background.scale is None
    image, boxes = scene_with((-2, 9), (2, 14))
    (detections,) = MotionDetector(background, None).detect([image])
    assert found(detections, boxes, 0.6) == len(detections) == 2


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (SearchSettings, {"neutral": 1.0}),
        (SearchSettings, {"min_gain": 0.8}),
        (SearchSettings, {"rim_weight": -1.0}),
        (SearchSettings, {"max_persons": 0}),
        (MotionSettings, {"min_height_px": 2.0}),
        (MotionSettings, {"min_inside": 0.0}),
    ],
)
def test_impossible_settings_are_refused_by_name(kind: type, setting: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(setting))):
        kind(**setting)


def test_the_number_of_persons_is_bounded(background: BackgroundModel):
    image, _ = scene_with((-2, 9), (0, 11), (2, 14))
    few = MotionSettings(search=SearchSettings(max_persons=2))
    (detections,) = MotionDetector(background, yard_camera(), settings=few).detect([image])
    assert len(detections) == 2
