"""`maskjax predict`: texts in, labels out."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table as RichTable

from maskjax.cli.saved import SavedRun
from maskjax.errors import InputError
from maskjax.inference import Prediction, TaskPredictor
from maskjax.taskfile import write_atomically
from maskjax.tasks import Task, find_columns, read_file, read_texts

Texts = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class PredictArguments(SavedRun):
    """Labels texts with a finished run.

    Attributes:
        text: Texts to label; where the task labels words, sentences with a space between words.
        second: The second text of each pair, where the task is about pairs; where it is about
            choices, all texts to choose from.
        input: A .tsv, .csv, .jsonl or .parquet file with the task's text columns; where the task
            labels words, a .tsv, .conll, .txt, .conllu, .jsonl or .parquet file of sentences.
        output: A .jsonl file for the predictions; by default they are printed.
    """

    text: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    input: Path | None = None
    output: Path | None = None


def command(arguments: Sequence[str]) -> int:
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
    if predictor.task.kind == "tokens":
        return _tag(predictor, texts, given.output)
    predictions = predictor(texts)
    if given.output:
        pairs = zip(texts, predictions, strict=True)
        _write(given.output, ({"text": text, **_record(p)} for text, p in pairs))
        return 0
    table = RichTable("label", "score", "text")
    for text, prediction in zip(texts, predictions, strict=True):
        table.add_row(prediction.label, f"{prediction.score:.3f}", " | ".join(text))
    Console().print(table)
    return 0


def _texts(given: PredictArguments, predictor: TaskPredictor) -> Texts:
    if bool(given.text) == bool(given.input):
        raise InputError("expected either --text TEXT ... or --input FILE.")
    if given.input:
        return _read(given.input, predictor)
    for text in given.text + given.second:
        if not text.strip():
            raise InputError("--text: expected a text, got an empty one.")
    return _rows(given, predictor.task)


def _read(path: Path, predictor: TaskPredictor) -> Texts:
    """Reads texts by the column names of the form that the file has, which may be another one."""
    table = read_file(path, predictor.task.kind)
    columns = find_columns(predictor.config.task, table)
    return read_texts(table, replace(predictor.task, text=columns.text, choices=columns.choices))


def _rows(given: PredictArguments, task: Task) -> Texts:
    if task.kind == "tokens" and not given.second:
        return [tuple(text.split()) for text in given.text]
    each = {"choice": len(task.labels), "tokens": 0}.get(task.kind, len(task.text) - 1)
    if not each and given.second:
        raise InputError(f"--second: task {task.name} has one text, not a pair.")
    if len(given.second) != each * len(given.text):
        raise InputError(
            f"--second: task {task.name} is about {'choices' if each > 1 else 'pairs'}; expected "
            f"{each * len(given.text)} second texts, got {len(given.second)}."
        )
    return [
        (text, *given.second[each * row : each * (row + 1)]) for row, text in enumerate(given.text)
    ]


def _tag(predictor: TaskPredictor, sentences: Texts, output: Path | None) -> int:
    """Prints one word and its label a line, a blank line between sentences."""
    tags = predictor.tag(sentences)
    if output:
        pairs = zip(sentences, tags, strict=True)
        _write(output, ({"text": w, "label": [tag.label for tag in t]} for w, t in pairs))
        return 0
    lines = (
        "".join(f"{word}\t{tag.label}\n" for word, tag in zip(*pair, strict=True))
        for pair in zip(sentences, tags, strict=True)
    )
    print("\n".join(lines), end="")
    return 0


def _record(prediction: Prediction) -> dict[str, Any]:
    return {"label": prediction.label, "score": round(prediction.score, 6)}


def _write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    write_atomically(path, "".join(f"{json.dumps(record)}\n" for record in records).encode())
