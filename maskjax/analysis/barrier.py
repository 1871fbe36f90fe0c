"""How high the barrier between two solutions is."""

import numpy as np


def barrier(gammas: np.ndarray, losses: np.ndarray) -> float:
    """How far a path rises above the straight line between the losses of its ends.

    max over γ of L(γ) − ((1 − γ) L(0) + γ L(1)), so that ends of different losses, of which the
    higher one is on no barrier, give 0 where the loss only falls from one to the other.

    References:
        Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, 2020,
        https://arxiv.org/abs/1912.05671 (against the mean of the ends); Entezari et al., The Role
        of Permutation Invariance in Linear Mode Connectivity, 2022,
        https://arxiv.org/abs/2110.06296 (against the line).

    Example:
        >>> round(barrier(np.array([0.0, 0.5, 1.0]), np.array([0.2, 0.9, 0.4])), 6)
        0.6
    """
    gammas, losses = np.asarray(gammas, np.float64), np.asarray(losses, np.float64)
    if gammas.shape != losses.shape or len(gammas) < 2:
        raise ValueError(f"Expected a loss a point, got {losses.shape} for {gammas.shape} points.")
    if (gammas[0], gammas[-1]) != (0.0, 1.0) or (np.diff(gammas) <= 0).any():
        raise ValueError(f"Expected points that ascend from 0 to 1, got {gammas.tolist()}.")
    between = losses[0] + gammas * (losses[-1] - losses[0])
    return float(np.max(losses - between))


def drop(gammas: np.ndarray, scores: np.ndarray) -> float:
    """How far a path falls below the straight line between the scores of its ends.

    Example:
        >>> round(drop(np.array([0.0, 0.5, 1.0]), np.array([0.8, 0.5, 0.8])), 6)
        0.3
    """
    return barrier(gammas, -np.asarray(scores, np.float64))
