"""Tokenized rows on disk.

The name of an entry is a hash of everything that tokens depend on, so an entry is never out of
date: other texts or another tokenizer have another name. Labels are not part of it. The folder may
be deleted at any time.
"""

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from maskjax.folders import cache_folder
from maskjax.tasks.encode import encode
from maskjax.tasks.encoded import Encoded
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import Split
from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.windows import WordPiece

FORMAT = 3
"""The version of an entry, to be raised when `encode` or the layout of an entry changes."""


def encode_cached(
    split: Split,
    tokenizer: Tokenizer,
    max_length: int,
    word_piece: WordPiece = "last",
    stride: int | None = None,
) -> tuple[Encoded, list[str]]:
    """Tokenizes a split as `encode` does, or reads it from the cache on disk.

    An entry that is damaged, or does not match its name, is replaced. A cache that cannot be
    written, or a user without a home folder, is not an error.

    Args:
        split: The rows.
        tokenizer: The tokenizer.
        max_length: The maximum number of tokens of a sequence.
        word_piece: For tokens, which piece of a word stands for it.
        stride: The number of tokens that neighboring windows share; None truncates.

    Returns:
        The tokenized rows, and notes on the cache, usually none.

    Raises:
        InputError: If `encode` refuses the rows or the settings.
    """
    folder = cache_folder()
    if folder is None:
        encoded = encode(split, tokenizer, max_length, word_piece, stride)
        return encoded, ["no home folder; MASKJAX_CACHE names one for the tokenized rows"]
    key = _key(split, tokenizer, max_length, word_piece, stride)
    path = folder / "tokens" / key
    notes = []
    try:
        encoded = _unpack(_read(path), key, split.labels)
        _check(encoded, split, max_length, len(tokenizer))
        return encoded, []
    except (FileNotFoundError, NotADirectoryError):
        pass  # not cached yet
    except (OSError, _DamagedError) as error:
        notes.append(f"{path}: {_reason(error)}; the rows were tokenized again")
    encoded = encode(split, tokenizer, max_length, word_piece, stride)
    try:
        _write(path, _pack(encoded, key))
    except OSError as error:
        notes.append(f"{path.parent}: {_reason(error)}; the tokenized rows were not kept")
    return encoded, notes


class _DamagedError(ValueError):
    """The content of a cache entry is not valid."""


def _key(
    split: Split,
    tokenizer: Tokenizer,
    max_length: int,
    word_piece: WordPiece,
    stride: int | None,
) -> str:
    import tokenizers

    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    del settings["truncation"], settings["padding"]  # state of the last call
    content = {
        "format": FORMAT,
        "tokenizers": tokenizers.__version__,
        "tokenizer": settings,
        "inputs": tokenizer.model_input_names,
        "side": tokenizer.truncation_side,
        "max_length": max_length,
        "word_piece": word_piece,
        "stride": stride,
        "kind": split.kind,
        "texts": split.texts,
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _pack(encoded: Encoded, key: str) -> bytes:
    tensors = {
        "key": np.frombuffer(bytes.fromhex(key), np.uint8),
        "ids": encoded.input_ids.values,
        "types": encoded.token_type_ids.values,
        "lengths": encoded.input_ids.lengths,
        "choices": np.array([encoded.choices]),
        "truncated": encoded.truncated_rows,
    }
    if encoded.window_counts is not None:
        tensors["windows"] = encoded.window_counts
    if encoded.word_positions is not None:
        positions = encoded.word_positions
        tensors |= {"places": positions.values, "sizes": positions.lengths}
    payload = save(tensors)
    return hashlib.sha256(payload).digest() + payload


def _unpack(content: bytes, key: str, labels: np.ndarray) -> Encoded:
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        raise _DamagedError("the entry is damaged")
    try:
        tensors = load(payload)
        if tensors["key"].tobytes().hex() != key:
            raise _DamagedError("the entry belongs to other rows")
        (choices,) = tensors["choices"].tolist()
        positions = Ragged(tensors["places"], tensors["sizes"]) if "places" in tensors else None
        return Encoded(
            input_ids=Ragged(tensors["ids"], tensors["lengths"]),
            token_type_ids=Ragged(tensors["types"], tensors["lengths"]),
            labels=labels,
            truncated_rows=tensors["truncated"],
            choices=choices,
            word_positions=positions,
            window_counts=tensors.get("windows"),
        )
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, _DamagedError):
            raise
        raise _DamagedError("the entry is not one of this cache") from error


def _check(encoded: Encoded, split: Split, max_length: int, vocabulary: int) -> None:
    """Compares the shapes and ranges of an entry with the rows of its name."""
    ids, types, lengths = encoded.input_ids, encoded.token_type_ids, encoded.input_ids.lengths
    rows = [texts if split.kind == "tokens" else texts[1:] for texts in split.texts]
    choices = len(rows[0]) if rows and split.kind == "choice" else 1
    counts = encoded.window_counts
    windows = np.ones(len(rows), np.int64) if counts is None else counts
    fits = (
        encoded.choices == choices
        and len(windows) == len(rows)
        and _within(windows, 1, len(ids) + 1)
        and len(ids) == windows.sum() * choices
        and _within(encoded.truncated_rows, 0, len(rows))
        and _within(ids.values, 0, vocabulary)
        and _within(types.values, 0, 2)
        and _within(lengths, 1, max_length + 1)
        and (encoded.word_positions is not None) == (split.kind == "tokens")
    )
    if fits and encoded.word_positions is not None:
        positions = encoded.word_positions
        fits = len(positions) == len(ids) and np.array_equal(encoded.sizes, split.sizes)
        fits = fits and _within(positions.values, -1, np.repeat(lengths, positions.lengths))
    if not fits:
        raise _DamagedError("the entry does not fit its rows")


def _within(values: np.ndarray, lower: int, upper: int | np.ndarray) -> bool:
    return values.dtype.kind == "i" and bool(((values >= lower) & (values < upper)).all())


def _read(path: Path) -> bytes:
    """Reads a regular file; opening a named pipe would wait for its writer."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(file, "rb") as entry:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _DamagedError("the entry is no regular file")
        return entry.read()


def _write(path: Path, content: bytes) -> None:
    """Writes a temporary file and renames it; the checksum finds what a power cut leaves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # only the cache uses hashes as names
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
