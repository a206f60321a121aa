"""One code for NumPy, CuPy and PyTorch: functions compute where their input lies.

The array API standard names the functions that all of them share; `array_api_compat` gives them the same names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj


def float_rows(values: Any, width: int) -> tuple[Any, Any]:
    """The namespace of an array's library, and the array as (n, width) float64.

    Lists and numbers become NumPy's.
    """
    array = values if is_array_api_obj(values) else np.asarray(values, float)
    xp = array_namespace(array)
    return xp, xp.reshape(xp.astype(array, xp.float64, copy=False), (-1, width))


def beside(values: Any, array: Any) -> Any:
    """`values` as float64 of the same library and on the same device as `array`."""
    xp = array_namespace(array)
    return xp.asarray(values, dtype=xp.float64, device=device(array))
