"""Small symmetric matrices in the compiled loops."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled_lean


@compiled_lean
def invert_3x3(a: float, b: float, c: float, d: float, e: float, f: float, inverse: np.ndarray) -> float:
    """Write the (3, 3) inverse of [[a, b, c], [b, d, e], [c, e, f]], by its adjugate; returns the determinant."""
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * A + b * B + c * C
    inverse[0, 0], inverse[1, 1] = A / determinant, (a * f - c * c) / determinant
    inverse[2, 2] = (a * d - b * b) / determinant
    inverse[0, 1] = inverse[1, 0] = B / determinant
    inverse[0, 2] = inverse[2, 0] = C / determinant
    inverse[1, 2] = inverse[2, 1] = (b * c - a * e) / determinant
    return determinant


@compiled_lean
def factorise(matrix: np.ndarray, factor: np.ndarray) -> None:
    """Write the lower Cholesky factor of a positive definite (n, n) matrix; what is above its diagonal stays."""
    n = len(matrix)
    for k in range(n):
        for m in range(k + 1):
            total = matrix[k, m]
            for j in range(m):
                total -= factor[k, j] * factor[m, j]
            factor[k, m] = np.sqrt(total) if k == m else total / factor[m, m]


@compiled_lean
def invert(matrix: np.ndarray, factor: np.ndarray, inverse: np.ndarray) -> None:
    """Write the inverse of a positive definite (n, n) matrix, symmetric to the last bit.

    Args:
        factor: (n, n) room for its Cholesky factor.
    """
    n = len(matrix)
    factorise(matrix, factor)
    # the inverse of the factor, in the upper triangle, transposed
    for c in range(n):
        inverse[c, c] = 1 / factor[c, c]
        for k in range(c + 1, n):
            total = 0.0
            for j in range(c, k):
                total -= factor[k, j] * inverse[c, j]
            inverse[c, k] = total / factor[k, k]
    for k in range(n):
        for m in range(k, n):
            total = 0.0
            for j in range(m, n):
                total += inverse[k, j] * inverse[m, j]
            # of its row only what was used up already is overwritten
            inverse[k, m] = inverse[m, k] = total
