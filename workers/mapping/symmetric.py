"""Symmetric 3x3 matrices in the compiled loops."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled_lean


@compiled_lean
def invert(a: float, b: float, c: float, d: float, e: float, f: float, inverse: np.ndarray) -> None:
    """Write the (3, 3) inverse of [[a, b, c], [b, d, e], [c, e, f]], by its adjugate."""
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * A + b * B + c * C
    inverse[0, 0], inverse[1, 1] = A / determinant, (a * f - c * c) / determinant
    inverse[2, 2] = (a * d - b * b) / determinant
    inverse[0, 1] = inverse[1, 0] = B / determinant
    inverse[0, 2] = inverse[2, 0] = C / determinant
    inverse[1, 2] = inverse[2, 1] = (b * c - a * e) / determinant
