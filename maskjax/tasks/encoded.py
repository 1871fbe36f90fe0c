"""Tokenized rows.

A sequence is one input of the encoder. A window of a row is one sequence, or one for each choice,
adjacent. A row is one window, or several that overlap where the row is too long for one.
"""

from typing import NamedTuple

import numpy as np

from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import IGNORED

NO_ROWS = np.zeros(0, np.int64)


class Encoded(NamedTuple):
    """A tokenized split, not padded.

    Attributes:
        input_ids: The token ids of each sequence, special tokens included.
        token_type_ids: 1 for the tokens of a second text if the model distinguishes the two texts,
            else 0.
        labels: Class ids, int32, or regression targets, float32; [units].
        truncated_rows: The numbers of the rows that were too long and have been truncated;
            [truncated] int64.
        choices: Sequences of a window.
        word_positions: For tokens, the position in its sequence of each word that a window labels;
            -1 for a word that has been truncated, or for which the tokenizer has no token. The
            words of a row are in their order, each in one window. None for the other kinds.
        window_counts: The number of windows of each row; [rows] int64. None where rows are never
            read in several windows.
    """

    input_ids: Ragged
    token_type_ids: Ragged
    labels: np.ndarray
    truncated_rows: np.ndarray = NO_ROWS
    choices: int = 1
    word_positions: Ragged | None = None
    window_counts: np.ndarray | None = None

    @property
    def windows(self) -> int:
        """The number of windows of all rows."""
        return len(self.input_ids) // self.choices

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.windows if self.window_counts is None else len(self.window_counts)

    @property
    def truncated(self) -> int:
        """The number of rows that were too long and have been truncated."""
        return len(self.truncated_rows)

    @property
    def lengths(self) -> np.ndarray:
        """The number of tokens of the longest sequence of each window; [windows] int64."""
        lengths = self.input_ids.lengths
        return lengths.reshape(self.windows, self.choices).max(axis=1, initial=0)

    @property
    def sizes(self) -> np.ndarray:
        """The number of units of each row; [rows] int64."""
        if self.word_positions is None:
            return np.ones(self.rows, np.int64)
        if self.window_counts is None:
            return self.word_positions.lengths
        row = np.repeat(np.arange(self.rows), self.window_counts)
        sizes = np.zeros(self.rows, np.int64)
        np.add.at(sizes, row, self.word_positions.lengths)
        return sizes

    @property
    def unseen_words(self) -> int:
        """The number of labeled words without a token, each of which counts as an error."""
        if self.word_positions is None:
            return 0
        return int(((self.word_positions.values < 0) & (self.labels != IGNORED)).sum())

    def merge_windows(self, outputs: np.ndarray) -> np.ndarray:
        """Averages the outputs of the windows of each row.

        Args:
            outputs: `[windows, outputs]` float32.

        Returns:
            `[rows, outputs]` float32; the outputs themselves where rows have one window.
        """
        counts = self.window_counts
        if counts is None or not len(outputs):
            return outputs
        sums = np.add.reduceat(outputs.astype(np.float64), np.cumsum(counts) - counts)
        return (sums / counts[:, None]).astype(np.float32)
