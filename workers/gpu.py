"""How full and how busy a GPU is, from the driver (NVML). Needs `nvidia-ml-py`; without it nothing is known."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuReading:
    """One GPU now, whoever uses it.

    Attributes:
        utilisation: 0..1, share of the last moments in which something ran; None where it is not told (MIG).
    """

    name: str
    memory_used_bytes: int
    memory_total_bytes: int
    utilisation: float | None


def gpu_reading(visible: str | None = None) -> GpuReading | None:
    """The first GPU that this process may use.

    Args:
        visible: as in CUDA_VISIBLE_DEVICES, whose value is the default: numbers in PCI order, or UUIDs.

    Returns:
        None without a GPU, a driver or the package.
    """
    nvml = _nvml()
    if nvml is None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0") if visible is None else visible
    first = visible.split(",")[0].strip()
    try:
        by_number = first.isdigit()
        handle = (
            nvml.nvmlDeviceGetHandleByIndex(int(first))
            if by_number
            else nvml.nvmlDeviceGetHandleByUUID(first)
        )
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuReading(
            nvml.nvmlDeviceGetName(handle), memory.used, memory.total, _utilisation(nvml, handle)
        )
    except nvml.NVMLError as error:
        log.debug("GPU %s tells nothing: %s", first, error)
        return None


def _utilisation(nvml: Any, handle: Any) -> float | None:
    try:
        return nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    except nvml.NVMLError:
        return None


@cache
def _nvml() -> Any | None:
    try:
        import pynvml

        pynvml.nvmlInit()
    except ImportError:
        log.info("GPUs are not measured: pip install nvidia-ml-py")
        return None
    except pynvml.NVMLError as error:
        log.info("GPUs are not measured: %s", error)
        return None
    return pynvml
