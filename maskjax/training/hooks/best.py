"""Evaluates on the selection split, keeps what scores best, and ends a seed without patience."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.progress import notify
from maskjax.training.evaluate import Evaluator
from maskjax.training.hooks.hook import Hook, Training


class Best(NamedTuple):
    """The best evaluations so far; a pytree of arrays, with an entry for each seed.

    Attributes:
        score: The best score, float64 `[seeds]`; minus infinity before the first.
        step: The step of the best evaluation, int64 `[seeds]`; 0 before the first.
        waited: Evaluations since then, int64 `[seeds]`.
        trainable: What was trained by then; a copy, since the step donates its state.
    """

    score: np.ndarray
    step: np.ndarray
    waited: np.ndarray
    trainable: Any

    def update(self, step: int, scores: np.ndarray, trainable: Any) -> "Best":
        """Takes the scores of an evaluation in, `[seeds]`."""
        better = scores > self.score
        return Best(
            np.where(better, scores, self.score),
            np.where(better, step, self.step),
            np.where(better, 0, self.waited + 1),
            _choose(better, trainable, self.trainable),
        )

    def has_patience(self, patience: int | None) -> np.ndarray:
        """Which seeds had fewer than `patience` evaluations without a better score."""
        return np.full(self.waited.shape, True) if patience is None else self.waited < patience


class KeepBest(Hook):
    """Keeps the trainable of each seed that scores best on the selection split."""

    state: Best

    def init(self, training: Training) -> Best:
        """The start counts as step 0, with a score below any other."""
        self._evaluate = Evaluator(training.experiments[0])
        self._patience = training.experiments[0].config.train.patience
        counts = np.zeros(training.seeds.count, np.int64)
        worst = np.full(training.seeds.count, -np.inf)
        return Best(worst, counts, counts, jax.tree.map(jnp.copy, training.state.trainable))

    def begin(self, training: Training) -> None:
        """A training that resumes may have no patience left."""
        training.running = self.state.has_patience(self._patience)

    def __call__(self, training: Training) -> None:
        """Scores the seeds that have patience left."""
        if training.step not in training.eval_steps:
            return
        scores = np.full(training.seeds.count, -np.inf)
        for seed in training.running_seeds():
            scores[seed] = self._evaluate(training.experiments[seed], training.trainable(seed))
        self.state = self.state.update(training.step, scores, training.state.trainable)
        for seed in training.running_seeds():
            best = float(self.state.score[seed])
            training.numbers[seed] |= {"score": float(scores[seed]), "selection": best}
        running = self.state.has_patience(self._patience)
        for seed in np.flatnonzero(training.running & ~running).tolist():
            text = f"no better score in {self._patience} evaluations: stopped"
            notify(training.label(seed) + text)
        training.running = training.running & running


def _choose(better: np.ndarray, new: Any, old: Any) -> Any:
    """The new values of the seeds that are better; the arrays of `old` are given up."""
    if not better.any():
        return old
    if better.size == 1:
        return jax.tree.map(jnp.copy, new)
    return _where(better, new, old)


@partial(jax.jit, donate_argnums=2)
def _where(better: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(
        lambda n, o: jnp.where(better.reshape(-1, *(1 for _ in n.shape[1:])), n, o), new, old
    )
