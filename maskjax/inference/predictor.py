"""Predictions from a saved run: the base, one task file, texts in, labels out."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import merge
from maskjax.config import Config, config_from_dict
from maskjax.inference.logits import make_predict, predict_logits
from maskjax.masking import leaves_by_path
from maskjax.models import (
    Base,
    Model,
    build_model,
    head_paths,
    init_head,
    load_base,
    reinitialize,
)
from maskjax.models.model import Params
from maskjax.taskfile import TaskFile, check_base, find_task_file, load_task_file
from maskjax.tasks import Encoded, Split, Task, encode, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Prediction(NamedTuple):
    """What a model says of one text.

    Attributes:
        label: The likeliest class, or the number as text.
        score: Its probability, or the number.
    """

    label: str
    score: float


class Predictor(NamedTuple):
    """A base with one task put into it.

    Attributes:
        config: Of the run.
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
    tokenizer: "PreTrainedTokenizerBase"

    def logits(self, encoded: Encoded) -> np.ndarray:
        """Logits `[rows, outputs]` of tokenised rows."""
        return predict_logits(
            make_predict(self.model),
            self.params,
            encoded,
            batch_size=self.config.train.batch_size,
            buckets=self.config.train.buckets,
            pad_id=self.base.config.pad_token_id,
        )

    def __call__(self, texts: Sequence[tuple[str, ...]]) -> list[Prediction]:
        """Predicts a label, or a number, for each text or pair of texts."""
        split = Split(list(texts), np.zeros(len(texts), np.int32))
        logits = self.logits(encode(split, self.tokenizer, self.config.task.max_length))
        if self.task.kind == "regression":
            return [Prediction(f"{value:.3f}", float(value)) for value in logits[:, 0]]
        probabilities = np.asarray(jax.nn.softmax(logits))
        best = probabilities.argmax(axis=1)
        return [
            Prediction(self.task.labels[label], float(row[label]))
            for label, row in zip(best, probabilities, strict=True)
        ]


_model = cache(build_model)  # so that runs of one shape share what is compiled for it


def load_predictor(
    folder: str | Path,
    *,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    load: Callable[..., Base] = load_base,
) -> Predictor:
    """Loads a run folder for prediction.

    Args:
        folder: A run folder, or its task file.
        base: Another place of the same base model than the one the run was trained with.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        load: Loads the base; `functools.cache(load_base)` for several runs on one base.

    Returns:
        The predictor.

    Raises:
        InputError: If the run or its base cannot be read, or they do not belong together.
    """
    path = Path(folder)
    file = load_task_file(find_task_file(path))
    config = config_from_dict(file.meta["config"], str(path))
    task = _task(file.meta["task"])
    stored = file.meta["base"]
    loaded = load(base or stored["name"], revision=stored["revision"], offline=config.model.offline)
    loaded = reinitialize(loaded, config.model.reinit, config.model.reinit_seed)
    model = _model(loaded.config, task.num_outputs, compute_dtype=jnp.dtype(config.model.dtype))
    blank = loaded.params | init_head(model, jax.random.key(0))
    check_base(
        file,
        leaves_by_path(blank),
        head_paths(model),
        allow_mismatch=allow_base_mismatch,
    )
    params = merge(file.frozen, jax.tree.map(jnp.asarray, blank))
    return Predictor(config, task, file, loaded, model, params, load_tokenizer(loaded.folder))


def _task(values: Mapping[str, Any]) -> Task:
    lists = {"text": tuple(values["text"]), "labels": tuple(values["labels"])}
    return Task(**{**values, **lists})
