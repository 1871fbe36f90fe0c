"""The tokenizer of a model, from the model's local folder."""

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from maskjax.errors import InputError
from maskjax.models import Base, TaskType
from maskjax.tasks.readers import suggest_paths

if TYPE_CHECKING:  # slow to import
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# A tokenizer is read from the first of these that exists.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_tokenizer(
    folder: str | Path, kind: TaskType = "classification"
) -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a model from the model's local folder.

    Args:
        folder: A folder in the layout of Hugging Face.
        kind: The kind of the task; for tokens, RoBERTa's tokenizer adds a space before each word,
            without which every word would be read as the first of a text.

    Returns:
        The fast tokenizer.

    Raises:
        InputError: If the folder is missing, or holds no readable tokenizer with a fast form.

    Example:
        >>> load_tokenizer(base).tokenize("a good film")
        ['a', 'good', 'film']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {suggest_paths(folder)}")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # transformers would make a tokenizer without a vocabulary.
        raise InputError(f"{folder}: expected a tokenizer in {' or '.join(TOKENIZER_FILES)}.")
    tokenizer = _load(folder)
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: expected a tokenizer that has a fast form; it has none.")
    if kind == "tokens" and getattr(tokenizer, "add_prefix_space", True) is False:
        return _load(folder, add_prefix_space=True)
    return tokenizer


def load_base_tokenizer(base: Base, kind: TaskType = "classification") -> "PreTrainedTokenizerBase":
    """Loads the tokenizer of a base, and checks it against the embeddings.

    Args:
        base: The base.
        kind: The kind of the task, as for `load_tokenizer`.

    Returns:
        The fast tokenizer, all of whose token ids have an embedding.

    Raises:
        InputError: If it cannot be loaded, or has a token id without an embedding, which indexing
            would clamp to the last one.
    """
    tokenizer, vocab_size = load_tokenizer(base.folder, kind), base.config.vocab_size
    # Ids may have gaps, and the post-processor has its own ids of special tokens.
    special_ids = rust_tokenizer(tokenizer).encode("", "").ids
    num_tokens = 1 + max((*tokenizer.get_vocab().values(), *special_ids), default=0)
    if num_tokens > vocab_size:
        raise InputError(
            f"{base.folder}: the tokenizer has {num_tokens} tokens and the model {vocab_size}; they"
            " are not of the same checkpoint; save the model after resize_token_embeddings, or the"
            " tokenizer without the tokens that were added."
        )
    return tokenizer


def rust_tokenizer(tokenizer: "PreTrainedTokenizerBase") -> "Tokenizer":
    """The tokenizer in Rust that a fast tokenizer wraps."""
    return cast(Any, tokenizer).backend_tokenizer


def import_transformers() -> ModuleType:
    """Imports transformers without its warning that PyTorch was not found."""
    name = "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    previous = os.environ.get(name)
    # The warning is printed during the import, before its logger can be set up.
    os.environ[name] = "1"
    try:
        return importlib.import_module("transformers")
    finally:
        if previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous


def _load(folder: Path, **options: bool) -> "PreTrainedTokenizerBase":
    loader = import_transformers().AutoTokenizer
    try:
        return loader.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # the class depends on the defect
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: the tokenizer cannot be read: {reason}") from error
