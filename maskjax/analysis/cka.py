"""How alike two models' vectors of the same rows are, whatever basis they are written in."""

import numpy as np


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centered kernel alignment (Kornblith et al. 2019, arXiv 1905.00414, section 3).

    ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) in Frobenius norms, of centered columns. Rotations and scales of either
    change nothing.

    Example:
        >>> x = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
        >>> round(linear_cka(x, 5 * x[:, ::-1] + 1), 6)
        1.0
    """
    if len(first) != len(second):
        raise ValueError(f"Expected as many rows of both, got {len(first)} and {len(second)}.")
    x, y = (_centered(vectors) for vectors in (first, second))
    across = np.linalg.norm(y.T @ x) ** 2
    within = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(across / within) if within else float("nan")


def _centered(vectors: np.ndarray) -> np.ndarray:
    wide = np.asarray(vectors, np.float64)
    return wide - wide.mean(axis=0)
