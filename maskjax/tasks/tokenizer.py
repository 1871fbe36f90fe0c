"""The tokenizer of a model, from the model's local folder."""

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from maskjax.errors import InputError
from maskjax.models import Base, Kind
from maskjax.tasks.readers import nearby

if TYPE_CHECKING:  # slow to import
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# A tokenizer is in one of these, or is made from it.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_tokenizer(folder: str | Path, kind: Kind = "classification") -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a model from the model's local folder.

    Args:
        folder: A folder in the layout of Hugging Face.
        kind: For tokens, RoBERTa's tokenizer takes each word as if a space stood before it;
            without that every word would be read as the first of a text.

    Returns:
        The fast tokenizer.

    Raises:
        InputError: If the folder is missing, or holds no tokenizer that can be read or none that
            has a fast form.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {nearby(folder)}")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # transformers would make a tokenizer that knows no words.
        raise InputError(f"{folder}: expected a tokenizer in {' or '.join(TOKENIZER_FILES)}.")
    tokenizer = _load(folder)
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: expected a tokenizer that has a fast form; it has none.")
    if kind == "tokens" and getattr(tokenizer, "add_prefix_space", True) is False:
        return _load(folder, add_prefix_space=True)
    return tokenizer


def load_base_tokenizer(base: Base, kind: Kind = "classification") -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a base, and compares it with the embeddings.

    Args:
        base: The base.
        kind: As for `load_tokenizer`.

    Returns:
        The fast tokenizer, all of whose token ids have an embedding.

    Raises:
        InputError: If it cannot be loaded, or has a token id without an embedding, which indexing
            would clamp to the last one.
    """
    tokenizer, rows = load_tokenizer(base.folder, kind), base.config.vocab_size
    # Ids may have gaps, and those of special tokens stand in the post-processor once more.
    special = in_rust(tokenizer).encode("", "").ids
    tokens = 1 + max((*tokenizer.get_vocab().values(), *special), default=0)
    if tokens > rows:
        raise InputError(
            f"{base.folder}: the tokenizer knows {tokens} tokens and the model {rows}; they are "
            "not of the same checkpoint; save the model after resize_token_embeddings, or the "
            "tokenizer without the tokens that were added."
        )
    return tokenizer


def in_rust(tokenizer: "PreTrainedTokenizerBase") -> "Tokenizer":
    """The part of a fast tokenizer that does the work."""
    return cast(Any, tokenizer).backend_tokenizer


def import_transformers() -> ModuleType:
    """Imports transformers without its line that PyTorch was not found."""
    name = "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    before = os.environ.get(name)
    # The line is printed while the module is imported, before anything else can be set.
    os.environ[name] = "1"
    try:
        return importlib.import_module("transformers")
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _load(folder: Path, **options: bool) -> "PreTrainedTokenizerBase":
    loader = import_transformers().AutoTokenizer
    try:
        return loader.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # which class it is depends on what is broken
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: the tokenizer cannot be read: {reason}") from error
