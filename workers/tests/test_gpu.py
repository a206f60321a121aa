"""What the driver tells of a GPU; nothing where there is none."""

import subprocess
import sys

import pytest

from workers.gpu import gpu_reading


def test_without_the_package_nothing_is_known():
    """None stands for a package that cannot be imported."""
    code = (
        "import sys; sys.modules['pynvml'] = None; "
        "from workers.gpu import gpu_reading; sys.exit(gpu_reading() is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_gpu_that_does_not_exist_tells_nothing():
    assert gpu_reading("1000") is None
    assert gpu_reading("GPU-00000000-0000-0000-0000-000000000000") is None
    assert gpu_reading("") is None


@pytest.mark.gpu
def test_a_gpu_tells_how_full_it_is():
    reading = gpu_reading()
    if reading is None:
        pytest.skip("no NVIDIA GPU here")
    assert reading.name
    assert 0 < reading.memory_used_bytes <= reading.memory_total_bytes
    assert reading.utilisation is None or 0 <= reading.utilisation <= 1
