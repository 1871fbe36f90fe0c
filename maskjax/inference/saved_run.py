"""One saved run on its base, whose params, rows and settings are at hand.

Evaluation, export and studies need them; `maskjax.inference.predictor` answers rows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.inference.evaluation import Evaluation, evaluate_logits
from maskjax.inference.forward import (
    Predict,
    apply_in_parts,
    make_predict,
    predict_logits,
    score_logits,
)
from maskjax.masking import flatten_with_paths
from maskjax.models import Base, Model
from maskjax.models.model import Params
from maskjax.progress import warn
from maskjax.taskfile import TaskFile
from maskjax.tasks import (
    Encoded,
    LoadedTask,
    Split,
    Task,
    Tokenizer,
    encode,
    load_labeled,
    note_on_truncated,
)


class SavedRun(NamedTuple):
    """A saved run: its base with the task merged into it, and the settings that it was trained by.

    For predictions alone `maskjax.Predictor` takes less memory and runs any number of tasks.

    Attributes:
        config: The settings of the run.
        task: Kind, labels and metric.
        file: The task file.
        base: The pretrained encoder.
        model: Its functions.
        params: The base's params with the task merged in.
        tokenizer: The base's tokenizer.
    """

    config: Config
    task: Task
    file: TaskFile
    base: Base
    model: Model
    params: Params
    tokenizer: Tokenizer

    def logits(self, encoded: Encoded) -> np.ndarray:
        """Logits `[units, outputs]` of tokenized rows."""
        return self.run(make_predict(self.model, self.config.train.accumulate), encoded)

    def run(self, predict: Predict, encoded: Encoded) -> np.ndarray:
        """Outputs of a compiled function for tokenized rows, in the batches of the run."""
        return predict_logits(
            predict,
            self.params,
            encoded,
            batch_size=self.config.train.batch_size,
            buckets=self.config.train.buckets,
            pad_id=self.base.config.pad_token_id,
        )

    def load_rows(
        self,
        path: str | Path | None = None,
        split: str | None = None,
        rows: int | Literal["all"] | None = None,
    ) -> LoadedTask:
        """Loads labeled rows.

        Args:
            path: A file or folder to read instead of the run's rows.
            split: Only this split.
            rows: How many rows of a split, or all; None means those of the run, or all of `path`.

        Returns:
            The rows, with the labels of the run; `maskjax.tasks.load_labeled` says which.

        Raises:
            InputError: If they cannot be read, or have other labels.
        """
        config = self.config
        return load_labeled(
            self.task, config.task, path=path, split=split, rows=rows, offline=config.model.offline
        )

    @property
    def weights(self) -> dict[str, Any]:
        """The weights that masks multiply: the base's, and those that the task replaces."""
        return flatten_with_paths(self.base.params) | self.file.delta.weights

    def encode(self, split: Split) -> Encoded:
        """Tokenizes rows as those of the run were, and warns of those that are truncated."""
        config = self.config.task
        options = config.max_length, config.word_piece, config.stride
        encoded = encode(split, self.tokenizer, *options)
        longest = self.base.config.max_positions
        lengths = config.max_length, config.stride, longest
        if note := note_on_truncated({"": encoded}, self.task.kind, *lengths):
            warn(f"note: {note}")
        return encoded

    def score(self, split: Split) -> float:
        """Scores labeled rows with the task's metric."""
        return score_logits(self.task, self.logits(self.encode(split)), split.labels, split.sizes)

    def evaluate(self, split: Split) -> Evaluation:
        """Scores labeled rows with all metrics, class by class."""
        return evaluate_logits(self.task, self.logits(self.encode(split)), split)


def cls_vectors(saved: SavedRun, encoded: Encoded, layer: int | None = None) -> np.ndarray:
    """The hidden states of the first tokens; their mean over the windows of a long row.

    Args:
        saved: A saved run on its base.
        encoded: Tokenized rows; labels are not used.
        layer: The number of blocks below: 0 for the embeddings; None for the last block.

    Returns:
        `[rows, hidden]` float32, in the order of the rows.

    Raises:
        InputError: If the encoder has no such layer.

    Example:
        >>> from maskjax.inference import load_run
        >>> saved = load_run(trained)
        >>> cls_vectors(saved, saved.encode(saved.load_rows().splits["dev"]), layer=1).shape
        (41, 16)
    """
    last = saved.base.config.num_layers
    if layer is None:
        layer = last
    if not 0 <= layer <= last:
        raise InputError(f"--layer: expected 0 to {last}, got {layer}.")

    def first_tokens(params: Params, inputs: Mapping[str, Any]) -> jax.Array:
        states = saved.model.hidden_states(params, inputs)
        return states[layer][:, 0].astype(jnp.float32)

    parts = saved.config.train.accumulate
    return saved.run(jax.jit(apply_in_parts(first_tokens, parts)), encoded)
