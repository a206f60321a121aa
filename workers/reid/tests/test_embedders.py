"""What every embedder promises, and how embedders are chosen by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from workers.reid import build_embedder, choose_embedder, parse_embedder_spec
from workers.types import Embedder, EngineError

SHIRTS = [(30, 30, 200), (200, 60, 30), (40, 170, 40), (40, 40, 40), (200, 200, 200)]
TROUSERS = [(120, 60, 40), (30, 30, 30), (60, 60, 60), (150, 150, 160), (60, 80, 120)]
BOXES = np.array([[20 + 50 * i, 20, 44 + 50 * i, 92] for i in range(5)], float)
SMALL_CLIP = "ViT-S-32-alt"


def people(seed: int = 0, brightness: float = 1.0) -> np.ndarray:
    """Five persons of plain clothes on grey, in BOXES."""
    rng = np.random.default_rng(seed)
    image = np.full((120, 280, 3), 130.0)
    for (x1, y1, x2, y2), shirt, trousers in zip(BOXES.astype(int), SHIRTS, TROUSERS, strict=True):
        waist = (y1 + y2) // 2
        image[y1:waist, x1 + 4 : x2 - 4] = shirt
        image[waist:y2, x1 + 6 : x2 - 6] = trousers
    return np.clip(image * brightness + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def reid_network(path: Path, batch: int | str = "batch", output_rank: int = 2) -> Path:
    """A network that averages colours over a 4 x 2 grid of its 64 x 32 input: 24 numbers per person."""
    nodes = [
        helper.make_node("AveragePool", ["images"], ["grid"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["grid"], ["flat"]),
        helper.make_node("Mul", ["flat", "one"], ["features"]),
    ]
    output = "features" if output_rank == 2 else "grid"
    shape = [batch, 24] if output_rank == 2 else [batch, 3, 4, 2]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 64, 32])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.float32(1), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def clip_with_random_weights(tmp_path_factory) -> Embedder:
    """Weights of the right shape, drawn by chance, through a file; made once, since that takes seconds."""
    torch, open_clip = pytest.importorskip("torch"), pytest.importorskip("open_clip")
    torch.manual_seed(3)
    torch.set_num_threads(1)  # more would wait for each other on a busy machine
    path = tmp_path_factory.mktemp("weights") / "clip.pt"
    torch.save(open_clip.create_model(SMALL_CLIP, pretrained=None).state_dict(), path)
    from workers.reid.clip import ClipEmbedder

    return ClipEmbedder(path, model_name=SMALL_CLIP)


@pytest.fixture(
    params=["descriptor", "onnx", "onnx one at a time", pytest.param("clip", marks=pytest.mark.torch)]
)
def embedder(request, tmp_path) -> Embedder:
    if request.param == "clip":
        return request.getfixturevalue("clip_with_random_weights")
    if request.param == "descriptor":
        return build_embedder("descriptor", models_dir=None)
    path = reid_network(tmp_path / "net.onnx", "batch" if request.param == "onnx" else 1)
    return build_embedder(f"onnx:{path}", models_dir=None)


def test_rows_are_float32_of_unit_length_in_the_order_of_the_boxes(embedder):
    image = people()
    rows = embedder.embed(image, BOXES)
    assert rows.shape == (5, embedder.dimension)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert embedder.embed(image, BOXES[::-1]) == pytest.approx(rows[::-1], abs=1e-5)


def test_alone_as_in_company_and_again(embedder):
    image = people()
    rows = embedder.embed(image, BOXES)
    assert (embedder.embed(image, BOXES) == rows).all()
    alone = np.concatenate([embedder.embed(image, box[None]) for box in BOXES])
    assert alone == pytest.approx(rows, abs=1e-5)


def test_nobody(embedder):
    rows = embedder.embed(people(), np.empty((0, 4), np.float32))
    assert rows.shape == (0, embedder.dimension)
    assert rows.dtype == np.float32


@pytest.mark.filterwarnings("error")
def test_boxes_outside_of_the_image_and_black_images_give_unit_vectors(embedder):
    boxes = np.array(
        [
            [-20, -20, 15, 60],
            [270, 100, 400, 300],
            [500, 500, 600, 600],
            [5, 5, 5, 5],
            [9, 9, 2, 2],
            [np.nan] * 4,
        ]
    )
    for image in (people(), np.zeros((120, 280, 3), np.uint8), np.full((120, 280, 3), 255, np.uint8)):
        rows = embedder.embed(image, boxes)
        assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(boxes)), abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (720, 1280)])
def test_images_of_any_size(embedder, size):
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    rows = embedder.embed(image, np.array([[0, 0, size[1], size[0]]]))
    assert np.isfinite(rows).all()


def test_images_are_left_as_they_are(embedder):
    image, boxes = people(), BOXES.copy()
    embedder.embed(image, boxes)
    assert (image == people()).all()
    assert (boxes == BOXES).all()


def test_descriptor_knows_people_again_in_other_light_and_boxes():
    embedder = build_embedder("descriptor", models_dir=None)
    first = embedder.embed(people(), BOXES)
    for brightness in (0.7, 1.0, 1.25):
        shaken = BOXES + np.random.default_rng(2).normal(0, 1.5, BOXES.shape)
        similarity = embedder.embed(people(1, brightness), shaken) @ first.T
        assert similarity.argmax(1).tolist() == [0, 1, 2, 3, 4]
        others = similarity[~np.eye(5, dtype=bool)]
        assert np.diag(similarity).min() > others.max() + 0.1


# -- names ---------------------------------------------------------------------------------------------------


def test_specs():
    assert parse_embedder_spec("onnx:/models/osnet.onnx") == ("onnx", "/models/osnet.onnx")
    assert parse_embedder_spec("clip") == ("clip", None)
    with pytest.raises(EngineError, match="descriptor, onnx, clip, auto"):
        parse_embedder_spec("facenet")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("onnx", "onnx:PATH"),
        ("onnx:missing.onnx", r"not at missing\.onnx nor in"),
        ("clip:missing.pt", r"not at missing\.pt nor in"),
    ],
)
def test_what_is_missing_is_said(tmp_path, spec, message):
    with pytest.raises(EngineError, match=message):
        build_embedder(spec, models_dir=tmp_path)


def test_networks_of_another_kind_are_refused(tmp_path):
    reid_network(tmp_path / "grid.onnx", output_rank=4)
    with pytest.raises(EngineError, match="expected one vector per person"):
        build_embedder("onnx:grid.onnx", models_dir=tmp_path)
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(EngineError, match="not an ONNX model"):
        build_embedder("onnx:noise.onnx", models_dir=tmp_path)


def test_auto_takes_the_best_that_is_present_and_says_why(tmp_path):
    assert choose_embedder(None).spec == "descriptor"
    assert "SPOTON_MODELS_DIR" in choose_embedder(None).reason
    (tmp_path / "yolox_nano.onnx").touch()
    assert choose_embedder(tmp_path).spec == "descriptor"
    assert build_embedder("auto", models_dir=tmp_path).name == "descriptor"
    (tmp_path / "clip_vit_b32.pt").touch()
    assert choose_embedder(tmp_path, "cpu").spec == "descriptor"  # too slow without a GPU
    if importlib.util.find_spec("open_clip"):
        assert choose_embedder(tmp_path, "cuda").spec == f"clip:{tmp_path / 'clip_vit_b32.pt'}"
    path = reid_network(tmp_path / "osnet_x1.onnx")
    choice = choose_embedder(tmp_path, "cuda")
    assert choice.spec == f"onnx:{path}"
    assert "osnet_x1.onnx" in choice.reason
    assert build_embedder("auto", models_dir=tmp_path).dimension == 24


@pytest.mark.torch
def test_wrong_clip_weights_are_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    from workers.reid.clip import ClipEmbedder

    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pt")
    (tmp_path / "noise.pt").write_bytes(b"noise")
    for name in ("other.pt", "noise.pt"):
        with pytest.raises(EngineError, match=f"{name}: not weights of CLIP"):
            ClipEmbedder(tmp_path / name, model_name=SMALL_CLIP)
    with pytest.raises(EngineError, match="knows no model"):
        ClipEmbedder(None, model_name="ViT-Z")
