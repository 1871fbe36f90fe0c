"""The best evaluation of each run so far, and the patience that is left."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.training.lanes import Lanes


class Best(NamedTuple):
    """The best evaluations so far; a pytree of arrays, with an entry for each run.

    Attributes:
        score: Of the best evaluation, float64 `[lanes]`; minus infinity before the first.
        step: Of the best evaluation, int64 `[lanes]`; 0 before the first.
        waited: Evaluations since then, int64 `[lanes]`.
        trainable: Of the best evaluation, stacked; a copy, since the step donates its state.
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
        """Takes evaluations in.

        Args:
            step: Of the evaluations.
            scores: `[lanes]`; among equal scores the earlier one stays, and NaN is never better.
            trainable: What was evaluated, stacked.
            lanes: The runs.

        Returns:
            The best evaluations now; `self` must not be used any more.
        """
        better = scores > self.score
        return Best(
            np.where(better, scores, self.score),
            np.where(better, step, self.step),
            np.where(better, 0, self.waited + 1),
            lanes.choose(better, trainable, self.trainable),
        )

    def exhausted(self, patience: int | None) -> np.ndarray:
        """Which runs have sat through `patience` evaluations without a better score.

        Args:
            patience: How many; None means any number.

        Returns:
            bool `[lanes]`.
        """
        if patience is None:
            return np.zeros(self.waited.shape, bool)
        return self.waited >= patience
