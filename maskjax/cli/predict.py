"""`maskjax predict`: texts in, labels out."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskjax.cli.common import OneRun
from maskjax.cli.show import print_table, show, show_progress
from maskjax.errors import InputError

if TYPE_CHECKING:
    from maskjax.config import TaskConfig
    from maskjax.inference import Prediction
    from maskjax.tasks import Table, Task
    from maskjax.tasks.writers import Values

Texts = list[tuple[str, ...]]


class Inputs(NamedTuple):
    """Rows to label."""

    texts: Texts  # as `Split.texts`
    columns: "dict[str, Values]"  # what `--output` repeats
    table: "Table | None" = None  # the input file; None for texts of the command line


def predict(
    run: OneRun,
    *,
    text: tuple[str, ...] = (),
    second: tuple[str, ...] = (),
    input: Path | None = None,
    output: Path | None = None,
    probabilities: bool = False,
) -> None:
    """Labels texts with a finished run, and scores them where they have labels already.

    Args:
        text: Texts to label; where the task labels words, sentences with a space between words.
        second: The second text of each pair, where the task is about pairs; where it is about
            choices, all texts to choose from.
        input: A .tsv, .csv, .jsonl or .parquet file with the task's text columns; where the task
            labels words, a .tsv, .conll, .txt, .conllu, .jsonl or .parquet file of sentences. If it
            has the label column too, the predictions are scored.
        output: A .csv, .tsv, .jsonl or .parquet file for the input's columns with `label` and
            `score`, called `predicted_label` and so on where the input has such a column; by
            default predictions are printed.
        probabilities: Also write the probability of each class, in columns such as
            `probability_positive`.
    """
    from maskjax.inference import predict_rows
    from maskjax.taskfile import write_atomically
    from maskjax.tasks.writers import encode_rows

    _check_texts(text, second, input)
    _check_output(output, input, probabilities=probabilities)
    predictor = run.load_predictor()
    ((name, task),) = predictor.tasks.items()
    config = predictor.configs[name].task
    inputs = _read(input, task, config) if input else _from_words(text, second, task)
    words = [len(row) for row in inputs.texts] if task.kind == "tokens" else None
    if output:  # what the format cannot hold is refused before anything is computed
        encode_rows(output, inputs.columns, word_counts=words)
    with show_progress():
        logits = predictor.logits(inputs.texts)
    predictions = predict_rows(task, logits)
    if output:
        columns = _new_columns(task, inputs, predictions, logits if probabilities else None)
        write_atomically(output, encode_rows(output, inputs.columns | columns, word_counts=words))
    elif words is None:
        _print(inputs.texts, predictions)
    else:
        _print_words(inputs.texts, predictions)
    if inputs.table is not None and (line := _score(task, config, inputs.table, logits, words)):
        on_stderr = words is not None and not output  # standard output is a .conll then
        show(line, stderr=on_stderr)


def _check_texts(texts: Sequence[str], second: Sequence[str], input: Path | None) -> None:
    if bool(texts) == bool(input):
        raise InputError("expected either --text TEXT ... or --input FILE.")
    if not all(text.strip() for text in (*texts, *second)):
        raise InputError("--text: expected a text, got an empty one.")


def _check_output(output: Path | None, input: Path | None, *, probabilities: bool) -> None:
    from maskjax.tasks.writers import encode_rows

    if output is None:
        if probabilities:
            raise InputError("--probabilities: expected --output FILE, which gets the columns.")
        return
    encode_rows(output, {})  # refuses other formats
    folder = output.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--output: {folder} is no folder that can be written.")
    if input and output.resolve() == input.resolve():
        raise InputError(f"--output: {output} is the input; choose another name.")


def _read(path: Path, task: "Task", config: "TaskConfig") -> Inputs:
    """Reads texts by the column names of the form that the file has, which may be another one."""
    from maskjax.tasks import read_file, read_texts, with_columns
    from maskjax.tasks.writers import read_columns

    table = read_file(path, task.kind)
    texts = read_texts(table, with_columns(task, config, table))
    return Inputs(texts, read_columns(path, table), table)


def _from_words(first: Sequence[str], second: Sequence[str], task: "Task") -> Inputs:
    texts = _rows(first, second, task)
    if task.kind == "tokens":
        return Inputs(texts, {task.text[0]: texts})
    choices = (task.text[0], *(task.choices or task.labels))
    columns = choices if task.kind == "choice" else task.text
    cells = zip(*texts, strict=True)
    return Inputs(texts, {name: list(values) for name, values in zip(columns, cells, strict=True)})


def _rows(first: Sequence[str], second: Sequence[str], task: "Task") -> Texts:
    if task.kind == "tokens" and not second:
        return [tuple(text.split()) for text in first]
    more = {"choice": len(task.labels), "tokens": 0}.get(task.kind, len(task.text) - 1)
    if not more and second:
        raise InputError(f"--second: task {task.name} has one text, not a pair.")
    if len(second) != more * len(first):
        raise InputError(
            f"--second: task {task.name} is about {'choices' if more > 1 else 'pairs'}; expected "
            f"{more * len(first)} second texts, got {len(second)}."
        )
    return [(text, *second[more * row : more * (row + 1)]) for row, text in enumerate(first)]


def _new_columns(
    task: "Task",
    inputs: Inputs,
    predictions: "Sequence[Prediction]",
    logits: np.ndarray | None,
) -> "dict[str, Values]":
    """Label, score and, of logits, all probabilities; lists of them where words have labels."""
    from scipy.special import softmax

    from maskjax.tasks.writers import free_name

    columns: dict[str, list] = {
        "label": [prediction["label"] for prediction in predictions],
        "score": [round(prediction["score"], 6) for prediction in predictions],
    }
    if logits is not None and task.labels:
        chances = np.round(np.nan_to_num(softmax(logits.astype(np.float64), axis=1)), 6)
        names = (f"probability_{name}" for name in task.labels)
        columns |= dict(zip(names, chances.T.tolist(), strict=True))
    if task.kind == "tokens":
        ends = np.cumsum([len(words) for words in inputs.texts]).tolist()
        places = list(zip([0, *ends], ends, strict=False))
        columns = {name: [cells[a:b] for a, b in places] for name, cells in columns.items()}
    return {free_name(name, inputs.columns): cells for name, cells in columns.items()}


def _print(texts: Texts, predictions: "Sequence[Prediction]") -> None:
    rows = [
        (prediction["label"], f"{prediction['score']:.3f}", " | ".join(row))
        for row, prediction in zip(texts, predictions, strict=True)
    ]
    print_table(("label", "score", "text"), rows, names=3)


def _print_words(sentences: Texts, predictions: "Sequence[Prediction]") -> None:
    """Prints one word and its label a line, a blank line between sentences."""
    tags = iter(predictions)
    blocks = ("".join(f"{word}\t{next(tags)['label']}\n" for word in words) for words in sentences)
    sys.stdout.write("\n".join(blocks))


def _score(
    task: "Task",
    config: "TaskConfig",
    table: "Table",
    logits: np.ndarray,
    word_counts: Sequence[int] | None,
) -> str:
    """The scores as text, if the input has labels."""
    from maskjax.inference import evaluate_logits
    from maskjax.tasks import read_labeled_part

    try:
        labeled_part = read_labeled_part(task, config, table)
    except InputError as error:
        return f"not scored: {error}"
    if labeled_part is None:
        return ""
    rows, labeled = labeled_part
    units = rows if word_counts is None else np.repeat(rows, word_counts)
    evaluation = evaluate_logits(task, logits[units], labeled)
    scores = ", ".join(f"{name} {score:.4f}" for name, score in evaluation.scores.items())
    share = "" if evaluation.rows == len(rows) else f" of {len(rows):,}"
    return f"{scores} on {evaluation.rows:,}{share} rows with labels"
