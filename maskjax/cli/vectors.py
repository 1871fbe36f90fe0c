"""`maskjax vectors`: what a finished run makes of whole texts, for pictures and neighbors."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskjax.cli.common import OneRun, show_notes, wanted_splits
from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError

if TYPE_CHECKING:
    from maskjax.tasks import Task


def vectors(run: OneRun, *, out: Path, split: str | None = None, layer: int | None = None) -> None:
    """Writes the vector of the first token, [CLS] or <s>, of each text with its label.

    Args:
        out: A .tsv file with a line a text, the label first; or a .npy file of records with the
            fields `label` and `vector`.
        split: The rows; by default dev, or holdout where there is no dev split.
        layer: The number of blocks below: 0 for the embeddings; by default the last block.
    """
    from maskjax.inference import cls_vectors
    from maskjax.taskfile import write_atomically

    if out.suffix not in FORMATS:
        raise InputError(f"--out: expected a name in {' or '.join(FORMATS)}, got {out}.")
    saved = run.load()
    task = saved.task
    if task.kind not in ("classification", "regression"):
        raise InputError(
            f"{run.run}: expected a task with a label for each text, got one of {task.kind}."
        )
    data = saved.load_rows()
    (name,) = wanted_splits(data, split or ("dev" if "dev" in data.splits else "holdout"))
    with show_progress():
        encoded = saved.encode(data.splits[name])
        states = cls_vectors(saved, encoded, layer)
    show_notes(data)
    write_atomically(out, FORMATS[out.suffix](_labels(task, encoded.labels), states))
    rows, size = states.shape
    show(f"{out}: {rows:,} vectors of {size}")


def _labels(task: "Task", labels: np.ndarray) -> np.ndarray:
    """Names of classes, or numbers."""
    return np.array(task.labels)[labels] if task.labels else labels


def _tsv(labels: np.ndarray, vectors: np.ndarray) -> bytes:
    head = "\t".join(["label", *(str(column) for column in range(vectors.shape[1]))])
    lines = (
        "\t".join([str(label), *(f"{value:.6g}" for value in vector)])
        for label, vector in zip(labels, vectors, strict=True)
    )
    return "\n".join([head, *lines, ""]).encode()


def _npy(labels: np.ndarray, vectors: np.ndarray) -> bytes:
    fields = [("label", labels.dtype), ("vector", vectors.dtype, vectors.shape[1:])]
    records = np.empty(len(vectors), fields)
    records["label"], records["vector"] = labels, vectors
    buffer = BytesIO()
    np.save(buffer, records, allow_pickle=False)
    return buffer.getvalue()


FORMATS = {".tsv": _tsv, ".npy": _npy}
