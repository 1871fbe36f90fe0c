"""Batches of few static shapes.

A compiled step has one program for each shape, so a batch always has `batch_size` rows, each of
one sequence or one for each choice, and the length of one of a few buckets. A row goes to the
smallest bucket that holds it; rows that do not fill a batch move up to the next bucket in use, so
that at most one batch of an epoch is not full. That batch is filled up with repeated rows of
weight 0: a repeated row, unlike an empty one, has something to attend to and cannot turn into NaN.

Each window of a row that is read in several is a row of a batch, with the label of its row and a
weight in inverse proportion to their number: in an epoch a row counts once, as in a score. Weights
are 1 on average and a loss is divided by their number, not by their sum. By their sum a batch of
windows of long rows, which fill the longest bucket, would count as much as one of whole rows. A
word has its label in one window only.

The shapes of an epoch follow from the lengths of the rows alone, never from their order, so all
epochs run the same programs. The sequence of shapes follows from these and the number of the
epoch: runs of different seeds can make their steps together.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.tasks.encoded import Encoded
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import IGNORED

Batch = dict[str, np.ndarray]


class BatchRows(NamedTuple):
    """The rows of one batch."""

    rows: np.ndarray  # numbers of windows, each a row of the batch; [at most batch_size] int64
    bucket: int  # the length of the batch in tokens


def train_batches(
    encoded: Encoded,
    *,
    batch_size: int,
    buckets: Sequence[int],
    pad_id: int,
    seed: int,
    epoch: int,
) -> Iterator[Batch]:
    """Batches the rows of one epoch, shuffled; a pure function of its arguments.

    Rows are shuffled before they are grouped, then the full batches; one that is not full is last.
    The seed chooses the rows of a batch, never its length.

    Args:
        encoded: The rows.
        batch_size: Rows of a batch.
        buckets: Lengths that a batch may have, ascending.
        pad_id: The token id that fills up short rows.
        seed: The seed of the run.
        epoch: The number of the epoch; each has its own order.

    Returns:
        Batches of `input_ids`, `attention_mask` and `token_type_ids`, [batch_size, bucket] int32,
        or [batch_size * choices, bucket] with the choices of a row side by side; `labels`,
        [batch_size] int32 or float32; `weights`, [batch_size] float32: 1, another positive number
        where some rows are read in several windows, or 0 for rows that only fill the batch up. For
        tokens `labels` and `weights` are [batch_size, bucket], and all weights are 0 but those of
        the tokens that stand for words with a label.

    Raises:
        InputError: If the batch size or the buckets make no sense, or do not hold the longest row.

    Example:
        >>> from maskjax.tasks import Ragged
        >>> ids = Ragged.from_rows([[7] * length for length in (2, 3, 3)])
        >>> encoded = Encoded(ids, ids, np.array([0, 1, 1], np.int32))
        >>> options = dict(batch_size=2, buckets=(4, 8), pad_id=0, seed=0, epoch=0)
        >>> [batch["weights"].tolist() for batch in train_batches(encoded, **options)]
        [[1.0, 1.0], [1.0, 0.0]]
    """
    rows = np.random.default_rng((seed, epoch)).permutation(encoded.windows)
    groups = _group(encoded, rows, batch_size, buckets)
    full = encoded.windows // batch_size
    order = [*np.random.default_rng(epoch).permutation(full), *range(full, len(groups))]
    targets = _targets(encoded)
    return (_collate(encoded, targets, groups[index], batch_size, pad_id) for index in order)


def eval_batches(
    encoded: Encoded, *, batch_size: int, buckets: Sequence[int], pad_id: int
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches every window of every row exactly once, in a fixed order.

    Args:
        encoded: The rows.
        batch_size: Rows of a batch.
        buckets: Lengths that a batch may have, ascending.
        pad_id: The token id that fills up short rows.

    Returns:
        Pairs of window numbers, [at most batch_size], and a batch like those of `train_batches`
        that starts with these windows: outputs return to their windows by
        `outputs[windows] = batch_outputs[: len(windows)]`. Where rows are never read in several
        windows, these are row numbers.

    Raises:
        InputError: If the batch size or the buckets make no sense, or do not hold the longest row.

    Example:
        >>> from maskjax.tasks import Ragged
        >>> ids = Ragged.from_rows([[7] * length for length in (2, 8, 3)])
        >>> encoded = Encoded(ids, ids, np.zeros(3, np.int32))
        >>> for rows, batch in eval_batches(encoded, batch_size=2, buckets=(4, 8), pad_id=0):
        ...     print(rows, batch["input_ids"].shape)
        [0 2] (2, 4)
        [1] (2, 8)
    """
    groups = _group(encoded, np.arange(encoded.windows), batch_size, buckets)
    targets = _targets(encoded)
    return ((group.rows, _collate(encoded, targets, group, batch_size, pad_id)) for group in groups)


