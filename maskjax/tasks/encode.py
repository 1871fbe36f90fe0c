"""From text to token ids."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.tasks.tables import nearby
from maskjax.tasks.task import Split

if TYPE_CHECKING:  # slow to import
    from transformers import PreTrainedTokenizerBase

# A tokenizer is in one of these, or is made from it.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


class Encoded(NamedTuple):
    """A tokenised split, not padded.

    Attributes:
        input_ids: The token ids of each row, special tokens included; [tokens of the row] int32.
        token_type_ids: 1 for the tokens of a second text if the model tells the two texts apart,
            else 0; [tokens of the row] int32.
        labels: Class ids, int32, or regression targets, float32; [rows].
        truncated: How many rows were too long and have been cut.
    """

    input_ids: list[np.ndarray]
    token_type_ids: list[np.ndarray]
    labels: np.ndarray
    truncated: int


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a model from the model's local folder.

    Args:
        folder: A folder in the layout of Hugging Face.

    Returns:
        The fast tokenizer.

    Raises:
        InputError: If the folder is missing, or holds no tokenizer that can be read or none that
            has a fast form.
    """
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {nearby(folder)}")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # transformers would make a tokenizer that knows no words.
        raise InputError(f"{folder}: expected a tokenizer in {' or '.join(TOKENIZER_FILES)}.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # which class it is depends on what is broken
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: the tokenizer cannot be read: {reason}") from error
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: expected a tokenizer that has a fast form; it has none.")
    return tokenizer


def encode(split: Split, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> Encoded:
    """Tokenises a split in one call.

    Args:
        split: The rows; all have one text, or all have two.
        tokenizer: A fast tokenizer.
        max_length: The most tokens of a row, special tokens included. A longer row is cut at the
            end; a pair is cut at the end of whichever of its texts is longer.

    Returns:
        The tokenised rows.

    Raises:
        InputError: If max_length leaves no room for a token of each text.
    """
    columns = [list(column) for column in zip(*split.texts, strict=True)]
    if not columns:
        return Encoded([], [], split.labels, truncated=0)
    first, second = columns[0], columns[1] if len(columns) == 2 else None
    least = len(columns) + tokenizer.num_special_tokens_to_add(pair=second is not None)
    if max_length < least:
        raise InputError(
            f"--task.max_length: expected at least {least}, one token for each text besides the"
            f" special tokens, got {max_length}."
        )
    batch = tokenizer(first, second, truncation="longest_first", max_length=max_length)
    rows = batch.encodings or []
    has_types = "token_type_ids" in tokenizer.model_input_names
    types = (row.type_ids if has_types else [0] * len(row.ids) for row in rows)
    return Encoded(
        input_ids=[np.array(row.ids, np.int32) for row in rows],
        token_type_ids=[np.array(row, np.int32) for row in types],
        labels=split.labels,
        truncated=sum(bool(row.overflowing) for row in rows),
    )
