"""`maskjax evaluate` and `maskjax predict`: what to do with a finished run."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table as RichTable

from maskjax.errors import InputError
from maskjax.inference import Prediction, Predictor, load_predictor, score_logits
from maskjax.taskfile import write_atomically
from maskjax.tasks import LoadedTask, Table, encode, load_task, read_table, read_texts


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """A finished run on its base.

    Attributes:
        run: A run folder or a task file.
        base: Another place of the same base model.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit, such as
            one that is finetuned already.
    """

    run: Annotated[Path, tyro.conf.Positional]
    base: str | None = None
    allow_base_mismatch: bool = False

    def load(self) -> Predictor:
        """Loads it; what does not fit is an `InputError`."""
        return load_predictor(
            self.run, base=self.base, allow_base_mismatch=self.allow_base_mismatch
        )


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments(SavedRun):
    """Scores a finished run on the splits of its task.

    Attributes:
        split: Only this split; by default all but the training rows.
        path: Another folder of rows than the one that the run was trained on.
    """

    split: str | None = None
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class PredictArguments(SavedRun):
    """Labels texts with a finished run.

    Attributes:
        text: Texts to label.
        second: The second text of each pair, where the task is about pairs.
        input: A .tsv, .csv, .jsonl or .parquet file with the task's text columns.
        output: A .jsonl file for the predictions; by default they are printed.
    """

    text: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    input: Path | None = None
    output: Path | None = None


def evaluate_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax evaluate`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the run, its base or its rows cannot be read.
    """
    given = tyro.cli(EvaluateArguments, args=arguments, prog="maskjax evaluate")
    predictor = given.load()
    config = predictor.config.task
    if given.path:
        config = dataclasses.replace(config, path=given.path)
    data = load_task(config, offline=predictor.config.model.offline)
    table = RichTable("split", "rows", predictor.task.metric, title=str(given.run))
    for name in wanted_splits(data, given.split):
        encoded = encode(data.splits[name], predictor.tokenizer, config.max_length)
        score = score_logits(predictor.task, predictor.logits(encoded), encoded.labels)
        table.add_row(name, f"{len(encoded.labels):,}", f"{score:.4f}")
    Console().print(table)
    return 0


def wanted_splits(data: LoadedTask, split: str | None) -> list[str]:
    """The splits that a command is about.

    Args:
        data: The task and its rows.
        split: What `--split` says; None means all but the training rows.

    Returns:
        Names of splits.

    Raises:
        InputError: If there is no such split.
    """
    if split is None:
        return [name for name in data.splits if name != "train"]
    if split not in data.splits:
        raise InputError(f"--split: there is no {split!r}; there are {', '.join(data.splits)}.")
    return [split]


def predict_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax predict`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If there is nothing to predict, or something cannot be read or written.
    """
    given = tyro.cli(PredictArguments, args=arguments, prog="maskjax predict")
    predictor = given.load()
    texts = _texts(given, predictor)
    predictions = predictor(texts)
    if given.output:
        _write(given.output, texts, predictions)
        return 0
    table = RichTable("label", "score", "text")
    for text, prediction in zip(texts, predictions, strict=True):
        table.add_row(prediction.label, f"{prediction.score:.3f}", " | ".join(text))
    Console().print(table)
    return 0


def _texts(given: PredictArguments, predictor: Predictor) -> list[tuple[str, ...]]:
    if bool(given.text) == bool(given.input):
        raise InputError("expected either --text TEXT ... or --input FILE.")
    columns = predictor.task.text
    if given.input:
        return read_texts(Table(str(given.input), read_table(given.input)), columns)
    if len(columns) == 1 and given.second:
        raise InputError(f"--second: task {predictor.task.name} has one text, not a pair.")
    if len(columns) == 2 and len(given.second) != len(given.text):
        raise InputError(
            f"--second: task {predictor.task.name} is about pairs; expected {len(given.text)} "
            f"second texts, got {len(given.second)}."
        )
    for text in given.text + given.second:
        if not text.strip():
            raise InputError("--text: expected a text, got an empty one.")
    return (
        list(zip(given.text, given.second, strict=True))
        if given.second
        else [(text,) for text in given.text]
    )


def _write(path: Path, texts: list[tuple[str, ...]], predictions: list[Prediction]) -> None:
    lines = (
        json.dumps({"text": list(text), "label": p.label, "score": round(p.score, 6)})
        for text, p in zip(texts, predictions, strict=True)
    )
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
