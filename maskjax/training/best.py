"""The best evaluation of each run so far, and the patience that is left."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.training.seeds import Lanes


class Best(NamedTuple):
    """The best evaluations so far; a pytree of arrays, with an entry for each run.

    Attributes:
        score: The best score, float64 `[lanes]`; minus infinity before the first.
        step: The step of the best evaluation, int64 `[lanes]`; 0 before the first.
        waited: Evaluations since then, int64 `[lanes]`.
        trainable: What was trained by then, stacked; a copy, since the step donates its state.
    """

    score: np.ndarray
    step: np.ndarray
    waited: np.ndarray
    trainable: Any

    @classmethod
    def before(cls, trainable: Any, lanes: Lanes) -> "Best":
        """What there is before the first evaluation: the start."""
        counts = np.zeros(lanes.count, np.int64)
        worst = np.full(lanes.count, -np.inf)
        return cls(worst, counts, counts, jax.tree.map(jnp.copy, trainable))

    def update(self, step: int, scores: np.ndarray, trainable: Any, lanes: Lanes) -> "Best":
        """Takes evaluations in."""
        better = scores > self.score
        return Best(
            np.where(better, scores, self.score),
            np.where(better, step, self.step),
            np.where(better, 0, self.waited + 1),
            lanes.choose(better, trainable, self.trainable),
        )

    def exhausted(self, patience: int | None) -> np.ndarray:
        """Which runs have sat through `patience` evaluations without a better score."""
        if patience is None:
            return np.zeros(self.waited.shape, bool)
        return self.waited >= patience
