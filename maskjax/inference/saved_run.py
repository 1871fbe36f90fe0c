"""One saved run on its base, for evaluation, export and studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.config import Config, config_from_dict, known_settings
from maskjax.errors import InputError
from maskjax.inference.evaluation import Evaluation, evaluate_logits
from maskjax.inference.forward import (
    Predict,
    apply_in_parts,
    make_predict,
    predict_labels,
    predict_logits,
    score_logits,
)
from maskjax.inference.postprocess import Prediction
from maskjax.masking import flatten_with_paths
from maskjax.masking.distinct import once_per_array
from maskjax.models import (
    Base,
    Model,
    build_model,
    head_paths,
    load_base,
    reinitialize,
    unshare,
    with_head,
)
from maskjax.models.model import Params
from maskjax.progress import warn
from maskjax.taskfile import (
    TaskFile,
    TaskHeader,
    check_base,
    find_task_file,
    read_content,
    read_task_header,
)
from maskjax.tasks import (
    Encoded,
    LoadedTask,
    Split,
    Task,
    Tokenizer,
    encode,
    load_base_tokenizer,
    load_labeled,
    note_on_truncated,
)


class SavedRun(NamedTuple):
    """A saved run: its base with the task merged into it.

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

    def __call__(self, texts: Sequence[tuple[str, ...]]) -> list[Prediction]:
        """Predicts a label, or a number, for each row of texts; words are for `tag`.

        A row is one text or a pair; for choice, a first text and each text to choose from.
        """
        if self.task.kind == "tokens":
            raise ValueError(f"Task {self.task.name} labels words; call tag(sentences).")
        return self._predict(list(texts), len(texts))

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[Prediction]]:
        """Predicts a label for each word of sentences.

        A word without a token, such as one beyond the longest sentence that the run reads, gets
        the label O where the task has it, else `_`, and the score 0.
        """
        if self.task.kind != "tokens":
            raise ValueError(f"Task {self.task.name} labels no words; call the predictor itself.")
        sizes = [len(words) for words in sentences]
        predictions = iter(self._predict([tuple(words) for words in sentences], sum(sizes)))
        return [list(islice(predictions, size)) for size in sizes]

    def _predict(self, texts: list[tuple[str, ...]], units: int) -> list[Prediction]:
        split = Split(texts, np.zeros(units, np.int32), self.task.kind)
        return self.to_predictions(self.logits(self.encode(split)))

    def to_predictions(self, logits: np.ndarray) -> list[Prediction]:
        """Turns logits `[units, outputs]` into the likeliest class and its probability."""
        if self.task.kind == "regression":
            values = logits[:, 0]
            return [Prediction(label=f"{value:.3f}", score=float(value)) for value in values]
        names = self.task.labels
        no_token = Prediction(label="O" if "O" in names else "_", score=0.0)
        probabilities = np.asarray(jax.nn.softmax(logits))
        return [
            no_token if label < 0 else Prediction(label=names[label], score=float(scores[label]))
            for label, scores in zip(predict_labels(self.task, logits), probabilities, strict=True)
        ]


_build_model = cache(build_model)  # runs of one shape share its compiled programs


def load_predictor(
    folder: str | Path,
    *,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    offline: bool = False,
    load: Callable[..., Base] = load_base,
) -> SavedRun:
    """Loads a run folder for prediction.

    Args:
        folder: A run folder, or its task file.
        base: Another place of the same base model than the one the run was trained with.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        offline: Never ask the network, nor later for the rows; as if the run had been offline.
        load: Loads the base; `functools.cache(load_base)` for several runs on one base.

    Returns:
        The predictor.

    Raises:
        InputError: If the run or its base cannot be read, or they do not belong together.

    Example:
        >>> predictor = load_predictor(trained)
        >>> prediction = predictor([("a good film",)])[0]
        >>> prediction["label"] in ("negative", "positive"), 0.5 <= prediction["score"] <= 1
        (True, True)
    """
    path = Path(folder)
    header = read_task_header(find_task_file(path, offline=offline))
    config, task = config_of(header, path), task_of(header)
    offline = offline or config.model.offline
    config = replace(config, model=replace(config.model, offline=offline))
    stored = header.meta["base"]
    loaded = load(base or stored["name"], revision=stored["revision"], offline=offline)
    loaded = reinitialize(loaded, config.model.reinit, config.model.reinit_seed)
    loaded = unshare(loaded) if config.model.unshare else loaded
    dtype = jnp.dtype(config.model.dtype)
    model = _build_model(loaded.config, task.num_outputs, kind=task.kind, compute_dtype=dtype)
    head, abstract = head_paths(model), flatten_with_paths(model.abstract)
    check_base(
        header,
        # The head as shapes only: it may be large, and the file may turn out to have none.
        flatten_with_paths(loaded.params) | {path: abstract[path] for path in head},
        head,
        allow_mismatch=allow_base_mismatch,
    )
    params = with_head(loaded.params, model, jax.random.key(0))
    file = read_content(header)
    params = file.delta.apply(jax.tree.map(once_per_array(jnp.asarray), params))
    tokenizer = load_base_tokenizer(loaded, task.kind)
    return SavedRun(config, task, file, loaded, model, params, tokenizer)


def config_of(header: TaskHeader, path: Path) -> Config:
    """The settings of the run that a file comes from."""
    return config_from_dict(known_settings(header.meta["config"]), str(path))


def task_of(file: TaskFile | TaskHeader) -> Task:
    """The task that a file is for."""
    known = {field.name for field in fields(Task)}
    values = {key: value for key, value in file.meta["task"].items() if key in known}
    lists = {name: tuple(values.get(name, ())) for name in ("text", "labels", "choices")}
    return Task(**{**values, **lists})


def cls_vectors(predictor: SavedRun, encoded: Encoded, layer: int | None = None) -> np.ndarray:
    """The hidden states of the first tokens; their mean over the windows of a long row.

    Args:
        predictor: A saved run on its base.
        encoded: Tokenized rows; labels are not used.
        layer: The number of blocks below: 0 for the embeddings; None for the last block.

    Returns:
        `[rows, hidden]` float32, in the order of the rows.

    Raises:
        InputError: If the encoder has no such layer.
    """
    last = predictor.base.config.num_layers
    if layer is None:
        layer = last
    if not 0 <= layer <= last:
        raise InputError(f"--layer: expected 0 to {last}, got {layer}.")

    def first_tokens(params: Params, inputs: Mapping[str, Any]) -> jax.Array:
        states = predictor.model.hidden_states(params, inputs)
        return states[layer][:, 0].astype(jnp.float32)

    parts = predictor.config.train.accumulate
    return predictor.run(jax.jit(apply_in_parts(first_tokens, parts)), encoded)
