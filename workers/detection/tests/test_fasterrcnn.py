from __future__ import annotations

import pytest

from workers.detection import build_detector
from workers.types import EngineError

pytestmark = pytest.mark.torch


def test_wrong_weights_are_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "noise.pth").write_bytes(b"noise")
    for name, message in (
        ("other.pth", "not weights of torchvision's"),
        ("noise.pth", "not a file of torch weights"),
    ):
        with pytest.raises(EngineError, match=message) as caught:
            build_detector(f"fasterrcnn:{tmp_path / name}", view=None, models_dir=None)
        assert name in str(caught.value)


def test_without_weights_and_network_it_says_where_they_go(tmp_path, monkeypatch):
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody answers there
    with pytest.raises(EngineError, match="into SPOTON_MODELS_DIR"):
        build_detector("fasterrcnn", view=None, models_dir=None)


def test_a_gpu_that_is_not_there(tmp_path):
    torch = pytest.importorskip("torch")
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(EngineError, match=f"Device {absent}"):
        build_detector("fasterrcnn", view=None, models_dir=tmp_path, device=absent)


def test_memory_running_out_halves_the_batch_and_is_counted():
    torch = pytest.importorskip("torch")
    from workers.models import FittingBatches

    batches = FittingBatches(8)
    sizes = []

    def fits_three(items):
        sizes.append(len(items))
        if len(items) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 2 for item in items]

    assert batches.run(list(range(7)), fits_three) == [2 * i for i in range(7)]
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert (batches.size, batches.halvings) == (2, 2)

    def never(items):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(EngineError, match="too small"):
        batches.run([1], never)
