"""Tokenised rows on disk, found by what they were made of.

The name of an entry is a hash of everything that tokens depend on, so an entry is never out of
date: other texts or another tokenizer have another name. Labels are no part of it. The folder may
be deleted at any time.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load, save

from maskjax.places import cache_folder
from maskjax.tasks.encode import Encoded, WordPiece, encode
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import Split
from maskjax.tasks.tokenizer import in_rust

if TYPE_CHECKING:  # slow to import
    from transformers import PreTrainedTokenizerBase

FORMAT = 1
"""Of an entry; to be raised when `encode` or the layout of an entry changes."""


def encode_cached(
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    word_piece: WordPiece = "last",
) -> tuple[Encoded, list[str]]:
    """Does what `encode` does, once for all runs on the same texts.

    An entry that is damaged is made anew. A folder that cannot be written stops nobody.

    Args:
        split: The rows.
        tokenizer: A fast tokenizer.
        max_length: The most tokens of a sequence.
        word_piece: For tokens, which piece of a word stands for it.

    Returns:
        The tokenised rows, and what people should know of the cache, usually nothing.

    Raises:
        InputError: If max_length leaves no room for a token of each text.
    """
    path = cache_folder() / "tokens" / _key(split, tokenizer, max_length, word_piece)
    notes = []
    try:
        return _unpack(path.read_bytes(), split.labels), []
    except FileNotFoundError:
        pass  # as it is the first time
    except (OSError, _DamagedError) as error:
        notes.append(f"{path}: {_reason(error)}; the rows were tokenised again")
    encoded = encode(split, tokenizer, max_length, word_piece)
    try:
        _write(path, _pack(encoded))
    except OSError as error:
        notes.append(f"{path}: {_reason(error)}; the tokenised rows were not kept")
    return encoded, notes


class _DamagedError(ValueError):
    """The content of an entry is not what was written."""


def _key(
    split: Split, tokenizer: "PreTrainedTokenizerBase", max_length: int, word_piece: WordPiece
) -> str:
    import tokenizers

    rust = json.loads(in_rust(tokenizer).to_str())
    del rust["truncation"], rust["padding"]  # what the last call has left there
    parts = {
        "format": FORMAT,
        "tokenizers": tokenizers.__version__,
        "tokenizer": rust,
        "inputs": tokenizer.model_input_names,
        "side": tokenizer.truncation_side,
        "max_length": max_length,
        "word_piece": word_piece,
        "kind": split.kind,
        "texts": split.texts,
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _pack(encoded: Encoded) -> bytes:
    tensors = {
        "ids": encoded.input_ids.values,
        "types": encoded.token_type_ids.values,
        "lengths": encoded.input_ids.lengths,
        "numbers": np.array([encoded.truncated, encoded.choices]),
    }
    if encoded.places is not None:
        tensors |= {"places": encoded.places.values, "sizes": encoded.places.lengths}
    payload = save(tensors)
    return hashlib.sha256(payload).digest() + payload


def _unpack(content: bytes, labels: np.ndarray) -> Encoded:
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        raise _DamagedError("the entry is damaged")
    tensors = load(payload)
    truncated, choices = tensors["numbers"].tolist()
    return Encoded(
        input_ids=Ragged(tensors["ids"], tensors["lengths"]),
        token_type_ids=Ragged(tensors["types"], tensors["lengths"]),
        labels=labels,
        truncated=truncated,
        choices=choices,
        places=Ragged(tensors["places"], tensors["sizes"]) if "places" in tensors else None,
    )


def _write(path: Path, content: bytes) -> None:
    """Writes beside, then renames; the checksum sees to what a power cut leaves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
