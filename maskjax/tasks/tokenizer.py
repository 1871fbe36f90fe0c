"""The tokenizer of a model, from the model's local folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from maskjax.errors import InputError
from maskjax.models.config import Kind
from maskjax.tasks.tables import nearby

if TYPE_CHECKING:  # slow to import
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# A tokenizer is in one of these, or is made from it.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_tokenizer(folder: Path, kind: Kind = "classification") -> "PreTrainedTokenizerBase":
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


def in_rust(tokenizer: "PreTrainedTokenizerBase") -> "Tokenizer":
    """The part of a fast tokenizer that does the work.

    Args:
        tokenizer: A fast tokenizer.

    Returns:
        The tokenizer of the tokenizers library within it.
    """
    return cast(Any, tokenizer).backend_tokenizer


def _load(folder: Path, **options: bool) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # which class it is depends on what is broken
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: the tokenizer cannot be read: {reason}") from error