def num_batches(encoded: Encoded, batch_size: int) -> int:
    """Counts the batches of an epoch, in training as in evaluation.

    Args:
        encoded: The rows.
        batch_size: Rows of a batch.

    Returns:
        The count; buckets do not change it.

    Example:
        >>> from maskjax.tasks import Ragged
        >>> ids = Ragged.from_rows([[7] * 4] * 5)
        >>> num_batches(Encoded(ids, ids, np.zeros(5, np.int32)), batch_size=2)
        3
    """
    return -(-encoded.windows // batch_size)


def buckets_used(encoded: Encoded, batch_size: int, buckets: Sequence[int]) -> tuple[int, ...]:
    """Lists the lengths that batches will have: a step is compiled once for each.

    Args:
        encoded: The rows.
        batch_size: Rows of a batch.
        buckets: Lengths that a batch may have, ascending.

    Returns:
        The lengths in use, ascending; they are the same in training and in evaluation.

    Raises:
        InputError: If the batch size or the buckets make no sense, or do not hold the longest row.

    Example:
        >>> from maskjax.tasks import Ragged
        >>> ids = Ragged.from_rows([[7] * length for length in (3, 3, 3, 12)])
        >>> encoded = Encoded(ids, ids, np.zeros(4, np.int32))
        >>> buckets_used(encoded, batch_size=2, buckets=(4, 8, 16))
        (4, 16)
    """
    groups = _group(encoded, np.arange(encoded.windows), batch_size, buckets)
    return tuple(sorted({group.bucket for group in groups}))


def _group(
    encoded: Encoded, order: np.ndarray, batch_size: int, buckets: Sequence[int]
) -> list[BatchRows]:
    """Groups rows in the given order into full batches, then at most one that is not full."""
    lengths = encoded.lengths
    _check(batch_size, buckets, int(lengths.max(initial=0)))
    bucket_of = np.searchsorted(buckets, lengths[order])
    groups: list[BatchRows] = []
    waiting = order[:0]
    for index in np.unique(bucket_of):
        waiting = np.concatenate([waiting, order[bucket_of == index]])
        num_full = len(waiting) // batch_size * batch_size
        batches = waiting[:num_full].reshape(-1, batch_size)
        groups += [BatchRows(rows, buckets[index]) for rows in batches]
        waiting = waiting[num_full:]
    if len(waiting):
        groups.append(BatchRows(waiting, buckets[bucket_of.max()]))
    return groups


class _Targets(NamedTuple):
    """The label of each window, but for tokens, and its weight."""

    labels: np.ndarray
    weights: np.ndarray


def _targets(encoded: Encoded) -> _Targets:
    counts = encoded.window_counts
    if counts is None or encoded.word_positions is not None:
        return _Targets(encoded.labels, np.ones(encoded.windows, np.float32))
    shares = encoded.windows / max(encoded.rows, 1) / counts
    return _Targets(np.repeat(encoded.labels, counts), np.repeat(shares, counts).astype(np.float32))


def _collate(
    encoded: Encoded, targets: _Targets, group: BatchRows, batch_size: int, pad_id: int
) -> Batch:
    rows = np.resize(group.rows, batch_size)  # repeats rows until the batch is full
    row_weights = targets.weights[rows] * (np.arange(batch_size) < len(group.rows))
    sequences = (rows[:, None] * encoded.choices + np.arange(encoded.choices)).ravel()
    tokens = encoded.input_ids, encoded.token_type_ids
    inputs = pad_sequences(*tokens, sequences, length=group.bucket, pad_id=pad_id)
    if encoded.word_positions is None:
        return {**inputs, "labels": targets.labels[rows], "weights": row_weights}
    shape = (batch_size, group.bucket)
    labels, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    width = int(encoded.word_positions.lengths[rows].max())
    positions = encoded.word_positions.padded(rows, width=width, fill=-1)
    batch_row, word = np.nonzero(positions >= 0)
    position = positions[batch_row, word]
    label = encoded.labels[encoded.word_positions.offsets[rows][batch_row] + word]
    labels[batch_row, position] = np.where(label == IGNORED, 0, label)
    weights[batch_row, position] = row_weights[batch_row] * (label != IGNORED)
    return {**inputs, "labels": labels, "weights": weights}


def pad_sequences(
    input_ids: Ragged, token_type_ids: Ragged, chosen: np.ndarray, *, length: int, pad_id: int
) -> Batch:
    """The arrays that a model reads, `[chosen, length]` int32, of sequences by their numbers."""
    inside = np.arange(length) < input_ids.lengths[chosen, None]
    return {
        "input_ids": input_ids.padded(chosen, width=length, fill=pad_id),
        "attention_mask": inside.astype(np.int32),
        "token_type_ids": token_type_ids.padded(chosen, width=length, fill=0),
    }


def _check(batch_size: int, buckets: Sequence[int], longest: int) -> None:
    if batch_size < 1:
        raise InputError(f"--train.batch_size: expected at least 1, got {batch_size}.")
    if not buckets or buckets[0] < 1 or any(a >= b for a, b in pairwise(buckets)):
        raise InputError(f"--train.buckets: expected ascending lengths, got {tuple(buckets)}.")
    if longest > buckets[-1]:
        raise InputError(
            f"--train.buckets: expected one that holds a row of {longest} tokens, got"
            f" {tuple(buckets)}; add one, or lower --task.max_length to {buckets[-1]}."
        )
