"""What every detector promises, and how detectors are chosen by name."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest

from calibration import CameraModel
from workers.detection import ViewContext, build_detector, choose_detector, needs_background, parse_spec
from workers.detection.background import learn_background
from workers.detection.tests.networks import yolo_network
from workers.types import Detections, Detector, EngineError

SIZE = (320, 240)
NAMES = [
    "motion",
    "yolox",
    "yolov8",
    pytest.param("fasterrcnn", marks=pytest.mark.torch),
]


def empty_view(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 2, (SIZE[1], SIZE[0], 3))
    return np.clip(noise + 120, 0, 255).astype(np.uint8)


def view_with_people(*feet: tuple[int, int], seed: int = 1) -> np.ndarray:
    image = empty_view(seed)
    for x, y in feet:
        image[y - 60 : y, x - 10 : x + 10] = (40, 60, 230)
    return image


@pytest.fixture(scope="module")
def fasterrcnn_with_random_weights(tmp_path_factory) -> Detector:
    """Weights of the right shape, drawn by chance, the person score raised so that something is found."""
    torch = pytest.importorskip("torch")
    from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

    torch.manual_seed(3)
    torch.set_num_threads(1)  # more would wait for each other on a busy machine
    network = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    torch.nn.init.zeros_(network.roi_heads.box_predictor.cls_score.weight)
    network.roi_heads.box_predictor.cls_score.bias.data.zero_()[1] = 8.0
    path = tmp_path_factory.mktemp("weights") / "fasterrcnn.pth"
    torch.save(network.state_dict(), path)
    from workers.detection.fasterrcnn import FasterRcnnDetector

    detector = FasterRcnnDetector(path, input_height=96)
    detector._network.rpn._post_nms_top_n["testing"] = 20  # of 1000: each costs time on a CPU
    return detector


@pytest.fixture(params=NAMES)
def detector(request, tmp_path) -> Detector:
    if request.param == "motion":
        camera = CameraModel.from_homography(np.diag([0.02, 0.02, 1.0]), SIZE)
        background = learn_background([empty_view(seed) for seed in range(9)])
        return build_detector("motion", view=ViewContext(camera, background), models_dir=None)
    if request.param == "fasterrcnn":
        return request.getfixturevalue("fasterrcnn_with_random_weights")
    path = yolo_network(tmp_path / "net.onnx", head=request.param, batch="batch")
    return build_detector(f"{request.param}:{path}", view=None, models_dir=None)


def same(a: Detections, b: Detections) -> bool:
    return (
        len(a) == len(b)
        and np.allclose(a.boxes_px, b.boxes_px, atol=1e-3)
        and np.allclose(a.scores, b.scores)
    )


def test_answers_in_order_and_alike_in_batches_and_alone(detector):
    images = [view_with_people((60, 120)), empty_view(7), view_with_people((200, 200), (90, 150))]
    together = detector.detect(images)
    assert len(together) == len(images)
    assert all(same(a, b) for a, b in zip(together, detector.detect(images), strict=True))
    assert all(same(a, detector.detect([image])[0]) for a, image in zip(together, images, strict=True))
    assert all(same(a, b) for a, b in zip(together, reversed(detector.detect(images[::-1])), strict=True))


def test_no_images_no_answers(detector):
    assert detector.detect([]) == []


def test_boxes_lie_in_the_image_and_scores_between_0_and_1(detector):
    image = view_with_people((60, 120), (200, 200))
    for scale in (1, 2, 0.5):
        resized = cv2.resize(image, None, fx=scale, fy=scale)
        (found,) = detector.detect([resized])
        height, width = resized.shape[:2]
        assert found.boxes_px.dtype == found.scores.dtype == np.float32
        assert (found.boxes_px[:, :2] >= 0).all()
        assert (found.boxes_px[:, 2:] <= [width, height]).all()
        assert (found.boxes_px[:, 2:] > found.boxes_px[:, :2]).all()
        assert ((found.scores > 0) & (found.scores <= 1)).all()


def test_images_of_different_sizes_may_be_mixed(detector):
    image = view_with_people((60, 120))
    half, double = image[::2, ::2], np.kron(image, np.ones((2, 2, 1), np.uint8))
    together = detector.detect([image, half, double])
    alone = [detector.detect([each])[0] for each in (image, half, double)]
    assert all(same(a, b) for a, b in zip(together, alone, strict=True))


def test_images_are_left_as_they_are(detector):
    image = view_with_people((60, 120))
    before = image.copy()
    detector.detect([image])
    assert (image == before).all()


# -- names ---------------------------------------------------------------------------------------------------


def test_specs():
    assert parse_spec("yolox:/models/net.onnx") == ("yolox", "/models/net.onnx")
    assert parse_spec("fasterrcnn") == ("fasterrcnn", None)
    assert parse_spec("yolov8:C:/nets/a.onnx") == ("yolov8", "C:/nets/a.onnx")
    with pytest.raises(EngineError, match="motion, yolox, yolov8, fasterrcnn, auto"):
        parse_spec("haar")
    assert [needs_background(spec) for spec in ("motion", "auto", "yolox:a", "fasterrcnn")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("motion", "background"),
        ("yolox", "yolox:PATH"),
        ("yolox:missing.onnx", "not at missing.onnx nor in"),
        ("fasterrcnn:missing.pth", "not at missing.pth nor in"),
    ],
)
def test_what_is_missing_is_said(tmp_path, spec, message):
    with pytest.raises(EngineError, match=message):
        build_detector(spec, view=None, models_dir=tmp_path)


def test_score_threshold_reaches_every_kind(tmp_path):
    yolo_network(tmp_path / "net.onnx", head="yolox")
    image = np.zeros((96, 96, 3), np.uint8)
    image[32:40, 24:32] = 217  # scores about a half
    for threshold, count in ((None, 1), (0.3, 1), (0.8, 0)):
        detector = build_detector("yolox:net.onnx", view=None, models_dir=tmp_path, score_threshold=threshold)
        assert len(detector.detect([image])[0]) == count

    camera = CameraModel.from_homography(np.diag([0.02, 0.02, 1.0]), SIZE)
    view = ViewContext(camera, learn_background([empty_view(seed) for seed in range(9)]))
    people = [view_with_people((60, 120))]
    strict = build_detector("motion", view=view, models_dir=None, score_threshold=1.1)
    assert len(strict.detect(people)[0]) == 0


def test_auto_takes_the_best_that_is_present_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    assert choose_detector(None).spec == "motion"
    assert "SPOTON_MODELS_DIR" in choose_detector(None).reason
    models = tmp_path / "models"
    models.mkdir()
    assert choose_detector(models).spec == "motion"

    small = yolo_network(models / "small_yolov8.onnx", head="yolov8", classes=1)
    assert choose_detector(models).spec == f"yolov8:{small}"
    large = yolo_network(models / "YOLOX_large.onnx", head="yolox")
    choice = choose_detector(models)
    assert choice.spec == f"yolox:{large}"
    assert "YOLOX_large.onnx" in choice.reason
    assert build_detector("auto", view=None, models_dir=models).name == "yolox"

    weights = models / "fasterrcnn_v2.pth"
    weights.touch()
    assert choose_detector(models, "cpu").spec == choice.spec  # too slow without a GPU
    if importlib.util.find_spec("torchvision"):
        assert choose_detector(models, "cuda:1").spec == f"fasterrcnn:{weights}"
