"""Scores of a trainable on the rows of a split."""

from typing import Any

import jax

from maskjax.inference.forward import (
    Predict,
    apply_in_parts,
    choices_of,
    make_predict,
    predict_logits,
    score_logits,
)
from maskjax.models import Model
from maskjax.training.experiment import Experiment
from maskjax.training.sharding import Layout


class Evaluator:
    """Scores trainables on a split; compiles once per length of a batch, for all seeds.

    Args:
        experiment: One of those that it is for; the others differ in their seeds at most.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._predict = _make_predict(
            experiment.model, experiment.layout, experiment.config.train.accumulate
        )
        self._adapt = jax.jit(experiment.adaptation.apply)

    def __call__(self, experiment: Experiment, trainable: Any, split: str | None = None) -> float:
        """Scores one run.

        Args:
            experiment: The run.
            trainable: What it has learned.
            split: The rows to score on, by default the ones that select.

        Returns:
            The metric of the task.
        """
        encoded = experiment.encoded[split or experiment.data.selection]
        logits = predict_logits(
            self._predict,
            self._adapt(trainable, experiment.params),
            encoded,
            batch_size=experiment.config.train.batch_size,
            buckets=experiment.config.train.buckets,
            pad_id=experiment.base.config.pad_token_id,
        )
        return score_logits(experiment.data.task, logits, encoded.labels, encoded.sizes)


def _make_predict(model: Model, layout: Layout, parts: int) -> Predict:
    """`make_predict` for any layout: rows are divided, and all logits come back."""
    if layout.mesh is None:
        return make_predict(model, parts)
    apply = apply_in_parts(model.apply, parts, choices_of(model))
    gathered = jax.jit(lambda params, inputs: apply(layout.gather(params), inputs))
    return lambda params, inputs: layout.replicate(gathered(params, layout.batch(inputs)))
