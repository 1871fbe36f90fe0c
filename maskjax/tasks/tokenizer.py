"""The tokenizer of a model, from the model's local folder."""

from pathlib import Path

from maskjax.errors import InputError
from maskjax.models import Base, TaskType
from maskjax.tasks.readers import suggest_paths
from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.tokenizer_convert import TOKENIZER_FILES, convert_tokenizer
from maskjax.tasks.tokenizer_file import read_tokenizer


def load_tokenizer(folder: str | Path, kind: TaskType = "classification") -> Tokenizer:
    """Loads the tokenizer of a model from the model's local folder.

    It equals that of AutoTokenizer. transformers, which takes seconds to import, is needed only
    where tokenizer.json does not suffice, and only the first time.

    Args:
        folder: A folder in the layout of Hugging Face.
        kind: The kind of the task; for tokens, RoBERTa's tokenizer adds a space before each word,
            without which every word would be read as the first of a text.

    Returns:
        The tokenizer.

    Raises:
        InputError: If the folder is missing, or holds no readable tokenizer with a fast form.

    Example:
        >>> load_tokenizer(base).truncation_side
        'right'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {suggest_paths(folder)}")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # transformers would make a tokenizer without a vocabulary.
        raise InputError(f"{folder}: expected a tokenizer in {' or '.join(TOKENIZER_FILES)}.")
    if tokenizer := read_tokenizer(folder, words=kind == "tokens"):
        return tokenizer
    tokenizer = convert_tokenizer(folder)
    if kind == "tokens" and not tokenizer.add_prefix_space:
        return convert_tokenizer(folder, add_prefix_space=True)
    return tokenizer


def load_base_tokenizer(base: Base, kind: TaskType = "classification") -> Tokenizer:
    """Loads the tokenizer of a base, and checks it against the embeddings.

    Args:
        base: The base.
        kind: The kind of the task, as for `load_tokenizer`.

    Returns:
        The tokenizer, all of whose token ids have an embedding.

    Raises:
        InputError: If it cannot be loaded, or has a token id without an embedding, which indexing
            would clamp to the last one.
    """
    tokenizer, vocab_size = load_tokenizer(base.folder, kind), base.config.vocab_size
    # Ids may have gaps, and the post-processor has its own ids of special tokens.
    special_ids = tokenizer.backend_tokenizer.encode("", "").ids
    num_tokens = 1 + max((*tokenizer.get_vocab().values(), *special_ids), default=0)
    if num_tokens > vocab_size:
        raise InputError(
            f"{base.folder}: the tokenizer has {num_tokens} tokens and the model {vocab_size}; they"
            " are not of the same checkpoint; save the model after resize_token_embeddings, or the"
            " tokenizer without the tokens that were added."
        )
    return tokenizer
