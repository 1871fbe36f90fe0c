"""Loss and score of many mixtures of solutions, in one compiled program.

The program goes through the points, makes the params of one, and then goes through the batches. So
it needs the memory of the corners, of one point and of one batch, however many points there are,
and it is compiled once for all of them.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.analysis.interpolation import mix
from maskjax.inference import gather_logits, model_inputs, score_logits
from maskjax.models import Model
from maskjax.models.model import Params
from maskjax.progress import tracked
from maskjax.tasks import Batch, Encoded, Task, eval_batches
from maskjax.training import make_loss
from maskjax.training.gradients import count_units

Arrays = dict[str, jax.Array]
Found = tuple[jax.Array, list[jax.Array]]


class Heights(NamedTuple):
    """How good points are."""

    # The mean loss over all rows, or over all words that have a token; float64 [points].
    loss: np.ndarray
    score: np.ndarray  # the metric of the task; float64 [points]


class Landscape:
    """Loss and score over the mixtures of solutions, on fixed rows.

    It is compiled once for each number of points and of corners.
    """

    def __init__(
        self, model: Model, task: Task, encoded: Encoded, *, batch_size: int, buckets: Sequence[int]
    ) -> None:
        self._task, self._encoded = task, encoded
        batches = eval_batches(
            encoded, batch_size=batch_size, buckets=buckets, pad_id=model.config.pad_token_id
        )
        groups = groupby(batches, key=lambda pair: pair[1]["input_ids"].shape)
        by_shape = [tuple(zip(*group, strict=True)) for _, group in groups]
        self._rows = [rows for rows, _ in by_shape]
        self._groups = [_stack(leaves) for _, leaves in by_shape]
        self._program = _make_program(model)

    @property
    def rows(self) -> int:
        """How many rows a point is scored on."""
        return self._encoded.rows

    def __call__(self, corners: Sequence[Params], weights: np.ndarray) -> Heights:
        """Scores points."""
        losses, scores = [], []
        for point in tracked(list(np.asarray(weights, np.float32)), "evaluating", "points"):
            loss, logits = self._program(tuple(corners), point, self._groups)
            losses.append(float(loss))
            scores.append(self._score([np.asarray(group) for group in logits]))
        return Heights(np.array(losses), np.array(scores))

    def _score(self, groups: Sequence[np.ndarray]) -> float:
        pieces = [
            piece
            for rows, group in zip(self._rows, groups, strict=True)
            for piece in zip(rows, group, strict=True)
        ]
        logits = gather_logits(self._encoded, pieces)
        return score_logits(self._task, logits, self._encoded.labels, self._encoded.sizes)


def _stack(batches: Sequence[Batch]) -> Arrays:
    """Batches of one shape as arrays [batches, ...]."""
    return {name: jnp.stack([batch[name] for batch in batches]) for name in batches[0]}


def _make_program(model: Model) -> Any:
    """Compiles `(corners, weights [corners], groups) -> (loss, logits)` for a point.

    Logits are [batches, rows, ...] for each group of batches of one shape.
    """
    loss = make_loss(model.kind)

    def of_point(corners: tuple[Params, ...], weights: jax.Array, groups: list[Arrays]) -> Found:
        params = mix(corners, weights)

        def of_batch(batch: Arrays) -> tuple[jax.Array, jax.Array]:
            logits = model.apply(params, model_inputs(batch))
            units = count_units(batch["weights"])
            return units * loss(logits, batch["labels"], batch["weights"]), logits

        sums = [jax.lax.map(of_batch, group) for group in groups]
        units = jnp.stack([(group["weights"] > 0).sum() for group in groups]).sum()
        units = units.astype(jnp.float32)
        total = jnp.stack([losses.sum() for losses, _ in sums]).sum()
        return total / units, [logits for _, logits in sums]

    return jax.jit(of_point)
