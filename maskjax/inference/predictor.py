"""Predictions from a saved run: the base, one task file, texts in, labels out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import merge
from maskjax.config import Config, TaskConfig, config_from_dict
from maskjax.inference.logits import (
    make_predict,
    predict_labels,
    predict_logits,
    score_logits,
)
from maskjax.masking import leaves_by_path
from maskjax.models import (
    Base,
    Model,
    build_model,
    head_paths,
    load_base,
    reinitialize,
    with_head,
)
from maskjax.models.model import Params
from maskjax.taskfile import TaskFile, check_base, find_task_file, load_task_file
from maskjax.tasks import Encoded, LoadedTask, Split, Task, encode, load_task, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Prediction(NamedTuple):
    """What a model says of one text, or of one word.

    Attributes:
        label: The likeliest class, or the number as text.
        score: Its probability, or the number.
    """

    label: str
    score: float


class TaskPredictor(NamedTuple):
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
        """Logits `[units, outputs]` of tokenised rows."""
        return predict_logits(
            make_predict(self.model),
            self.params,
            encoded,
            batch_size=self.config.train.batch_size,
            buckets=self.config.train.buckets,
            pad_id=self.base.config.pad_token_id,
        )

    def rows_config(self, path: str | None = None) -> TaskConfig:
        """Where its rows are, with its labels in the order that it learned them in.

        Args:
            path: Another folder of rows than the one of the run.

        Returns:
            The settings for `load_task`.
        """
        config = replace(self.config.task, labels=self.task.labels)
        return replace(config, path=path) if path else config

    def load_rows(self, path: str | None = None) -> LoadedTask:
        """Loads its rows, as `rows_config` says.

        Raises:
            InputError: If they cannot be read, or have other labels.
        """
        return load_task(self.rows_config(path), offline=self.config.model.offline)

    @property
    def weights(self) -> dict[str, Any]:
        """What masks lie over, by path: the base's leaves, and those that the task replaces."""
        return leaves_by_path(self.base.params) | self.file.arrays.get("weight", {})

    def encode(self, split: Split) -> Encoded:
        """Tokenises rows as those of the run were."""
        config = self.config.task
        return encode(split, self.tokenizer, config.max_length, config.word_piece)

    def score(self, split: Split) -> float:
        """Scores labelled rows with the task's metric."""
        return score_logits(self.task, self.logits(self.encode(split)), split.labels, split.sizes)

    def __call__(self, texts: Sequence[tuple[str, ...]]) -> list[Prediction]:
        """Predicts a label, or a number, for each row of texts; words are for `tag`.

        A row is one text or a pair; for choice, a first text and each text to choose from.
        """
        if self.task.kind == "tokens":
            raise ValueError(f"Task {self.task.name} labels words; call tag(sentences).")
        split = Split(list(texts), np.zeros(len(texts), np.int32), self.task.kind)
        return self._predictions(self.logits(self.encode(split)))

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[Prediction]]:
        """Predicts a label for each word of sentences.

        A word without a token, such as one beyond the longest sentence that the run takes, gets
        the label O where the task has it, else `_`, and the score 0.
        """
        if self.task.kind != "tokens":
            raise ValueError(f"Task {self.task.name} labels no words; call the predictor itself.")
        sizes = [len(words) for words in sentences]
        split = Split(
            [tuple(words) for words in sentences], np.zeros(sum(sizes), np.int32), "tokens"
        )
        predictions = iter(self._predictions(self.logits(self.encode(split))))
        return [list(islice(predictions, size)) for size in sizes]

    def _predictions(self, logits: np.ndarray) -> list[Prediction]:
        if self.task.kind == "regression":
            return [Prediction(f"{value:.3f}", float(value)) for value in logits[:, 0]]
        nothing = Prediction("O" if "O" in self.task.labels else "_", 0.0)
        probabilities = np.asarray(jax.nn.softmax(logits))
        return [
            nothing if label < 0 else Prediction(self.task.labels[label], float(row[label]))
            for label, row in zip(predict_labels(self.task, logits), probabilities, strict=True)
        ]


_model = cache(build_model)  # so that runs of one shape share what is compiled for it


def load_predictor(
    folder: str | Path,
    *,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    offline: bool = False,
    load: Callable[..., Base] = load_base,
) -> TaskPredictor:
    """Loads a run folder for prediction.

    Args:
        folder: A run folder, or its task file.
        base: Another place of the same base model than the one the run was trained with.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        offline: Never ask the network, nor later for the rows; as if the run had been told so.
        load: Loads the base; `functools.cache(load_base)` for several runs on one base.

    Returns:
        The predictor.

    Raises:
        InputError: If the run or its base cannot be read, or they do not belong together.
    """
    path = Path(folder)
    file = load_task_file(find_task_file(path, offline=offline))
    config = config_from_dict(file.meta["config"], str(path))
    config = replace(config, model=replace(config.model, offline=offline or config.model.offline))
    task = task_of(file)
    stored = file.meta["base"]
    loaded = load(base or stored["name"], revision=stored["revision"], offline=config.model.offline)
    loaded = reinitialize(loaded, config.model.reinit, config.model.reinit_seed)
    model = _model(
        loaded.config,
        task.num_outputs,
        kind=task.kind,
        compute_dtype=jnp.dtype(config.model.dtype),
    )
    blank = with_head(loaded.params, model, jax.random.key(0))
    check_base(
        file,
        leaves_by_path(loaded.params | blank),  # also what this model does not use of the base
        head_paths(model),
        allow_mismatch=allow_base_mismatch,
    )
    params = merge(file.frozen, jax.tree.map(jnp.asarray, blank))
    tokenizer = load_tokenizer(loaded.folder, task.kind)
    return TaskPredictor(config, task, file, loaded, model, params, tokenizer)


def task_of(file: TaskFile) -> Task:
    """The task that a file is for.

    Args:
        file: The file.

    Returns:
        Kind, labels, texts and metric.
    """
    values: Mapping[str, Any] = file.meta["task"]
    lists = {name: tuple(values.get(name, ())) for name in ("text", "labels", "choices")}
    return Task(**{**values, **lists})
